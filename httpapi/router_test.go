package httpapi

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// methods beyond the two that /search answers to. CONNECT has no path in HTTP/1.1.
var others = []string{
	http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodTrace, "PROPFIND", "get", "QUERY",
}

func TestOtherMethods(t *testing.T) {
	t.Parallel()
	base := search(t, entry(t, row{id: "1", start: "2021-06-01"}))
	for _, method := range others {
		for _, query := range []string{"", "?starts_at=x"} {
			r := request(t, method, base+"/search"+query, "If-None-Match: *")
			r.Body = io.NopCloser(strings.NewReader("starts_at=2021-06-30T21:00:00Z"))
			reply := do(t, r)
			code, _ := reply.failure(t)
			if reply.status != http.StatusMethodNotAllowed || code != "method_not_allowed" || reply.header.Get("Allow") != "GET, HEAD, OPTIONS" {
				t.Errorf("%s: %d %v %s", method, reply.status, reply.header, reply.body)
			}
		}
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	base := search(t, entry(t, row{id: "1", start: "2021-06-01"}))
	for _, query := range []string{"", "?starts_at=x"} {
		if reply := do(t, request(t, http.MethodOptions, base+"/search"+query)); reply.status != http.StatusNoContent {
			t.Errorf("OPTIONS /search%s: %d", query, reply.status)
		}
	}
	if reply := do(t, request(t, http.MethodOptions, base+"/other")); reply.status != http.StatusNotFound {
		t.Errorf("OPTIONS /other: %d", reply.status)
	}
	server := request(t, http.MethodOptions, base)
	server.URL.Opaque = "*"
	if reply := do(t, server); reply.status != http.StatusNoContent {
		t.Errorf("OPTIONS *: %d", reply.status)
	}
}

func TestOtherPaths(t *testing.T) {
	t.Parallel()
	base := search(t, entry(t, row{id: "1", start: "2021-06-01"}))
	for _, path := range []string{
		"", "/", "/search/", "//search", "/Search", "/SEARCH", "/search/x", "/searc", "/searchx", "/./search", "/x/../search",
		"/search%2f", "/search%20", "/search;x", "/search%00", "/search.json", "/favicon.ico", "/openapi.yaml", "/debug/pprof/",
		"/%2e%2e/search", "/search//", "/" + strings.Repeat("x", 8000),
	} {
		for _, method := range append([]string{http.MethodGet, http.MethodHead, http.MethodOptions}, others...) {
			reply := do(t, request(t, method, base+path))
			if reply.status != http.StatusNotFound || reply.header.Get("Location") != "" || reply.header.Get("Allow") != "" {
				t.Errorf("%s %.100s: %d %v", method, path, reply.status, reply.header)
			}
			if method == http.MethodHead {
				continue
			}
			if code, _ := reply.failure(t); code != "not_found" {
				t.Errorf("%s %.100s: %s", method, path, reply.body)
			}
		}
	}
	star := request(t, http.MethodGet, base)
	star.URL.Opaque = "*"
	if reply := do(t, star); reply.status != http.StatusNotFound || reply.header.Get("Allow") != "" {
		t.Errorf("GET *: %d %v", reply.status, reply.header)
	}
	if reply := get(t, base+"/%73earch"); reply.status != http.StatusOK { // an equivalent URI (RFC 3986 section 6.2.2.2)
		t.Errorf("an escaped letter: %d", reply.status)
	}
}

// A record is a log that tests can read.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(b)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

func (r *record) log() *slog.Logger { return slog.New(slog.NewTextHandler(r, nil)) }

func TestPanic(t *testing.T) {
	t.Parallel()
	var logged record
	log := logged.log()
	base := listen(t, newRouter("/search", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.RawQuery {
		case "early":
			w.Header()["Content-Encoding"] = codingGzip
			w.Header().Set("Etag", "x")
			panic("the cat ate it")
		case "late", "abort":
			w.Header().Set("Content-Length", "100000")
			_, _ = io.WriteString(w, strings.Repeat("half of it", 5000)) // more than net/http holds back
			if r.URL.RawQuery == "abort" {
				panic(http.ErrAbortHandler) // meant, so it is not logged
			}
			panic("too late")
		}
		WriteError(w, r, log, errOverloaded)
	}), log))

	ids := make(map[string]bool)
	for range 2 { // the process lives on
		reply := get(t, base+"/search?early")
		code, message := reply.failure(t)
		if reply.status != http.StatusInternalServerError || code != "internal" {
			t.Errorf("%d %s after a panic", reply.status, reply.body)
		}
		ids[requestID(t, message)] = true
		if strings.Contains(reply.body, "cat") || reply.header.Get("Etag") != "" {
			t.Errorf("a panic left its traces in %v %s", reply.header, reply.body)
		}
		if reply := do(t, request(t, http.MethodHead, base+"/search?early")); reply.status != http.StatusInternalServerError {
			t.Errorf("HEAD: %d", reply.status)
		}

		// Half an answer must not look like a whole one.
		for _, query := range []string{"late", "abort"} {
			response, err := client.Do(request(t, http.MethodGet, base+"/search?"+query))
			if err != nil {
				t.Fatal(err)
			}
			if body, err := io.ReadAll(response.Body); err == nil {
				t.Errorf("%s: %d bytes are taken for all of a response", query, len(body))
			}
			if err := response.Body.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if reply := get(t, base+"/search"); reply.status != http.StatusServiceUnavailable {
			t.Errorf("the next request: %d", reply.status)
		}
	}
	if len(ids) != 2 {
		t.Errorf("the ids of two requests are %v", ids)
	}
	text := logged.String()
	for id := range ids {
		if n := strings.Count(text, "request="+id+" "); n != 1 {
			t.Errorf("the log has request %s %d times", id, n)
		}
	}
	for _, want := range []string{"the cat ate it", "too late", "TestPanic", "router_test.go", "path=/search"} {
		if !strings.Contains(text, want) {
			t.Errorf("the log does not say %q", want)
		}
	}
	if n := strings.Count(text, "level=ERROR"); n != 6 {
		t.Errorf("%d errors in the log, want 6", n)
	}
}

// requestID returns the id that a message of a 500 ends with.
func requestID(t *testing.T, message string) string {
	t.Helper()
	id := message[strings.LastIndex(message, " ")+1:]
	if len(id) != idLen || strings.ToUpper(id) != id {
		t.Fatalf("%q does not end with an id", message)
	}
	return id
}

// TestInternalError keeps what goes wrong inside away from clients.
func TestInternalError(t *testing.T) {
	t.Parallel()
	var logged record
	base := listen(t, newRouter("/search", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		WriteError(w, r, logged.log(), io.ErrUnexpectedEOF)
	}), quiet))
	reply := get(t, base+"/search")
	if reply.status != http.StatusInternalServerError || strings.Contains(reply.body, "EOF") {
		t.Errorf("%d %s", reply.status, reply.body)
	}
	_, message := reply.failure(t)
	if text := logged.String(); !strings.Contains(text, "unexpected EOF") || !strings.Contains(text, "request="+requestID(t, message)+" ") {
		t.Errorf("the log says only %q", logged.String())
	}
}

// TestNoLogPerSearch makes every kind of request that is no fault of the service.
func TestNoLogPerSearch(t *testing.T) {
	t.Parallel()
	var logged record
	x := loaded(t, entry(t, row{id: "1", start: "2021-06-01"}))
	base := listen(t, NewSearch(Search{Index: x, Log: logged.log()}))
	for _, path := range []string{"/search", "/search?starts_at=x", "/search?a;b=%zz", "/other"} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPost} {
			do(t, request(t, method, base+path))
		}
	}
	if logged.String() != "" {
		t.Errorf("logged: %s", logged.String())
	}
}
