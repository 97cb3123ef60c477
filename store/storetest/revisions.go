package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"fever/event"
	"fever/store"
)

// testRevisions goes through what makes a revision and what does not.
func testRevisions(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	one, two := Sample("a", 1, 1), Sample("a", 2, 1)
	zone := Snapshot("a", 4, one)
	zone.TimeZone = "Europe/Madrid"
	for _, step := range []struct {
		what      string
		do        func() store.Revision
		at        store.Revision
		rewritten bool
		changed   int // since the revision before
	}{
		{"nothing of a new provider", func() store.Revision { return Apply(t, s, Snapshot("a", 1)).Revision }, 0, false, 0},
		{"another zone of nothing", func() store.Revision { return Apply(t, s, zoned(Snapshot("a", 1), "Europe/Madrid")).Revision }, 0, false, 0},
		{"and back", func() store.Revision { return Apply(t, s, Snapshot("a", 1)).Revision }, 0, false, 0},
		{"new events", func() store.Revision { return Apply(t, s, Snapshot("a", 2, one, two)).Revision }, 1, false, 2},
		{"the same events", func() store.Revision { return Apply(t, s, Snapshot("a", 3, one, two)).Revision }, 1, false, 0},
		{"one goes", func() store.Revision { return Apply(t, s, Snapshot("a", 3, one)).Revision }, 2, false, 1},
		{"it comes back", func() store.Revision { return Apply(t, s, Snapshot("a", 3, one, two)).Revision }, 3, false, 1},
		{"another's events", func() store.Revision { return Apply(t, s, Snapshot("b", 3, Sample("b", 1, 1))).Revision }, 4, false, 1},
		{"past events", func() store.Revision {
			return Apply(t, s, Past(Snapshot("a", 3, one, two), Sample("a", 3, 1))).Revision
		}, 5, false, 1},
		{"another zone", func() store.Revision { return Apply(t, s, zone).Revision }, 6, true, 0},
		{"nothing to forget", func() store.Revision {
			return must(s.Forget(t.Context(), store.Forgetting{Provider: "a", GoneBefore: must(store.ParseCutoff("1999-01-01"))})).Revision
		}, 6, false, 0},
		{"what would be forgotten", func() store.Revision {
			return must(s.Forget(t.Context(), store.Forgetting{Provider: "a", DryRun: true})).Revision
		}, 6, false, 0},
		{"forgotten", func() store.Revision { return must(s.Forget(t.Context(), store.Forgetting{Provider: "b"})).Revision }, 7, true, 0},
		{"what would be renamed", func() store.Revision {
			return must(s.Rename(t.Context(), store.Renaming{From: "a", To: "c", DryRun: true})).Revision
		}, 7, false, 0},
		{"renamed", func() store.Revision { return must(s.Rename(t.Context(), store.Renaming{From: "a", To: "c"})).Revision }, 8, true, 0},
		{"a new event", func() store.Revision { return Apply(t, s, Snapshot("b", 9, Sample("b", 1, 1))).Revision }, 9, false, 1},
	} {
		_, before, err := s.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if at := step.do(); at != step.at {
			t.Errorf("%s: revision %d, not %d", step.what, at, step.at)
		}
		entries, at, err := s.Changes(t.Context(), before)
		if step.rewritten {
			if !errors.Is(err, store.ErrRewritten) {
				t.Errorf("%s: %d changes, %v", step.what, len(entries), err)
			}
		} else if err != nil || at != step.at || len(entries) != step.changed {
			t.Errorf("%s: %d changes up to %d, %v", step.what, len(entries), at, err)
		}
		reopen(t, s)
	}
}

func zoned(snap store.Snapshot, zone string) store.Snapshot {
	snap.TimeZone = zone
	return snap
}

// testChangesOrder changes events more than once: each comes once, at its latest.
func testChangesOrder(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	var events []event.Event
	for i := range 5 {
		events = append(events, With(Sample("a", i, 1), func(e *event.Event) { e.Title = fmt.Sprint(i) }))
	}
	Apply(t, s, Snapshot("a", 1, events...))
	for _, i := range []int{3, 1, 3, 0} {
		events[i].Title += "!"
		Apply(t, s, Snapshot("a", 1, events...))
	}
	titles := func(since store.Revision) (all []string) {
		entries, at, err := s.Changes(t.Context(), since)
		if err != nil || at != 5 {
			t.Errorf("since %d: up to %d, %v", since, at, err)
		}
		for _, e := range entries {
			for i := range events {
				if e.Compare(&event.NewEntry(&events[i], utc).SortKey) == 0 {
					all = append(all, events[i].Title)
				}
			}
		}
		return all
	}
	for since, want := range [][]string{{"2", "4", "1!", "3!!", "0!"}, {"1!", "3!!", "0!"}, {"1!", "3!!", "0!"}, {"3!!", "0!"}, {"0!"}, nil} {
		if got := titles(store.Revision(since)); !slices.Equal(got, want) {
			t.Errorf("since %d: %q, not %q", since, got, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Changes(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// testRevisionBetween has another provider's snapshot come between the comparison of one and
// its commit: each gets a revision of its own.
func testRevisionBetween(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	Apply(t, s, Snapshot("a", 1, Sample("a", 1, 1)))
	snap := Snapshot("a", 2, Sample("a", 1, 2), Sample("a", 2, 1))
	snap.Accept = func(store.Applied) error {
		if got := Apply(t, s, Snapshot("b", 1, Sample("b", 1, 1))); got.Revision != 2 {
			t.Errorf("applied %+v", got)
		}
		return nil
	}
	if got := Apply(t, s, snap); got.Revision != 3 {
		t.Errorf("applied %+v", got)
	}
	for since, want := range []int{3, 3, 2, 0} {
		if got, at, err := s.Changes(t.Context(), store.Revision(since)); err != nil || at != 3 || len(got) != want {
			t.Errorf("since %d: %d changes up to %d, %v", since, len(got), at, err)
		}
	}
}

// testWait waits in several goroutines for a commit, for the end of a context, and for the
// store to be closed.
func testWait(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	Apply(t, s, Snapshot("a", 1, Sample("a", 1, 1)))
	if err := s.Wait(t.Context(), 0); err != nil {
		t.Error(err)
	}
	wait := func(ctx context.Context, since store.Revision, n int) <-chan error {
		ended := make(chan error, n)
		for range n {
			go func() {
				err := s.Wait(ctx, since)
				if _, at, err1 := s.Load(context.WithoutCancel(ctx)); err == nil && (err1 != nil || at <= since) {
					err = fmt.Errorf("after revision %d comes %d, %w", since, at, err1)
				}
				ended <- err
			}()
		}
		return ended
	}
	expect := func(ended <-chan error, want func(error) bool) {
		t.Helper()
		for range cap(ended) {
			if err := <-ended; !want(err) {
				t.Errorf("error %v", err)
			}
		}
	}
	first, second := wait(t.Context(), 1, 5), wait(t.Context(), 2, 3)
	Apply(t, s, Snapshot("a", 1, Sample("a", 1, 1))) // changes nothing
	Apply(t, s, Snapshot("a", 1, Sample("a", 2, 1)))
	expect(first, func(err error) bool { return err == nil })
	ctx, cancel := context.WithCancel(t.Context())
	third := wait(ctx, 2, 2)
	cancel()
	expect(third, func(err error) bool { return errors.Is(err, context.Canceled) })
	if len(second) > 0 {
		t.Errorf("it did not wait: %v", <-second)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	expect(second, func(err error) bool { return err != nil && !errors.Is(err, context.Canceled) })
	if err := s.Wait(t.Context(), 0); err == nil {
		t.Error("a closed store has something new")
	}
}
