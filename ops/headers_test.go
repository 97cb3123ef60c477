package ops

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// everything has a request for each pattern that these handlers have routes for.
var everything = map[string]string{
	"GET /{$}":                 "/",
	"GET /page/":               "/page/page.js",
	"GET /metrics":             "/metrics",
	"GET /healthz":             "/healthz",
	"GET /readyz":              "/readyz",
	"GET /openapi.yaml":        "/openapi.yaml",
	"GET /docs":                "/docs",
	"GET /providers":           "/providers",
	"GET /jobs":                "/jobs",
	"GET /explain":             "/explain?event=x",
	"POST /sync":               "/sync?wait=1",
	"GET /rpde":                "/rpde",
	"GET /calendar.ics":        "/calendar.ics",
	"GET /events.jsonld":       "/events.jsonld",
	"GET /try":                 "/try",
	"POST /try":                "/try",
	"GET /debug/pprof/{$}":     "/debug/pprof/",
	"GET /debug/pprof/{name}":  "/debug/pprof/goroutine",
	"GET /debug/pprof/profile": "/debug/pprof/profile?seconds=x", // a refusal is enough
	"GET /debug/pprof/symbol":  "/debug/pprof/symbol",
	"GET /debug/pprof/trace":   "/debug/pprof/trace?seconds=x",
	"GET /events":              "/events",
	"GET /versions":            "/versions?event=x",
	"POST /snapshots":          "/snapshots?provider=a",
	"GET /backup":              "/backup",
	"POST /forget":             "/forget?provider=a",
	"POST /rename":             "/rename?from=a&to=b",
}

// TestEverything keeps that list complete.
func TestEverything(t *testing.T) {
	t.Parallel()
	var files []string
	for _, pattern := range []string{"*.go", "*/*.go"} {
		more, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, more...)
	}
	patterns := make(map[string]bool)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, pattern := range regexp.MustCompile(`"([A-Z]+ /[^" ]*)"`).FindAllSubmatch(source, -1) {
			patterns[string(pattern[1])] = true
		}
	}
	if want, got := slices.Sorted(maps.Keys(patterns)), slices.Sorted(maps.Keys(everything)); !slices.Equal(got, want) {
		t.Errorf("the requests are for %q, and the routes %q", got, want)
	}
}

// TestHeaders looks at the header of every answer, whatever its status is: what a browser
// needs to know to do no harm is there, and nothing that helps an attacker.
func TestHeaders(t *testing.T) {
	t.Parallel()
	d := deploy(t, "s3cret", well("a"))
	control := httptest.NewServer(NewControl(d.Ops, reader(t, "a")))
	t.Cleanup(control.Close)
	public := httptest.NewServer(d.Search)
	t.Cleanup(public.Close)

	watched := map[string]string{
		"Content-Security-Policy":      policy,
		"X-Content-Type-Options":       "nosniff",
		"Referrer-Policy":              "no-referrer",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Cache-Control":                "no-store",
	}
	check := func(url, method, target string, want map[string]string, fields ...string) (status int) {
		t.Helper()
		of := deployment{url: url}
		got := of.ask(t, method, target, fields...)
		for name, value := range want {
			// What a page consists of may be kept, and asked for again. So may what is published.
			kept := slices.Contains([]string{everything["GET /page/"], "/rpde", "/calendar.ics", "/events.jsonld"}, target)
			if name == "Cache-Control" && kept && got.status == http.StatusOK {
				value = "no-cache"
			}
			if got.header.Get(name) != value || len(got.header[name]) != 1 {
				t.Errorf("%s %s %v: %d with %s: %q", method, target, fields, got.status, name, got.header[name])
			}
		}
		for _, name := range []string{"Server", "X-Powered-By", "Set-Cookie", "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"} {
			if got.header[name] != nil {
				t.Errorf("%s %s: %d with %s: %q", method, target, got.status, name, got.header[name])
			}
		}
		return got.status
	}
	statuses := make(map[int]bool)
	for pattern, target := range everything {
		method, _, _ := strings.Cut(pattern, " ")
		for _, fields := range [][]string{
			nil, {"Authorization: Bearer s3cret"}, {"Authorization: Bearer s3cret", "Sec-Fetch-Site: cross-site"},
		} {
			statuses[check(d.url, method, target, watched, fields...)] = true
			statuses[check(d.url, "DELETE", target, watched, fields...)] = true
			statuses[check(d.url, method, target+"/nothing", watched, fields...)] = true
			check(control.URL, method, target, watched, fields...)
		}
	}
	statuses[check(d.url, http.MethodGet, "/jobs?limit=x", watched, "Authorization: Bearer s3cret")] = true
	for _, status := range []int{200, 400, 401, 403, 404, 405} {
		if !statuses[status] {
			t.Errorf("no answer had the status %d", status)
		}
	}

	for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST", "TRACE"} {
		for _, target := range []string{"/search", "/search?starts_at=x", "/", "/nothing", "/search/", "//search", "/metrics"} {
			check(public.URL, method, target, map[string]string{"X-Content-Type-Options": "nosniff"})
		}
	}
	got := (&deployment{url: public.URL}).ask(t, http.MethodGet, "/search")
	if status := check(public.URL, http.MethodGet, "/search", map[string]string{"X-Content-Type-Options": "nosniff"}, "If-None-Match: "+got.header.Get("ETag")); status != http.StatusNotModified {
		t.Errorf("the same again: %d", status)
	}
}
