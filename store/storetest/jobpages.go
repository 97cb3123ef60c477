package storetest

import (
	"reflect"
	"testing"

	"fever/event"
	"fever/provider/feed"
	"fever/store"
)

// testPagesOfAJob has a job bring several pages of a feed of changes: each is stored by itself, and
// the record adds up what they changed, however the job ends.
func testPagesOfAJob(t *testing.T, place func(*testing.T) Place) {
	one, two := Sample("a", 1, 2), Sample("a", 2, 0)
	moved := With(one, func(e *event.Event) { e.End = Local(DateOf(e.Start) + "T23:30:00") })
	next := func(cursor string, goesOn bool, events ...event.Event) store.Snapshot {
		snap := page(Snapshot("a", 1, events...), 1)
		snap.Changes.Stream.Cursor, snap.Changes.GoesOn = []byte(cursor), goesOn
		for _, e := range events {
			snap.Changes.Items = append(snap.Changes.Items, item(e.EventID, e))
		}
		return snap
	}
	type counts struct{ Seen, New, Changed, Unchanged int }
	for name, test := range map[string]struct {
		end   func(s store.Store, job store.Job) error
		state store.State
		want  counts
	}{
		"completed": {func(s store.Store, job store.Job) error {
			job.Seen, job.Finished = 4, Noon
			_, _, err := s.Apply(t.Context(), next("3", false, two), job)
			return err
		}, store.Completed, counts{4, 2, 1, 1}},
		"failed": {func(s store.Store, job store.Job) error {
			job.State, job.Kind, job.Finished = store.Failed, feed.KindTimeout, Noon
			return s.Finish(t.Context(), job, nil)
		}, store.Failed, counts{3, 2, 1, 0}},
		"interrupted": {func(s store.Store, _ store.Job) error {
			_, err := s.Interrupt(t.Context(), Noon)
			return err
		}, store.Failed, counts{3, 2, 1, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, place)
			job := must(s.Begin(t.Context(), store.Job{Provider: "a", Trigger: store.Schedule, Started: Noon}))
			job.Seen = 2
			_, job = mustApply(t, s, next("1", true, one, two), job)
			job.Seen = 3
			_, job = mustApply(t, s, next("2", true, moved), job)
			if got := Jobs(t, s, store.JobFilter{}); len(got) != 1 || !reflect.DeepEqual(got[0], job) || job.State != store.Running {
				t.Fatalf("recorded %+v, not %+v", got, job)
			}
			if stream, err := s.Stream(t.Context(), "a"); err != nil || string(stream.Cursor) != "2" || s.Stats().Current["a"] != 2 {
				t.Errorf("%+v, %v, %+v", stream, err, s.Stats())
			}
			reopen(t, s)
			if err := test.end(s, job); err != nil {
				t.Fatal(err)
			}
			got := Jobs(t, s, store.JobFilter{})[0]
			if got.State != test.state || (counts{got.Seen, got.New, got.Changed, got.Unchanged}) != test.want {
				t.Errorf("recorded %+v", got)
			}
			if _, _, err := s.Apply(t.Context(), next("4", true, one), job); err == nil {
				t.Error("a job brings a page after its end")
			}
			again := next("4", false)
			again.Changes.Items = []store.Item{{Again: true, Item: feed.Item{ID: "1"}}}
			again.Changes.Complete = true
			if _, err := Collect(t.Context(), s, again); err == nil {
				t.Error("what was decoded again completes a harvest")
			}
		})
	}
}

// mustApply applies a page of a job.
func mustApply(t *testing.T, s store.Store, snap store.Snapshot, job store.Job) (store.Applied, store.Job) {
	t.Helper()
	applied, job, err := s.Apply(t.Context(), snap, job)
	if err != nil {
		t.Fatal(err)
	}
	return applied, job
}
