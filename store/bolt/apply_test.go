package bolt

import (
	"bytes"
	"context"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"fever/event"
	"fever/provider/feed"
	"fever/store"
)

// with returns e changed by f.
func with(e event.Event, f func(*event.Event)) event.Event {
	e.Zones = slices.Clone(e.Zones)
	f(&e)
	return e
}

// past adds events to a snapshot that are no longer on sale.
func past(snap store.Snapshot, events ...event.Event) store.Snapshot {
	snap.Past = events
	return snap
}

// TestApply applies snapshots one after the other and looks at what each changed and
// at what is stored at the end.
func TestApply(t *testing.T) {
	t.Parallel()
	one, two, three := sample("a", 1, 2), sample("a", 2, 0), sample("a", 3, 1)
	moved := with(one, func(e *event.Event) { e.End = local(dateOf(e.Start) + "T23:30:00") })
	sold := with(three, func(e *event.Event) { e.Zones[0].Capacity = 0 })
	other := with(one, func(e *event.Event) { e.Provider = "a-b" })
	twin := with(one, func(e *event.Event) { e.BaseID = "other"; e.Title = "the same event id in another base" })

	type counts struct{ New, Changed, Unchanged, Gone int }
	type step struct {
		snap store.Snapshot
		want counts
	}
	record := func(e event.Event, first, changed int64, current bool) event.Record {
		s := snapshot("", first)
		c := snapshot("", changed)
		return event.Record{Event: e, FirstSeen: s.Taken.UTC(), LastChanged: c.Taken.UTC(), Current: current}
	}
	for _, tc := range []struct {
		name  string
		steps []step
		want  []event.Record
	}{
		{"nothing", []step{{snapshot("a", 1), counts{}}}, nil},
		{
			"new",
			[]step{{snapshot("a", 1, two, one), counts{New: 2}}},
			[]event.Record{record(one, 1, 1, true), record(two, 1, 1, true)},
		},
		{
			"unchanged",
			[]step{{snapshot("a", 1, one, two), counts{New: 2}}, {snapshot("a", 2, two, one), counts{Unchanged: 2}}},
			[]event.Record{record(one, 1, 1, true), record(two, 1, 1, true)},
		},
		{
			"changed",
			[]step{
				{snapshot("a", 1, one, three), counts{New: 2}},
				{snapshot("a", 2, moved, three), counts{Changed: 1, Unchanged: 1}},
				{snapshot("a", 3, moved, sold), counts{Changed: 1, Unchanged: 1}},
			},
			[]event.Record{record(moved, 1, 2, true), record(sold, 1, 3, true)},
		},
		{
			"gone and back",
			[]step{
				{snapshot("a", 1, one, two, three), counts{New: 3}},
				{snapshot("a", 2, two), counts{Unchanged: 1, Gone: 2}},
				{snapshot("a", 3, two), counts{Unchanged: 1}},
				{snapshot("a", 4, one, two), counts{Unchanged: 2}},
			},
			[]event.Record{record(one, 1, 1, true), record(two, 1, 1, true), record(three, 1, 1, false)},
		},
		{
			"back with other values",
			[]step{
				{snapshot("a", 1, one), counts{New: 1}},
				{snapshot("a", 2), counts{Gone: 1}},
				{snapshot("a", 3, moved), counts{Changed: 1}},
			},
			[]event.Record{record(moved, 1, 3, true)},
		},
		{
			"changed and back",
			[]step{
				{snapshot("a", 1, one), counts{New: 1}},
				{snapshot("a", 2, moved), counts{Changed: 1}},
				{snapshot("a", 3, one), counts{Changed: 1}},
			},
			[]event.Record{record(one, 1, 3, true)},
		},
		{
			"a provider whose name begins with another's",
			[]step{
				{snapshot("a", 1, one), counts{New: 1}},
				{snapshot("a-b", 2, other), counts{New: 1}},
				{snapshot("a", 3), counts{Gone: 1}},
				{snapshot("a-b", 4, other), counts{Unchanged: 1}},
			},
			[]event.Record{record(one, 1, 1, false), record(other, 2, 2, true)},
		},
		{
			"past from the start, then on sale, then past again",
			[]step{
				{past(snapshot("a", 1, two), one, three), counts{New: 3}},
				{past(snapshot("a", 2, two), one, three), counts{Unchanged: 3}},
				{snapshot("a", 3, one, two), counts{Unchanged: 2}},
				{past(snapshot("a", 4, two), moved), counts{Changed: 1, Unchanged: 1, Gone: 1}},
				{past(snapshot("a", 5), two, moved, three), counts{Unchanged: 3, Gone: 1}},
			},
			[]event.Record{record(moved, 1, 4, false), record(two, 1, 1, false), record(three, 1, 1, false)},
		},
		{
			"an event id in two bases",
			[]step{
				{snapshot("a", 1, one, twin), counts{New: 2}},
				{snapshot("a", 2, twin), counts{Unchanged: 1, Gone: 1}},
			},
			[]event.Record{record(one, 1, 1, false), record(twin, 1, 1, true)},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			for i, step := range tc.steps {
				got := apply(t, s, step.snap)
				if (counts{got.New, got.Changed, got.Unchanged, got.Gone}) != step.want {
					t.Errorf("step %d: %+v, not %+v", i+1, got, step.want)
				}
				if len(got.Events) != got.New+got.Changed {
					t.Errorf("step %d: %d events for the index, not %d", i+1, len(got.Events), got.New+got.Changed)
				}
				reopen(t, s)
			}
			if got, want := records(t, s, everything), inOrder(tc.want); !reflect.DeepEqual(got, want) {
				t.Errorf("stored are\n%+v\nnot\n%+v", got, want)
			}
		})
	}
}

func TestApplyPointsIntoTheSnapshot(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	apply(t, s, snapshot("a", 1, sample("a", 2, 1)))
	snap := snapshot("a", 2, sample("a", 3, 1), sample("a", 2, 1), sample("a", 1, 1))
	got := apply(t, s, snap).Events
	if len(got) != 2 || got[0] != &snap.Events[2] || got[1] != &snap.Events[0] {
		t.Errorf("got %v", got)
	}
}

// TestApplyEqual makes sure that an equal snapshot writes its job and nothing else, so
// that a feed asked for every minute does not wear the disk.
func TestApplyEqual(t *testing.T) {
	t.Parallel()
	var events []event.Event
	for i := range 200 { // fewer would stand in the page of the buckets' names, which changes
		events = append(events, sample("a", i, 3))
	}
	s := newStore(t)
	apply(t, s, snapshot("a", 1, events...))
	job := begin(t, s, "a")
	// bbolt writes a page that changes to another place, and so all above it.
	roots := func() (pages [2]uint64) {
		err := s.view(func(tx *bbolt.Tx) error {
			for i, name := range [][]byte{eventsBucket, currentBucket} {
				pages[i] = uint64(tx.Bucket(name).RootPage())
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return pages
	}
	before := roots()
	if before[0] == 0 || before[1] == 0 {
		t.Fatalf("roots at %d", before)
	}
	got, ended, err := s.Apply(t.Context(), snapshot("a", 2, events...), job)
	if err != nil || got.Unchanged != len(events) || ended.Unchanged != len(events) {
		t.Errorf("%+v, %+v, %v", got, ended, err)
	}
	if after := roots(); after != before {
		t.Errorf("the roots of events and current moved from %d to %d", before, after)
	}
	events[0].Title = "changed" // to see that the roots move at all
	apply(t, s, snapshot("a", 3, events...))
	if after := roots(); after[0] == before[0] || after[1] != before[1] {
		t.Errorf("after a change the roots are at %d, before at %d", after, before)
	}
}

func TestApplyRecordsTheTimeZone(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	snap := snapshot("a", 1, with(sample("a", 1, 1), func(e *event.Event) {
		e.Start, e.End = local("2021-06-30T21:00:00"), local("2021-06-30T22:00:00")
	}))
	apply(t, s, snap)
	snap.TimeZone = "Europe/Madrid"
	if got := apply(t, s, snap); got.Unchanged != 1 {
		t.Errorf("%+v: the zone is no value of the event", got)
	}
	entries, _, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := entries[0].Start; got != 1625079600 { // 19:00 UTC
		t.Errorf("starts at %d", got)
	}
}

// TestApplyFails gives Apply what it must refuse. Nothing may have changed after it.
func TestApplyFails(t *testing.T) {
	t.Parallel()
	stored := snapshot("a", 1, sample("a", 1, 1), sample("a", 2, 1))
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tc := range []struct {
		name string
		ctx  context.Context
		snap store.Snapshot
		want string // in the message
	}{
		{"cancelled", canceled, snapshot("a", 2, sample("a", 3, 1)), "canceled"},
		{"cancelled, with nothing in it", canceled, snapshot("a", 2), "canceled"},
		{"no provider", t.Context(), snapshot("", 2), "provider name"},
		{"a bad provider", t.Context(), snapshot("A\x00", 2), "provider name"},
		{"another provider's event", t.Context(), snapshot("a", 2, sample("a", 3, 1), sample("a-b", 4, 1)), "a-b/4/4"},
		{"an event twice", t.Context(), snapshot("a", 2, sample("a", 3, 1), sample("a", 4, 1), sample("a", 3, 2)), "a/3/3"},
		{"an event that is past as well", t.Context(), past(snapshot("a", 2, sample("a", 3, 1)), sample("a", 3, 1)), "a/3/3 is in it twice"},
		{"another provider's past event", t.Context(), past(snapshot("a", 2), sample("a-b", 4, 1)), "a-b/4/4"},
		{"an invalid event", t.Context(), snapshot("a", 2, sample("a", 3, 1), with(sample("a", 4, 1), func(e *event.Event) { e.Title = "" })), "a/4/4: no title"},
		{"an entity tag that is too long", t.Context(), store.Snapshot{Provider: "a", TimeZone: "UTC", Validators: feed.Validators{ETag: strings.Repeat("x", 1025)}}, "entity tag of 1025"},
		{"a time of modification that is too long", t.Context(), store.Snapshot{Provider: "a", TimeZone: "UTC", Validators: feed.Validators{LastModified: strings.Repeat("x", 1025)}}, "modification of 1025"},
		{"a source that is no text", t.Context(), store.Snapshot{Provider: "a", TimeZone: "UTC", Validators: feed.Validators{Source: "\xff"}}, "source"},
		{"no time zone", t.Context(), store.Snapshot{Provider: "a", Events: stored.Events}, "time zone"},
		{"this machine's time zone", t.Context(), store.Snapshot{Provider: "a", Events: stored.Events, TimeZone: "Local"}, "time zone"},
		{"an unknown time zone", t.Context(), store.Snapshot{Provider: "a", Events: stored.Events, TimeZone: "Europe/Nowhere"}, "Europe/Nowhere"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			apply(t, s, stored)
			job := begin(t, s, "a")
			job.Provider = tc.snap.Provider
			before, file := records(t, s, everything), read(t, s.path)
			got, ended, err := s.Apply(tc.ctx, tc.snap, job)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v says nothing of %q", err, tc.want)
			}
			if !reflect.DeepEqual(got, store.Applied{}) || !reflect.DeepEqual(ended, store.Job{}) {
				t.Errorf("%+v and %+v beside an error", got, ended)
			}
			if !bytes.Equal(read(t, s.path), file) {
				t.Error("the file is not as it was")
			}
			if got := apply(t, s, stored); got.Unchanged != 2 || !reflect.DeepEqual(records(t, s, everything), before) {
				t.Errorf("%+v afterwards", got)
			}
		})
	}
}

// TestApplyCannotWrite takes the file away in several ways. The store must say so,
// keep what it had, and go on when the cause is gone.
func TestApplyCannotWrite(t *testing.T) {
	t.Parallel()
	var big []event.Event
	for i := range 100 {
		big = append(big, sample("a", i, 50))
	}
	small := snapshot("a", 1, sample("a", 1, 1), sample("a", 2, 1))
	t.Run("the file cannot grow", func(t *testing.T) {
		t.Parallel()
		s := newStore(t)
		apply(t, s, small)
		before, job := records(t, s, everything), begin(t, s, "a")
		s.db.MaxSize = 64 << 10
		if _, _, err := s.Apply(t.Context(), snapshot("a", 2, big...), job); err == nil || !strings.Contains(err.Error(), "size") {
			t.Fatalf("error %v", err)
		}
		if got := records(t, s, everything); !reflect.DeepEqual(got, before) {
			t.Errorf("%d records afterwards", len(got))
		}
		job.State, job.Kind = store.Failed, "store"
		if err := s.Finish(t.Context(), job, nil); err != nil {
			t.Errorf("there is room for an outcome: %v", err)
		}
		s.db.MaxSize = 0
		if got := apply(t, s, snapshot("a", 2, big...)); got.New != 98 || got.Changed != 2 {
			t.Errorf("%+v when it could again", got)
		}
	})
	t.Run("the disk fails", func(t *testing.T) {
		t.Parallel()
		s := newStore(t)
		apply(t, s, small)
		job := begin(t, s, "a")
		before, path := records(t, s, everything), s.path
		if err := s.file.Close(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Apply(t.Context(), snapshot("a", 2, big...), job); err == nil || !strings.Contains(err.Error(), os.ErrClosed.Error()) {
			t.Errorf("error %v", err)
		}
		if got := records(t, s, everything); !reflect.DeepEqual(got, before) {
			t.Errorf("%d records afterwards", len(got))
		}
		if err := s.Close(); err == nil {
			t.Error("no error from a file that was closed already")
		}
		again, err := Open(path, keep)
		if err != nil {
			t.Fatal(err)
		}
		s.db, s.file = again.db, again.file
		if got := apply(t, s, small); got.Unchanged != 2 {
			t.Errorf("%+v after opening again", got)
		}
	})
	t.Run("read only", func(t *testing.T) {
		t.Parallel()
		s := newStore(t)
		apply(t, s, small)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		r, err := OpenReadOnly(s.path)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err1 := r.Apply(t.Context(), snapshot("a", 2), store.Job{Provider: "a"})
		_, err2 := r.Begin(t.Context(), store.Job{Provider: "a", Trigger: store.Manual, Started: noon})
		_, err3 := r.Interrupt(t.Context(), noon)
		for _, err := range []error{err1, err2, err3, r.Finish(t.Context(), store.Job{Provider: "a", State: store.Failed}, nil)} {
			if err == nil || !strings.Contains(err.Error(), "read-only") {
				t.Errorf("error %v", err)
			}
		}
		if got := jobs(t, r, store.JobFilter{}); len(got) != 1 || got[0].State != store.Completed {
			t.Errorf("jobs %+v", got)
		}
		if got := records(t, r, everything); len(got) != 2 || !got[0].Current {
			t.Errorf("%+v afterwards", got)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("closed", func(t *testing.T) {
		t.Parallel()
		s := newStore(t)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		_, _, err := s.Apply(t.Context(), small, store.Job{Provider: "a"})
		_, _, err2 := s.Load(t.Context())
		_, err3 := s.Validators(t.Context(), "a")
		_, err4 := s.Interrupt(t.Context(), noon)
		for _, err := range []error{err, err2, err3, err4, s.Check()} {
			if err == nil || errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), "not open") && !errors.Is(err, os.ErrClosed) {
				t.Errorf("error %v", err)
			}
		}
	})
}

// TestCurrentValues holds the promise that a member of current costs a key alone.
func TestCurrentValues(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	apply(t, s, snapshot("a", 1, sample("a", 1, 1)))
	err := s.view(func(tx *bbolt.Tx) error {
		return tx.Bucket(currentBucket).ForEach(func(k, v []byte) error {
			if want := sample("a", 1, 1).Bytes(); !bytes.Equal(k, want) || len(v) != 0 {
				t.Errorf("%q: %q", k, v)
			}
			return nil
		})
	})
	if err != nil {
		t.Error(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
