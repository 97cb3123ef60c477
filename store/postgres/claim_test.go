package postgres

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"fever/event"
	"fever/internal/postgrestest"
	"fever/provider/feed"
	"fever/store"
	"fever/store/storetest"
)

// over ends all claims, as if their time had passed.
const over = "update fever.provider set until = clock_timestamp() - interval '1 second' where until is not null"

// TestClaims has two stores on one database: one job of a provider runs at a time, and a job
// whose claim was taken over stores nothing.
func TestClaims(t *testing.T) {
	t.Parallel()
	place := postgrestest.Database(t)
	one, other := open(t, place), open(t, place)
	storetest.Apply(t, one, storetest.Snapshot("b", 1, storetest.Sample("b", 1, 1)))
	lost := storetest.Begin(t, one, "a")
	next := store.Job{Provider: "a", Trigger: store.Schedule, Started: storetest.Noon}
	busy := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, store.ErrBusy) || !strings.Contains(err.Error(), one.host) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := other.Begin(t.Context(), next)
	busy("begin", err)
	_, err = other.Forget(t.Context(), store.Forgetting{Provider: "a"})
	busy("forget", err)
	_, err = other.Rename(t.Context(), store.Renaming{From: "a", To: "c"})
	busy("rename", err)
	_, err = other.Rename(t.Context(), store.Renaming{From: "b", To: "a"})
	busy("rename to it", err)
	if n, err := other.Interrupt(t.Context(), storetest.Noon); n != 0 || err != nil {
		t.Errorf("%d were interrupted, %v", n, err)
	}
	storetest.Apply(t, other, storetest.Snapshot("b", 1, storetest.Sample("b", 1, 1))) // another provider's job
	if err := one.Keep(t.Context(), lost); err != nil {
		t.Error(err)
	}

	// Nobody has taken it over: it goes on.
	sql(t, place, over)
	if err := one.Keep(t.Context(), lost); err != nil {
		t.Error(err)
	}
	_, err = other.Begin(t.Context(), next)
	busy("begin when it was kept late", err)

	sql(t, place, over)
	won, err := other.Begin(t.Context(), next)
	if err != nil {
		t.Fatal(err)
	}
	if got := storetest.Jobs(t, one, store.JobFilter{Provider: "a"}); len(got) != 2 || got[1].Kind != feed.KindInterrupted {
		t.Errorf("jobs %+v", got)
	}
	before := storetest.Records(t, one, storetest.Everything)
	_, _, err = one.Apply(t.Context(), storetest.Snapshot("a", 1, storetest.Sample("a", 1, 1)), lost)
	failed := lost
	failed.State, failed.Kind = store.Failed, "timeout"
	for what, err := range map[string]error{
		"keep":   one.Keep(t.Context(), lost),
		"apply":  err,
		"finish": one.Finish(t.Context(), failed, &feed.Validators{ETag: "x"}),
	} {
		if !errors.Is(err, store.ErrFenced) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if after := storetest.Records(t, one, storetest.Everything); !reflect.DeepEqual(after, before) {
		t.Errorf("stored are %+v, not %+v", after, before)
	}
	if _, _, err := other.Apply(t.Context(), storetest.Snapshot("a", 1, storetest.Sample("a", 2, 1)), won); err != nil {
		t.Error(err)
	}
	if err := other.Keep(t.Context(), won); !errors.Is(err, store.ErrFenced) {
		t.Errorf("a job that has ended is kept: %v", err)
	}

	// Who goes away gives up its claims.
	left := storetest.Begin(t, one, "a")
	if err := one.Close(); err != nil {
		t.Error(err)
	}
	if _, err := other.Begin(t.Context(), next); err != nil {
		t.Error(err)
	}
	if got := storetest.Jobs(t, other, store.JobFilter{Provider: "a"}); got[1].ID != left.ID || got[1].Kind != feed.KindInterrupted {
		t.Errorf("jobs %+v", got)
	}
}

// TestConnectionKilled ends all connections of a store in the midst of a snapshot. Nothing of it
// is stored, its claim lasts, and the same job brings it again.
func TestConnectionKilled(t *testing.T) {
	t.Parallel()
	place := postgrestest.Database(t)
	s, other := open(t, with(t, place, "application_name", "victim")), open(t, place)
	storetest.Apply(t, s, storetest.Snapshot("a", 1, storetest.Sample("a", 1, 1)))
	before := storetest.Records(t, other, storetest.Everything)
	job := storetest.Begin(t, s, "a")
	snap := storetest.Snapshot("a", 2, storetest.Sample("a", 1, 2), storetest.Sample("a", 2, 1))
	snap.Accept = func(store.Applied) error {
		sql(t, place, "select pg_terminate_backend(pid, 10000) from pg_stat_activity where application_name = 'victim' and datname = current_database()")
		return nil
	}
	if _, _, err := s.Apply(t.Context(), snap, job); err == nil || errors.Is(err, store.ErrUncertain) {
		t.Errorf("error %v", err)
	}
	if after := storetest.Records(t, other, storetest.Everything); !reflect.DeepEqual(after, before) {
		t.Errorf("stored are %+v, not %+v", after, before)
	}
	if _, err := other.Begin(t.Context(), store.Job{Provider: "a", Trigger: store.Schedule, Started: storetest.Noon}); !errors.Is(err, store.ErrBusy) {
		t.Errorf("error %v", err)
	}
	snap.Accept = nil
	for tries := 0; ; tries++ { // each finds one dead connection at most
		applied, _, err := s.Apply(t.Context(), snap, job)
		if err == nil {
			if applied.New != 1 || applied.Changed != 1 {
				t.Errorf("applied %+v", applied)
			}
			break
		}
		if tries == 20 {
			t.Fatal(err)
		}
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}

// TestFollow has stores write at the same time, and another one follow. It misses nothing: what
// it was told of each event last is what is stored in the end.
func TestFollow(t *testing.T) {
	t.Parallel()
	place := postgrestest.Database(t)
	follower := open(t, place)
	const writers, each = 3, 15
	var writing sync.WaitGroup
	for w := range writers {
		s := open(t, place)
		writing.Go(func() {
			provider := fmt.Sprintf("p%d", w)
			for n := range each {
				var events []event.Event
				for i := range 5 {
					events = append(events, storetest.With(storetest.Sample(provider, i, 1), func(e *event.Event) { e.Title = fmt.Sprint(n / (i + 1)) }))
				}
				if _, err := storetest.Collect(context.WithoutCancel(t.Context()), s, storetest.Snapshot(provider, int64(n), events...)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	told := make(map[event.SortKey]*event.Entry)
	var at store.Revision
	for at < writers*each {
		if err := follower.Wait(t.Context(), at); err != nil {
			t.Fatal(err)
		}
		entries, to, err := follower.Changes(t.Context(), at)
		if err != nil || to <= at || len(entries) == 0 {
			t.Fatalf("%d entries up to %d after %d, %v", len(entries), to, at, err)
		}
		for _, e := range entries {
			told[e.SortKey] = e
		}
		at = to
	}
	writing.Wait()
	entries, loaded, err := follower.Load(t.Context())
	if err != nil || loaded != at || len(entries) != len(told) {
		t.Errorf("%d entries at %d, %v, where %d at %d were told", len(entries), loaded, err, len(told), at)
	}
	for _, e := range entries {
		if !reflect.DeepEqual(told[e.SortKey], e) {
			t.Errorf("told was %+v, not %+v", told[e.SortKey], e)
		}
	}
	if err := follower.Check(); err != nil {
		t.Error(err)
	}
}

// TestNotifications looks which stores hear of commits: through PgBouncer (1.18) the server says
// yes to LISTEN, and in the mode for transactions nothing ever comes. Both find what is new.
func TestNotifications(t *testing.T) {
	t.Parallel()
	for mode, hears := range map[string]bool{"": true, "session": true, "transaction": false} {
		t.Run("mode "+mode, func(t *testing.T) {
			t.Parallel()
			place := postgrestest.Database(t)
			writer := open(t, place)
			if mode != "" {
				place = with(t, postgrestest.Pooler(t, place, mode), "default_query_exec_mode", "exec")
			}
			s := open(t, place)
			var at store.Revision
			for n := 0; n < 3 || hears && !s.hears.Load(); n++ {
				storetest.Apply(t, writer, storetest.Snapshot("a", int64(n), storetest.Sample("a", n%20, 1+n/20)))
				if err := s.Wait(t.Context(), at); err != nil {
					t.Fatal(err)
				}
				_, to, err := s.Changes(t.Context(), at)
				if err != nil || to != at+1 {
					t.Fatal(to, err)
				}
				at = to
			}
			if s.hears.Load() != hears {
				t.Errorf("it hears: %t", !hears)
			}
		})
	}
}

// TestOtherHistory puts the database back, as a restore does, or a standby that lacked the
// latest commits. Whoever has followed it is told to load everything, whatever it did since.
func TestOtherHistory(t *testing.T) {
	t.Parallel()
	place := postgrestest.Database(t)
	s := open(t, place)
	for n := range 3 {
		storetest.Apply(t, s, storetest.Snapshot("a", int64(n), storetest.Sample("a", n, 1)))
	}
	_, at, err := s.Load(t.Context())
	if err != nil || at != 3 {
		t.Fatal(at, err)
	}
	sql(t, place, "update fever.meta set revision = 1, id = (select id from fever.revision where number = 1); delete from fever.revision where number > 1; select setval('fever.change', (select max(change) from fever.revision))")
	other := open(t, place)
	for n := range 3 {
		if err := s.Wait(t.Context(), at); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Changes(t.Context(), at); !errors.Is(err, store.ErrHistory) {
			t.Errorf("%d commits later: %v", n, err)
		}
		storetest.Apply(t, other, storetest.Snapshot("b", int64(n), storetest.Sample("b", n, 1)))
	}
	if _, _, err := s.Changes(t.Context(), 1); err != nil {
		t.Errorf("since what all of its pasts have: %v", err)
	}
}

// TestRevisionsKept follows from a revision that changes cannot be told since any more.
func TestRevisionsKept(t *testing.T) {
	t.Parallel()
	place := postgrestest.Database(t)
	s := open(t, place)
	for n := range 4 {
		storetest.Apply(t, s, storetest.Snapshot("a", int64(n), storetest.Sample("a", n, 1)))
	}
	sql(t, place, "delete from fever.revision where number < 3")
	for since, want := range []bool{false, false, false, true, true} {
		if _, _, err := s.Changes(t.Context(), store.Revision(since)); (err == nil) != want || err != nil && !errors.Is(err, store.ErrRewritten) {
			t.Errorf("since %d: %v", since, err)
		}
	}
}
