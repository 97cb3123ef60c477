package httpapi

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"fever/event"
	"fever/httpapi/server"
	"fever/index"
)

// FuzzSearchQuery compares how a query is read with package url, and checks the responses
// against the OpenAPI document.
func FuzzSearchQuery(f *testing.F) {
	h := NewSearch(Search{Index: loaded(f, many(f, 3)...), Log: quiet})
	q := index.Query{Window: event.Always, Overlap: true}
	for _, seed := range []string{"match=overlap&limit=2", "match=within&limit=0", "limit=2147483648", "match=overlap&cursor=" + cursorAfter(&q, &event.SortKey{Start: 1, End: 2, ID: uuid.Max})} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		got, err := new(params).parse(query)
		code := ""
		if err != nil {
			var e *server.Error
			if !errors.As(err, &e) {
				t.Fatalf("%q: %v is not for clients", query, err)
			}
			code = e.Code
		}
		want, wantCode := slowly(query)
		if code != wantCode || code == "" && !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: %+v %s, want %+v %s", query, got, code, want, wantCode)
		}
		if code == "" {
			agrees(t, query, got.Window)
		}

		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/search", http.NoBody)
		r.URL.RawQuery = query
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		response := w.Result()
		if _, err := check(r, response, w.Body.Bytes()); err != nil {
			t.Fatalf("%q: %d %s: %v", query, response.StatusCode, w.Body, err)
		}
		if want := map[string]int{"": 200, "invalid_parameter": 400, "invalid_range": 400}[code]; response.StatusCode != want {
			t.Fatalf("%q: %d, want %d", query, response.StatusCode, want)
		}
	})
}

// slowly is parse written without regard to its cost.
func slowly(query string) (q index.Query, code string) {
	values := map[string][]string{} // escaped
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name, err := url.QueryUnescape(name); err == nil {
			values[name] = append(values[name], value)
		}
	}
	var instants [2]event.Instant
	for i, name := range []string{"starts_at", "ends_at"} {
		if len(values[name]) == 0 {
			continue
		}
		text, err := url.QueryUnescape(values[name][0])
		if err != nil || len(values[name]) > 1 {
			return q, "invalid_parameter"
		}
		if instants[i], err = event.ParseInstant(text); err != nil {
			return q, "invalid_parameter"
		}
	}
	q.Window = event.Always
	starts, ends := len(values["starts_at"]) > 0, len(values["ends_at"]) > 0
	if starts {
		q.From = instants[0].Ceil()
	}
	if ends {
		q.To = instants[1].Floor()
	}
	if starts && ends && instants[0].Compare(instants[1]) > 0 {
		return q, "invalid_range"
	}
	for _, name := range []string{"match", "limit", "cursor"} {
		if len(values[name]) == 0 {
			continue
		}
		text, err := url.QueryUnescape(values[name][0])
		if err != nil || len(values[name]) > 1 {
			return q, "invalid_parameter"
		}
		valid := false
		switch name {
		case "match":
			valid, q.Overlap = text == "within" || text == "overlap", text == "overlap"
		case "limit":
			if valid = regexp.MustCompile(`^[0-9]*[1-9][0-9]*$`).MatchString(text); valid {
				limit, _ := new(big.Int).SetString(text, 10)
				valid = limit.Cmp(big.NewInt(math.MaxInt32)) <= 0
				q.Limit = int(limit.Int64())
			}
		case "cursor":
			if b, err := base64.URLEncoding.DecodeString(text); err == nil && len(b) == 36 {
				q.After = &event.SortKey{Start: int64(binary.BigEndian.Uint64(b)), End: int64(binary.BigEndian.Uint64(b[8:])), ID: uuid.UUID(b[16:32])}
				valid = cursorAfter(&q, q.After) == text
			}
		}
		if !valid {
			return q, "invalid_parameter"
		}
	}
	return q, ""
}

// agrees checks that url.ParseQuery sees the same window. It leaves out malformed pairs, which
// must not count.
func agrees(t *testing.T, query string, window event.Window) {
	t.Helper()
	values, _ := url.ParseQuery(query)
	want := event.Always
	for name, set := range map[string]func(event.Instant){
		"starts_at": func(i event.Instant) { want.From = i.Ceil() },
		"ends_at":   func(i event.Instant) { want.To = i.Floor() },
	} {
		if len(values[name]) == 0 {
			continue
		}
		instant, err := event.ParseInstant(values.Get(name))
		if err != nil {
			t.Fatalf("%q was accepted: %v", query, err)
		}
		set(instant)
	}
	if window != want {
		t.Fatalf("%q is %+v, package url has %+v", query, window, want)
	}
}
