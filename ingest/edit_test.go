package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fever/event"
	"fever/index"
	"fever/index/follow"
	"fever/provider"
	"fever/provider/feed"
	"fever/provider/feed/feverup"
	"fever/store"
	"fever/store/bolt"
)

// A shop is a provider that answers conditional requests, under two names.
type shop struct {
	*Ingester
	st    *bolt.Store
	index *index.Index
	sells atomic.Pointer[string] // the numbers of its events, with spaces between them
	asked atomic.Pointer[string] // If-None-Match of the last request
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{index: index.New()}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sells, condition := *s.sells.Load(), r.Header.Get("If-None-Match")
		s.asked.Store(&condition)
		tag := fmt.Sprintf("%q", strings.ReplaceAll(sells, " ", "-"))
		w.Header().Set("ETag", tag)
		if condition == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = fmt.Fprint(w, "<planList><output>")
		for number := range strings.FieldsSeq(sells) {
			_, _ = fmt.Fprintf(w, `<base_plan base_plan_id="%s" sell_mode="online" title="T"><plan plan_id="%[1]s"
				plan_start_date="202%[1]s-06-30T21:00:00" plan_end_date="202%[1]s-06-30T22:00:00"/></base_plan>`, number)
		}
		_, _ = fmt.Fprint(w, "</output></planList>")
	}))
	t.Cleanup(server.Close)
	s.sell("1 2")
	s.st = openStore(t, filepath.Join(t.TempDir(), "fever.db"))
	var providers []Provider
	for _, name := range []string{"old", "new"} {
		p, err := provider.New(provider.Config{Format: feverup.New(0), Name: name, URL: server.URL, Timeout: time.Hour, MaxBytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		providers = append(providers, Provider{
			Name: name, Location: time.UTC, Every: time.Minute, MaxInterval: time.Hour, Attempts: 1, Get: p.Get, Decode: p.Decode,
		})
	}
	s.Ingester = New(s.st, slog.New(slog.DiscardHandler), 1, providers...)
	s.Publish = follow.New(s.st, s.index, slog.New(slog.DiscardHandler)).CatchUp
	if err := s.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *shop) sell(numbers string) { s.sells.Store(&numbers) }

// collect runs a job, and says what came of it.
func (s *shop) collect(t *testing.T, name string) string {
	t.Helper()
	job, err := s.RunNow(t.Context(), name, store.Manual, false)
	if err != nil || job.State != store.Completed {
		t.Fatalf("%+v, %v", job, err)
	}
	return fmt.Sprintf("%d: %d new, %d unchanged, %d gone", job.HTTPStatus, job.New, job.Unchanged, job.Gone)
}

// found compares the index with a new one of what is stored, and returns the number of its
// events.
func (s *shop) found(t *testing.T) int {
	t.Helper()
	entries, _, err := s.st.Load(t.Context())
	fresh := index.New()
	if err := errors.Join(err, fresh.Load(entries)); err != nil {
		t.Fatal(err)
	}
	if got, want := string(search(s.index)), string(search(fresh)); got != want {
		t.Errorf("searches find\n%s\nstored is\n%s", got, want)
	}
	return s.index.Snapshot().Events
}

func (s *shop) status(t *testing.T, name string) Status {
	t.Helper()
	for _, status := range s.Status() {
		if status.Name == name {
			return status
		}
	}
	t.Fatalf("no provider %s", name)
	return Status{}
}

func cutoff(t *testing.T, text string) store.Cutoff {
	t.Helper()
	c, err := store.ParseCutoff(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestRename collects under one name, renames, and collects under the other: the provider is
// asked on the condition that something has changed, and nothing is new.
func TestRename(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	if got := s.collect(t, "old"); got != "200: 2 new, 0 unchanged, 0 gone" {
		t.Error(got)
	}
	before := s.status(t, "old")
	answer, version := string(search(s.index)), s.index.Snapshot().Version
	if _, err := s.Rename(t.Context(), store.Renaming{From: "old", To: "new", DryRun: true}); err != nil {
		t.Fatal(err)
	}
	if s.index.Snapshot().Version != version || s.found(t) != 2 {
		t.Error("a dry run changed what searches find")
	}
	done, err := s.Rename(t.Context(), store.Renaming{From: "old", To: "new"})
	if err != nil || done.Events != 2 || s.found(t) != 2 || string(search(s.index)) == answer {
		t.Errorf("%+v, %v", done, err)
	}
	if after := s.status(t, "new"); after.LastSuccess.UnixMilli() != before.LastSuccess.UnixMilli() || after.Snapshot != before.Snapshot || after.Accepted != 2 {
		t.Errorf("the new name has %+v, the old one had %+v", after, before)
	}
	if after := s.status(t, "old"); !after.LastSuccess.IsZero() || after.Snapshot != 0 || after.Accepted != 0 {
		t.Errorf("the old name has %+v", after)
	}
	if got := s.collect(t, "new"); got != "304: 0 new, 0 unchanged, 0 gone" || s.found(t) != 2 {
		t.Error(got)
	}
	// It was not taken out of the settings.
	if got := s.collect(t, "old"); got != "200: 2 new, 0 unchanged, 0 gone" || *s.asked.Load() != "" || s.found(t) != 4 {
		t.Errorf("%s, asked with %q", got, *s.asked.Load())
	}
	if done, err := s.Rename(t.Context(), store.Renaming{From: "old", To: "new"}); err != nil || done.Known != 2 || done.Changed != 0 || s.found(t) != 2 {
		t.Errorf("%+v, %v", done, err)
	}
}

// TestForget has everything forgotten, and then what is gone. The provider must not be asked
// on a condition when nothing is there any more: a 304 would leave it so.
func TestForget(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.collect(t, "old")
	if got := s.collect(t, "old"); got != "304: 0 new, 0 unchanged, 0 gone" {
		t.Error(got)
	}
	if done, err := s.Forget(t.Context(), store.Forgetting{Provider: "old"}); err != nil || done.Events != 2 || done.Jobs != 2 || s.found(t) != 0 {
		t.Errorf("%+v, %v", done, err)
	}
	if status := s.status(t, "old"); !status.LastSuccess.IsZero() || status.Snapshot != 0 || status.Accepted != 0 {
		t.Errorf("%+v", status)
	}
	if _, err := s.Forget(t.Context(), store.Forgetting{Provider: "old"}); !errors.Is(err, store.ErrNothing) {
		t.Error(err)
	}
	if got := s.collect(t, "old"); got != "200: 2 new, 0 unchanged, 0 gone" || *s.asked.Load() != "" || s.found(t) != 2 {
		t.Errorf("%s, asked with %q", got, *s.asked.Load())
	}

	// Of these, 1 and 3 are gone, 2 is on sale, and 3 ends in 2023.
	s.sell("1 2 3")
	s.collect(t, "old")
	s.sell("2")
	s.collect(t, "old")
	success := s.status(t, "old").LastSuccess
	done, err := s.Forget(t.Context(), store.Forgetting{Provider: "old", GoneBefore: cutoff(t, "2023-01-01")})
	if err != nil || done.Events != 1 || done.First[0].BaseID != "1" || s.found(t) != 2 {
		t.Errorf("%+v, %v", done, err)
	}
	if status := s.status(t, "old"); status.LastSuccess.UnixMilli() != success.UnixMilli() || status.Accepted != 1 {
		t.Errorf("%+v", status)
	}
	version := s.index.Snapshot().Version
	if done, err := s.Forget(t.Context(), store.Forgetting{Provider: "old", GoneBefore: cutoff(t, "2023-01-01")}); err != nil || done.Events != 0 || done.Record.ID != 0 {
		t.Errorf("%+v, %v", done, err)
	}
	if s.index.Snapshot().Version != version {
		t.Error("the index was loaded though nothing changed")
	}
	if got := s.collect(t, "old"); got != "304: 0 new, 0 unchanged, 0 gone" {
		t.Error(got)
	}
	s.sell("1 2 3")
	if got := s.collect(t, "old"); got != "200: 1 new, 2 unchanged, 0 gone" || s.found(t) != 3 {
		t.Error(got)
	}

	// After a restart the same is known.
	again := New(s.st, slog.New(slog.DiscardHandler), 1, Provider{Name: "old", Location: time.UTC, Every: time.Minute})
	if _, err := s.Forget(t.Context(), store.Forgetting{Provider: "old"}); err != nil {
		t.Fatal(err)
	}
	if err := again.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if status := again.Status()[0]; !status.LastSuccess.IsZero() || status.Snapshot != 0 {
		t.Errorf("%+v", status)
	}
}

// TestForgetBeside forgets beside jobs: those of the provider and what is done by hand wait
// for each other, and a service that stops does neither.
func TestForgetBeside(t *testing.T) {
	t.Parallel()
	started, released := make(chan struct{}), make(chan struct{})
	f := newFixture(t, func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
		close(started)
		<-released
		return &feed.Feed{HTTPStatus: 200, Events: []event.Event{newEvent(t, "1", "2021-06-30")}}, nil
	})
	stopping := make(chan struct{})
	f.Stopping = stopping
	_, ended, err := f.Start(t.Context(), "feverup", store.Manual, false)
	if err != nil {
		t.Fatal(err)
	}
	<-started
	for _, names := range [][2]string{{"feverup", "other"}, {"other", "feverup"}} {
		if _, err := f.Rename(t.Context(), store.Renaming{From: names[0], To: names[1]}); !errors.Is(err, ErrBusy) {
			t.Error(err)
		}
	}
	if _, err := f.Forget(t.Context(), store.Forgetting{Provider: "feverup"}); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
	close(released)
	<-ended

	f.onPublish = func() error {
		f.onPublish = nil
		if _, err := f.RunNow(t.Context(), "feverup", store.Manual, false); !errors.Is(err, ErrBusy) {
			t.Errorf("a job ran meanwhile: %v", err)
		}
		return nil
	}
	if _, err := f.Forget(t.Context(), store.Forgetting{Provider: "feverup"}); err != nil || f.onPublish != nil {
		t.Error(err)
	}
	close(stopping)
	if _, err := f.Forget(t.Context(), store.Forgetting{Provider: "feverup"}); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// TestForgetUnpublished forgets when the index cannot be loaded: the error says what is done
// and what is not, and the next job makes up for it.
func TestForgetUnpublished(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
		return &feed.Feed{HTTPStatus: 200, Events: []event.Event{newEvent(t, "1", "2021-06-30")}}, nil
	})
	f.once(t)
	f.onPublish = func() error { return errors.New("no memory") }
	if done, err := f.Forget(t.Context(), store.Forgetting{Provider: "feverup"}); err == nil || done.Record.ID == 0 ||
		!strings.HasPrefix(err.Error(), "it is done, and recorded as job 2,") || !strings.HasSuffix(err.Error(), "no memory") {
		t.Errorf("%+v, %v", done, err)
	}
	if got := stored(t, f.bolt); len(got) > 0 {
		t.Errorf("stored are %v", got)
	}
	f.onPublish = nil
	loaded := f.loaded
	if job := f.once(t); job.State != store.Completed || job.New != 1 || f.loaded != loaded+1 {
		t.Errorf("%+v, loaded %d times", job, f.loaded-loaded)
	}
}

// TestForgetWhenTheStoreFails leaves what is published as it is, as nothing was stored.
func TestForgetWhenTheStoreFails(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.collect(t, "old")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Forget(ctx, store.Forgetting{Provider: "old"}); !errors.Is(err, context.Canceled) || s.found(t) != 2 {
		t.Error(err)
	}
	if got := s.collect(t, "old"); got != "304: 0 new, 0 unchanged, 0 gone" || s.found(t) != 2 {
		t.Error(got)
	}
}
