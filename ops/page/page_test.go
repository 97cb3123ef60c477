package page_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fever/config"
	"fever/event"
	"fever/httpapi"
	"fever/index"
	"fever/index/follow"
	"fever/ingest"
	"fever/ingest/sandbox"
	"fever/internal/feedtest"
	"fever/ops"
	"fever/ops/control"
	"fever/provider/feed"
	"fever/store"
	"fever/store/bolt"
)

// evil is what a feed may say that a page must show as text.
const evil = `<script>document.title="owned"</script><b onclick='x'>&amp;`

// A shown is a service whose page is looked at. Its providers bring what is in their
// feeds.
type shown struct {
	ops.Ops
	url  string
	stop func() // stops serving the page

	mu    sync.Mutex
	feeds map[string]*feed.Feed // nil: the provider fails
	ended chan struct{}         // gets something for each job
}

// never is an interval that no test lasts for.
const never = 10_000 * time.Hour

// show makes a service that has loaded nothing yet.
func show(t *testing.T, every time.Duration, providers ...string) *shown {
	t.Helper()
	st, err := bolt.Open(filepath.Join(t.TempDir(), "fever.db"), 100)
	if err != nil {
		t.Fatal(err)
	}
	return showStore(t, st, every, providers...)
}

// showStore is show with a store, which it closes at the end of the test.
func showStore(t *testing.T, st store.Store, every time.Duration, providers ...string) *shown {
	t.Helper()
	quiet := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	s := &shown{feeds: make(map[string]*feed.Feed), ended: make(chan struct{}, 1000)}
	var configured []ingest.Provider
	for _, name := range providers {
		configured = append(configured, ingest.Provider{
			Name: name, Location: time.UTC, Every: every, MaxInterval: time.Hour, Attempts: 1,
			Get: feedtest.Get(func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
				s.mu.Lock()
				defer s.mu.Unlock()
				if feed := s.feeds[name]; feed != nil {
					return feed, nil
				}
				return nil, &feed.Error{Provider: name, Kind: feed.KindTimeout, Op: "fetch from example.com", Err: errors.New("no answer within 30s; " + evil)}
			}), Decode: feedtest.Decode,
		})
	}
	x := index.New()
	g := ingest.New(st, quiet, 1, configured...)
	follower := follow.New(st, x, quiet)
	g.Publish = follower.CatchUp
	g.Ended = func(store.Job) { s.ended <- struct{}{} }
	m := ops.NewMetrics("v1.2.3", x, g, st, quiet)
	m.Follower = follower
	if shared, ok := st.(store.Shared); ok {
		m.Replicas = &ops.Replicas{Store: shared, Version: "v1.2.3", Settings: "abc", Revision: follower.Revision, Log: slog.New(slog.DiscardHandler)}
	}
	s.Ops = ops.Ops{
		Server: control.Server{Index: x, Ingester: g, Store: st, Log: quiet}, Metrics: m, Version: "v1.2.3", OpenAPI: httpapi.OpenAPI,
		Search: httpapi.NewSearch(httpapi.Search{Index: x, Log: quiet, InFlight: &m.InFlight, Shed: &m.Shed, Observe: m.Search}),
		Entry:  sandboxOf,
	}
	server := httptest.NewServer(ops.New(s.Ops))
	s.url, s.stop = server.URL, server.Close
	t.Cleanup(func() {
		server.Close()
		g.Close()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// sandboxOf returns a sandbox of settings that somebody tries.
func sandboxOf(settings []byte, most int64) (*sandbox.Sandbox, error) {
	p, err := config.ParseEntry(settings, most)
	if err != nil {
		return nil, err
	}
	recipe, err := p.Recipe()
	return &sandbox.Sandbox{Provider: p.Provider, Recipe: recipe, Command: []string{"decode"}, Log: slog.New(slog.DiscardHandler)}, err
}

// set says what a provider brings from now on.
func (s *shown) set(name string, feed *feed.Feed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.feeds[name] = feed
}

// load brings what is stored into the index.
func (s *shown) load(t *testing.T) {
	t.Helper()
	if err := s.Ingester.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// run loads what is stored, starts the scheduler and waits for a job of each provider.
func (s *shown) run(t *testing.T) {
	t.Helper()
	s.load(t)
	ctx, cancel := context.WithCancel(t.Context())
	var scheduler sync.WaitGroup
	scheduler.Go(func() { s.Ingester.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		scheduler.Wait()
	})
	for range s.Ingester.Status() {
		<-s.ended
	}
	for busy := true; busy; { // a job has ended a moment before its provider is free
		busy = slices.ContainsFunc(s.Ingester.Status(), func(s ingest.Status) bool { return s.State != "" })
		runtime.Gosched()
	}
}

// collect runs a job of each of the providers.
func (s *shown) collect(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		_, err := s.Ingester.RunNow(t.Context(), name, store.Manual, false)
		for errors.Is(err, ingest.ErrBusy) { // its turn came
			runtime.Gosched()
			_, err = s.Ingester.RunNow(t.Context(), name, store.Manual, false)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// page returns the page, with runs of white space made one space.
func (s *shown) page(t *testing.T, query string) string {
	t.Helper()
	status, _, body := s.get(t, "/?"+query)
	if status != http.StatusOK {
		t.Fatalf("%d: %s", status, body)
	}
	return regexp.MustCompile(`\s+`).ReplaceAllString(body, " ")
}

func (s *shown) get(t *testing.T, path string) (status int, header http.Header, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(b)
}

// wants asserts that a page has all these texts.
func wants(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			t.Errorf("the page has no %s\n%s", text, page)
		}
	}
}

// matches asserts that a page has something that differs from run to run.
func matches(t *testing.T, page, pattern string) {
	t.Helper()
	if !regexp.MustCompile(pattern).MatchString(page) {
		t.Errorf("the page has no %s\n%s", pattern, page)
	}
}

// gig makes an event that starts at 21:00 on a date.
func gig(provider, id, date, title string) event.Event {
	e := event.Event{Key: event.Key{Provider: provider, BaseID: "1", EventID: id}, Title: title}
	if err := e.Start.UnmarshalText([]byte(date + "T21:00:00")); err != nil {
		panic(err)
	}
	return e
}

func feedOf(events ...event.Event) *feed.Feed {
	return &feed.Feed{Events: events, Seen: len(events), HTTPStatus: http.StatusOK, Bytes: 1234}
}

func TestPageWell(t *testing.T) {
	t.Parallel()
	s := show(t, never, "alpha", "beta")
	s.load(t)
	wants(t, s.page(t, ""), `<h1>All is well</h1>`, `Nothing is collected.`, `class="card off off"`, `It has not run yet.`)

	s.set("alpha", feedOf(gig("alpha", "1", "2030-05-03", "One"), gig("alpha", "2", "2030-05-03", "Two")))
	s.set("beta", feedOf())
	s.run(t)
	page := s.page(t, "")
	wants(t, page,
		`<title>All is well · fever</title>`, `href="page/ok.svg"`, `class="verdict ok"`, `<h1>All is well</h1>`,
		`What is stored is up to date.`, `<article id="provider-alpha" class="card ok fine">`, `<article id="provider-beta" class="card ok fine">`,
		`: 2 new.`, `: it was empty.`, `days</dd>`, `<b>2</b> events stored`, `fever v1.2.3`)
	matches(t, page, `<dt>Last success</dt><dd>(just now|\d+ s ago)</dd>`)
	if strings.Contains(page, `class="card bad`) || strings.Contains(page, "<details") {
		t.Errorf("something is bad in\n%s", page)
	}
	status, header, body := s.get(t, "/")
	if status != http.StatusOK || header.Get("Content-Type") != "text/html; charset=utf-8" || header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d, %v", status, header)
	}
	if inline := regexp.MustCompile(`(?i)<style|<script>|\s(style|on[a-z]+)=|javascript:|https?://`).FindString(body); inline != "" {
		t.Errorf("the policy allows no %q", inline)
	}
}

func TestPageFailing(t *testing.T) {
	t.Parallel()
	s := show(t, never, "alpha", "broken")
	rejecting := feedOf(gig("alpha", "1", "2030-05-03", evil))
	rejecting.Seen, rejecting.Rejected = 4, 3
	rejecting.Rejections = []feed.Rejection{{BaseID: "base-7", EventID: evil, Line: 12, Reason: "no title " + evil}, {Reason: "no start date"}}
	s.set("alpha", rejecting)
	s.run(t)
	s.collect(t, "broken")
	s.set("alpha", &feed.Feed{NotModified: true, HTTPStatus: http.StatusNotModified})
	s.collect(t, "alpha")

	page := s.page(t, "starts_at=2030-01-01T00:00")
	wants(t, page,
		`<title>1 provider is failing · fever</title>`, `href="page/bad.svg"`, `class="verdict bad"`, `<h1>1 provider is failing</h1>`, `<p>broken: timeout, no success yet. Searches are answered`,
		`<article id="provider-broken" class="card bad failing">`, `<span class="state">Failing</span>`, `failed after`, `and 1 attempt`, `The last 2 failed.`,
		`<b>timeout</b>`, `no answer within 30s; &lt;script&gt;`, `aria-label="The last 2 runs: 2 failed"`,
		`<article id="provider-alpha" class="card wait rejecting">`, `nothing was modified`,
		`<details id="rejected-alpha"> <summary>3 rows rejected`, `<td class="number">12</td><td class="id">base-7 / &lt;script&gt;`, `no title &lt;script&gt;`,
		`<td class="number">–</td>`, `The first 2 are listed.`,
		`<td class="text">&lt;script&gt;`)
	if strings.Contains(page, "<script>") || strings.Contains(page, "<b onclick") {
		t.Errorf("a text came through as markup:\n%s", page)
	}
}

// TestPageFullDisk looks when no job can be recorded: there is nothing of it but what the
// ingester says.
func TestPageFullDisk(t *testing.T) {
	t.Parallel()
	s := show(t, never, "alpha")
	s.load(t)
	s.set("alpha", feedOf(gig("alpha", "1", "2030-05-03", "One")))
	s.collect(t, "alpha")
	job, err := s.Ingester.Import(t.Context(), "alpha", false, feedtest.Given(func(context.Context, *feed.Progress) (*feed.Feed, error) {
		return feedOf(gig("alpha", "1", "2030-05-03", "One"), gig("alpha", "1", "2030-05-03", "One")), nil // which the store refuses
	}))
	if err != nil || job.Kind != feed.KindStore {
		t.Fatalf("%+v, %v", job, err)
	}
	wants(t, s.page(t, ""), `<h1>The data file cannot be written</h1>`, `is in it twice. Searches are answered from what is stored.`, `class="card bad failing"`)
	s.collect(t, "alpha")
	if page := s.page(t, ""); strings.Contains(page, "cannot be written") {
		t.Errorf("it can again:\n%s", page)
	}
}

// TestPageRejectedLongAgo has a snapshot of rubbish that has not changed for longer than
// jobs are kept.
func TestPageRejectedLongAgo(t *testing.T) {
	t.Parallel()
	s := show(t, never, "alpha")
	rubbish := &feed.Feed{Seen: 2, Rejected: 2, Rejections: []feed.Rejection{{Reason: "no title"}, {Reason: "no start date"}}, HTTPStatus: http.StatusOK}
	s.set("alpha", rubbish)
	s.run(t)
	s.set("alpha", &feed.Feed{NotModified: true, HTTPStatus: http.StatusNotModified})
	for range 101 { // one more than are kept
		s.collect(t, "alpha")
	}
	wants(t, s.page(t, ""), `<h1>1 provider is suspect</h1>`, `alpha: no row of it can be used.`, `class="verdict bad"`, `class="card bad suspect"`, `2 rows rejected`, `no start date`)
}

// TestPageSuspect has feeds that are in order, row by row, and odd as a whole.
func TestPageSuspect(t *testing.T) {
	t.Parallel()
	s := show(t, never, "alpha", "beta")
	var many []event.Event
	for n := range 10 {
		many = append(many, gig("alpha", fmt.Sprint(n), "2030-05-03", "One"))
	}
	s.set("alpha", feedOf(many...))
	s.set("beta", feedOf(gig("beta", "1", "2030-05-03", "One")))
	s.run(t)
	s.collect(t, "beta")
	wants(t, s.page(t, ""), `<h1>All is well</h1>`)

	s.set("alpha", feedOf(many[:4]...))
	s.collect(t, "alpha")
	wants(t, s.page(t, ""), `<h1>1 provider is suspect</h1>`, `alpha: it has less than half of the events before it. What was sold stays searchable.`,
		`class="verdict wait"`, `class="card wait suspect"`, `<b>suspect</b> The latest feed: it has less than half of the events before it.`)

	s.set("alpha", &feed.Feed{HTTPStatus: http.StatusOK, Rejections: []feed.Rejection{{Line: 3, Reason: "<notice> is not known"}}})
	s.collect(t, "alpha")
	wants(t, s.page(t, ""), `alpha: it has no rows, and something that is not known.`, `class="verdict bad"`, `class="card bad suspect"`, `<summary>Not known`, `&lt;notice&gt; is not known`)

	s.set("beta", feedOf())
	s.collect(t, "beta")
	wants(t, s.page(t, ""), `<h1>2 providers are suspect</h1>`)
	s.set("alpha", feedOf(many...))
	s.set("beta", feedOf(gig("beta", "1", "2030-05-03", "One")))
	s.collect(t, "alpha", "beta")
	wants(t, s.page(t, ""), `<h1>All is well</h1>`)
}

// TestPageChartOfFailures has no scale for what there is none of.
func TestPageChartOfFailures(t *testing.T) {
	t.Parallel()
	s := show(t, never, "alpha")
	s.load(t)
	s.collect(t, "alpha")
	page := s.page(t, "")
	wants(t, page, `<figcaption><span class="key failed">1 failed</span></figcaption>`)
	s.set("alpha", feedOf())
	s.collect(t, "alpha")
	wants(t, s.page(t, ""), `<span class="key time">time, up to`, `<span class="key changes">changes, up to 0</span>`)
}

// TestPageUnderWay looks while a job runs.
func TestPageUnderWay(t *testing.T) {
	t.Parallel()
	s := show(t, never, "alpha")
	s.load(t)
	reading, goOn := make(chan struct{}), make(chan struct{})
	taken := make(chan error)
	go func() {
		_, err := s.Ingester.Import(t.Context(), "alpha", false, feedtest.Given(func(_ context.Context, p *feed.Progress) (*feed.Feed, error) {
			p.Bytes.Store(1_234_567)
			p.Rows.Store(1)
			close(reading)
			<-goOn
			return feedOf(), nil
		}))
		taken <- err
	}()
	<-reading
	page := s.page(t, "")
	close(goOn)
	if err := <-taken; err != nil {
		t.Error(err)
	}
	wants(t, page, `<dd>runs now</dd>`, `No data yet`, `It has not run yet.`)
	matches(t, page, `Runs for \d+ s: 1\.2 MB, 1 row</p>`)
}

// TestPageLoading looks before what is stored is loaded.
func TestPageLoading(t *testing.T) {
	t.Parallel()
	s := show(t, never, "alpha")
	wants(t, s.page(t, "starts_at="), `<h1>Starting</h1>`, `Nothing to show.`, `<dd>503</dd>`, `<code>GET /search</code>`)
}

// TestPageWithoutStore looks when nothing can be read any more.
func TestPageWithoutStore(t *testing.T) {
	t.Parallel()
	s := show(t, never, "alpha")
	s.load(t)
	s.set("alpha", feedOf(gig("alpha", "1", "2030-05-03", "One")))
	s.collect(t, "alpha")
	if err := s.Store.Close(); err != nil {
		t.Fatal(err)
	}
	wants(t, s.page(t, "starts_at="), `<h1>The data file cannot be read</h1>`, `database not open`,
		`<b>1</b> event stored`, `<dt>Events</dt><dd>1</dd>`, `>One</td>`, `id="provider-alpha"`)
}

func TestPageSearch(t *testing.T) {
	t.Parallel()
	s := show(t, never, "alpha")
	s.load(t)
	var events []event.Event
	for day := 1; day <= 28; day++ {
		e := gig("alpha", fmt.Sprint(day), fmt.Sprintf("2030-02-%02d", day), fmt.Sprintf("Event %d", day))
		if day == 3 {
			for _, text := range []string{"15.50", "30"} {
				price, err := event.ParsePrice(text)
				if err != nil {
					t.Fatal(err)
				}
				e.Zones = append(e.Zones, event.Zone{Capacity: 1, Price: price})
			}
		}
		events = append(events, e)
	}
	s.set("alpha", feedOf(events...))
	s.collect(t, "alpha")
	if page := s.page(t, ""); strings.Contains(page, "Event 1") {
		t.Errorf("an answer without a question:\n%s", page)
	}
	for _, tc := range []struct {
		from, to string
		want     []string
	}{
		{"", "", []string{"<code>GET /search</code>", "<dd>200</dd>", "<dt>Events</dt><dd>28</dd>", "The first 20 are shown.", ">Event 20</td>"}},
		{"2030-02-03T21:00", "2030-02-04T21:00:00", []string{
			"<code>GET /search?ends_at=2030-02-04T21%3A00%3A00Z&amp;starts_at=2030-02-03T21%3A00%3A00Z</code>",
			"<dt>Events</dt><dd>2</dd>", `<td><span>2030-02-03</span> <span>21:00:00</span></td><td>–</td><td class="number">15.5–30</td><td class="text">Event 3</td>`,
			`value="2030-02-03T21:00"`, `value="2030-02-04T21:00:00"`,
		}},
		{"2030-02-28T22:00", "", []string{"<dd>200</dd>", "<dt>Events</dt><dd>0</dd>"}},
		{"2030-02-04T00:00", "2030-02-03T00:00", []string{"<dd>400</dd>", "<b>invalid_range</b>", "is after ends_at"}},
		{"2030-02-28T21:00:00+01:00", "", []string{"starts_at=2030-02-28T21%3A00%3A00%2B01%3A00</code>", "<dt>Events</dt><dd>1</dd>"}},
		{evil, "", []string{"<dd>400</dd>", "<b>invalid_parameter</b>", "&lt;script&gt;"}},
	} {
		page := s.page(t, url.Values{"starts_at": {tc.from}, "ends_at": {tc.to}}.Encode())
		wants(t, page, tc.want...)
		matches(t, page, `<dt>Time</dt><dd>[0-9.]+ (µs|ms|s)</dd>`)
		if strings.Contains(page, "<script>") || strings.Contains(page, ">Event 21</td>") {
			t.Errorf("too much in\n%s", page)
		}
	}
}

func TestPageStored(t *testing.T) {
	t.Parallel()
	s := show(t, never, "alpha", "beta")
	s.load(t)
	s.set("alpha", feedOf(gig("alpha", "1", "2030-02-28", "x"), gig("alpha", "2", "2030-02-28", "x"), gig("alpha", "3", "2031-07-01", "x")))
	s.set("beta", feedOf(gig("beta", "1", "2030-02-28", "x")))
	s.collect(t, "alpha", "beta")
	wants(t, s.page(t, "year=2030"),
		`<b>4</b> events stored; <b>3</b> start in 2030`, `<title>Thu 28 Feb 2030: 3 events</title>`,
		`aria-label="January to June 2030: 3 events, at most 3 on a day"`, `aria-label="July to December 2030: 0 events"`,
		`<a href="?year=2030#stored" aria-current="true">All providers <small>4</small></a>`,
		`<a href="?provider=alpha&amp;year=2030#stored">alpha <small>3</small></a>`,
		`<a href="?year=2031#stored">2031 <small>1</small></a>`)
	wants(t, s.page(t, "provider=alpha&year=2030"),
		`<b>2</b> of alpha start in 2030`, `<title>Thu 28 Feb 2030: 2 events</title>`,
		`<a href="?provider=alpha&amp;year=2030#stored" aria-current="true">alpha <small>3</small></a>`,
		`<input type="hidden" name="provider" value="alpha">`)
	// A year without events is none to choose.
	wants(t, s.page(t, "provider=beta&year=2031"), `<b>1</b> of beta start in 2030`)
	wants(t, s.page(t, url.Values{"provider": {evil}, "year": {evil}}.Encode()), `Nothing to show.`)
}

func TestPageFiles(t *testing.T) {
	t.Parallel()
	s := show(t, never)
	for path, want := range map[string]string{
		"/page/page.css": "text/css; charset=utf-8", "/page/page.js": "text/javascript; charset=utf-8",
		"/page/ok.svg": "image/svg+xml", "/page/wait.svg": "image/svg+xml", "/page/bad.svg": "image/svg+xml",
	} {
		status, header, body := s.get(t, path)
		if status != http.StatusOK || header.Get("Content-Type") != want || body == "" {
			t.Errorf("%s: %d, %s", path, status, header.Get("Content-Type"))
		}
	}
	for _, path := range []string{"/page/", "/page/page.html", "/page/card.html", "/page/x", "/page/../page.go"} {
		if status, _, body := s.get(t, path); status != http.StatusNotFound {
			t.Errorf("%s: %d, %s", path, status, body)
		}
	}
}
