package ingest

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"fever/internal/feedtest"
	"fever/provider/feed"
	"fever/store"
)

// TestStatusOfAJob follows one job from before its begin to behind its end, and
// another one that waits for the only worker.
func TestStatusOfAJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := openStore(t, filepath.Join(t.TempDir(), "fever.db"))
		steps := make(chan struct{})
		attempts := 0
		slow := func(_ context.Context, _ feed.Validators, p *feed.Progress) (*feed.Feed, error) {
			attempts++
			for range 2 {
				p.Bytes.Add(100)
				p.Rows.Add(3)
				<-steps
			}
			if attempts == 1 {
				e := failure(feed.KindTimeout)
				e.Bytes = 200
				return nil, e
			}
			return &feed.Feed{}, nil
		}
		quick := func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
			return &feed.Feed{}, nil
		}
		g := New(st, slog.New(slog.DiscardHandler), 1,
			Provider{Name: "slow", Location: time.UTC, Every: time.Hour, MaxInterval: time.Hour, Get: feedtest.Get(slow), Decode: feedtest.Decode},
			Provider{Name: "quick", Location: time.UTC, Every: time.Hour, MaxInterval: time.Hour, Get: feedtest.Get(quick), Decode: feedtest.Decode})
		var ended []string
		g.Ended = func(job store.Job) { ended = append(ended, job.Provider) }
		idle := func(name string) Status {
			return Status{Name: name, Location: time.UTC, Every: time.Hour, MaxAge: 3 * time.Hour}
		}
		check := func(when string, want ...Status) {
			t.Helper()
			synctest.Wait()
			for i, got := range g.Status() {
				if got != want[i] {
					t.Errorf("%s: %+v, want %+v", when, got, want[i])
				}
			}
		}
		check("before", idle("slow"), idle("quick"))

		began := time.Now()
		if _, _, err := g.Start(t.Context(), "slow", store.Manual, false); err != nil {
			t.Fatal(err)
		}
		waiting, end, err := g.Start(t.Context(), "quick", store.Schedule, false)
		if err != nil || waiting.State != store.Pending || waiting.ID != 0 {
			t.Fatalf("%+v, %v", waiting, err)
		}
		slowly, pending := idle("slow"), idle("quick")
		slowly.State, slowly.Trigger, slowly.Started, slowly.Page, slowly.Attempt = store.Running, store.Manual, began, 1, 1
		slowly.Bytes, slowly.Rows = 100, 3
		pending.State, pending.Trigger = store.Pending, store.Schedule
		check("the first part", slowly, pending)
		steps <- struct{}{}
		slowly.Bytes, slowly.Rows = 200, 6
		check("the second part", slowly, pending)
		steps <- struct{}{} // the attempt fails
		check("between two attempts", slowly, pending)
		time.Sleep(2 * firstBackoff)
		slowly.Attempt, slowly.Bytes, slowly.Rows = 2, 300, 3
		check("the second attempt", slowly, pending)
		steps <- struct{}{}
		steps <- struct{}{}

		if job := <-end; job.State != store.Completed {
			t.Errorf("job %+v", job)
		}
		if _, more := <-end; more {
			t.Error("the channel has a second record")
		}
		done, other := idle("slow"), idle("quick")
		done.LastSuccess = time.Now().UTC().Truncate(time.Millisecond)
		other.LastSuccess = done.LastSuccess
		done.Snapshot, other.Snapshot = 1, 2
		done.Settled, other.Settled = true, true
		check("behind both", done, other)
		if len(ended) != 2 || ended[0] != "slow" || ended[1] != "quick" {
			t.Errorf("told of the end of %v", ended)
		}

		again := New(st, slog.New(slog.DiscardHandler), 1, g.targets[0].Provider, g.targets[1].Provider)
		if err := again.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		g = again
		check("after a restart", done, other)
	})
}

// TestStatusOfASchedule shows what failures do to the turns, and slow jobs.
func TestStatusOfASchedule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := openStore(t, filepath.Join(t.TempDir(), "fever.db"))
		var fails, slow atomic.Bool
		g := New(st, slog.New(slog.DiscardHandler), 1, Provider{
			Name: "feverup", Location: time.UTC, Every: time.Minute, MaxInterval: 3 * time.Minute, Attempts: 1,
			Get: feedtest.Get(func(ctx context.Context, _ feed.Validators, _ *feed.Progress) (*feed.Feed, error) {
				if slow.Load() {
					sleep(ctx, 150*time.Second)
				}
				if fails.Load() {
					return nil, failure(feed.KindTLS)
				}
				return feedOf(t, "1"), nil
			}), Decode: feedtest.Decode,
		})
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			g.Run(ctx)
		}()
		turn := g.targets[0].turn(time.Now())
		check := func(when string, state store.State, due time.Time, failures int, stretch time.Duration, skipped uint64) {
			t.Helper()
			synctest.Wait()
			s := g.Status()[0]
			if s.State != state || !s.Due.Equal(due) || s.Failures != failures || s.Stretch != stretch || s.Skipped != skipped {
				t.Errorf("%s: %+v, want state %q, due %v, %d failures, stretch %v, skipped %d", when, s, state, due, failures, stretch, skipped)
			}
		}
		next := func() { // to just behind the next turn
			time.Sleep(time.Until(turn) + time.Millisecond)
		}
		check("after the job at start-up", "", turn, 0, 0, 0)

		fails.Store(true)
		next()
		turn = turn.Add(time.Minute)
		check("one failure", "", turn, 1, 0, 0)
		next()
		turn = turn.Add(time.Minute)
		check("two failures", "", turn, 2, 0, 0)
		next()
		turn = turn.Add(2 * time.Minute)
		check("three failures", "", turn, 3, time.Minute, 0)
		next()
		turn = turn.Add(3 * time.Minute)
		check("four failures", "", turn, 4, 2*time.Minute, 0)
		next()
		turn = turn.Add(3 * time.Minute)
		check("five failures", "", turn, 5, 2*time.Minute, 0)

		slow.Store(true)
		fails.Store(false)
		next()
		check("a slow job", store.Running, turn.Add(3*time.Minute), 5, 2*time.Minute, 0)
		time.Sleep(150 * time.Second)
		turn = turn.Add(3 * time.Minute)
		check("behind it", "", turn, 0, 0, 2)

		if _, _, err := g.Start(t.Context(), "feverup", store.Manual, false); err != nil {
			t.Fatal(err)
		}
		next()
		turn = turn.Add(time.Minute)
		check("a turn beside a job by hand", store.Running, turn, 0, 0, 3)
		cancel()
		<-stopped
		check("without a scheduler", store.Running, time.Time{}, 0, 0, 3)
		g.Close()
		check("at the end", "", time.Time{}, 0, 0, 3)
	})
}

// TestStatusOfFailures follows what is told of the newest failure, and of the snapshot.
func TestStatusOfFailures(t *testing.T) {
	t.Parallel()
	var snapshot *feed.Feed
	var failed error
	f := newFixture(t, func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
		return snapshot, failed
	})
	check := func(when string, g *Ingester, kind feed.Kind, failures int, snapshot uint64, accepted, rejected int) {
		t.Helper()
		s := g.Status()[0]
		if s.Kind != kind || (s.Message == "") != (kind == "") || s.Failures != failures || s.Snapshot != snapshot || s.Accepted != accepted || s.Rejected != rejected {
			t.Errorf("%s: %+v", when, s)
		}
	}
	give := func(snapshot *feed.Feed, failed error) {
		t.Helper()
		_, err := f.Import(t.Context(), "feverup", false, feedtest.Given(func(context.Context, *feed.Progress) (*feed.Feed, error) { return snapshot, failed }))
		if err != nil {
			t.Fatal(err)
		}
	}
	again := func() *Ingester {
		g := New(f.bolt, f.log, 1, f.targets[0].Provider)
		if err := g.recall(t.Context(), g.targets[0]); err != nil {
			t.Fatal(err)
		}
		return g
	}
	check("at first", f.Ingester, "", 0, 0, 0, 0)
	give(nil, failure(feed.KindMalformed))
	check("a bad document", f.Ingester, "", 0, 0, 0, 0)
	failed = failure(feed.KindTLS)
	f.once(t)
	check("a failure", f.Ingester, feed.KindTLS, 1, 0, 0, 0)
	failed = failure(feed.KindCanceled)
	f.once(t)
	check("a stop", f.Ingester, feed.KindTLS, 1, 0, 0, 0)
	give(feedOf(t, "1"), nil)
	check("a document", f.Ingester, feed.KindTLS, 1, 4, 1, 0)
	if s := again().Status()[0]; !f.Status()[0].LastSuccess.IsZero() || !s.LastSuccess.IsZero() || s.Snapshot != 4 {
		t.Errorf("a document says that the provider answers: %+v", s)
	}
	failed, snapshot = nil, feedOf(t, "1")
	snapshot.Seen, snapshot.Rejected = 3, 2
	f.once(t)
	snapshot = &feed.Feed{NotModified: true}
	f.once(t)
	check("two successes", f.Ingester, "", 0, 5, 1, 2)
	check("a restart", again(), "", 0, 5, 1, 2)
	success := f.Status()[0].LastSuccess

	if err := f.bolt.Close(); err != nil {
		t.Fatal(err)
	}
	f.once(t)
	check("nothing can be written", f.Ingester, feed.KindStore, 0, 5, 1, 2)
	if s := f.Status()[0]; !s.LastSuccess.Equal(success) {
		t.Errorf("the last success is another: %+v", s)
	}
	f.bolt = openStore(t, f.path)
	f.store = f.bolt
	give(feedOf(t, "1"), nil)
	check("it can again", f.Ingester, "", 0, 7, 1, 0)
}

func TestMaxAge(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	skipping := func(at time.Time) time.Time { // as cron leaves out the night on which the clocks go forward
		next := at.Truncate(24 * time.Hour).Add(32 * time.Hour)
		if next.Day() == 3 {
			next = next.Add(24 * time.Hour)
		}
		return next
	}
	daily := func(at time.Time) time.Time { return at.Truncate(24 * time.Hour).Add(32 * time.Hour) } // at 8 on the next day
	for _, test := range []struct {
		name     string
		provider Provider
		success  time.Time
		want     time.Duration
	}{
		{"seconds", Provider{Every: time.Second}, noon, 5 * time.Minute},
		{"a minute", Provider{Every: time.Minute}, noon, 5 * time.Minute},
		{"an hour", Provider{Every: time.Hour}, noon, 3 * time.Hour},
		{"an hour, never", Provider{Every: time.Hour}, time.Time{}, 3 * time.Hour},
		{"a schedule of its own", Provider{Every: time.Minute, Next: daily}, noon, 68 * time.Hour},
		{"a schedule that leaves out a day", Provider{Every: time.Minute, Next: skipping}, noon, 92 * time.Hour},
		{"a schedule of its own, never", Provider{Every: time.Minute, Next: daily}, time.Time{}, 68 * time.Hour},
	} {
		c := &target{Provider: test.provider, success: test.success}
		if got := c.status(noon, true).MaxAge; got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}
