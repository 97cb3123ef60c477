package ops

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"fever/event"
	"fever/httpapi"
	"fever/index"
	"fever/index/follow"
	"fever/ingest"
	"fever/internal/feedtest"
	"fever/provider/feed"
	"fever/store"
	"fever/store/bolt"
)

// watched is a service whose metrics are looked at.
type watched struct {
	*Metrics
	index    *index.Index
	ingester *ingest.Ingester
	store    *bolt.Store
}

// watch makes a service with providers whose fetches do what is said.
func watch(t testing.TB, fetches map[string]func(context.Context) (*feed.Feed, error)) *watched {
	t.Helper()
	w := &watched{index: index.New()}
	var err error
	if w.store, err = bolt.Open(filepath.Join(t.TempDir(), "fever.db"), 10); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	var providers []ingest.Provider
	for _, name := range slices.Sorted(maps.Keys(fetches)) {
		providers = append(providers, ingest.Provider{
			Name: name, Location: time.UTC, Every: time.Minute, MaxInterval: time.Hour, Attempts: 1,
			Get: feedtest.Get(func(ctx context.Context, _ feed.Validators, _ *feed.Progress) (*feed.Feed, error) {
				return fetches[name](ctx)
			}), Decode: feedtest.Decode,
		})
	}
	quiet := slog.New(slog.DiscardHandler)
	w.ingester = ingest.New(w.store, quiet, 4, providers...)
	follower := follow.New(w.store, w.index, quiet)
	w.ingester.Publish = follower.CatchUp
	w.Metrics = NewMetrics("v1.2.3", w.index, w.ingester, w.store, quiet)
	w.Follower = follower
	w.ingester.Ended = w.JobEnded
	if err := w.ingester.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// collect runs one job of a provider.
func (w *watched) collect(t *testing.T, name string) {
	t.Helper()
	if _, err := w.ingester.RunNow(t.Context(), name, store.Manual, false); err != nil {
		t.Fatal(err)
	}
}

// scrape returns the lines of a scrape that carry values, by what stands before these,
// and the types of all metrics, by their names.
func scrape(t *testing.T, m *Metrics) (values map[string]float64, types map[string]string) {
	t.Helper()
	values, types = make(map[string]float64), make(map[string]string)
	for line := range strings.Lines(scrapeText(t, m)) {
		line = strings.TrimSpace(line)
		if comment, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, kind, _ := strings.Cut(comment, " ")
			types[name] = kind
		}
		if strings.HasPrefix(line, "#") {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		value, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		values[line[:at]] = value
	}
	return values, types
}

func scrapeText(t *testing.T, m *Metrics) string {
	t.Helper()
	server := httptest.NewServer(m)
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", res.Status, body)
	}
	return string(body)
}

// want compares some of the values of a scrape.
func (w *watched) want(t *testing.T, want map[string]float64) {
	t.Helper()
	got, _ := scrape(t, w.Metrics)
	for name, value := range want {
		if v, ok := got[name]; !ok || v != value {
			t.Errorf("%s is %v (%t), not %v", name, v, ok, value)
		}
	}
}

// concert makes an event that starts on a day of January 2030.
func concert(provider string, day int) event.Event {
	e := event.Event{Key: event.Key{Provider: provider, BaseID: "1", EventID: strconv.Itoa(day)}, Title: "Camela en concierto"}
	if err := e.Start.UnmarshalText(fmt.Appendf(nil, "2030-01-%02dT21:00:00", day)); err != nil {
		panic(err)
	}
	return e
}

func TestMetricsJobs(t *testing.T) {
	t.Parallel()
	feeds := []feed.Feed{
		{HTTPStatus: 200, Bytes: 1000, Seen: 5, Ignored: 1, Rejected: 2, Events: []event.Event{concert("good", 1), concert("good", 2)}},
		{HTTPStatus: 304, NotModified: true},
		{HTTPStatus: 200, Bytes: 500, Seen: 2, Events: []event.Event{concert("good", 2), concert("good", 3)}},
	}
	w := watch(t, map[string]func(context.Context) (*feed.Feed, error){
		"good": func(context.Context) (*feed.Feed, error) {
			feed := feeds[0]
			feeds = feeds[1:]
			return &feed, nil
		},
		"bad": func(context.Context) (*feed.Feed, error) {
			return nil, &feed.Error{Provider: "bad", Kind: feed.KindTLS, Op: "fetch", Err: io.EOF, Bytes: 7}
		},
		"odd": func(context.Context) (*feed.Feed, error) {
			return nil, &feed.Error{Provider: "odd", Kind: "whatever", Op: "fetch", Err: io.EOF}
		},
		"idle": nil,
	})
	w.want(t, map[string]float64{ // all are there before the first job
		`fever_jobs_total{kind="",provider="good",result="completed"}`:   0,
		`fever_jobs_total{kind="tls",provider="bad",result="failed"}`:    0,
		`fever_job_duration_seconds_count{provider="good"}`:              0,
		`fever_rows_total{outcome="rejected",provider="good"}`:           0,
		`fever_provider_last_success_timestamp_seconds{provider="good"}`: 0,
		`fever_provider_current_events{provider="good"}`:                 0,
		`fever_index_events`:                                                       0,
		`fever_store_commit_duration_seconds_count`:                                0,
		`fever_jobs_under_way{state="pending"}`:                                    0,
		`fever_build_info{goversion="` + runtime.Version() + `",version="v1.2.3"}`: 1,
	})
	before := time.Now().Add(-2 * time.Millisecond) // jobs are recorded to one, and what is read may be one less
	for range 3 {
		w.collect(t, "good")
		w.collect(t, "bad")
	}
	w.collect(t, "odd")
	w.want(t, map[string]float64{
		`fever_jobs_total{kind="",provider="good",result="completed"}`:     2,
		`fever_jobs_total{kind="",provider="good",result="not_modified"}`:  1,
		`fever_jobs_total{kind="tls",provider="bad",result="failed"}`:      3,
		`fever_jobs_total{kind="internal",provider="odd",result="failed"}`: 1, // its kind is none of those known
		`fever_jobs_total{kind="",provider="idle",result="completed"}`:     0,
		`fever_job_duration_seconds_count{provider="good"}`:                3,
		`fever_job_duration_seconds_count{provider="bad"}`:                 3,
		`fever_fetch_attempts_total{provider="good"}`:                      3,
		`fever_fetched_bytes_total{provider="good"}`:                       1500,
		`fever_fetched_bytes_total{provider="bad"}`:                        21,
		`fever_rows_total{outcome="new",provider="good"}`:                  3,
		`fever_rows_total{outcome="changed",provider="good"}`:              0,
		`fever_rows_total{outcome="unchanged",provider="good"}`:            1,
		`fever_rows_total{outcome="ignored",provider="good"}`:              1,
		`fever_rows_total{outcome="rejected",provider="good"}`:             2,
		`fever_events_gone_total{provider="good"}`:                         1,
		`fever_provider_current_events{provider="good"}`:                   2,
		`fever_provider_rejected_rows{provider="good"}`:                    0,
		`fever_provider_consecutive_failures{provider="bad"}`:              3,
		`fever_provider_interval_stretch_seconds{provider="bad"}`:          60, // every other turn is left out
		`fever_provider_interval_stretch_seconds{provider="good"}`:         0,
		`fever_provider_last_success_timestamp_seconds{provider="bad"}`:    0,
		`fever_index_events`:                        3,
		`fever_store_commit_duration_seconds_count`: 14, // a job begins, and ends
	})
	values, _ := scrape(t, w.Metrics)
	last := time.UnixMilli(int64(1000 * values[`fever_provider_last_success_timestamp_seconds{provider="good"}`]))
	if last.Before(before) || last.After(time.Now()) {
		t.Errorf("the last success was at %v, not after %v", last, before)
	}
	if values["fever_store_size_bytes"] <= values["fever_store_free_bytes"] || values["fever_store_free_bytes"] <= 0 {
		t.Errorf("the file has %v bytes, %v of them free", values["fever_store_size_bytes"], values["fever_store_free_bytes"])
	}
	if sum := values["fever_store_commit_duration_seconds_sum"]; sum <= 0 || sum > 60 {
		t.Errorf("14 commits took %v s", sum)
	}
}

// TestMetricsOfDocuments counts what documents hold, and not their jobs as the provider's.
func TestMetricsOfDocuments(t *testing.T) {
	t.Parallel()
	w := watch(t, map[string]func(context.Context) (*feed.Feed, error){"a": nil})
	for _, failed := range []error{nil, &feed.Error{Provider: "a", Kind: feed.KindMalformed, Op: "read", Err: io.EOF, Bytes: 100}} {
		_, err := w.ingester.Import(t.Context(), "a", false, feedtest.Given(func(context.Context, *feed.Progress) (*feed.Feed, error) {
			return &feed.Feed{Bytes: 100, Seen: 2, Rejected: 1, Events: []event.Event{concert("a", 1)}}, failed
		}))
		if err != nil {
			t.Fatal(err)
		}
	}
	w.want(t, map[string]float64{
		`fever_jobs_total{kind="",provider="a",result="completed"}`:       0,
		`fever_jobs_total{kind="malformed",provider="a",result="failed"}`: 0,
		`fever_job_duration_seconds_count{provider="a"}`:                  0,
		`fever_fetch_attempts_total{provider="a"}`:                        0,
		`fever_fetched_bytes_total{provider="a"}`:                         200,
		`fever_rows_total{outcome="rejected",provider="a"}`:               1,
		`fever_rows_total{outcome="new",provider="a"}`:                    1,
		`fever_provider_rejected_rows{provider="a"}`:                      1,
		`fever_provider_current_events{provider="a"}`:                     1,
		`fever_provider_last_success_timestamp_seconds{provider="a"}`:     0,
	})
}

// TestMetricsUnderWay looks while jobs wait and run: no scrape waits for them.
func TestMetricsUnderWay(t *testing.T) {
	t.Parallel()
	began, end := make(chan struct{}, 5), make(chan struct{})
	hang := func(context.Context) (*feed.Feed, error) {
		began <- struct{}{}
		<-end
		return &feed.Feed{NotModified: true}, nil
	}
	fetches := make(map[string]func(context.Context) (*feed.Feed, error))
	for i := range 5 {
		fetches["p"+strconv.Itoa(i)] = hang
	}
	w := watch(t, fetches)
	done := make(chan error, len(fetches))
	for name := range fetches {
		go func() {
			_, err := w.ingester.RunNow(context.WithoutCancel(t.Context()), name, store.Manual, false)
			done <- err
		}()
	}
	for range 4 { // as many as there are workers
		<-began
	}
	w.want(t, map[string]float64{`fever_jobs_under_way{state="running"}`: 4})
	close(end)
	for range fetches {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	w.want(t, map[string]float64{`fever_jobs_under_way{state="running"}`: 0, `fever_jobs_under_way{state="pending"}`: 0})
}

// TestMetricsSearches asks the real handler.
func TestMetricsSearches(t *testing.T) {
	t.Parallel()
	w := watch(t, nil)
	h := httpapi.NewSearch(httpapi.Search{
		Index: w.index, MaxInFlight: 1, Log: slog.New(slog.DiscardHandler),
		InFlight: &w.InFlight, Shed: &w.Shed, Observe: w.Search,
	})
	ask := func(to http.ResponseWriter, query string, fields ...string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/search"+query, http.NoBody)
		for i := 0; i < len(fields); i += 2 {
			r.Header.Set(fields[i], fields[i+1])
		}
		h.ServeHTTP(to, r)
	}
	first := httptest.NewRecorder()
	ask(first, "")
	ask(httptest.NewRecorder(), "", "If-None-Match", first.Header().Get("Etag"))
	ask(httptest.NewRecorder(), "?starts_at=yesterday")
	ask(&within{ResponseRecorder: httptest.NewRecorder(), do: func() {
		w.want(t, map[string]float64{"fever_searches_in_flight": 1, "fever_searches_shed_total": 0})
		ask(httptest.NewRecorder(), "") // is one too many
	}}, "")
	func() {
		defer func() {
			if recover() == nil {
				t.Error("a part of an answer was taken for the whole")
			}
		}()
		ask(&within{ResponseRecorder: httptest.NewRecorder(), do: func() { panic("a bug") }}, "")
	}()
	w.Search(http.StatusTeapot, 3*time.Millisecond) // no status of ours: it is not lost
	w.want(t, map[string]float64{
		"fever_searches_in_flight":                                     0,
		"fever_searches_shed_total":                                    1,
		`fever_search_duration_seconds_count{code="200"}`:              2,
		`fever_search_duration_seconds_count{code="304"}`:              1,
		`fever_search_duration_seconds_count{code="400"}`:              1,
		`fever_search_duration_seconds_count{code="500"}`:              1,
		`fever_search_duration_seconds_count{code="503"}`:              1,
		`fever_search_duration_seconds_bucket{code="418",le="0.0025"}`: 0,
		`fever_search_duration_seconds_bucket{code="418",le="0.005"}`:  1,
		`fever_search_duration_seconds_sum{code="418"}`:                0.003,
	})
}

// within does something while the answer is written, once.
type within struct {
	*httptest.ResponseRecorder
	do   func()
	done bool
}

func (w *within) Write(b []byte) (int, error) {
	if !w.done {
		w.done = true
		w.do()
	}
	return w.ResponseRecorder.Write(b)
}

func TestMetricsConnections(t *testing.T) {
	t.Parallel()
	w := watch(t, nil)
	const refused, request, answer = "fever_connections_refused_total", `fever_connections_cut_off_total{waited_for="request"}`, `fever_connections_cut_off_total{waited_for="answer"}`
	w.want(t, map[string]float64{refused: 0, request: 0, answer: 0})
	w.Connections.Refused.Add(1)
	w.Connections.Silent.Add(2)
	w.Connections.Slow.Add(3)
	w.want(t, map[string]float64{refused: 1, request: 2, answer: 3})
}

// TestMetricsLint holds the conventions of prometheus.io.
func TestMetricsLint(t *testing.T) {
	t.Parallel()
	text := scrapeText(t, watch(t, map[string]func(context.Context) (*feed.Feed, error){"a": nil}).Metrics)
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestFailureKinds compares the kinds that are counted with those that there are.
func TestFailureKinds(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "../provider/feed/errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var declared []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if ok && strings.HasPrefix(spec.Names[0].Name, "Kind") && spec.Names[0].Name != "KindInterrupted" { // which no job of this process can be
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			declared = append(declared, value)
		}
		return true
	})
	var counted []string
	for _, kind := range failureKinds {
		counted = append(counted, string(kind))
	}
	slices.Sort(declared)
	slices.Sort(counted)
	if len(declared) < 9 || !slices.Equal(declared, counted) {
		t.Errorf("the kinds are\n%q, counted are\n%q", declared, counted)
	}
}

// BenchmarkMetricsSearch is what counting costs: alone, from several goroutines that
// count the same, and as a part of a search that finds nothing, the cheapest there is.
func BenchmarkMetricsSearch(b *testing.B) {
	w := watch(b, nil)
	b.Run("alone", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			w.Search(http.StatusOK, 80*time.Microsecond)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				w.Search(http.StatusOK, 80*time.Microsecond)
			}
		})
	})
	for name, observe := range map[string]func(int, time.Duration){"search/uncounted": nil, "search/counted": w.Search} {
		h := httpapi.NewSearch(httpapi.Search{Index: w.index, Log: slog.New(slog.DiscardHandler), Observe: observe})
		r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/search?starts_at=2030-01-01T00:00:00Z", http.NoBody)
		b.Run(name, func(b *testing.B) {
			to := nowhere{}
			h.ServeHTTP(to, r)
			if to["Content-Length"] == nil {
				b.Fatal("no answer")
			}
			b.ReportAllocs()
			for b.Loop() {
				clear(to)
				h.ServeHTTP(to, r)
			}
		})
	}
}

// nowhere is a writer that costs nothing, with its header.
type nowhere http.Header

func (n nowhere) Header() http.Header       { return http.Header(n) }
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) WriteHeader(int)             {}

// TestMetricsSearchAllocates asserts what the benchmark shows, within a second.
func TestMetricsSearchAllocates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newSearchMetrics()
		if n := testing.AllocsPerRun(100, func() { m.add(http.StatusOK, 80*time.Microsecond) }); n > 0 {
			t.Errorf("counting a search allocates %v times", n)
		}
	})
}
