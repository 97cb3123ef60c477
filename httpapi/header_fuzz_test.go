package httpapi

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// FuzzSearchHeaders compares how header fields are read with slow readings of the same rules,
// and checks the responses against the OpenAPI document.
func FuzzSearchHeaders(f *testing.F) {
	x := loaded(f, many(f, 100)...)
	h := NewSearch(Search{Index: x, Log: quiet})
	plain := httptest.NewRecorder()
	h.ServeHTTP(plain, request(f, http.MethodGet, "/search"))
	tag, all := plain.Header().Get("Etag"), plain.Body.String()
	if len(all) < minGzip {
		f.Fatal("the answer is too small to be compressed")
	}

	f.Fuzz(func(t *testing.T, accept, accept2, match, match2 string, some bool) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/search", http.NoBody)
		want := all
		if some { // an answer that is sent as it is
			r.URL.RawQuery = "ends_at=1999-01-01T00:00:00Z"
			want = string(head) + string(tail)
		}
		// The client sends the tag of the answer.
		match, match2 = strings.ReplaceAll(match, "TAG", tag), strings.ReplaceAll(match2, "TAG", tag)
		r.Header["Accept-Encoding"] = []string{accept, accept2}
		if match+match2 != "" {
			r.Header["If-None-Match"] = []string{match}
			if match2 != "" {
				r.Header.Add("If-None-Match", match2)
			}
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		response := w.Result()
		body, err := check(r, response, w.Body.Bytes())
		if err != nil {
			t.Fatalf("%q: %d: %v", r.Header, response.StatusCode, err)
		}
		if got, want := response.StatusCode == http.StatusNotModified, matchesSlowly(r.Header["If-None-Match"], response.Header.Get("Etag")); got != want {
			t.Fatalf("%q: %d, want 304: %t", r.Header["If-None-Match"], response.StatusCode, want)
		}
		if response.StatusCode == http.StatusNotModified {
			return
		}
		if string(body) != want {
			t.Fatalf("%q: %.200s", r.Header, body)
		}
		if got, want := response.Header.Get("Content-Encoding") == "gzip", wantsGzipSlowly(accept+","+accept2, len(want)); got != want {
			t.Fatalf("%q: gzip: %t, want %t", r.Header["Accept-Encoding"], got, want)
		}
	})
}

var entityTags = regexp.MustCompile(`^[ \t,]*(?:W/)?("[^"]*")[ \t]*(?:,|$)`)

// matchesSlowly is matches written without regard to its cost.
func matchesSlowly(lines []string, tag string) bool {
	if len(lines) == 1 && strings.Trim(lines[0], " \t") == "*" {
		return true
	}
	for _, line := range lines {
		for {
			found := entityTags.FindStringSubmatch(line)
			if found == nil {
				// Anything may follow the last element that counts.
				if last := regexp.MustCompile(`^[ \t,]*(?:W/)?("[^"]*")`).FindStringSubmatch(line); last != nil && last[1] == strings.TrimPrefix(tag, "W/") {
					return true
				}
				break
			}
			if found[1] == strings.TrimPrefix(tag, "W/") {
				return true
			}
			line = line[len(found[0]):]
		}
	}
	return false
}

var weighted = regexp.MustCompile(`^([^;]*)(?:;[ \t]*[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*)?$`)

// wantsGzipSlowly is wantsGzip written without regard to its cost.
func wantsGzipSlowly(list string, size int) bool {
	weights := make(map[string]float64)
	for element := range strings.SplitSeq(list, ",") {
		found := weighted.FindStringSubmatch(element)
		if found == nil {
			continue
		}
		q := 1.0
		if found[2] != "" {
			q, _ = strconv.ParseFloat(found[2], 64)
		}
		coding := strings.Trim(found[1], " \t")
		for _, known := range []string{"gzip", "x-gzip", "identity", "*"} {
			if strings.EqualFold(coding, known) {
				weights[strings.TrimPrefix(known, "x-")] = q
			}
		}
	}
	other, others := weights["*"]
	zip, ok := weights["gzip"]
	if !ok {
		zip = other
	}
	identity, listed := weights["identity"]
	if !listed && others {
		identity, listed = other, true
	}
	return zip > 0 && (!listed || zip >= identity) && (size >= minGzip || listed && identity == 0)
}
