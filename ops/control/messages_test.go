package control

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"fever/event"
	"fever/httpapi/server"
	"fever/index"
	"fever/index/follow"
	"fever/ingest"
	"fever/provider"
	"fever/provider/feed/feverup"
	"fever/store"
	"fever/store/bolt"
)

// served returns a server with two providers, and a client that reaches it over its socket.
func served(t *testing.T) (*Server, *Client) {
	t.Helper()
	st, err := bolt.Open(filepath.Join(t.TempDir(), "fever.db"), 5000)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	s := &Server{Index: index.New(), Store: st, Spool: st.Spool, Log: log}
	var configured []ingest.Provider
	sells := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = document(3).WriteTo(w) }))
	t.Cleanup(sells.Close)
	for name, url := range map[string]string{"a": sells.URL, "b": "http://127.0.0.1:1/"} {
		p, err := provider.New(provider.Config{Format: feverup.New(0), Name: name, URL: url, Timeout: time.Second, MaxBytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		s.Providers = append(s.Providers, p)
		configured = append(configured, ingest.Provider{
			Name: name, Location: time.UTC, Every: time.Minute, MaxInterval: time.Hour, Attempts: 1, Get: p.Get, Decode: p.Decode,
		})
	}
	slices.SortFunc(configured, func(a, b ingest.Provider) int { return strings.Compare(a.Name, b.Name) })
	s.Ingester = ingest.New(st, log, 1, configured...)
	s.Ingester.Publish = follow.New(st, s.Index, log).CatchUp
	t.Cleanup(func() {
		s.Ingester.Close()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Ingester.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	s.Routes(mux)
	s.SocketRoutes(mux)
	return s, listen(t, server.Guard(mux, log))
}

// document is a feed of n events, one a day.
func document(n int) *strings.Reader {
	var b strings.Builder
	b.WriteString("<planList><output>")
	for i := range n {
		at := time.Date(2021, 1, 1+i, 21, 0, 0, 0, time.UTC).Format("2006-01-02T15:04:05")
		fmt.Fprintf(&b, `<base_plan base_plan_id="%d" sell_mode="online" title="Camela &amp; &lt;co&gt;">`+
			`<plan plan_id="%d" plan_start_date="%s" plan_end_date="%s" sold_out="false">`+
			`<zone zone_id="1" capacity="2" price="20.50" name="A" numbered="true"/></plan></base_plan>`, i, i, at, at)
	}
	b.WriteString(`<base_plan base_plan_id="x" sell_mode="online" title="T"><plan plan_id="1" plan_start_date="2021-09-31T20:00:00"/></base_plan></output></planList>`)
	return strings.NewReader(b.String())
}

// TestMessages sends each message through a real socket, and compares what the client
// reads with what the server has.
func TestMessages(t *testing.T) {
	t.Parallel()
	s, c := served(t)
	same := func(what string, got, want any) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n%+v, not\n%+v", what, got, want)
		}
	}
	// recorded returns the record of a job as the store has it.
	recorded := func(id uint64) (job store.Job) {
		t.Helper()
		for found, err := range s.Store.Jobs(t.Context(), store.JobFilter{Before: id + 1, Limit: 1}) {
			if job = found; err != nil || job.ID != id {
				t.Fatalf("job %d is %+v, %v", id, job, err)
			}
		}
		return job
	}

	taken, err := c.Snapshot(t.Context(), "a", false, document(3))
	if err != nil || taken.New != 3 || taken.Rejected != 1 || len(taken.Rejections) != 1 {
		t.Fatalf("%+v, %v", taken, err)
	}
	same("POST /snapshots", taken, recorded(1))
	if _, err := c.Snapshot(t.Context(), "b", true, document(2)); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"a", "b"} {
		fetched, err := c.Sync(t.Context(), name, true)
		if err != nil || (name == "a") != (fetched.State == store.Completed) {
			t.Fatalf("%+v, %v", fetched, err)
		}
		fetched.Finished = fetched.Finished.Truncate(time.Millisecond) // as it is stored
		same("POST /sync", fetched, recorded(uint64(3+i)))
	}

	for _, f := range []store.JobFilter{{}, {Limit: 2}, {Provider: "b"}, {State: store.Failed}, {Before: 3}, {Provider: "a", State: store.Completed, Before: 9, Limit: 9}} {
		same(fmt.Sprintf("GET /jobs: %+v", f), all(t, c.Jobs(t.Context(), f)), all(t, s.Store.Jobs(t.Context(), f)))
	}
	for _, test := range []struct {
		asked Events
		want  store.Filter
	}{
		{Events{}, store.Filter{Window: event.Always}},
		{Events{Provider: "a", Limit: 2}, store.Filter{Provider: "a", Limit: 2, Window: event.Always}},
		{
			Events{StartsAt: "2021-01-01T21:00:00.5Z", EndsAt: "2021-01-02T22:00:00+01:00"},
			store.Filter{Window: event.Window{From: 1609534801, To: 1609621200}},
		},
	} {
		same(fmt.Sprintf("GET /events: %+v", test.asked), all(t, c.Records(t.Context(), test.asked)), all(t, s.Store.Records(t.Context(), test.want)))
	}

	providers, err := c.Providers(t.Context())
	if err != nil || len(providers) != 2 || providers[1].FailureKind != "connection" {
		t.Fatalf("%+v, %v", providers, err)
	}
	for i, status := range s.Ingester.Status() {
		job := recorded(uint64(3 + i))
		want := newProviderStatus(&status, time.Now())
		want.LastJob = &job
		if age := providers[i].AgeSeconds; (age == nil) != (status.Name == "b") || age != nil && (*age < 0 || *age > *want.AgeSeconds) {
			t.Errorf("%s: an age of %v", status.Name, age)
		}
		want.AgeSeconds = providers[i].AgeSeconds // that of a moment ago
		if !providers[i].LastSuccess.Equal(want.LastSuccess) {
			t.Errorf("%s: the last success is %s, not %s", status.Name, providers[i].LastSuccess, want.LastSuccess)
		}
		want.LastSuccess = providers[i].LastSuccess
		same("GET /providers", providers[i], want)
	}

	var copied, want bytes.Buffer
	if n, err := c.Backup(t.Context(), &copied); err != nil || n != int64(copied.Len()) {
		t.Errorf("a copy of %d bytes, %v", n, err)
	}
	spooled, err := s.Spool(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := want.ReadFrom(spooled); err != nil {
		t.Fatal(err)
	}
	if err := spooled.Close(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(copied.Bytes(), want.Bytes()) {
		t.Error("GET /backup: the copy is another")
	}

	cutoff, err := store.ParseCutoff("2021-01-02")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []store.Forgetting{{Provider: "b", GoneBefore: cutoff, DryRun: true}, {Provider: "b", DryRun: true}} {
		got, err := c.Forget(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		want, err := s.Store.Forget(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		want.Revision = 0 // it is not told
		same(fmt.Sprintf("POST /forget: %+v", f), got, want)
	}
	names := store.Renaming{From: "b", To: "a", DryRun: true}
	got, err := c.Rename(t.Context(), names)
	if err != nil {
		t.Fatal(err)
	}
	renamed, err := s.Store.Rename(t.Context(), names)
	if err != nil {
		t.Fatal(err)
	}
	renamed.Revision = 0
	same("POST /rename", got, renamed)
	names.DryRun = false
	if got, err = c.Rename(t.Context(), names); err != nil || got.Events != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	same("the record of POST /rename", got.Record, recorded(got.Record.ID))
	forgotten, err := c.Forget(t.Context(), store.Forgetting{Provider: "a"})
	if err != nil || forgotten.Events != 3 {
		t.Errorf("%+v, %v", forgotten, err)
	}
	same("the record of POST /forget", forgotten.Record, recorded(forgotten.Record.ID))

	_, err = c.Forget(t.Context(), store.Forgetting{Provider: "a"})
	if refusal, _ := errors.AsType[*Refusal](err); refusal == nil || refusal.Status != http.StatusNotFound || !strings.Contains(refusal.Message, "nothing is stored") {
		t.Errorf("a refusal: %v", err)
	}
}

func all[T any](t *testing.T, seq iter.Seq2[T, error]) (list []T) {
	t.Helper()
	for one, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, one)
	}
	return list
}

// TestQueries reads back what the queries of requests say.
func TestQueries(t *testing.T) {
	t.Parallel()
	read := func(values url.Values) *Query {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/?"+values.Encode(), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		q, err := ParseQuery(r)
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	check := func(q *Query, got, want any) {
		t.Helper()
		if q.Err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v: %+v, %v; not %+v", q.values, got, q.Err, want)
		}
	}
	for _, want := range []Run{{}, {Provider: "a"}, {Provider: "a", Force: true}, {Wait: true}} {
		q := read(want.values())
		check(q, q.run(), want)
	}
	for _, want := range []store.JobFilter{{Limit: 1}, {Provider: "a", State: store.Failed, Before: 7, Limit: 1000}} {
		q := read(jobValues(want))
		check(q, q.jobFilter(), want)
	}
	cutoff, err := store.ParseCutoff("2021-06-30T21:00:00+02:00")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []store.Forgetting{{Provider: "a"}, {Provider: "a", GoneBefore: cutoff, DryRun: true}} {
		q := read(forgetValues(want))
		check(q, q.forgetting(), want)
	}
	for _, want := range []store.Renaming{{From: "a", To: "b"}, {From: "a", To: "b", DryRun: true}} {
		q := read(renameValues(want))
		check(q, q.renaming(), want)
	}
}
