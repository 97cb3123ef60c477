package ops

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"fever/httpapi"
	"fever/httpapi/server"
	"fever/index"
	"fever/index/follow"
	"fever/ingest"
	"fever/internal/feedtest"
	"fever/ops/control"
	"fever/provider/feed"
	"fever/provider/feed/feverup"
	"fever/store"
	"fever/store/bolt"
)

// A deployment is a service whose ops listener is asked over HTTP. It is loaded, and no
// scheduler runs.
type deployment struct {
	db string // the data file
	Ops
	url   string
	log   *record
	drain func() // begins to
	stop  func() // begins to stop
}

// deploy makes a service, with its own limits on what clients may do.
func deploy(t *testing.T, token string, providers ...ingest.Provider) *deployment {
	t.Helper()
	d := idle(t, providers...)
	d.Token, d.ReadyWhenLoaded = token, true
	d.load(t)
	d.open(t)
	return d
}

// idle makes a service that is neither loaded nor listens.
func idle(t *testing.T, providers ...ingest.Provider) *deployment {
	t.Helper()
	d := &deployment{log: new(record), db: filepath.Join(t.TempDir(), "fever.db")}
	log := slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	st, err := bolt.Open(d.db, 100)
	if err != nil {
		t.Fatal(err)
	}
	x := index.New()
	g := ingest.New(st, log, 2, providers...)
	follower := follow.New(st, x, log)
	g.Publish = follower.CatchUp
	t.Cleanup(func() {
		g.Close()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	m := NewMetrics("v1.2.3", x, g, st, log)
	m.Follower = follower
	g.Ended = m.JobEnded
	draining, stopping := make(chan struct{}), make(chan struct{})
	d.drain = sync.OnceFunc(func() { close(draining) })
	d.stop = sync.OnceFunc(func() { close(stopping) })
	d.Ops = Ops{
		Server:  control.Server{Index: x, Ingester: g, Store: st, Spool: st.Spool, Draining: draining, Stopping: stopping, Log: log},
		Metrics: m, Version: "v1.2.3", OpenAPI: httpapi.OpenAPI,
		Search: httpapi.NewSearch(httpapi.Search{Index: x, Log: log, Observe: m.Search}),
	}
	return d
}

func (d *deployment) load(t *testing.T) {
	t.Helper()
	if err := d.Ingester.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// open listens until the test ends.
func (d *deployment) open(t *testing.T) {
	t.Helper()
	ln, err := server.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, ln, New(d.Ops), time.Minute, d.Log, nil) }()
	t.Cleanup(func() {
		d.stop()
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	d.url = "http://" + ln.Addr().String()
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

// fetched returns a provider that f fetches from.
func fetched(name string, f func(context.Context) (*feed.Feed, error)) ingest.Provider {
	return ingest.Provider{
		Name: name, Location: time.UTC, Every: time.Minute, MaxInterval: time.Hour, Attempts: 1,
		Get: feedtest.Get(func(ctx context.Context, _ feed.Validators, _ *feed.Progress) (*feed.Feed, error) {
			return f(ctx)
		}),
		Decode: func(doc *feed.Document) (*feed.Feed, error) {
			if doc.Op != "" { // somebody gave it
				return feed.Decode(doc, feverup.New(0), name, time.UTC)
			}
			return feedtest.Decode(doc)
		},
	}
}

// well is a provider that has nothing to sell.
func well(name string) ingest.Provider {
	return fetched(name, func(context.Context) (*feed.Feed, error) { return &feed.Feed{HTTPStatus: 200}, nil })
}

// ill is a provider that is out of order.
func ill(name string) ingest.Provider {
	return fetched(name, func(context.Context) (*feed.Feed, error) {
		return nil, &feed.Error{Provider: name, Kind: feed.KindTimeout, Op: "fetch from example.com", Err: errors.New("no answer")}
	})
}

// slow is a provider that answers when it is told to.
func slow(name string) (p ingest.Provider, release func()) {
	released := make(chan struct{})
	p = fetched(name, func(ctx context.Context) (*feed.Feed, error) {
		select {
		case <-released:
			return &feed.Feed{HTTPStatus: 200}, nil
		case <-ctx.Done():
			return nil, &feed.Error{Provider: name, Kind: feed.KindCanceled, Op: "fetch from example.com", Err: ctx.Err()}
		}
	})
	return p, sync.OnceFunc(func() { close(released) })
}

// collect runs one job of each named provider, in order.
func (d *deployment) collect(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := d.Ingester.RunNow(t.Context(), name, store.Manual, false); err != nil {
			t.Fatal(err)
		}
	}
}

// An exchange is what came of a request.
type exchange struct {
	status int
	header http.Header
	body   string
}

// client keeps no connection, and follows nothing.
var client = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// ask makes a request with header fields given as "Name: value".
func (d *deployment) ask(t *testing.T, method, target string, fields ...string) exchange {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, d.url+target, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		if name == "Host" {
			r.Host = value
		}
		r.Header.Add(name, value)
	}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return exchange{response.StatusCode, response.Header, string(body)}
}

// decode reads the data of an answer, or all of the body into what is no map of data.
func (e exchange) decode(t *testing.T, data any) {
	t.Helper()
	var body struct {
		Data  json.RawMessage `json:"data"`
		Error json.RawMessage `json:"error"`
	}
	if err := json.Unmarshal([]byte(e.body), &body); err != nil {
		t.Fatalf("%s: %v", e.body, err)
	}
	if string(body.Error) != "null" || e.header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v %s", e.status, e.header, e.body)
	}
	if err := json.Unmarshal(body.Data, data); err != nil {
		t.Fatalf("%s: %v", e.body, err)
	}
}

// failed checks that an answer is an error and returns its message.
func (e exchange) failed(t *testing.T, status int, code string) (message string) {
	t.Helper()
	var body struct {
		Data  json.RawMessage
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal([]byte(e.body), &body); err != nil {
		t.Fatalf("%d %s: %v", e.status, e.body, err)
	}
	if e.status != status || body.Error.Code != code || string(body.Data) != "null" || body.Error.Message == "" ||
		e.header.Get("Content-Type") != "application/json" || e.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v %s; want %d %s", e.status, e.header, e.body, status, code)
	}
	return body.Error.Message
}

// routes are all that the ops listener answers to with GET, and their content types.
var routes = map[string]string{
	"/":                         "text/html; charset=utf-8",
	"/page/page.css":            "text/css; charset=utf-8",
	"/healthz":                  "text/plain; charset=utf-8",
	"/readyz":                   "application/json",
	"/metrics":                  "text/plain; version=0.0.4; charset=utf-8; escaping=underscores",
	"/providers":                "application/json",
	"/jobs":                     "application/json",
	"/explain?event=x":          "application/json",
	"/openapi.yaml":             "application/yaml",
	"/docs":                     "text/html; charset=utf-8",
	"/debug/pprof/":             "text/html; charset=utf-8",
	"/debug/pprof/goroutine":    "application/octet-stream",
	"/debug/pprof/heap?debug=1": "text/plain; charset=utf-8",
	"/debug/pprof/symbol":       "text/plain; charset=utf-8",
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	d := deploy(t, "", well("a"))
	d.collect(t, "a")
	for target, contentType := range routes {
		got := d.ask(t, http.MethodGet, target)
		if got.status != http.StatusOK || got.header.Get("Content-Type") != contentType || got.body == "" {
			t.Errorf("%s: %d %v %.200s", target, got.status, got.header, got.body)
		}
		for name, value := range map[string]string{
			"Content-Security-Policy":      policy,
			"X-Content-Type-Options":       "nosniff",
			"Referrer-Policy":              "no-referrer",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got.header.Get(name) != value {
				t.Errorf("%s: %s is %q", target, name, got.header.Get(name))
			}
		}
		if head := d.ask(t, http.MethodHead, target); head.status != http.StatusOK || head.body != "" {
			t.Errorf("HEAD %s: %d %s", target, head.status, head.body)
		}
		if got := d.ask(t, http.MethodDelete, target); got.header.Get("Allow") != "GET, HEAD" {
			t.Errorf("DELETE %s: %v", target, got.header)
		} else {
			got.failed(t, http.StatusMethodNotAllowed, "method_not_allowed")
		}
	}
	for _, target := range []string{"/search", "/nothing", "/jobs/1", "/snapshots", "/events", "/backup", "/debug/vars", "/page/", "/page/x", "/debug/pprof/x", "/debug/pprof/heap/x"} {
		d.ask(t, http.MethodGet, target).failed(t, http.StatusNotFound, "not_found")
	}
	get := d.ask(t, http.MethodGet, "/sync")
	get.failed(t, http.StatusMethodNotAllowed, "method_not_allowed")
	if get.header.Get("Allow") != http.MethodPost {
		t.Errorf("GET /sync: %v", get.header)
	}
}

// TestPublicListener asks the public handler for all that there is for ops.
func TestPublicListener(t *testing.T) {
	t.Parallel()
	d := idle(t, well("a"))
	d.load(t)
	ln, err := server.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, ln, d.Search, time.Minute, d.Log, nil) }()
	d.url = "http://" + ln.Addr().String()
	for target := range routes {
		d.ask(t, http.MethodGet, target).failed(t, http.StatusNotFound, "not_found")
	}
	d.ask(t, http.MethodPost, "/sync").failed(t, http.StatusNotFound, "not_found")
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// TestFault has the store fail. The client learns an id, and the log the reason.
func TestFault(t *testing.T) {
	t.Parallel()
	d := deploy(t, "", well("a"))
	if err := d.Store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"/jobs", "/providers"} {
		message := d.ask(t, http.MethodGet, target).failed(t, http.StatusInternalServerError, "internal")
		id := message[strings.LastIndex(message, " ")+1:]
		if text := d.log.String(); len(id) != 8 || !strings.Contains(text, "request="+id+" method=GET path="+target) {
			t.Errorf("%s: %s, logged as %s", target, message, text)
		}
		if strings.Contains(message, "database") {
			t.Errorf("%s: %s", target, message)
		}
	}
}
