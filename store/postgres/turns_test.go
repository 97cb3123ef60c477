package postgres

import (
	"context"
	"errors"
	"testing"
	"time"

	"fever/internal/postgrestest"
	"fever/provider/feed"
	"fever/store"
	"fever/store/storetest"
)

// turnOf returns the turn of a provider, as s tells it, and the clock of the server.
func turnOf(t *testing.T, s *Store, provider string) (store.Turn, time.Time) {
	t.Helper()
	turns, now, err := s.Turns(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return turns[provider], now
}

// TestTurns has jobs of several stores end, and looks what all of them know of the next turn.
func TestTurns(t *testing.T) {
	t.Parallel()
	place := postgrestest.Database(t)
	one, other := open(t, place), open(t, place)
	if turns, now, err := one.Turns(t.Context()); len(turns) != 0 || now.IsZero() || err != nil {
		t.Errorf("of nothing: %v at %v, %v", turns, now, err)
	}
	begin := func(s *Store, trigger store.Trigger) (store.Job, error) {
		return s.Begin(t.Context(), store.Job{Provider: "a", Trigger: trigger, Started: storetest.Noon})
	}
	job, err := begin(one, store.StartUp)
	if err != nil {
		t.Fatal(err)
	}
	got, now := turnOf(t, other, "a")
	if got.Job != job.ID || got.Holder != one.host || got.Until.Before(now) || got.Until.After(now.Add(store.Lease)) || !got.Due.IsZero() || got.Failures != 0 {
		t.Errorf("while the first job runs, at %v: %+v", now, got)
	}

	// A failure is known to all.
	next := store.Turn{Due: now.Add(time.Hour).Truncate(time.Microsecond), Failures: 3, Blocked: now.Add(time.Minute).Truncate(time.Microsecond)}
	failed := job
	failed.State, failed.Kind, failed.Finished, failed.Turn = store.Failed, feed.KindTimeout, storetest.Noon, next
	if err := one.Finish(t.Context(), failed, nil); err != nil {
		t.Fatal(err)
	}
	want := next
	want.Job = job.ID
	if got, _ := turnOf(t, other, "a"); got != want {
		t.Errorf("after a failure: %+v, not %+v", got, want)
	}
	for _, s := range []*Store{one, other} {
		for _, trigger := range []store.Trigger{store.Schedule, store.StartUp} {
			if _, err := begin(s, trigger); !errors.Is(err, store.ErrNotDue) {
				t.Errorf("%s before it is due: %v", trigger, err)
			}
		}
	}
	if got, _ := turnOf(t, one, "a"); got != want {
		t.Errorf("after jobs that were refused: %+v, not %+v", got, want)
	}

	// What is begun by hand need not be due. A job that says nothing of the next turn, as one that
	// was cancelled, leaves it; so does one whose claim is over.
	manual, err := begin(other, store.Manual)
	if err != nil || manual.Turn != want {
		t.Fatalf("it began after %+v, not %+v, %v", manual.Turn, want, err)
	}
	manual.State, manual.Kind, manual.Finished, manual.Turn = store.Failed, feed.KindCanceled, storetest.Noon, store.Turn{Failures: 9}
	if err := other.Finish(t.Context(), manual, nil); err != nil {
		t.Fatal(err)
	}
	document, err := begin(one, store.Document)
	if err != nil {
		t.Fatal(err)
	}
	sql(t, place, over)
	if got, _ := turnOf(t, other, "a"); got.Job != document.ID || got.Holder != "" || !got.Until.IsZero() {
		t.Errorf("when the claim is over: %+v", got)
	}
	want.Job = document.ID
	if manual, err = begin(other, store.Manual); err != nil || manual.Turn != want {
		t.Fatalf("it began after %+v, not %+v, %v", manual.Turn, want, err)
	}
	document.Turn = store.Turn{Due: now, Failures: 7}
	if _, _, err := one.Apply(t.Context(), storetest.Snapshot("a", 1, storetest.Sample("a", 1, 1)), document); !errors.Is(err, store.ErrFenced) {
		t.Errorf("a job that was taken over: %v", err)
	}

	// A snapshot sets the turn in the same transaction, and is due a moment ago here.
	manual.Turn = store.Turn{Due: now.Truncate(time.Microsecond)}
	_, done, err := other.Apply(t.Context(), storetest.Snapshot("a", 1, storetest.Sample("a", 1, 1)), manual)
	if err != nil || done.Turn != manual.Turn {
		t.Errorf("returned %+v, %v", done.Turn, err)
	}
	want = store.Turn{Due: manual.Turn.Due, Job: manual.ID}
	if got, _ := turnOf(t, one, "a"); got != want {
		t.Errorf("after a snapshot: %+v, not %+v", got, want)
	}
	if _, err := begin(one, store.Schedule); err != nil {
		t.Error(err)
	}
}

// TestFreed has jobs of one store end, and another one listen: it hears of each claim that leaves
// the turn to others, and of no other.
func TestFreed(t *testing.T) {
	t.Parallel()
	place := postgrestest.Database(t)
	one, err := Open(t.Context(), place, keep)
	if err != nil {
		t.Fatal(err)
	}
	awaitHearing(one)
	other := open(t, place) // which hears nothing of how the first one began to listen
	awaitHearing(other)
	begin := func() (store.Job, <-chan struct{}) {
		freed := other.Freed()
		job, err := one.Begin(t.Context(), store.Job{Provider: "a", Trigger: store.Manual, Started: storetest.Noon})
		if err != nil {
			t.Fatal(err)
		}
		return job, freed
	}
	for name, test := range map[string]struct {
		kind  feed.Kind
		turn  store.Turn
		hears bool
	}{
		"it takes the turn":   {feed.KindTimeout, store.Turn{Due: storetest.Noon}, false},
		"it was told to stop": {feed.KindCanceled, store.Turn{}, true},
	} {
		job, freed := begin()
		job.State, job.Kind, job.Finished, job.Turn = store.Failed, test.kind, storetest.Noon, test.turn
		if err := one.Finish(t.Context(), job, nil); err != nil {
			t.Fatal(err)
		}
		later := other.bell.listen()
		sql(t, place, "notify fever")
		<-later
		hears := false
		select {
		case <-freed:
			hears = true
		default:
		}
		if hears != test.hears {
			t.Errorf("%s: it hears %t", name, hears)
		}
	}
	_, freed := begin()
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	<-freed
}

// awaitHearing waits until notifications come.
func awaitHearing(s *Store) {
	if began := s.Freed(); !s.hears.Load() {
		<-began
	}
}

// TestTurnOfPages brings pages of a feed of changes: only the last one of a job says when the
// next is due.
func TestTurnOfPages(t *testing.T) {
	t.Parallel()
	s := open(t, postgrestest.Database(t))
	job := storetest.Begin(t, s, "a")
	_, now := turnOf(t, s, "a")
	for n, goesOn := range []bool{true, false} {
		snap := storetest.Snapshot("a", int64(n))
		snap.Changes = &store.Changes{Stream: store.Stream{Generation: 1}, GoesOn: goesOn}
		job.Finished = time.Time{}
		job.Turn = store.Turn{Due: now.Truncate(time.Microsecond), Failures: 1 + n}
		if _, _, err := s.Apply(t.Context(), snap, job); err != nil {
			t.Fatal(err)
		}
		got, _ := turnOf(t, s, "a")
		if holds := got.Holder != ""; holds != goesOn || got.Due.IsZero() != goesOn || !goesOn && got.Failures != 2 {
			t.Errorf("page %d: %+v", n, got)
		}
	}
}

// TestUnavailable tells what may succeed a moment later from what never will.
func TestUnavailable(t *testing.T) {
	t.Parallel()
	place := postgrestest.Database(t)
	s := open(t, with(t, place, "application_name", "victim"))
	const kill = "select pg_terminate_backend(pid, 10000) from pg_stat_activity where application_name = 'victim' and datname = current_database()"
	job := storetest.Begin(t, s, "a")
	snap := storetest.Snapshot("a", 1, storetest.Sample("a", 1, 1))
	snap.Accept = func(store.Applied) error { sql(t, place, kill); return nil }
	if _, _, err := s.Apply(t.Context(), snap, job); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("without its connection: %v", err)
	}
	own := errors.New("not this one")
	snap.Accept = func(store.Applied) error { return own }
	for tries := 0; ; tries++ { // some connections of the pool may be dead
		_, _, err := s.Apply(t.Context(), snap, job)
		if errors.Is(err, own) && !errors.Is(err, store.ErrUnavailable) {
			break
		}
		if !errors.Is(err, store.ErrUnavailable) || tries == 20 {
			t.Fatalf("refused: %v", err)
		}
	}
	for what, err := range map[string]error{
		"no such job": s.Finish(t.Context(), store.Job{ID: 99, Provider: "a", State: store.Failed, Kind: feed.KindTimeout, Finished: storetest.Noon, Started: storetest.Noon}, nil),
		"no provider": func() error { _, err := s.Begin(t.Context(), store.Job{Provider: "A b"}); return err }(),
		"context ended": func() error {
			ctx, end := context.WithCancel(t.Context())
			end()
			_, err := s.Begin(ctx, store.Job{Provider: "b"})
			return err
		}(),
	} {
		if err == nil || errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
