package ingest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fever/event"
	"fever/internal/feedtest"
	"fever/internal/postgrestest"
	"fever/provider/feed"
	"fever/store"
	"fever/store/postgres"
)

// A replica is an ingester that shares a database with others.
type replica struct {
	*Ingester
	shared store.Shared
	logged bytes.Buffer
}

// newReplica returns one whose store is closed at the end of the test.
func newReplica(t *testing.T, place string, providers ...Provider) *replica {
	t.Helper()
	st, err := postgres.Open(t.Context(), place, 100)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return over(t, st, providers...)
}

// over returns a replica with a store.
func over(t *testing.T, st store.Shared, providers ...Provider) *replica {
	t.Helper()
	r := &replica{shared: st}
	r.Ingester = New(st, slog.New(slog.NewTextHandler(&r.logged, &slog.HandlerOptions{Level: slog.LevelDebug})), 4, providers...)
	if err := r.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

// run runs the scheduler until stop is called.
func (r *replica) run(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.Run(ctx)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	t.Cleanup(stop)
	return stop
}

// looks has a replica look at the turns, and recall what others have done.
func (r *replica) looks(t *testing.T) Status {
	t.Helper()
	changed, err := r.look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changed {
		if err := r.recallAgain(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	return r.Status()[0]
}

// byHand runs a job.
func byHand(t *testing.T, g *Ingester) store.Job {
	t.Helper()
	job, err := g.RunNow(t.Context(), "feverup", store.Manual, false)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

// provides is a provider whose feed is what fetch returns.
func provides(every time.Duration, fetch fetchFunc) Provider {
	return Provider{Name: "feverup", Location: time.UTC, Every: every, MaxInterval: time.Hour, Attempts: 1, Get: feedtest.Get(fetch), Decode: feedtest.Decode}
}

// jobsOf returns the recorded jobs, the newest first.
func jobsOf(t *testing.T, st store.Store) (jobs []store.Job) {
	t.Helper()
	for job, err := range st.Jobs(t.Context(), store.JobFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, job)
	}
	return jobs
}

// eventually waits for something that other goroutines do.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("it never happened: %s", what)
		}
	}
}

// TestTurnsAreShared has three ingesters share the turns of two providers. Each turn is one job's,
// and never two jobs of a provider run at once. That those that start later fetch nothing by that,
// TestSecondStart shows.
func TestTurnsAreShared(t *testing.T) {
	t.Parallel()
	place := postgrestest.Database(t)
	var at, most, asked [2]atomic.Int32
	var providers []Provider
	for i, name := range []string{"feverup", "other"} {
		p := provides(150*time.Millisecond, func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
			if n := at[i].Add(1); n > most[i].Load() {
				most[i].Store(n)
			}
			defer at[i].Add(-1)
			return &feed.Feed{HTTPStatus: 200, Seen: int(asked[i].Add(1))}, nil
		})
		p.Name, p.Instance = name, "ignored"
		providers = append(providers, p)
	}
	var replicas []*replica
	var stops []func()
	const each = 12 // jobs, and then as many with the next replica
	for n := range 3 {
		r := newReplica(t, place, providers...)
		replicas, stops = append(replicas, r), append(stops, r.run(t))
		eventually(t, "jobs", func() bool { return asked[0].Load() >= int32(each*(n+1)) && asked[1].Load() >= int32(each*(n+1)) })
	}
	for _, stop := range stops {
		stop()
	}
	turns := make(map[string]map[time.Time]bool)
	startUps := make(map[string]int)
	for _, job := range jobsOf(t, replicas[0].shared) {
		if job.Kind == feed.KindCanceled { // by a stop, which gives the turn back
			continue
		}
		if turns[job.Provider] == nil {
			turns[job.Provider] = make(map[time.Time]bool)
		}
		if turns[job.Provider][job.Scheduled] {
			t.Errorf("two jobs of %s were due at %v", job.Provider, job.Scheduled)
		}
		turns[job.Provider][job.Scheduled] = true
		if job.Trigger == store.StartUp {
			startUps[job.Provider]++
		}
		// One that began to wait for a turn of another process may have started before its own.
		if job.State != store.Completed || job.Finished.Before(job.Scheduled.Truncate(time.Millisecond)) {
			t.Errorf("job %+v", job)
		}
	}
	for i, p := range providers {
		if most[i].Load() != 1 {
			t.Errorf("%d jobs of %s at once", most[i].Load(), p.Name)
		}
		// Each stop may have cancelled one. A turn that is late when a replica starts is one of its start.
		if len(turns[p.Name]) < 3*(each-1) || startUps[p.Name] < 1 || startUps[p.Name] > len(replicas) {
			t.Errorf("%s had %d turns, %d of them of a start", p.Name, len(turns[p.Name]), startUps[p.Name])
		}
	}
	for _, r := range replicas {
		if strings.Contains(r.logged.String(), "level=WARN") || strings.Contains(r.logged.String(), "level=ERROR") {
			t.Errorf("logged: %s", &r.logged)
		}
	}
}

// TestSecondStart starts a second ingester while nothing is due: it fetches nothing, and knows what
// the first has brought.
func TestSecondStart(t *testing.T) {
	t.Parallel()
	place := postgrestest.Database(t)
	var asked atomic.Int32
	p := provides(time.Hour, func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
		asked.Add(1)
		return feedOf(t, "1"), nil
	})
	one := newReplica(t, place, p)
	one.run(t)
	eventually(t, "the first job", func() bool { return one.Status()[0].Snapshot != 0 })
	two := newReplica(t, place, p)
	s := two.Status()[0]
	if want := one.Status()[0]; !s.Settled || s.LastSuccess.Sub(want.LastSuccess).Abs() > time.Second || s.Snapshot != want.Snapshot || s.Accepted != 1 || !two.Collected.Load() {
		t.Errorf("a second one knows %+v, the first %+v", s, want)
	}
	two.run(t)
	eventually(t, "the turn of both", func() bool {
		due := two.Status()[0].Due
		return !due.IsZero() && due.Sub(one.Status()[0].Due).Abs() < time.Second
	})
	if n := asked.Load(); n != 1 {
		t.Errorf("the provider was asked %d times", n)
	}
}

// TestFailuresAreShared has jobs of one ingester fail. What they said counts for the other one, too:
// how many have failed, why, and until when the provider is not to be asked.
func TestFailuresAreShared(t *testing.T) {
	t.Parallel()
	place := postgrestest.Database(t)
	answer := failure(feed.KindTLS)
	var good *feed.Feed
	p := provides(time.Minute, func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
		if good != nil {
			return good, nil
		}
		return nil, answer
	})
	one, two := newReplica(t, place, p), newReplica(t, place, p)
	due := func() time.Duration { // as the store has it
		turns, now, err := one.shared.Turns(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return turns["feverup"].Due.Sub(now)
	}
	for n, r := range []*replica{one, two, one} {
		byHand(t, r.Ingester)
		for _, knows := range []*replica{one, two} {
			if s := knows.looks(t); s.Failures != n+1 || s.Kind != feed.KindTLS || s.Message == "" {
				t.Errorf("after %d failures: %+v", n+1, s)
			}
		}
	}
	if d := due(); d < time.Minute {
		t.Errorf("after three failures a job is due in %v", d)
	}
	answer = failure(feed.KindHTTPStatus)
	answer.HTTPStatus, answer.RetryAfter = 429, 30*time.Minute
	byHand(t, one.Ingester)
	for _, r := range []*replica{one, two} {
		if d := due(); d < 29*time.Minute || d > 32*time.Minute {
			t.Errorf("the provider asked for 30 minutes: it is due in %v", d)
		}
		if _, err := r.RunNow(t.Context(), "feverup", store.Schedule, false); !errors.Is(err, store.ErrNotDue) {
			t.Errorf("a scheduled job began: %v", err)
		}
		answer = failure(feed.KindCanceled) // which says nothing
		byHand(t, r.Ingester)
	}
	if s := two.looks(t); s.Failures != 4 || s.Kind != feed.KindHTTPStatus {
		t.Errorf("after two that were cancelled: %+v", s)
	}
	good = feedOf(t, "1")
	byHand(t, two.Ingester)
	if s := one.looks(t); s.Failures != 0 || s.Kind != "" || s.LastSuccess.IsZero() || s.Accepted != 1 || !s.Settled || due() > time.Minute {
		t.Errorf("after a success: %+v, due in %v", s, due())
	}
	if jobs := jobsOf(t, one.shared); len(jobs) != 7 {
		t.Errorf("recorded are %+v", jobs)
	}
}

// TestBusyElsewhere has a job run in one ingester, and asks the other for whatever needs the
// provider.
func TestBusyElsewhere(t *testing.T) {
	t.Parallel()
	place := postgrestest.Database(t)
	asked, released := make(chan struct{}), make(chan struct{})
	p := provides(time.Hour, func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
		asked <- struct{}{}
		<-released
		return feedOf(t, "1"), nil
	})
	one, two := newReplica(t, place, p), newReplica(t, place, p)
	_, ended, err := one.Start(t.Context(), "feverup", store.Manual, false)
	if err != nil {
		t.Fatal(err)
	}
	<-asked
	holder := two.looks(t).Holder
	if holder == "" || one.looks(t).Holder != "" {
		t.Errorf("the holder is %q, and for itself %q", holder, one.Status()[0].Holder)
	}
	_, err1 := two.RunNow(t.Context(), "feverup", store.Manual, false)
	_, _, err2 := two.Start(t.Context(), "feverup", store.Manual, false)
	_, err3 := two.Forget(t.Context(), store.Forgetting{Provider: "feverup"})
	_, err4 := two.Rename(t.Context(), store.Renaming{From: "feverup", To: "b"})
	for i, err := range []error{err1, err2, err3, err4} {
		if !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), holder) {
			t.Errorf("%d: %v", i, err)
		}
	}
	close(released)
	<-ended
	if s := two.looks(t); s.Holder != "" || s.Snapshot == 0 {
		t.Errorf("after it: %+v", s)
	}
	if _, err := two.Forget(t.Context(), store.Forgetting{Provider: "feverup"}); err != nil {
		t.Error(err)
	}
	if s := one.looks(t); s.Snapshot != 0 || !s.LastSuccess.IsZero() {
		t.Errorf("after it was forgotten elsewhere: %+v", s)
	}
}

// A muted store does not keep claims, as that of a process that is paused.
type muted struct{ store.Shared }

func (muted) Keep(context.Context, store.Job) error { return store.ErrUnavailable }

// endClaims ends all claims, as if their time had passed.
const endClaims = "update fever.provider set until = clock_timestamp() - interval '1 second' where until is not null"

// TestTakenOver has the claim of a job end that still runs. Another ingester takes the turn over;
// nothing that the first brings is stored, and it says so.
func TestTakenOver(t *testing.T) {
	t.Parallel()
	place := postgrestest.Database(t)
	asked, released := make(chan struct{}, 1), make(chan struct{})
	slow := provides(time.Hour, func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
		asked <- struct{}{}
		<-released
		return feedOf(t, "late"), nil
	})
	quick := provides(time.Hour, func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) { return feedOf(t, "1"), nil })
	st, err := postgres.Open(t.Context(), place, 100)
	if err != nil {
		t.Fatal(err)
	}
	one := over(t, muted{st}, slow)
	lost := make(chan store.Job, 1)
	one.Ended = func(job store.Job) { lost <- job }
	stop := one.run(t)
	<-asked
	two := newReplica(t, place, quick)
	two.run(t)
	postgrestest.Exec(t, place, endClaims)
	two.ask <- struct{}{} // else it would find out some seconds later
	eventually(t, "it is taken over", func() bool { return two.Status()[0].Snapshot != 0 })
	close(released)
	if job := <-lost; job.State != store.Failed || job.Kind != feed.KindInterrupted {
		t.Errorf("the first one: %+v", job)
	}
	jobs := jobsOf(t, two.shared)
	if len(jobs) != 2 || jobs[0].State != store.Completed || jobs[1].Kind != feed.KindInterrupted {
		t.Errorf("recorded are %+v", jobs)
	}
	for r, err := range two.shared.Records(t.Context(), store.Filter{Window: event.Always}) {
		if err != nil || r.EventID != "1" {
			t.Errorf("stored is %v, %v", r, err)
		}
	}
	stop()
	if s := one.looks(t); s.Failures != 0 || s.Snapshot != jobs[0].ID {
		t.Errorf("the first one knows %+v", s)
	}
	if err := st.Close(); err != nil {
		t.Error(err)
	}
	if text := one.logged.String(); strings.Count(text, "level=WARN") != 1 || strings.Contains(text, "level=ERROR") || !strings.Contains(text, store.ErrFenced.Error()) {
		t.Errorf("logged: %s", text)
	}
}

// An ending store has the process stop when it is asked for jobs.
type ending struct {
	store.Shared
	stop context.CancelFunc
}

func (e ending) Jobs(ctx context.Context, f store.JobFilter) iter.Seq2[store.Job, error] {
	e.stop()
	return e.Shared.Jobs(ctx, f)
}

// TestStoppedWhileItLearns has a process stop while it finds out what a job of another one has brought. It does not
// take that for known.
func TestStoppedWhileItLearns(t *testing.T) {
	t.Parallel()
	place := postgrestest.Database(t)
	p := provides(time.Hour, func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) { return feedOf(t, "1"), nil })
	one, two := newReplica(t, place, p), newReplica(t, place, p)
	job := byHand(t, two.Ingester)
	ctx, stop := context.WithCancel(t.Context())
	one.store = ending{one.shared, stop}
	one.Run(ctx)
	one.store = one.shared
	if s := one.looks(t); s.Snapshot != job.ID {
		t.Errorf("it knows %+v, not job %d", s, job.ID)
	}
}

// TestFenced has the database say that the claim of a job is another's, while the provider does not
// answer: the job ends.
func TestFenced(t *testing.T) {
	t.Parallel()
	place := postgrestest.Database(t)
	p := provides(time.Hour, func(ctx context.Context, _ feed.Validators, _ *feed.Progress) (*feed.Feed, error) {
		postgrestest.Exec(t, place, "update fever.provider set token = nextval('fever.job_id')")
		<-ctx.Done()
		return nil, failure(feed.KindCanceled)
	})
	one := newReplica(t, place, p)
	job, err := one.RunNow(t.Context(), "feverup", store.Manual, false)
	if err != nil || job.Kind != feed.KindInterrupted || !strings.Contains(job.Message, store.ErrFenced.Error()) {
		t.Errorf("it ended with %+v, %v", job, err)
	}
	if s := one.Status()[0]; s.Failures != 0 || s.Kind != "" {
		t.Errorf("the provider: %+v", s)
	}
}

// A trusting store is told that claims last for an hour more than they do.
type trusting struct{ store.Shared }

func (s trusting) Turns(ctx context.Context) (map[string]store.Turn, time.Time, error) {
	turns, now, err := s.Shared.Turns(ctx)
	for name, turn := range turns {
		if turn.Holder != "" {
			turn.Until = turn.Until.Add(time.Hour)
			turns[name] = turn
		}
	}
	return turns, now, err
}

// TestStopGivesTheTurnBack stops an ingester in the midst of a job. Another one hears of it, and
// takes the turn.
func TestStopGivesTheTurnBack(t *testing.T) {
	t.Parallel()
	place := postgrestest.Database(t)
	asked := make(chan struct{}, 1)
	hanging := provides(time.Hour, func(ctx context.Context, _ feed.Validators, _ *feed.Progress) (*feed.Feed, error) {
		asked <- struct{}{}
		<-ctx.Done()
		return nil, failure(feed.KindCanceled)
	})
	quick := provides(time.Hour, func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) { return feedOf(t, "1"), nil })
	one := newReplica(t, place, hanging)
	stop := one.run(t)
	<-asked
	st, err := postgres.Open(t.Context(), place, 100)
	if err != nil {
		t.Fatal(err)
	}
	two := over(t, trusting{st}, quick)
	if two.Status()[0].Holder == "" {
		t.Error("nobody has the turn")
	}
	two.lookEvery = time.Hour
	stopTwo := two.run(t)
	stop()
	eventually(t, "it is taken over", func() bool { return two.Status()[0].Snapshot != 0 })
	if jobs := jobsOf(t, st); len(jobs) != 2 || jobs[1].Kind != feed.KindCanceled {
		t.Errorf("recorded are %+v", jobs)
	}
	stopTwo()
	if err := st.Close(); err != nil {
		t.Error(err)
	}
}

// TestWrongClock has the clock of one machine be ten minutes off, either way. Its turns come when
// they are due, and its records and what it says of the provider are of the right time.
func TestWrongClock(t *testing.T) {
	t.Parallel()
	for name, off := range map[string]time.Duration{"ahead": 10 * time.Minute, "behind": -10 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			place := postgrestest.Database(t)
			p := provides(150*time.Millisecond, func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) { return feedOf(t, "1"), nil })
			began := time.Now()
			right, wrong := newReplica(t, place, p), newReplica(t, place, p)
			wrong.clock = func() time.Time { return time.Now().Add(off) }
			wrong.looks(t)
			stopWrong := wrong.run(t)
			eventually(t, "jobs", func() bool { return len(jobsOf(t, right.shared)) > 5 })
			right.run(t)
			eventually(t, "jobs", func() bool { return len(jobsOf(t, right.shared)) > 20 })
			stopWrong()
			turns := make(map[time.Time]bool)
			for _, job := range jobsOf(t, right.shared) {
				for _, at := range []time.Time{job.Scheduled, job.Started, cmp.Or(job.Finished, began)} { // one may run
					if at.Sub(began).Abs() > 5*time.Minute || turns[job.Scheduled] {
						t.Errorf("job %+v", job)
					}
				}
				turns[job.Scheduled] = true
			}
			s := wrong.looks(t)
			if age := wrong.clock().Sub(s.LastSuccess); age < 0 || age > 5*time.Minute {
				t.Errorf("the last success is %v ago", age)
			}
		})
	}
}

// A flaky store fails to store what some of the jobs bring.
type flaky struct {
	store.Shared
	fails atomic.Int32
	err   error
}

func (f *flaky) Apply(ctx context.Context, snap store.Snapshot, job store.Job) (store.Applied, store.Job, error) {
	if f.fails.Add(-1) >= 0 {
		return store.Applied{}, store.Job{}, f.err
	}
	return f.Shared.Apply(ctx, snap, job)
}

// TestCommitAgain has the store be away when a snapshot is to be stored. It is stored when the
// store is back, as long as the claim lasts.
func TestCommitAgain(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fails int32
		err   error
		kind  feed.Kind
	}{
		"away for a moment":  {3, store.ErrUnavailable, ""},
		"what does not pass": {1, store.ErrDamaged, feed.KindStore},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st, err := postgres.Open(t.Context(), postgrestest.Database(t), 100)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := st.Close(); err != nil {
					t.Error(err)
				}
			})
			asked := 0
			f := &flaky{Shared: st, err: test.err}
			f.fails.Store(test.fails)
			r := over(t, f, provides(time.Hour, func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
				asked++
				return feedOf(t, "1"), nil
			}))
			job := byHand(t, r.Ingester)
			if job.Kind != test.kind || asked != 1 {
				t.Errorf("%+v after %d fetches", job, asked)
			}
			if recorded := jobsOf(t, st); len(recorded) != 1 || recorded[0].State != job.State || recorded[0].Kind != test.kind {
				t.Errorf("recorded are %+v", recorded)
			}
		})
	}
}
