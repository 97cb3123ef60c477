package ingest

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fever/event"
	"fever/internal/feedtest"
	"fever/internal/leak"
	"fever/internal/postgrestest"
	"fever/provider/feed"
	"fever/store"
	"fever/store/bolt"
)

func TestMain(m *testing.M) { os.Exit(leak.Check(postgrestest.Run(m))) }

// A fixture is an ingester of one provider, feverup, with a real store.
type fixture struct {
	*Ingester
	bolt      *bolt.Store
	path      string
	revision  store.Revision   // published last
	published [][]*event.Entry // what changed with each revision, or all of it
	loaded    int              // how often all of it was
	onPublish func() error
	logged    bytes.Buffer
}

type fetchFunc = func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error)

func newFixture(t *testing.T, fetch fetchFunc) *fixture {
	t.Helper()
	f := &fixture{path: filepath.Join(t.TempDir(), "fever.db")}
	f.bolt = openStore(t, f.path)
	f.Ingester = New(f.bolt, slog.New(slog.NewTextHandler(&f.logged, nil)), 1,
		Provider{Name: "feverup", Location: time.UTC, Every: time.Minute, MaxInterval: time.Hour, Get: feedtest.Get(fetch), Decode: feedtest.Decode})
	f.Publish = f.follow
	return f
}

// locate has the provider's local times count in another zone, as after a restart.
func (f *fixture) locate(zone *time.Location) {
	f.targets[0].Location = zone
	f.bolt.Zones = map[string]*time.Location{"feverup": zone}
}

// follow keeps what a follower would bring into an index.
func (f *fixture) follow(ctx context.Context) error {
	if f.onPublish != nil {
		if err := f.onPublish(); err != nil {
			return err
		}
	}
	entries, at, err := f.bolt.Changes(ctx, f.revision)
	if errors.Is(err, store.ErrRewritten) {
		f.loaded++
		entries, at, err = f.bolt.Load(ctx)
	}
	if err == nil && at != f.revision {
		f.published = append(f.published, entries)
		f.revision = at
	}
	return err
}

// openStore opens a store that is closed, opened again and checked at the end.
func openStore(t *testing.T, path string) *bolt.Store {
	t.Helper()
	st, err := bolt.Open(path, 5000)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
		again, err := bolt.OpenReadOnly(path)
		if err != nil {
			t.Error(err)
			return
		}
		if err := errors.Join(again.Check(), again.Close()); err != nil {
			t.Error(err)
		}
	})
	return st
}

func (f *fixture) once(t *testing.T) store.Job {
	t.Helper()
	job, err := f.RunNow(t.Context(), "feverup", store.Manual, false)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

// recorded returns the records of all jobs, oldest first.
func recorded(t *testing.T, st *bolt.Store) (jobs []store.Job) {
	t.Helper()
	for job, err := range st.Jobs(context.WithoutCancel(t.Context()), store.JobFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, job)
	}
	slices.Reverse(jobs)
	return jobs
}

func stored(t *testing.T, st *bolt.Store) (keys []string) {
	t.Helper()
	for r, err := range st.Records(t.Context(), store.Filter{Window: event.Always}) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, r.String())
	}
	return keys
}

func newEvent(t *testing.T, id, start string) event.Event {
	t.Helper()
	at, err := event.ParseLocal(start)
	if err != nil {
		t.Fatal(err)
	}
	return event.Event{Key: event.Key{Provider: "feverup", BaseID: "1", EventID: id}, Title: "Título " + id, Start: at, Zones: []event.Zone{}}
}

// feedOf returns a feed of one event with the given id.
func feedOf(t *testing.T, id string) *feed.Feed {
	t.Helper()
	return &feed.Feed{Events: []event.Event{newEvent(t, id, "2021-01-01")}, Seen: 1, HTTPStatus: 200}
}

func failure(kind feed.Kind) *feed.Error {
	return &feed.Error{Provider: "feverup", Kind: kind, Op: "fetch", Err: errors.New("by design")}
}

func TestRunNow(t *testing.T) {
	t.Parallel()
	snapshot := &feed.Feed{
		Events: []event.Event{newEvent(t, "2", "2021-02-01"), newEvent(t, "1", "2021-01-01")},
		Seen:   4, Ignored: 1, Rejected: 1, Rejections: []feed.Rejection{{BaseID: "1", EventID: "3", Line: 7, Reason: "no title"}},
		Bytes: 100, HTTPStatus: 200,
	}
	f := newFixture(t, func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
		return snapshot, nil
	})
	f.onPublish = func() error {
		if got := len(stored(t, f.bolt)); got != 2 {
			t.Errorf("published when the store held %d events, not the 2 of the snapshot", got)
		}
		return nil
	}

	job := f.once(t)
	if job.State != store.Completed || job.Kind != "" || job.Message != "" {
		t.Fatalf("job %+v", job)
	}
	if job.Provider != "feverup" || job.Trigger != store.Manual || job.Scheduled.IsZero() || job.Started.Before(job.Scheduled.Add(-time.Second)) || job.Finished.Before(job.Started) {
		t.Errorf("job %+v", job)
	}
	if job.Seen != 4 || job.New != 2 || job.Changed != 0 || job.Unchanged != 0 || job.Ignored != 1 || job.Rejected != 1 || job.Gone != 0 ||
		job.Attempts != 1 || job.Bytes != 100 || job.HTTPStatus != 200 || len(job.Rejections) != 1 || job.Rejections[0].Line != 7 {
		t.Errorf("job %+v", job)
	}
	if len(f.published) != 1 || len(f.published[0]) != 2 {
		t.Fatalf("published %v", f.published)
	}
	if got := strings.Count(f.logged.String(), "\n"); got != 1 || !strings.Contains(f.logged.String(), `msg="job completed" job=1 provider=feverup`) {
		t.Errorf("log: %s", f.logged.String())
	}

	// The same again changes and publishes nothing.
	if job := f.once(t); job.Unchanged != 2 || job.New != 0 || len(f.published) != 1 {
		t.Errorf("the same feed again: %+v, %d batches", job, len(f.published))
	}

	// What is gone is counted, kept, and published as what has changed.
	snapshot = &feed.Feed{Events: []event.Event{newEvent(t, "1", "2021-01-02")}, Seen: 1}
	if job := f.once(t); job.Changed != 1 || job.Gone != 1 || len(f.published) != 2 || len(f.published[1]) != 2 {
		t.Errorf("a feed with one event moved and one gone: %+v, %v", job, f.published)
	}
	if got := stored(t, f.bolt); !slices.Equal(got, []string{"feverup/1/1", "feverup/1/2"}) {
		t.Errorf("stored %v", got)
	}
	if jobs := recorded(t, f.bolt); len(jobs) != 3 || jobs[0].New != 2 || jobs[1].Unchanged != 2 || jobs[2].Gone != 1 {
		t.Errorf("recorded %+v", jobs)
	}
}

// TestLogTook shows that the log counts all of a job, and its record all but the commit
// and what follows.
func TestLogTook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(ctx context.Context, _ feed.Validators, _ *feed.Progress) (*feed.Feed, error) {
			sleep(ctx, 2*time.Second)
			return feedOf(t, "1"), nil
		})
		f.onPublish = func() error { time.Sleep(10 * time.Second); return nil }
		if job := f.once(t); job.Finished.Sub(job.Started) != 2*time.Second || !strings.Contains(f.logged.String(), " took=12s ") {
			t.Errorf("%+v, logged %s", job, f.logged.String())
		}
	})
}

func TestRunNowOfAnUnknownProvider(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	if _, err := f.RunNow(t.Context(), "nobody", store.Manual, false); !errors.Is(err, ErrUnknown) {
		t.Errorf("%v, want ErrUnknown", err)
	}
}

func TestRunNowWhileAnotherRuns(t *testing.T) {
	t.Parallel()
	var f *fixture
	f = newFixture(t, func(ctx context.Context, _ feed.Validators, _ *feed.Progress) (*feed.Feed, error) {
		if _, err := f.RunNow(ctx, "feverup", store.Manual, false); !errors.Is(err, ErrBusy) {
			t.Errorf("%v, want ErrBusy", err)
		}
		return feedOf(t, "1"), nil
	})
	if job := f.once(t); job.State != store.Completed {
		t.Errorf("job %+v", job)
	}
	if jobs := recorded(t, f.bolt); len(jobs) != 1 {
		t.Errorf("recorded %+v", jobs)
	}
}

func TestRunNowPublishesInTheProvidersZone(t *testing.T) {
	t.Parallel()
	madrid, err := time.LoadLocation("Europe/Madrid")
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
		return &feed.Feed{Events: []event.Event{newEvent(t, "1", "2021-06-30T21:00:00")}, Seen: 1}, nil
	})
	f.locate(madrid)
	f.once(t)
	if got, want := f.published[0][0].Start, time.Date(2021, 6, 30, 19, 0, 0, 0, time.UTC).Unix(); got != want {
		t.Errorf("published with start %d, want %d", got, want)
	}
	loaded, _, err := f.bolt.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(loaded) != 1 || loaded[0].Compare(&f.published[0][0].SortKey) != 0 || !bytes.Equal(loaded[0].Summary, f.published[0][0].Summary) {
		t.Errorf("loaded %+v, published %+v", loaded, f.published[0][0])
	}
}

// TestValidators shows that a fetch is told what the last good answer was, as long as
// it counts, and that an unchanged feed costs nothing but its outcome.
func TestValidators(t *testing.T) {
	t.Parallel()
	var told []feed.Validators
	ours := feed.Validators{ETag: `"1"`, LastModified: "Mon, 01 Feb 2021 10:00:00 GMT", Digest: [32]byte{1}, Source: "here"}
	snapshot := feedOf(t, "1")
	snapshot.Validators = ours
	f := newFixture(t, func(_ context.Context, last feed.Validators, _ *feed.Progress) (*feed.Feed, error) {
		told = append(told, last)
		if last == ours {
			return &feed.Feed{NotModified: true, HTTPStatus: 304, Validators: last}, nil
		}
		return snapshot, nil
	})
	f.once(t)
	if job := f.once(t); job.State != store.Completed || !job.NotModified || job.HTTPStatus != 304 || job.Seen+job.New+job.Gone != 0 {
		t.Errorf("an unchanged feed: %+v", job)
	}
	if len(f.published) != 1 || len(stored(t, f.bolt)) != 1 {
		t.Errorf("an unchanged feed changed what is published or stored")
	}
	madrid, err := time.LoadLocation("Europe/Madrid")
	if err != nil {
		t.Fatal(err)
	}
	f.locate(madrid) // the same feed means other instants now
	if job := f.once(t); job.NotModified {
		t.Errorf("another time zone: %+v", job)
	}
	if want := []feed.Validators{{}, ours, {}}; !slices.Equal(told, want) {
		t.Errorf("fetches were told %v, want %v", told, want)
	}
	if jobs := recorded(t, f.bolt); len(jobs) != 3 || !jobs[1].NotModified {
		t.Errorf("recorded %+v", jobs)
	}
}

func TestOnceFails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fetch func(context.CancelFunc) (*feed.Feed, error)
		kind  feed.Kind
	}{
		{"the provider", func(context.CancelFunc) (*feed.Feed, error) {
			e := failure(feed.KindHTTPStatus)
			e.HTTPStatus = 403
			return &feed.Feed{HTTPStatus: 403, Bytes: 9}, e
		}, feed.KindHTTPStatus},
		{"with no feed", func(context.CancelFunc) (*feed.Feed, error) {
			return nil, failure(feed.KindTooLarge)
		}, feed.KindTooLarge},
		{"with an error of no kind", func(context.CancelFunc) (*feed.Feed, error) {
			return nil, errors.New("what is this?")
		}, feed.KindInternal},
		{"a bug", func(context.CancelFunc) (*feed.Feed, error) {
			panic("bug")
		}, feed.KindInternal},
		{"stopped before the commit", func(cancel context.CancelFunc) (*feed.Feed, error) {
			cancel()
			return feedOf(t, "3"), nil
		}, feed.KindCanceled},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			fetch := func() (*feed.Feed, error) { return feedOf(t, "1"), nil }
			f := newFixture(t, func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) { return fetch() })
			f.once(t)

			fetch = func() (*feed.Feed, error) { return test.fetch(cancel) }
			job, err := f.RunNow(ctx, "feverup", store.Manual, false)
			if err != nil {
				t.Fatal(err)
			}
			if job.State != store.Failed || job.Kind != test.kind || job.Message == "" {
				t.Errorf("job %+v, want a failure of kind %q", job, test.kind)
			}
			if job.Seen+job.New+job.Changed+job.Unchanged+job.Gone != 0 {
				t.Errorf("a failed job counts %+v", job)
			}
			if jobs := recorded(t, f.bolt); len(jobs) != 2 || jobs[1].State != store.Failed || jobs[1].Kind != test.kind {
				t.Errorf("recorded %+v", jobs)
			}
			if len(f.published) != 1 || !slices.Equal(stored(t, f.bolt), []string{"feverup/1/1"}) {
				t.Error("a failed job changed what is published or stored")
			}

			// The next good answer is applied.
			fetch = func() (*feed.Feed, error) { return feedOf(t, "2"), nil }
			if job := f.once(t); job.New != 1 || job.Gone != 1 {
				t.Errorf("after the failure: %+v", job)
			}
		})
	}
}

// TestImportOfOnePage shows that nothing of a document is taken that says that the feed goes
// on: half of a feed would look as if the rest were gone.
func TestImportOfOnePage(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
		return feedOfMany(t, 2), nil
	})
	f.once(t)
	job, err := f.Import(t.Context(), "feverup", true, feedtest.Given(func(context.Context, *feed.Progress) (*feed.Feed, error) {
		page := feedOfMany(t, 1)
		page.Bytes = 100
		page.Next = &feed.Page{Number: 2, URL: &url.URL{Scheme: "https", User: url.User("secret"), Host: "example.com", Path: "/secret"}}
		return page, nil
	}))
	if err != nil || job.State != store.Failed || job.Kind != feed.KindDecode || job.Gone != 0 || job.Bytes < 100 ||
		!strings.Contains(job.Message, "says that there are more") || strings.Contains(job.Message, "secret") {
		t.Errorf("%+v, %v", job, err)
	}
	if n := f.store.Stats().Current["feverup"]; n != 2 {
		t.Errorf("%d events are current, not 2", n)
	}
}

func TestRunNowWhenTheStoreFails(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
		return feedOf(t, "1"), nil
	})
	if err := f.bolt.Close(); err != nil {
		t.Fatal(err)
	}
	job := f.once(t)
	if job.State != store.Failed || job.Kind != feed.KindStore || job.Provider != "feverup" || !strings.HasPrefix(job.Message, "provider feverup: commit: ") || job.Started.IsZero() || len(f.published) != 0 {
		t.Errorf("job %+v, published %v", job, f.published)
	}
}

// TestInterrupted shows what a job leaves behind whose process died.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "fever.db")
	st := openStore(t, path)
	if _, err := st.Begin(t.Context(), store.Job{Provider: "feverup", Trigger: store.Schedule, State: store.Running, Scheduled: time.Now(), Started: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if n, err := st.Interrupt(t.Context(), time.Now()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	x := New(st, slog.New(slog.DiscardHandler), 1, Provider{
		Name: "feverup", Location: time.UTC, Every: time.Minute, MaxInterval: time.Hour,
		Get: feedtest.Get(func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
			return feedOf(t, "1"), nil
		}), Decode: feedtest.Decode,
	})
	if _, err := x.RunNow(t.Context(), "feverup", store.StartUp, false); err != nil {
		t.Fatal(err)
	}
	jobs := recorded(t, st)
	if len(jobs) != 2 || jobs[0].State != store.Failed || jobs[0].Kind != "interrupted" || jobs[1].State != store.Completed || jobs[1].New != 1 {
		t.Errorf("recorded %+v", jobs)
	}
}
