package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"fever/internal/feedtest"
	"fever/provider/feed"
	"fever/store"
)

// TestStart shows that a job begun in the background outlives its caller, and not the
// ingester.
func TestStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := openStore(t, filepath.Join(t.TempDir(), "fever.db"))
		hang := func(ctx context.Context, _ feed.Validators, _ *feed.Progress) (*feed.Feed, error) {
			<-ctx.Done()
			return nil, failure(feed.KindCanceled)
		}
		var providers []Provider
		for i := range 3 {
			providers = append(providers, Provider{Name: fmt.Sprintf("p%d", i), Location: time.UTC, Every: time.Hour, MaxInterval: time.Hour, Get: feedtest.Get(hang), Decode: feedtest.Decode})
		}
		g := New(st, slog.New(slog.DiscardHandler), 1, providers...)
		if _, _, err := g.Start(t.Context(), "nobody", store.Manual, false); !errors.Is(err, ErrUnknown) {
			t.Errorf("%v, want ErrUnknown", err)
		}
		caller, leave := context.WithCancel(t.Context())
		job, ended, err := g.Start(caller, "p0", store.Manual, false)
		if err != nil || job.State != store.Running || job.ID != 1 || job.Provider != "p0" {
			t.Fatalf("%+v, %v", job, err)
		}
		waiting, never, err := g.Start(caller, "p1", store.Manual, false)
		if err != nil || waiting.State != store.Pending || waiting.ID != 0 {
			t.Fatalf("%+v, %v", waiting, err)
		}
		if _, _, err := g.Start(caller, "p1", store.Manual, false); !errors.Is(err, ErrBusy) {
			t.Errorf("%v, want ErrBusy", err)
		}
		leave()
		synctest.Wait()
		if s := g.Status(); s[0].State != store.Running || s[1].State != store.Pending || s[2].State != "" {
			t.Errorf("the jobs did not outlive their caller: %+v", s)
		}

		g.Close()
		if s := g.Status(); s[0].State != "" || s[1].State != "" {
			t.Errorf("behind Close: %+v", s)
		}
		end, ok := <-ended
		if !ok || end.ID != 1 || end.State != store.Failed || end.Kind != feed.KindCanceled {
			t.Errorf("the end of the job that ran: %+v, %v", end, ok)
		}
		if end, ok := <-never; ok {
			t.Errorf("the job that waited has a record: %+v", end)
		}
		if _, _, err := g.Start(t.Context(), "p2", store.Manual, false); !errors.Is(err, ErrClosed) {
			t.Errorf("%v, want ErrClosed", err)
		}
		if jobs := recorded(t, st); len(jobs) != 1 || jobs[0].Kind != feed.KindCanceled {
			t.Errorf("recorded %+v", jobs)
		}
	})
}

// TestStopping shows that no job begins any more, and that the one that runs goes on until
// it is stopped.
func TestStopping(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := openStore(t, filepath.Join(t.TempDir(), "fever.db"))
		hang := func(ctx context.Context, _ feed.Validators, _ *feed.Progress) (*feed.Feed, error) {
			<-ctx.Done()
			return nil, failure(feed.KindCanceled)
		}
		every := Provider{Location: time.UTC, Every: time.Minute, MaxInterval: time.Hour, Get: feedtest.Get(hang), Decode: feedtest.Decode}
		var providers []Provider
		for i := range 3 {
			every.Name = fmt.Sprintf("p%d", i)
			providers = append(providers, every)
		}
		g := New(st, slog.New(slog.DiscardHandler), 1, providers...)
		stopping := make(chan struct{})
		g.Stopping = stopping
		ctx, cancel := context.WithCancel(t.Context())
		var scheduler sync.WaitGroup
		scheduler.Go(func() { g.Run(ctx) })
		synctest.Wait()
		close(stopping)
		synctest.Wait()
		running := 0
		for _, s := range g.Status() {
			if s.State == store.Running {
				running++
			} else if s.State != "" || !s.Due.IsZero() {
				t.Errorf("%+v, want no turn", s)
			}
		}
		for i := range 3 {
			name := fmt.Sprintf("p%d", i)
			if _, _, err := g.Start(t.Context(), name, store.Manual, false); !errors.Is(err, ErrClosed) {
				t.Errorf("%v, want ErrClosed", err)
			}
			if _, err := g.RunNow(t.Context(), name, store.Manual, false); !errors.Is(err, ErrClosed) && !errors.Is(err, ErrBusy) {
				t.Errorf("%v, want ErrClosed", err)
			}
		}
		time.Sleep(time.Hour)
		cancel()
		scheduler.Wait()
		g.Close()
		if jobs := recorded(t, st); running != 1 || len(jobs) != 1 {
			t.Errorf("%d jobs ran on, recorded %+v", running, jobs)
		}
	})
}

// TestStartWhenTheStoreFails shows that nobody waits for a record that cannot be made.
func TestStartWhenTheStoreFails(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	if err := f.bolt.Close(); err != nil {
		t.Fatal(err)
	}
	job, ended, err := f.Start(t.Context(), "feverup", store.Manual, false)
	if err != nil || job.State != store.Failed || job.Kind != feed.KindStore {
		t.Errorf("%+v, %v", job, err)
	}
	if end := <-ended; end.Kind != job.Kind || end.Message != job.Message {
		t.Errorf("ended as %+v", end)
	}
	f.Close()
}

// TestImport shows that a document from elsewhere is stored and published as any other,
// and that its failure is not the provider's.
func TestImport(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
		return nil, failure(feed.KindTLS)
	})
	tried := 0
	broken := func(context.Context, *feed.Progress) (*feed.Feed, error) {
		tried++
		return nil, failure(feed.KindMalformed)
	}
	good := func(_ context.Context, p *feed.Progress) (*feed.Feed, error) {
		if p == nil {
			t.Error("no progress to tell of")
		}
		if _, err := f.Import(t.Context(), "feverup", false, feedtest.Given(broken)); !errors.Is(err, ErrBusy) {
			t.Errorf("beside another job: %v, want ErrBusy", err)
		}
		return feedOf(t, "1"), nil
	}
	if _, err := f.Import(t.Context(), "nobody", false, feedtest.Given(good)); !errors.Is(err, ErrUnknown) {
		t.Errorf("%v, want ErrUnknown", err)
	}
	f.once(t)
	job, err := f.Import(t.Context(), "feverup", false, feedtest.Given(broken))
	if err != nil || job.State != store.Failed || job.Kind != feed.KindMalformed || job.Attempts != 1 || tried != 1 {
		t.Errorf("a broken document: %+v, %v", job, err)
	}
	job, err = f.Import(t.Context(), "feverup", false, feedtest.Given(good))
	if err != nil || job.State != store.Completed || job.Trigger != store.Document || job.New != 1 {
		t.Errorf("a good document: %+v, %v", job, err)
	}
	if len(f.published) != 1 || len(f.published[0]) != 1 || len(stored(t, f.bolt)) != 1 {
		t.Errorf("published %v, stored %v", f.published, stored(t, f.bolt))
	}
	if s := f.Status()[0]; s.Failures != 1 || !s.LastSuccess.IsZero() {
		t.Errorf("%+v, want the one failure of the provider, and no success of it", s)
	}
}
