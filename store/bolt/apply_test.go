package bolt

import (
	"bytes"
	"context"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"fever/event"
	"fever/provider/feed"
	"fever/store"
	"fever/store/storetest"
)

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
	if after := roots(); after[0] == before[0] || after[1] == before[1] {
		t.Errorf("after a change the roots are at %d, before at %d", after, before)
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

// TestCurrentValues holds the promise that a member of current costs a key and a short digest.
func TestCurrentValues(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	e := sample("a", 1, 1)
	apply(t, s, snapshot("a", 1, e))
	var enc store.Encoder
	err := s.view(func(tx *bbolt.Tx) error {
		return tx.Bucket(currentBucket).ForEach(func(k, v []byte) error {
			if want := markOf(store.DigestOf(enc.Encode(&e))); !bytes.Equal(k, e.Bytes()) || !bytes.Equal(v, want) || len(v) != 17 {
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

// TestHistoryOff changes an event while history is kept, while it is not, and while it is again.
func TestHistoryOff(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for n, history := range []time.Duration{storetest.History, storetest.History, 0, storetest.History} {
		s.History = history
		apply(t, s, snapshot("a", int64(n), with(sample("a", 1, 1), func(e *event.Event) { e.Zones[0].Capacity = int64(n) })))
		if got, want := len(storetest.Versions(t, s, sample("a", 1, 1).Key)), []int{1, 2, 1, 2}[n]; got != want {
			t.Errorf("after snapshot %d: %d versions, not %d", n, got, want)
		}
	}
}
