package cli

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"fever/internal/pipe"
)

// planted begins all secrets but the one that is encoded.
const (
	planted   = "s3cret"
	toSee     = planted + "-token"
	user      = "me:" + planted + "-user"
	inQuery   = planted + "-query"
	inHeader  = planted + "-header"
	elsewhere = planted + "-elsewhere" // where a provider sends us to
)

// encoded is what goes over the wire for the user of a URL.
var encoded = base64.StdEncoding.EncodeToString([]byte(user))

// A service is fever serve in this process.
type service struct {
	address, ops string
	stop         func() // and wait for its end

	mu  sync.Mutex
	log strings.Builder
}

var (
	loggedAddress = regexp.MustCompile(`\baddress"?[=:]"?([0-9.:]+)`)
	loggedOps     = regexp.MustCompile(`\bops"?[=:]"?([0-9.:]+)`)
)

// serve starts one and waits until it serves.
func serve(t *testing.T, args ...string) *service {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	logs, errOut := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- Main(ctx, append([]string{"serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"}, args...), strings.NewReader(""), errOut, errOut)
		_ = errOut.Close() // a pipe closes without an error
	}()
	s := &service{}
	serving := make(chan bool, 1)
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer func() { serving <- false }()
		for lines := bufio.NewScanner(logs); lines.Scan(); {
			s.mu.Lock()
			s.log.WriteString(lines.Text() + "\n")
			s.mu.Unlock()
			address, ops := loggedAddress.FindStringSubmatch(lines.Text()), loggedOps.FindStringSubmatch(lines.Text())
			if address != nil && ops != nil && s.ops == "" {
				s.address, s.ops = address[1], ops[1]
				serving <- true
			}
		}
	}()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if got := <-code; got != exitDone {
			t.Errorf("exit code %d", got)
		}
		<-read
	})
	t.Cleanup(s.stop)
	if !<-serving {
		t.Fatalf("it ended without serving: %s", s.logged())
	}
	return s
}

func (s *service) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// exchange does a request and returns all of the answer.
func exchange(t *testing.T, method, target, authorization string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	var answer strings.Builder
	if err := errors.Join(response.Write(&answer), response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return answer.String()
}

// failing starts providers that have all the secrets and fail, and returns their URLs
// by the kind of failure. They repeat what they were sent, wherever there is a place.
func failing(t *testing.T) map[string]string {
	t.Helper()
	answering := func(f http.HandlerFunc) string {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("key") != inQuery || r.Header.Get("Authorization") != "Basic "+encoded || r.Header.Get("X-Key") != inHeader {
				t.Errorf("a provider is asked %s with %v", r.URL, r.Header)
			}
			w.Header().Set("X-Echo", r.URL.String()+inHeader)
			f(w, r)
		}))
		t.Cleanup(srv.Close)
		return srv.URL
	}
	to := func(location string) string {
		return answering(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusFound)
		})
	}
	saying := func(status int, body string) string {
		return answering(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body) // the client may not care
		})
	}
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = nil
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)

	private := "me:" + elsewhere + "@"
	query := "/?signature=" + elsewhere
	all := map[string]string{
		"connection refused":    "http://127.0.0.1:1",
		"dns":                   "http://no..such.host",
		"tls untrusted":         untrusted.URL,
		"tls not spoken":        strings.Replace(plain.URL, "http:", "https:", 1),
		"connection redirected": to("http://" + private + "127.0.0.1:1" + query),
		"dns redirected":        to("http://" + private + "no..such.host" + query),
		"tls redirected":        to(strings.Replace(untrusted.URL, "://", "://"+private, 1) + query),
		"http_status nowhere":   to("http://" + private + "[bad" + query),
		"http_status scheme":    to("ftp://" + private + "example.com" + query),
		"http_status loop":      to("?key=" + inQuery + "&signature=" + elsewhere),
		"http_status 500":       saying(http.StatusInternalServerError, elsewhere),
		"http_status 403":       saying(http.StatusForbidden, elsewhere),
		"malformed":             saying(http.StatusOK, `<planList a="`+elsewhere+`">`+elsewhere+`<b c="`+elsewhere+`" d=`+elsewhere+`>`),
		"malformed text":        saying(http.StatusOK, elsewhere),
		"decode":                saying(http.StatusOK, `<?xml version="1.0"?><a>`+elsewhere+`</a>`),
		"too_large":             saying(http.StatusOK, strings.Repeat("<!-- "+elsewhere+" -->", 1<<10)),
		"timeout": answering(func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
		}),
		"connection cut": answering(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, "<planList><!-- "+elsewhere)
			panic(http.ErrAbortHandler)
		}),
	}
	for kind, base := range all {
		all[kind] = strings.Replace(base, "://", "://"+user+"@", 1) + "/events?key=" + inQuery
	}
	return all
}

// TestNoSecretGetsOut gives secrets to a service whose providers fail in all ways, and
// looks for them in everything that comes out of it.
func TestNoSecretGetsOut(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			dir := pipe.SocketFolder(t)
			db, config := filepath.Join(dir, "fever.db"), filepath.Join(dir, "fever.yaml")
			providers := failing(t)
			kinds := slices.Sorted(maps.Keys(providers))
			text := "db: " + db + "\nworkers: 50\nops-token: " + toSee + "\nproviders:\n"
			for i, kind := range kinds {
				limit := "1h"
				if kind == "timeout" {
					limit = "1s"
				}
				text += fmt.Sprintf("- {name: p%d, url: %q, timeout: %s, max-bytes: 8KiB, headers: {X-Key: %s}}\n", i, providers[kind], limit, inHeader)
			}
			if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			s := serve(t, "--config", config, "--no-sync", "--log-format", format, "--log-level", "debug")

			var out []string
			see := func(what, text string) { out = append(out, what+": "+text) }
			see("the collecting", exchange(t, http.MethodPost, "http://"+s.ops+"/sync?wait=1", "Bearer "+toSee))
			for _, authorization := range []string{"", "Bearer " + toSee, "Bearer " + toSee + "x", "Basic " + encoded} {
				for _, path := range []string{
					"/", "/?from=2021-01-01&to=x", "/page/page.css", "/page/page.js", "/page/none", "/metrics", "/healthz", "/readyz", "/openapi.yaml", "/docs",
					"/providers", "/jobs?limit=1000", "/jobs?provider=p0", "/jobs?limit=x", "/nothing",
					"/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=1", "/debug/pprof/goroutine?debug=2",
				} {
					see(path, exchange(t, http.MethodGet, "http://"+s.ops+path, authorization))
				}
			}
			for _, path := range []string{"/search", "/search?starts_at=x", "/jobs"} {
				see(path, exchange(t, http.MethodGet, "http://"+s.address+path, "Bearer "+toSee))
			}
			rejected := slices.Index(kinds, "http_status 403")
			printed, said := run(t, exitFailed, "sync", "--once", "--config", config, "--provider", fmt.Sprintf("p%d", rejected))
			see("sync", printed+said)
			backup := filepath.Join(dir, "backup.db")
			run(t, exitDone, "backup", "--config", config, backup)
			for _, form := range []string{"table", "json", "ndjson", "csv"} {
				jobs, _ := run(t, exitDone, "dump", "--jobs", "--db", db, "--format", form)
				see("dump", jobs)
				for i, kind := range kinds {
					kind, _, _ = strings.Cut(kind, " ")
					of := regexp.MustCompile(fmt.Sprintf(`(?m)\bp%d\b.*\b%s\b`, i, kind))
					if form == "ndjson" && !of.MatchString(jobs) {
						t.Errorf("p%d did not fail as %s: %s", i, kinds[i], jobs)
					}
				}
			}
			s.stop()
			see("the log", s.logged())
			for _, file := range []string{db, backup} {
				kept, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				see(file, string(kept))
			}
			for _, text := range out {
				for _, secret := range []string{planted, encoded, url.QueryEscape(user)} {
					if i := strings.Index(text, secret); i >= 0 {
						t.Errorf("%.20s tells a secret: %q", text, text[max(0, i-100):min(len(text), i+50)])
					}
				}
			}
			if n := strings.Count(s.logged(), "job failed"); n != len(kinds)+1 {
				t.Errorf("%d failures were logged, not %d: %s", n, len(kinds)+1, s.logged())
			}
		})
	}
}

// TestRefusalsKeepSecrets starts with settings that are wrong and hold secrets.
func TestRefusalsKeepSecrets(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context()) // one that has ended: what is right by mistake does not stay
	cancel()
	refused := func(t *testing.T, args ...string) {
		t.Helper()
		var out strings.Builder
		code := Main(ctx, append([]string{"serve", "--listen", "127.0.0.1:0", "--ops-listen", "", "--db", filepath.Join(pipe.SocketFolder(t), "f.db")}, args...), strings.NewReader(""), &out, &out)
		if code != exitUsage || strings.Contains(out.String(), planted) {
			t.Errorf("exit code %d: %s", code, out.String())
		}
	}
	for _, args := range [][]string{
		{"--provider-url", "http://me:s3cret@%zz/?key=s3cret"},
		{"--provider-url", "http://me:s3cret@[bad/?key=s3cret"},
		{"--provider-url", "http://me:s3cret@example.com:port/"},
		{"--provider-url", "me:s3cret@example.com"},
		{"--provider-url", "ftp://me:s3cret@example.com/"},
		{"--provider-url", "http://me:s3cret\x7f@example.com/"},
		{"--ops-token", "s3cret with spaces"},
		{"--ops-token", "s3cret\n"},
		{"-ops-token=s3cret"},
		{"-ops-token", "s3cret"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			refused(t, args...)
		})
	}
	for _, text := range []string{
		"ops-token: [s3cret]",
		"ops-token: {s3cret: s3cret}",
		"ops-token: s3cret: s3cret",
		"ops-token: *s3cret",
		"ops-token: &s3cret",
		"ops-token: !s3cret x",
		"ops-token: @s3cret",
		"ops-token: !!int s3cret",
		"ops-token: !!bool s3cret",
		"ops-token: !s3cret! x",
		"ops-token s3cret: x",
		"ops-token=s3cret: x\nops-token=s3cret: x",
		"ops-token: \"s3cret\\s3cret\"",
		"ops-token: 's3cret",
		"ops-tokem: s3cret",
		"ops-token: s3cret\nops-token: s3cret",
		"ops-token: |\n  s3cret\n  s3cret",
		"s3cret",
		"- s3cret",
		"ops-token: s3cret\n---\nops-token: s3cret",
		"ops-token: \"s3cret\x01\"",
		"providers: s3cret",
		"providers: [s3cret]",
		"providers: [{name: a, url: 'http://me:s3cret@[bad/?key=s3cret'}]",
		"providers: [{name: a, url: 'http://me:s3cret@example.com/${s3cret}'}]",
		"providers: [{name: a, url: 'http://me:s3cret@example.com/${env:FEVER_TEST_NOT_SET}'}]",
		"providers: [{name: a, url: ['http://me:s3cret@example.com/']}]",
		"providers: [{name: a, url: 'http://me:s3cret@example.com/', every: 1}]",
		"providers: [{name: a, url: 'http://me:s3cret@example.com/', headers: s3cret}]",
		"providers: [{name: a, url: 'http://me:s3cret@example.com/', headers: [s3cret]}]",
		"providers: [{name: a, url: 'http://me:s3cret@example.com/', headers: {'X-Key: s3cret': a}}]",
		"providers: [{name: a, url: 'http://me:s3cret@example.com/', headers: {Authorization: s3cret}}]",
		"providers: [{name: a, url: 'http://example.com/', headers: {s3cret}}]",
		"providers: [{name: a, url: 'http://example.com/', headers: {X-Key: [s3cret]}}]",
		"providers: [{name: a, url: 'http://example.com/', headers: {X-Key: 's3cret${'}}]",
		"providers: [{name: a, url: 'http://example.com/', headers: {X-Key: \"s3cret\\n\"}}]",
		"providers: [{name: a, url: 'http://example.com/', headers: {Host: s3cret}}]",
		"providers: [{name: a, url: 'http://example.com/', headers: {X-Key: s3cret, x-key: s3cret}}]",
		"providers: [{name: a, url: 'http://example.com/', headers: {'Authorization Bearer s3cret': ''}}]",
		"providers:\n- name: a\n  url: http://example.com/\n  headers:\n    Authorization: Bearer s3cret: x",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(pipe.SocketFolder(t), "fever.yaml") // without the test's name
			if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			refused(t, "--config", path)
		})
	}
}
