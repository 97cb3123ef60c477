package bolt

import (
	"errors"
	"reflect"
	"slices"
	"strings"
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

// TestNothingStored asks for what is not there: the error says what is.
func TestNothingStored(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	check := func(want string) {
		t.Helper()
		_, err1 := s.Forget(t.Context(), store.Forgetting{Provider: "x"})
		_, err2 := s.Rename(t.Context(), store.Renaming{From: "x", To: "y"})
		for _, err := range []error{err1, err2} {
			if !errors.Is(err, store.ErrNothing) || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("%v, not %s", err, want)
			}
		}
	}
	check(": nothing is stored of x, nor of any other")
	apply(t, s, snapshot("x", 1))
	if _, err := s.Forget(t.Context(), store.Forgetting{Provider: "x"}); err != nil {
		t.Fatal(err)
	}
	check(": nothing is stored of x, nor of any other") // there is the record, which is to stay
	apply(t, s, snapshot("b", 1))
	apply(t, s, snapshot("a", 1, sample("a", 1, 1)))
	check(": nothing is stored of x: there is something of a, b")
	for name := range strings.SplitSeq("cdefghijk", "") {
		apply(t, s, snapshot(name, 1))
	}
	check(": there is something of a, b, c, d, e, f, g, h, i, j, and others")
}

// TestEditBesideJob forgets and renames although a job runs, which is not to be. What the job
// brings is refused then.
func TestEditBesideJob(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*Store) error{
		"forget": func(s *Store) error {
			_, err := s.Forget(t.Context(), store.Forgetting{Provider: "a"})
			return err
		},
		"forget what is gone": func(s *Store) error {
			_, err := s.Forget(t.Context(), store.Forgetting{Provider: "a", GoneBefore: must(store.ParseCutoff("2100-01-01"))})
			return err
		},
		"rename": func(s *Store) error {
			_, err := s.Rename(t.Context(), store.Renaming{From: "a", To: "b"})
			return err
		},
		"rename to it": func(s *Store) error {
			_, err := s.Rename(t.Context(), store.Renaming{From: "b", To: "a"})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			apply(t, s, snapshot("b", 1, sample("b", 1, 1)))
			apply(t, s, snapshot("a", 1, sample("a", 1, 1), sample("a", 2, 1)))
			apply(t, s, snapshot("a", 2, sample("a", 1, 1)))
			job := begin(t, s, "a")
			if err := edit(s); err != nil {
				t.Fatal(err)
			}
			before := stateOf(t, s)
			if _, _, err := s.Apply(t.Context(), snapshot("a", 3, sample("a", 3, 1)), job); err == nil || errors.Is(err, store.ErrDamaged) {
				t.Errorf("the snapshot of job %d: %v", job.ID, err)
			}
			if after := stateOf(t, s); !reflect.DeepEqual(after, before) {
				t.Errorf("stored are %+v, not %+v", after, before)
			}
		})
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
