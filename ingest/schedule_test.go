package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"fever/internal/feedtest"
	"fever/provider/feed"
	"fever/store"
)

// Times in these tests are of the bubble: a day passes in a moment, and every count is
// exact.

func TestSchedule(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		provider Provider
		takes    time.Duration
		want     int // jobs in a day that begins at midnight, with the one at start-up
	}{
		{"quick", Provider{Every: time.Minute}, time.Second, 1 + 24*60},
		{"slower than its interval: turns are skipped, not queued", Provider{Every: time.Minute}, 90 * time.Second, 1 + 24*60/2},
		{"hourly", Provider{Every: time.Hour}, time.Minute, 1 + 24},
		{"its own schedule", Provider{Next: func(at time.Time) time.Time { return at.Truncate(6 * time.Hour).Add(6 * time.Hour) }}, time.Minute, 1 + 3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				starts := simulate(t, 24*time.Hour-time.Second, test.provider, func(ctx context.Context, _ int) (*feed.Feed, error) {
					sleep(ctx, test.takes)
					return feedOf(t, "1"), nil
				})
				if len(starts) != test.want {
					t.Errorf("%d jobs in a day, want %d", len(starts), test.want)
				}
			})
		})
	}
}

// TestScheduleOfAFlakyProvider shows the attempts of one job.
func TestScheduleOfAFlakyProvider(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := openStore(t, filepath.Join(t.TempDir(), "fever.db"))
		asked := 0
		x := New(st, slog.New(slog.DiscardHandler), 1, Provider{
			Name: "feverup", Location: time.UTC, Every: time.Minute, MaxInterval: time.Hour,
			Get: feedtest.Get(func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
				if asked++; asked < 3 {
					e := failure(feed.KindHTTPStatus)
					e.HTTPStatus, e.Bytes = 503, 10
					return nil, e
				}
				return feedOf(t, "1"), nil
			}), Decode: feedtest.Decode,
		})
		began := time.Now()
		job, err := x.RunNow(t.Context(), "feverup", store.Manual, false)
		if err != nil || job.State != store.Completed || job.Attempts != 3 || job.HTTPStatus != 200 || job.Bytes != 20 {
			t.Errorf("job %+v, %v", job, err)
		}
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("two waits took %v, more than 2s and 4s", took)
		}
		if jobs := recorded(t, st); len(jobs) != 1 || jobs[0].Attempts != 3 {
			t.Errorf("recorded %+v", jobs)
		}
	})
}

func TestRetries(t *testing.T) {
	t.Parallel()
	status := func(code int, after time.Duration) *feed.Error {
		e := failure(feed.KindHTTPStatus)
		e.HTTPStatus, e.RetryAfter = code, after
		return e
	}
	tests := []struct {
		name     string
		errs     []error // in turn, the last one for ever
		attempts int
	}{
		{"timeout", []error{failure(feed.KindTimeout)}, 3},
		{"timeout while decoding", []error{&feed.Error{Provider: "feverup", Kind: feed.KindTimeout, Op: "fetch", Err: errors.New("slow"), Whole: true}}, 1},
		{"connection", []error{failure(feed.KindConnection)}, 3},
		{"dns", []error{failure(feed.KindDNS)}, 3},
		{"tls", []error{failure(feed.KindTLS)}, 1},
		{"too large", []error{failure(feed.KindTooLarge)}, 1},
		{"canceled", []error{failure(feed.KindCanceled)}, 1},
		{"malformed twice in a row", []error{failure(feed.KindMalformed)}, 2},
		{"no feed twice in a row", []error{failure(feed.KindDecode)}, 2},
		{"malformed, then no answer", []error{failure(feed.KindMalformed), failure(feed.KindTimeout)}, 3},
		{"500", []error{status(500, 0)}, 3},
		{"503", []error{status(503, 0)}, 3},
		{"408", []error{status(408, 0)}, 3},
		{"425", []error{status(425, 0)}, 3},
		{"425 and much later", []error{status(425, 10*time.Minute)}, 1},
		{"429", []error{status(429, 0)}, 3},
		{"429 and soon again", []error{status(429, 20*time.Second)}, 3},
		{"429 and much later", []error{status(429, 10*time.Minute)}, 1},
		{"400", []error{status(400, 0)}, 1},
		{"404", []error{status(404, 0)}, 1},
		{"304 unasked", []error{status(304, 0)}, 1},
		{"an error of no kind", []error{fmt.Errorf("what is this?")}, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				c := &target{Provider: Provider{Get: feedtest.Get(func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
					asked++
					return nil, test.errs[min(asked, len(test.errs))-1]
				}), Decode: feedtest.Decode}}
				j, err := c.claim(store.Manual, time.Now())
				if err != nil {
					t.Fatal(err)
				}
				if _, err := j.get(t.Context(), feed.Validators{}); err == nil {
					t.Error("it succeeded")
				}
				if asked != test.attempts || j.record.Attempts != asked {
					t.Errorf("asked %d times, counted %d, want %d", asked, j.record.Attempts, test.attempts)
				}
			})
		})
	}
}

// TestScheduleHonoursRetryAfter shows that a provider that asked for peace gets it, up
// to the limit of its interval.
func TestScheduleHonoursRetryAfter(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ asks, gets time.Duration }{
		{10 * time.Minute, 10 * time.Minute},
		{time.Hour, 30 * time.Minute},
	} {
		t.Run(test.asks.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := Provider{Every: time.Minute, MaxInterval: 30 * time.Minute}
				starts := simulate(t, test.gets+90*time.Second, p, func(_ context.Context, n int) (*feed.Feed, error) {
					if n == 1 {
						e := failure(feed.KindHTTPStatus)
						e.HTTPStatus, e.RetryAfter = 429, test.asks
						return nil, e
					}
					return feedOf(t, "1"), nil
				})
				if len(starts) < 2 || starts[1] < test.gets || starts[1] > test.gets+time.Minute {
					t.Errorf("jobs at %v, want the second at %v or within a minute of it", starts, test.gets)
				}
			})
		})
	}
}

// TestScheduleOfADeadProvider counts the requests of a day, and shows the recovery.
func TestScheduleOfADeadProvider(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const dead = 24 * time.Hour
		began := time.Now()
		var requests int
		p := Provider{Every: time.Minute, MaxInterval: 15 * time.Minute}
		starts := simulate(t, dead+time.Hour, p, func(context.Context, int) (*feed.Feed, error) {
			if time.Since(began) < dead {
				requests++
				return nil, failure(feed.KindConnection)
			}
			return feedOf(t, "1"), nil
		})
		var gaps []time.Duration
		for i, at := range starts[1:] {
			gaps = append(gaps, at-starts[i])
		}
		// 1 at start-up, 2 more a minute apart, then 2, 4, 8 and 15 minutes apart.
		first := gaps[1:6]
		if want := []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute}; !slices.Equal(first, want) {
			t.Errorf("the gaps begin with %v, want %v", first, want)
		}
		back := slices.IndexFunc(starts, func(at time.Duration) bool { return at >= dead })
		if late := starts[back] - dead; late > 15*time.Minute {
			t.Errorf("the first request after the recovery came %v after it", late)
		}
		for i := back + 1; i < len(starts); i++ {
			if gap := starts[i] - starts[i-1]; gap != time.Minute {
				t.Errorf("after the recovery a gap of %v", gap)
			}
		}
		// 100 jobs: 1 + 5 that stretch, and then one every 15 minutes; each tries 3 times.
		if requests != back*usualAttempts {
			t.Errorf("%d requests in %d jobs", requests, back)
		}
		t.Logf("a day without an answer: %d jobs, %d requests", back, requests)
		if back < 98 || back > 102 {
			t.Errorf("%d jobs in a day without an answer, want about 100", back)
		}
	})
}

// TestScheduleOfTwo shows that one provider that hangs for ever does not delay another.
func TestScheduleOfTwo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := openStore(t, filepath.Join(t.TempDir(), "fever.db"))
		var good []time.Duration
		hanging, hung := 0, 0
		began := time.Now()
		x := New(st, slog.New(slog.DiscardHandler), 2,
			Provider{
				Name: "hanging", Location: time.UTC, Every: time.Minute, MaxInterval: time.Hour,
				Get: feedtest.Get(func(ctx context.Context, _ feed.Validators, _ *feed.Progress) (*feed.Feed, error) {
					hung++
					hanging++
					defer func() { hanging-- }()
					if hanging > 1 {
						t.Errorf("%d jobs of one provider at once", hanging)
					}
					<-ctx.Done()
					return nil, failure(feed.KindCanceled)
				}), Decode: feedtest.Decode,
			},
			Provider{
				Name: "feverup", Location: time.UTC, Every: time.Minute, MaxInterval: time.Hour,
				Get: feedtest.Get(func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
					good = append(good, time.Since(began))
					return feedOf(t, "1"), nil
				}), Decode: feedtest.Decode,
			})
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
		defer cancel()
		x.Run(ctx)
		if hung != 1 {
			t.Errorf("%d jobs of the provider that hangs", hung)
		}
		if len(good) != 1+24*60 {
			t.Errorf("%d jobs of the other in a day, want %d", len(good), 1+24*60)
		}
		for i := 2; i < len(good); i++ {
			if gap := good[i] - good[i-1]; gap != time.Minute {
				t.Fatalf("job %d came %v after the one before", i, gap)
			}
		}
	})
}

// TestWorkers shows that no more jobs run at once than there are workers, and that
// those that wait are stopped with the rest.
func TestWorkers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := openStore(t, filepath.Join(t.TempDir(), "fever.db"))
		var running, most atomic.Int32
		var providers []Provider
		for i := range 10 {
			name := fmt.Sprintf("p%d", i)
			providers = append(providers, Provider{
				Name: name, Location: time.UTC, Every: time.Hour, MaxInterval: time.Hour,
				Get: feedtest.Get(func(ctx context.Context, _ feed.Validators, _ *feed.Progress) (*feed.Feed, error) {
					defer running.Add(-1)
					if n := running.Add(1); n > 3 {
						t.Errorf("%d jobs at once", n)
					} else if n == 3 {
						most.Store(n)
					}
					sleep(ctx, 10*time.Second)
					return nil, failure(feed.KindTLS)
				}), Decode: feedtest.Decode,
			})
		}
		x := New(st, slog.New(slog.DiscardHandler), 3, providers...)
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second) // the third round is stopped, the fourth never begins
		defer cancel()
		x.Run(ctx)
		if most.Load() != 3 || running.Load() != 0 {
			t.Errorf("%d jobs at once at the most, %d left", most.Load(), running.Load())
		}
		if jobs := recorded(t, st); len(jobs) != 9 {
			t.Errorf("%d jobs recorded, want 9", len(jobs))
		}
	})
}

// TestRunStops shows that a stop cancels the fetch that runs, and is recorded.
func TestRunStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(ctx context.Context, _ feed.Validators, _ *feed.Progress) (*feed.Feed, error) {
			<-ctx.Done()
			return nil, failure(feed.KindCanceled)
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			f.Run(ctx)
		}()
		synctest.Wait()
		cancel()
		synctest.Wait()
		select {
		case <-done:
		default:
			t.Error("still running after its context has ended")
		}
		if jobs := recorded(t, f.bolt); len(jobs) != 1 || jobs[0].State != store.Failed || jobs[0].Kind != feed.KindCanceled {
			t.Errorf("recorded %+v", jobs)
		}
	})
}

// TestTurns shows that turns keep their phase over restarts, and differ by provider and
// by instance.
func TestTurns(t *testing.T) {
	t.Parallel()
	t.Run("providers", func(t *testing.T) {
		t.Parallel()
		testTurns(t, func(i int) Provider { return Provider{Name: fmt.Sprintf("provider-%d", i), Every: time.Minute} })
	})
	t.Run("replicas", func(t *testing.T) {
		t.Parallel()
		testTurns(t, func(i int) Provider {
			return Provider{Name: "feverup", Instance: fmt.Sprintf("machine-%d /var/lib/fever/fever.db", i), Every: time.Minute}
		})
	})
}

func testTurns(t *testing.T, provider func(i int) Provider) {
	phases := map[time.Duration]bool{}
	for i := range 100 {
		c := &target{Provider: provider(i)}
		at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
		turn := c.turn(at)
		if !turn.After(at) || turn.Sub(at) > time.Minute {
			t.Errorf("the turn after %v is %v", at, turn)
		}
		if again := c.turn(turn); again.Sub(turn) != time.Minute {
			t.Errorf("the turn after %v is %v", turn, again)
		}
		for _, later := range []time.Duration{time.Nanosecond, 30 * time.Second, 7 * time.Hour} {
			if restarted := c.turn(at.Add(later)); restarted.Sub(turn)%time.Minute != 0 {
				t.Errorf("started %v later the turns are at %v, not in the phase of %v", later, restarted, turn)
			}
		}
		phases[turn.Sub(at).Truncate(time.Second)] = true
	}
	if len(phases) < 40 { // of 60 seconds, 100 names hit 49 on average
		t.Errorf("100 of them come at only %d different seconds", len(phases))
	}
}

// simulate runs one provider's schedule for so long, and returns when its jobs began.
// collect is told the number of the attempt, from 1.
func simulate(t *testing.T, length time.Duration, p Provider, collect func(ctx context.Context, n int) (*feed.Feed, error)) (starts []time.Duration) {
	t.Helper()
	st := openStore(t, filepath.Join(t.TempDir(), "fever.db"))
	began := time.Now()
	n := 0
	p.Name, p.Location = "feverup", time.UTC
	p.MaxInterval = max(p.MaxInterval, p.Every)
	p.Get, p.Decode = feedtest.Get(func(ctx context.Context, _ feed.Validators, _ *feed.Progress) (*feed.Feed, error) {
		n++
		return collect(ctx, n)
	}), feedtest.Decode
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	New(st, slog.New(slog.DiscardHandler), 1, p).Run(ctx)
	for _, job := range recorded(t, st) {
		starts = append(starts, job.Scheduled.Sub(began.Truncate(time.Millisecond)))
	}
	return starts
}

// sleep waits, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// TestNext counts the turns that a job ran into.
func TestNext(t *testing.T) {
	t.Parallel()
	hourly := func(at time.Time) time.Time { return at.Truncate(time.Hour).Add(time.Hour) }
	interval := &target{Provider: Provider{Name: "feverup", Every: time.Minute}}
	schedule := &target{Provider: Provider{Name: "feverup", Next: hourly}}
	first := interval.turn(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC))
	for _, test := range []struct {
		c       *target
		last    time.Time
		took    time.Duration
		due     time.Duration // after last
		skipped int
	}{
		{interval, first, time.Second, time.Minute, 0},
		{interval, first, time.Minute - 1, time.Minute, 0},
		{interval, first, time.Minute, 2 * time.Minute, 1},
		{interval, first, 150 * time.Second, 3 * time.Minute, 2},
		{interval, first, 365*24*time.Hour + time.Second, 365*24*time.Hour + time.Minute, 365 * 24 * 60}, // the machine slept
		{schedule, hourly(first), time.Minute, time.Hour, 0},
		{schedule, hourly(first), 150 * time.Minute, 3 * time.Hour, 1},
	} {
		due, skipped := test.c.next(test.last, test.last.Add(test.took))
		if due.Sub(test.last) != test.due || skipped != test.skipped {
			t.Errorf("after a job of %v the next is due in %v with %d turns skipped, want %v and %d", test.took, due.Sub(test.last), skipped, test.due, test.skipped)
		}
	}
}

// TestJobByHandMovesTheTurn shows that the turn which is waited for follows what a job
// that was begun otherwise found out.
func TestJobByHandMovesTheTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		answer := func() (*feed.Feed, error) { return nil, failure(feed.KindTLS) }
		f := newFixture(t, func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
			return answer()
		})
		c := f.targets[0]
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			f.Run(ctx)
		}()
		defer func() {
			cancel()
			<-stopped
		}()
		first := c.turn(time.Now())
		check := func(when string, minute, jobs int) { // the turn, counted from the first
			t.Helper()
			synctest.Wait()
			want := first.Add(time.Duration(minute) * time.Minute)
			if due := f.Status()[0].Due; !due.Equal(want) {
				t.Errorf("%s: the next turn is at %v, want %v", when, due.Sub(first), want.Sub(first))
			}
			if n := len(recorded(t, f.bolt)); n != jobs {
				t.Errorf("%s: %d jobs, want %d", when, n, jobs)
			}
		}
		until := func(minute, second int) {
			time.Sleep(time.Until(first.Add(time.Duration(minute)*time.Minute + time.Duration(second)*time.Second)))
		}
		// It fails at start-up and at the minutes 0, 1, 3, 7 and 15.
		until(15, 10)
		check("after six failures", 31, 6)

		until(20, 30)
		if job := f.once(t); job.State != store.Failed {
			t.Fatalf("%+v", job)
		}
		check("a failure by hand stretches it further", 47, 7)

		later := failure(feed.KindHTTPStatus)
		later.HTTPStatus, later.RetryAfter = 429, 50*time.Minute
		answer = func() (*feed.Feed, error) { return nil, later }
		until(21, 30)
		f.once(t)
		check("the provider asks for peace", 15+60, 8) // eight failures are an hour, which is longer

		answer = func() (*feed.Feed, error) { return feedOf(t, "1"), nil }
		until(22, 30)
		f.once(t)
		check("a success by hand restores it", 23, 9)
		until(23, 10)
		check("that turn", 24, 10)

		answer = func() (*feed.Feed, error) { return nil, later }
		until(23, 30)
		f.once(t)
		check("it asks for peace again", 23+51, 11)
		answer = func() (*feed.Feed, error) { return &feed.Feed{NotModified: true, HTTPStatus: 304}, nil }
		until(40, 30)
		f.once(t)
		check("a 304 restores it", 41, 12)
		until(41, 10)
		check("that turn", 42, 13)
		if skipped := f.Status()[0].Skipped; skipped != 0 {
			t.Errorf("%d turns skipped: they were left out", skipped)
		}
	})
}

// TestWholeFeedOnceADay shows that a server which says "not modified" for ever is asked
// without a condition once a day, also across restarts, and at another time for each
// provider.
func TestWholeFeedOnceADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := openStore(t, filepath.Join(t.TempDir(), "fever.db"))
		ours := feed.Validators{ETag: `"1"`, Digest: [32]byte{1}, Source: "here"}
		whole := make(map[string][]time.Time)
		var providers []Provider
		for _, name := range []string{"a", "b"} {
			providers = append(providers, Provider{
				Name: name, Location: time.UTC, Every: time.Hour, MaxInterval: time.Hour, Attempts: 1,
				Get: feedtest.Get(func(_ context.Context, last feed.Validators, _ *feed.Progress) (*feed.Feed, error) {
					if last.ETag != "" {
						return &feed.Feed{NotModified: true, HTTPStatus: 304, Validators: last}, nil
					}
					whole[name] = append(whole[name], time.Now())
					if n := len(whole[name]); n == 3 {
						return nil, failure(feed.KindTLS) // which is no answer: it is tried again
					}
					return &feed.Feed{NotModified: last.Digest == ours.Digest, HTTPStatus: 200, Validators: ours}, nil
				}), Decode: feedtest.Decode,
			})
		}
		began := time.Now()
		for range 10 { // days, with a restart after each
			g := New(st, slog.New(slog.DiscardHandler), 2, providers...)
			if err := g.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
			g.Run(ctx)
			cancel()
		}
		var days []time.Duration // from the beginning to the second time
		for name, times := range whole {
			if len(times) != 1+10+1 {
				t.Errorf("%s came whole %d times in ten days: %v", name, len(times), times)
				continue
			}
			for i := 4; i < len(times); i++ {
				if gap := times[i].Sub(times[i-1]); gap < 23*time.Hour || gap > 25*time.Hour {
					t.Errorf("%s came whole %v after the last time", name, gap)
				}
			}
			days = append(days, times[1].Sub(began))
		}
		if len(days) == 2 && days[0] == days[1] {
			t.Errorf("both come whole %v after the start", days[0])
		}
	})
}

// TestForce shows that a feed which has not changed comes and is decoded by force.
func TestForce(t *testing.T) {
	t.Parallel()
	s := &feedServer{}
	s.answer = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"for-ever"`)
		if r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write([]byte(oneEvent))
	}
	g := s.collecting(t)
	manual(t, g)
	if job := manual(t, g); !job.NotModified || job.HTTPStatus != 304 {
		t.Fatalf("%+v", job)
	}
	job, err := g.RunNow(t.Context(), "feverup", store.Manual, true)
	if err != nil || job.NotModified || job.HTTPStatus != 200 || job.Unchanged != 1 {
		t.Errorf("by force: %+v, %v", job, err)
	}
	_, ended, err := g.Start(t.Context(), "feverup", store.Manual, true)
	if err != nil {
		t.Fatal(err)
	}
	if job := <-ended; job.NotModified || job.HTTPStatus != 200 || job.Unchanged != 1 {
		t.Errorf("begun by force: %+v", job)
	}
	if job := manual(t, g); !job.NotModified || job.HTTPStatus != 304 {
		t.Errorf("afterwards: %+v", job)
	}
}
