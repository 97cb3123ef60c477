package storetest

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"fever/event"
	"fever/store"
)

// Versions returns those of an event, the present one first.
func Versions(t testing.TB, s store.Store, key event.Key) []store.Version {
	t.Helper()
	var all []store.Version
	for v, err := range s.Versions(t.Context(), key) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

// was is a version of an event: what it is, when its values and when the version came, in seconds
// after the epoch, and the job.
func was(e event.Event, first, changed, at int64, current bool, job uint64) store.Version {
	second := func(s int64) time.Time { return time.Unix(s, 0).UTC() }
	return store.Version{Record: event.Record{Event: e, FirstSeen: second(first), LastChanged: second(changed), Current: current}, At: second(at), Job: job}
}

func checkVersions(t *testing.T, s store.Store, key event.Key, want ...store.Version) {
	t.Helper()
	if got := Versions(t, s, key); !reflect.DeepEqual(got, want) && (len(got) > 0 || len(want) > 0) {
		t.Errorf("the versions of %s are\n%+v\nnot\n%+v", key, got, want)
	}
}

// testHistory changes an event in every way, and takes all of that back.
func testHistory(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	one, two := Sample("a", 1, 130), Sample("a", 2, 1)
	checkVersions(t, s, one.Key)
	sold := With(one, func(e *event.Event) { e.Zones[64].Capacity = 3 })
	longer := With(sold, func(e *event.Event) { e.Title += ", with guests"; e.Zones = append(e.Zones, e.Zones[0]) })
	bare := With(longer, func(e *event.Event) { e.Zones, e.SoldOut = e.Zones[:0], true })
	Apply(t, s, Snapshot("a", 1, one, two))
	checkVersions(t, s, one.Key, was(one, 1, 1, 1, true, 0))
	Apply(t, s, Snapshot("a", 2, sold, two))
	Apply(t, s, Snapshot("a", 3, sold, two)) // unchanged
	known := Known(Snapshot("a", 4, longer, two), digests(t, s, "a"))
	if len(known.Unchanged) != 1 {
		t.Errorf("%d events are known", len(known.Unchanged))
	}
	Apply(t, s, known)
	Apply(t, s, Snapshot("a", 5, two))
	Apply(t, s, Snapshot("a", 6, longer, two))
	Apply(t, s, Past(Snapshot("a", 7, two), bare))
	reopen(t, s)
	Apply(t, s, Snapshot("a", 8, one, two))
	checkVersions(t, s, one.Key,
		was(one, 1, 8, 8, true, 8),
		was(bare, 1, 7, 7, false, 7),
		was(longer, 1, 4, 6, true, 6),
		was(longer, 1, 4, 5, false, 5),
		was(longer, 1, 4, 4, true, 4),
		was(sold, 1, 2, 2, true, 2),
		was(one, 1, 1, 1, true, 0))
	checkVersions(t, s, two.Key, was(two, 1, 1, 1, true, 0))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range s.Versions(ctx, one.Key) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the versions: %v", err)
		}
	}
	for _, err := range s.Versions(t.Context(), one.Key) {
		if err != nil {
			t.Error(err)
		}
		break
	}
}

// testHistoryOfPages has the pages of one job change an event more than once, and take it off sale.
func testHistoryOfPages(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	one, two := Sample("a", 1, 1), Sample("a", 2, 1)
	sold := With(one, func(e *event.Event) { e.SoldOut = true })
	Apply(t, s, page(Snapshot("a", 1, one, two), 1, item("x", one), item("y", two)))
	job := Begin(t, s, "a")
	job.Finished = time.Time{}
	for i, snap := range []store.Snapshot{
		page(Snapshot("a", 2, sold), 2, item("x", sold)),
		page(Snapshot("a", 3, one), 2, item("x", one)),
		page(Snapshot("a", 4), 2, deleted("x")),
		lastPage(page(Snapshot("a", 5), 2)),
	} {
		if snap.Changes.GoesOn = i < 3; !snap.Changes.GoesOn {
			job.Finished = Noon.Add(time.Second)
		}
		if _, ended, err := s.Apply(t.Context(), snap, job); err != nil {
			t.Fatal(err)
		} else {
			job = ended
		}
	}
	checkVersions(t, s, one.Key,
		was(one, 1, 3, 4, false, job.ID),
		was(one, 1, 3, 3, true, job.ID),
		was(sold, 1, 2, 2, true, job.ID),
		was(one, 1, 1, 1, true, 0))
	checkVersions(t, s, two.Key, was(two, 1, 1, 5, false, job.ID), was(two, 1, 1, 1, true, 0))
}

// testHistoryRenamed renames a provider to a name that has some of its events.
func testHistoryRenamed(t *testing.T, place func(*testing.T) Place) {
	toB := func(e event.Event) event.Event { return With(e, func(e *event.Event) { e.Provider = "b" }) }
	one, both, three := Sample("a", 1, 1), Sample("a", 2, 1), toB(Sample("a", 3, 1))
	sold := func(e event.Event) event.Event { return With(e, func(e *event.Event) { e.SoldOut = true }) }
	s := open(t, place)
	Apply(t, s, Snapshot("b", 1, toB(both), three))
	Apply(t, s, Snapshot("b", 2, sold(toB(both)), three))
	Apply(t, s, Snapshot("a", 3, one, both))
	Apply(t, s, Snapshot("a", 4, sold(one), both))
	Apply(t, s, Snapshot("a", 5, sold(one), sold(both)))
	renamed, err := s.Rename(t.Context(), store.Renaming{From: "a", To: "b"})
	if err != nil {
		t.Fatal(err)
	}
	checkVersions(t, s, one.Key)
	checkVersions(t, s, both.Key)
	checkVersions(t, s, toB(one).Key, was(sold(toB(one)), 3, 4, 4, true, 4), was(toB(one), 3, 3, 3, true, 0))
	// Both names have the same values of it, and those of the new one are older.
	checkVersions(t, s, toB(both).Key, was(sold(toB(both)), 1, 2, 2, true, 2), was(toB(both), 1, 1, 1, true, 0))
	gone := was(three, 1, 1, 1, false, renamed.Record.ID)
	gone.At = renamed.Record.Started
	checkVersions(t, s, three.Key, gone, was(three, 1, 1, 1, true, 0))
	Apply(t, s, Snapshot("b", 6, toB(one)))
	if got := Versions(t, s, toB(one).Key); len(got) != 3 || got[0].At.Unix() != 6 || got[0].SoldOut || !got[1].SoldOut {
		t.Errorf("the versions are %+v", got)
	}
}

// testHistoryForgotten forgets events, and collects them again.
func testHistoryForgotten(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	one, two := Sample("a", 1, 1), Sample("a", 2, 1)
	sold := With(one, func(e *event.Event) { e.SoldOut = true })
	for _, f := range []store.Forgetting{{Provider: "a"}, {Provider: "a", GoneBefore: must(store.ParseCutoff("2100-01-01"))}} {
		Apply(t, s, Snapshot("a", 1, one, two))
		Apply(t, s, Snapshot("a", 2, sold, two))
		Apply(t, s, Snapshot("a", 3, two))
		if _, err := s.Forget(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		checkVersions(t, s, one.Key)
		Apply(t, s, Snapshot("a", 4, one, two))
		checkVersions(t, s, one.Key, was(one, 4, 4, 4, true, 0))
	}
}

// testHistoryBounds changes an event more often, and by more, than may be kept.
func testHistoryBounds(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	sized := func(n, zones int) event.Event {
		return With(Sample("a", 1, zones), func(e *event.Event) {
			for i := range e.Zones {
				e.Zones[i].Name = strings.Repeat(string(rune('A'+n)), 20) // no two versions share a byte of it
			}
		})
	}
	const versions = 40
	for n := range versions {
		Apply(t, s, Snapshot("a", int64(n), sized(n, 130)))
	}
	got := Versions(t, s, sized(0, 0).Key)
	if len(got) < 10 || len(got) >= versions {
		t.Errorf("%d versions of 130 zones", len(got))
	}
	for i, v := range got {
		if n := versions - 1 - i; v.At.Unix() != int64(n) || !reflect.DeepEqual(v.Event, sized(n, 130)) {
			t.Errorf("version %d before the present one is of %s", i, v.At)
		}
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	large := sized(0, 4000)
	Apply(t, s, Snapshot("a", versions, large))
	Apply(t, s, Snapshot("a", versions+1, sized(1, 1)))
	checkVersions(t, s, large.Key, was(sized(1, 1), 0, versions+1, versions+1, true, 0))
	// What is too old is removed when something comes.
	Apply(t, s, Snapshot("a", versions+2, sized(2, 1)))
	later := versions + 3 + int64(History/time.Second)
	Apply(t, s, Snapshot("a", later, sized(3, 1)))
	checkVersions(t, s, large.Key, was(sized(3, 1), 0, later, later, true, uint64(versions+4)), was(sized(2, 1), 0, versions+2, versions+2, true, 0))
}
