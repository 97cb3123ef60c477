package bolt

import (
	"errors"
	"slices"
	"testing"

	"go.etcd.io/bbolt"

	"fever/provider/feed"
	"fever/store"
)

// TestJobsOfTheDead reads the jobs of a process that ended while one ran, before another
// process records that.
func TestJobsOfTheDead(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	begun := begin(t, s, "a")
	if got := jobs(t, s, store.JobFilter{State: store.Running}); len(got) != 1 {
		t.Errorf("running is %+v", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := OpenReadOnly(s.path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	got := jobs(t, r, store.JobFilter{State: store.Failed})
	if len(got) != 1 || got[0].ID != begun.ID || got[0].Kind != feed.KindInterrupted || got[0].Message == "" || !got[0].Finished.IsZero() {
		t.Errorf("interrupted is %+v", got)
	}
	if got := jobs(t, r, store.JobFilter{State: store.Running}); len(got) != 0 {
		t.Errorf("running is %+v", got)
	}
}

// TestManyJobs has so many that each provider's take several pages, and looks for the
// running ones wherever a page may end.
func TestManyJobs(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.db.NoSync, s.keep = true, 150
	for n := range uint64(200) {
		first := 3*n + 1
		for _, provider := range []string{"b", "a", "a-b"} {
			begin(t, s, provider)
		}
		if n%2 == 0 { // at other times it is the next Begin that interrupts
			if got, err := s.Interrupt(t.Context(), noon); got != 3 || err != nil {
				t.Fatalf("%d interrupted, %v", got, err)
			}
		}
		var got []uint64
		for _, job := range jobs(t, s, store.JobFilter{Limit: 4}) {
			got = append(got, job.ID)
		}
		if want := []uint64{first + 2, first + 1, first, first - 1}; n > 0 && !slices.Equal(got, want) {
			t.Fatalf("the newest are %d, not %d", got, want)
		}
	}
	if got := jobs(t, s, store.JobFilter{}); len(got) != 3*(150+1) {
		t.Errorf("%d jobs", len(got))
	}
	if got := jobs(t, s, store.JobFilter{Provider: "a"}); len(got) != 151 || got[150].ID != 200*3-1-150*3 {
		t.Errorf("%d jobs, the oldest %+v", len(got), got[len(got)-1])
	}
}

// TestSequence puts the sequence back, as a flipped bit in the file would: no job may
// take another's id.
func TestSequence(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	finish(t, s, begin(t, s, "a"))
	finish(t, s, begin(t, s, "a"))
	set := func(n uint64) {
		t.Helper()
		if err := s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(jobsBucket).SetSequence(n) }); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []uint64{0, 1, 1<<64 - 1} {
		set(n)
		if job, err := s.Begin(t.Context(), store.Job{Provider: "a", Trigger: store.Schedule, Started: noon}); !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%d: began %+v, %v", n, job, err)
		}
	}
	set(2)
}
