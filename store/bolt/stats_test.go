package bolt

import (
	"maps"
	"os"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"fever/event"
)

func TestStatsCurrent(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	check := func(want map[string]int) {
		t.Helper()
		if got := s.Stats().Current; !maps.Equal(got, want) {
			t.Errorf("current: %v, not %v", got, want)
		}
		counted := map[string]int{}
		for _, r := range records(t, s, everything) {
			if r.Current {
				counted[r.Provider]++
			}
		}
		for name, n := range want {
			if counted[name] != n {
				t.Errorf("the store holds %d current events of %s, not %d", counted[name], name, n)
			}
		}
	}
	check(nil)
	apply(t, s, snapshot("a", 1, sample("a", 1, 1), sample("a", 2, 1), sample("a", 3, 1)))
	apply(t, s, snapshot("ab", 1, sample("ab", 1, 1))) // its keys are not among those of a
	check(map[string]int{"a": 3, "ab": 1})
	apply(t, s, snapshot("a", 2, sample("a", 3, 1), sample("a", 4, 1))) // 2 gone, 1 new
	check(map[string]int{"a": 2, "ab": 1})

	if _, err := run(t.Context(), s, snapshot("a", 3, sample("a", 5, 1), sample("a", 5, 1))); err == nil {
		t.Fatal("a snapshot with an event twice was applied")
	}
	check(map[string]int{"a": 2, "ab": 1})

	apply(t, s, snapshot("ab", 4))
	s.Stats().Current["a"] = 99 // which is the caller's own
	check(map[string]int{"a": 2, "ab": 0})

	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(s.path, keep)
	if err != nil {
		t.Fatal(err)
	}
	s.db, s.file = again.db, again.file
	if got := again.Stats().Current; !maps.Equal(got, map[string]int{"a": 2}) {
		t.Errorf("opened again: %v", got)
	}
}

func TestStatsFile(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	before := s.Stats()
	if before.Commits != 0 || before.CommitTime != 0 {
		t.Errorf("commits before the first: %+v", before)
	}
	var events []event.Event
	for i := range 2_000 {
		events = append(events, sample("a", i, 20))
	}
	apply(t, s, snapshot("a", 1, events...))
	stats := s.Stats()
	if stats.Commits != 2 || stats.CommitTime <= 0 || stats.CommitTime > time.Minute { // a job begins, and ends
		t.Errorf("%d commits in %v", stats.Commits, stats.CommitTime)
	}
	for i := range events {
		events[i].Title += " again"
	}
	apply(t, s, snapshot("a", 2, events...)) // frees the pages of the values before

	// What bbolt counts when it opens the file is what we have read from it.
	stats = s.Stats()
	info, err := os.Stat(s.path)
	if err != nil {
		t.Fatal(err)
	}
	if stats.Size != info.Size() {
		t.Errorf("size %d, not %d", stats.Size, info.Size())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(s.path, 0o600, &bbolt.Options{ReadOnly: true, PreLoadFreelist: true})
	if err != nil {
		t.Fatal(err)
	}
	err = db.View(func(tx *bbolt.Tx) error {
		page := int64(db.Info().PageSize)
		free := int64(db.Stats().FreePageN)*page + info.Size() - tx.Size()
		if stats.Free != free || free < stats.Size/4 {
			t.Errorf("%d bytes free of %d, not %d", stats.Free, stats.Size, free)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}

	again, err := Open(s.path, keep)
	if err != nil {
		t.Fatal(err)
	}
	if got := again.Stats(); got.Free != stats.Free || got.Size != stats.Size || got.Current["a"] != len(events) {
		t.Errorf("opened again: %+v, before: %+v", got, stats)
	}
	s.db, s.file = again.db, again.file // for the check at the end
}
