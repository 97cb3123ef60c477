package bolt

import (
	"slices"
	"testing"

	"go.etcd.io/bbolt"

	"fever/provider/feed"
	"fever/store"
)

// TestRecordsAreJobs looks at how the records of what was done by hand are written: as jobs
// that each version of fever reads, and that say nothing of the provider.
func TestRecordsAreJobs(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	apply(t, s, snapshot("old", 1, sample("old", 1, 1), sample("old", 2, 1)))
	apply(t, s, snapshot("new", 2, sample("new", 2, 1), sample("new", 3, 1)))
	renamed, err := s.Rename(t.Context(), store.Renaming{From: "old", To: "new"})
	if err != nil {
		t.Fatal(err)
	}
	forgotten, err := s.Forget(t.Context(), store.Forgetting{Provider: "new", GoneBefore: must(store.ParseCutoff("2100-01-01"))})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		job     store.Job
		kind    feed.Kind
		message string
	}{
		{renamed.Record, "renamed", "all that was stored of old: 2 events, 1 of them known already, and 1 outcome of a job"},
		{forgotten.Record, "forgotten", "what had left the feed and ended before 2100-01-01: 1 event"},
	} {
		if tc.job.Message != tc.message {
			t.Errorf("the message is %q, not %q", tc.job.Message, tc.message)
		}
		var f []any
		key := store.JobKey("new", tc.job.ID)
		err := s.view(func(tx *bbolt.Tx) error { return store.Unseal(key, tx.Bucket(jobsBucket).Get(key), &f) })
		if err != nil || !slices.Equal([]any{f[0], f[1], f[17], f[18]}, []any{"manual", "failed", string(tc.kind), tc.message}) {
			t.Errorf("written is %+v, %v", f, err)
		}
		if tc.job.Answered() || tc.job.Applied() || tc.job.Trigger.Collects() {
			t.Errorf("%+v passes for a job", tc.job)
		}
		if _, err := s.Begin(t.Context(), store.Job{Provider: "new", Trigger: tc.job.Trigger, Started: noon}); err == nil {
			t.Errorf("a job of trigger %s began", tc.job.Trigger)
		}
		job := begin(t, s, "new")
		job.State, job.Kind = store.Failed, tc.kind
		if err := s.Finish(t.Context(), job, nil); err == nil {
			t.Errorf("a job failed, of kind %s", tc.kind)
		}
	}
}

// TestRenameTimeZone moves events to a name whose latest snapshot is in another time zone.
func TestRenameTimeZone(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	old := snapshot("old", 1, sample("old", 1, 1))
	old.TimeZone = "Europe/Madrid"
	apply(t, s, old)
	done, err := s.Rename(t.Context(), store.Renaming{From: "old", To: "new", DryRun: true})
	if err != nil || done.OldTimeZone != "Europe/Madrid" || done.TimeZone != "Europe/Madrid" {
		t.Errorf("%+v, %v", done, err)
	}
	apply(t, s, snapshot("new", 2))
	done, err = s.Rename(t.Context(), store.Renaming{From: "old", To: "new"})
	if err != nil || done.OldTimeZone != "Europe/Madrid" || done.TimeZone != "UTC" {
		t.Errorf("%+v, %v", done, err)
	}
	e := sample("new", 1, 1)
	loaded, _, err := s.Load(t.Context())
	if err != nil || len(loaded) != 1 || loaded[0].ID != e.ID() {
		t.Errorf("%v, %v", loaded, err)
	}
}
