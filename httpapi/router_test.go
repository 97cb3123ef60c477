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

// others are methods that /search does not answer to. CONNECT has no path in HTTP/1.1.
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
