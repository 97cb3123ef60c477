package httpapi

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"fever/index"
)

// TestAllowOrigin makes every kind of request as a browser does for a page.
func TestAllowOrigin(t *testing.T) {
	t.Parallel()
	const ours, other = "https://events.example.com", "http://localhost:3000"
	x := loaded(t, many(t, 3)...)
	for _, test := range []struct {
		name    string
		allowed []string
		origin  string
		want    string // Access-Control-Allow-Origin
		vary    string
	}{
		{"no setting", nil, ours, "", "Accept-Encoding"},
		{"all", []string{"*"}, ours, "*", "Accept-Encoding"},
		{"all, and no page", []string{"*"}, "", "*", "Accept-Encoding"},
		{"all, and a file", []string{"*"}, "null", "*", "Accept-Encoding"},
		{"ours", []string{ours}, ours, ours, "Accept-Encoding, Origin"},
		{"one of two", []string{other, ours}, ours, ours, "Accept-Encoding, Origin"},
		{"another", []string{ours}, other, "", "Accept-Encoding, Origin"},
		{"a part of ours", []string{ours}, "https://events.example.co", "", "Accept-Encoding, Origin"},
		{"ours with a tail", []string{ours}, ours + ".evil.example", "", "Accept-Encoding, Origin"},
		{"ours without TLS", []string{ours}, "http://events.example.com", "", "Accept-Encoding, Origin"},
		{"a file", []string{ours}, "null", "", "Accept-Encoding, Origin"},
		{"no page", []string{ours}, "", "", "Accept-Encoding, Origin"},
	} {
		base := listen(t, NewSearch(Search{Index: x, AllowOrigins: test.allowed, MaxAge: time.Minute, Log: quiet}))
		var fields []string
		if test.origin != "" {
			fields = []string{"Origin: " + test.origin}
		}
		tag := get(t, base+"/search").header.Get("Etag")
		for _, ask := range []struct {
			method, path string
			status       int
			field        string
		}{
			{http.MethodGet, "/search", http.StatusOK, "Accept-Encoding: gzip"},
			{http.MethodGet, "/search?limit=1&match=overlap", http.StatusOK, ""},
			{http.MethodHead, "/search?limit=1", http.StatusOK, ""},
			{http.MethodGet, "/search", http.StatusNotModified, "If-None-Match: " + tag},
			{http.MethodGet, "/search?limit=0", http.StatusBadRequest, ""},
			{http.MethodGet, "/other", http.StatusNotFound, ""},
			{http.MethodPost, "/search", http.StatusMethodNotAllowed, ""},
		} {
			asked := fields
			if ask.field != "" {
				asked = append([]string{ask.field}, fields...)
			}
			reply := do(t, request(t, ask.method, base+ask.path, asked...))
			got, exposed := reply.header.Get("Access-Control-Allow-Origin"), reply.header.Get("Access-Control-Expose-Headers")
			if reply.status != ask.status || got != test.want || strings.Contains(exposed, "ETag, Link") != (test.want != "") {
				t.Errorf("%s: %s %s: %d %v", test.name, ask.method, ask.path, reply.status, reply.header)
			}
			if reply.status < http.StatusBadRequest && reply.header.Get("Vary") != test.vary {
				t.Errorf("%s: %s %s: Vary is %q, want %q", test.name, ask.method, ask.path, reply.header["Vary"], test.vary)
			}
		}
		preflight := do(t, request(t, http.MethodOptions, base+"/search?limit=1", append(fields,
			"Access-Control-Request-Method: GET", "Access-Control-Request-Headers: if-none-match")...))
		for name, want := range map[string]string{
			"Access-Control-Allow-Methods": "GET, HEAD", "Access-Control-Allow-Headers": "If-None-Match", "Access-Control-Max-Age": "7200",
		} {
			if test.want == "" {
				want = ""
			}
			if got := preflight.header.Get(name); got != want || preflight.status != http.StatusNoContent || preflight.header.Get("Access-Control-Allow-Origin") != test.want {
				t.Errorf("%s: a preflight: %d %v", test.name, preflight.status, preflight.header)
			}
		}
	}
}

// TestAllowOriginOfErrors: a page can read that the server is not ready, and why.
func TestAllowOriginOfErrors(t *testing.T) {
	t.Parallel()
	base := listen(t, NewSearch(Search{Index: index.New(), AllowOrigins: []string{"*"}, Log: quiet}))
	reply := get(t, base+"/search", "Origin: https://a.example")
	if reply.status != http.StatusServiceUnavailable || reply.header.Get("Access-Control-Allow-Origin") != "*" ||
		!strings.Contains(reply.header.Get("Access-Control-Expose-Headers"), "Retry-After") {
		t.Errorf("%d %v", reply.status, reply.header)
	}
}
