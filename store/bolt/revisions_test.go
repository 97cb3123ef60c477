package bolt

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"

	"go.etcd.io/bbolt"

	"fever/event"
	"fever/store"
)

// TestRevisions goes through what makes a revision and what does not.
func TestRevisions(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	one, two := sample("a", 1, 1), sample("a", 2, 1)
	zone := snapshot("a", 4, one)
	zone.TimeZone = "Europe/Madrid"
	for _, step := range []struct {
		what      string
		do        func() store.Revision
		at        store.Revision
		rewritten bool
		changed   int // since the revision before
	}{
		{"nothing of a new provider", func() store.Revision { return apply(t, s, snapshot("a", 1)).Revision }, 0, false, 0},
		{"another zone of nothing", func() store.Revision { return apply(t, s, zoned(snapshot("a", 1), "Europe/Madrid")).Revision }, 0, false, 0},
		{"and back", func() store.Revision { return apply(t, s, snapshot("a", 1)).Revision }, 0, false, 0},
		{"new events", func() store.Revision { return apply(t, s, snapshot("a", 2, one, two)).Revision }, 1, false, 2},
		{"the same events", func() store.Revision { return apply(t, s, snapshot("a", 3, one, two)).Revision }, 1, false, 0},
		{"one goes", func() store.Revision { return apply(t, s, snapshot("a", 3, one)).Revision }, 1, false, 0},
		{"it comes back", func() store.Revision { return apply(t, s, snapshot("a", 3, one, two)).Revision }, 1, false, 0},
		{"another's events", func() store.Revision { return apply(t, s, snapshot("b", 3, sample("b", 1, 1))).Revision }, 2, false, 1},
		{"past events", func() store.Revision {
			return apply(t, s, past(snapshot("a", 3, one, two), sample("a", 3, 1))).Revision
		}, 3, false, 1},
		{"another zone", func() store.Revision { return apply(t, s, zone).Revision }, 4, true, 0},
		{"nothing to forget", func() store.Revision {
			return must(s.Forget(t.Context(), store.Forgetting{Provider: "a", GoneBefore: must(store.ParseCutoff("1999-01-01"))})).Revision
		}, 4, false, 0},
		{"what would be forgotten", func() store.Revision {
			return must(s.Forget(t.Context(), store.Forgetting{Provider: "a", DryRun: true})).Revision
		}, 4, false, 0},
		{"forgotten", func() store.Revision { return must(s.Forget(t.Context(), store.Forgetting{Provider: "b"})).Revision }, 5, true, 0},
		{"what would be renamed", func() store.Revision {
			return must(s.Rename(t.Context(), store.Renaming{From: "a", To: "c", DryRun: true})).Revision
		}, 5, false, 0},
		{"renamed", func() store.Revision { return must(s.Rename(t.Context(), store.Renaming{From: "a", To: "c"})).Revision }, 6, true, 0},
		{"a new event", func() store.Revision { return apply(t, s, snapshot("b", 9, sample("b", 1, 1))).Revision }, 7, false, 1},
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

// TestChangesOrder changes events more than once: each comes once, at its latest.
func TestChangesOrder(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var events []event.Event
	for i := range 5 {
		events = append(events, with(sample("a", i, 1), func(e *event.Event) { e.Title = fmt.Sprint(i) }))
	}
	apply(t, s, snapshot("a", 1, events...))
	for _, i := range []int{3, 1, 3, 0} {
		events[i].Title += "!"
		apply(t, s, snapshot("a", 1, events...))
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

// TestRevisionBetween has another provider's snapshot come between the comparison of one and
// its commit: each gets a revision of its own.
func TestRevisionBetween(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	apply(t, s, snapshot("a", 1, sample("a", 1, 1)))
	snap := snapshot("a", 2, sample("a", 1, 2), sample("a", 2, 1))
	snap.Accept = func(store.Applied) error {
		if got := apply(t, s, snapshot("b", 1, sample("b", 1, 1))); got.Revision != 2 {
			t.Errorf("applied %+v", got)
		}
		return nil
	}
	if got := apply(t, s, snap); got.Revision != 3 {
		t.Errorf("applied %+v", got)
	}
	for since, want := range []int{3, 3, 2, 0} {
		if got, at, err := s.Changes(t.Context(), store.Revision(since)); err != nil || at != 3 || len(got) != want {
			t.Errorf("since %d: %d changes up to %d, %v", since, len(got), at, err)
		}
	}
}

// TestWait waits in several goroutines for a commit, for the end of a context, and for the
// store to be closed.
func TestWait(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "fever.db")
	s, err := Open(path, keep)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, s, snapshot("a", 1, sample("a", 1, 1)))
	synctest.Test(t, func(t *testing.T) {
		if err := s.Wait(t.Context(), 0); err != nil {
			t.Error(err)
		}
		ended := make(chan error, 20)
		wait := func(ctx context.Context, since store.Revision, n int) {
			for range n {
				go func() { ended <- s.Wait(ctx, since) }()
			}
			synctest.Wait()
			if len(ended) > 0 {
				t.Fatalf("it did not wait: %v", <-ended)
			}
		}
		expect := func(n int, want func(error) bool) {
			t.Helper()
			synctest.Wait()
			if len(ended) != n {
				t.Fatalf("%d have ended, not %d", len(ended), n)
			}
			for range n {
				if err := <-ended; !want(err) {
					t.Errorf("error %v", err)
				}
			}
		}
		wait(t.Context(), 1, 5)
		wait(t.Context(), 2, 3)
		apply(t, s, snapshot("a", 1, sample("a", 1, 1))) // changes nothing
		expect(0, nil)
		apply(t, s, snapshot("a", 1, sample("a", 2, 1)))
		expect(5, func(err error) bool { return err == nil })
		ctx, cancel := context.WithCancel(t.Context())
		wait(ctx, 2, 2)
		cancel()
		expect(2, func(err error) bool { return errors.Is(err, context.Canceled) })
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		expect(3, func(err error) bool { return err != nil && !errors.Is(err, context.Canceled) })
		if err := s.Wait(t.Context(), 0); err == nil {
			t.Error("a closed store has something new")
		}
	})
	checkFile(t, path)
}

// TestWaitBroken has bbolt fail while others wait.
func TestWaitBroken(t *testing.T) {
	t.Parallel()
	s, err := Open(filepath.Join(t.TempDir(), "fever.db"), keep)
	if err != nil {
		t.Fatal(err)
	}
	defer s.db.Close()
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		go func() { ended <- s.Wait(t.Context(), 0) }()
		synctest.Wait()
		err := s.view(func(tx *bbolt.Tx) error { return tx.Bucket(nil).ForEach(nil) })
		if !errors.Is(err, store.ErrDamaged) {
			t.Errorf("error %v", err)
		}
		synctest.Wait()
		select {
		case err := <-ended:
			if !errors.Is(err, store.ErrDamaged) {
				t.Errorf("it ended with %v", err)
			}
		default:
			t.Fatal("it still waits")
		}
	})
}

// convertVariable names the file that a process started by TestKilledConverting converts.
const convertVariable = "FEVER_TEST_CONVERT"

// convertAgain converts a file, and makes it one of format 1 again, until it is killed.
func convertAgain(path string) error {
	for n := 1; ; n++ {
		s, err := Open(path, keep)
		if err != nil {
			return err
		}
		if err := errors.Join(s.db.Update(unconvert), s.Close()); err != nil {
			return err
		}
		if _, err := fmt.Println(n); err != nil {
			return err
		}
	}
}

// unconvert makes a file one of format 1 if no event has a revision.
func unconvert(tx *bbolt.Tx) error {
	return errors.Join(tx.DeleteBucket(revisionsBucket), tx.Bucket(metaBucket).Put(formatKey, must(store.Marshal(uint64(1)))))
}

// TestKilledConverting kills a process that converts a file, at any moment, again and again.
// Each time the file must be wholly of one format, and hold what it held.
func TestKilledConverting(t *testing.T) {
	random := rand.New(rand.NewPCG(rand.Uint64(), 0))
	path := filepath.Join(t.TempDir(), "fever.db")
	s, err := Open(path, keep)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, s, snapshot("a", 1, many(5000)...))
	want, wantJobs := records(t, s, everything), jobs(t, s, store.JobFilter{})
	err = s.db.Update(func(tx *bbolt.Tx) error {
		events := tx.Bucket(eventsBucket)
		old := make(map[string][]byte)
		err := events.ForEach(func(k, b []byte) error {
			v, err := store.DecodeValue(k, b)
			v.Revision = 0
			old[string(k)] = must(v.Encode(k))
			return err
		})
		for k, b := range old {
			err = errors.Join(err, events.Put([]byte(k), b))
		}
		return errors.Join(err, unconvert(tx))
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	file := read(t, path)
	formats := make(map[uint64]int)
	for range 10 {
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		runAndKill(t, convertVariable+"="+path, random)
		checkFile(t, path)
		r, err := OpenReadOnly(path)
		if err != nil {
			t.Fatal(err)
		}
		formats[formatOf(t, r)]++
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		s, err := Open(path, keep)
		if err != nil {
			t.Fatal(err)
		}
		if format := formatOf(t, s); format != formatVersion {
			t.Errorf("format %d", format)
		}
		if got := records(t, s, everything); !reflect.DeepEqual(got, want) {
			t.Fatalf("%d records, not the %d from before", len(got), len(want))
		}
		if got := jobs(t, s, store.JobFilter{}); !reflect.DeepEqual(got, wantJobs) {
			t.Errorf("jobs %+v", got)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Logf("of each format: %v", formats)
}
