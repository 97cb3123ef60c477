package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fever/event"
	"fever/provider/feed"
	"fever/store"
)

// Fail records the end of a running job that failed.
func Fail(t testing.TB, s store.Store, job store.Job) {
	t.Helper()
	job.State, job.Kind = store.Failed, "timeout"
	if err := s.Finish(t.Context(), job, nil); err != nil {
		t.Fatal(err)
	}
}

// complete records the end of a running job that found nothing new.
func complete(t testing.TB, s store.Store, job store.Job) {
	t.Helper()
	job.State, job.NotModified = store.Completed, true
	if err := s.Finish(t.Context(), job, nil); err != nil {
		t.Fatal(err)
	}
}

// ids says which jobs f finds, and in which state they are.
func ids(t *testing.T, s *opened, f store.JobFilter) string {
	t.Helper()
	var all []string
	for _, job := range Jobs(t, s, f) {
		all = append(all, fmt.Sprintf("%s/%d:%.1s", job.Provider, job.ID, job.State))
	}
	return strings.Join(all, " ")
}

func testJobs(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	here := time.FixedZone("here", 3600)
	began, err := s.Begin(t.Context(), store.Job{
		ID: 99, Provider: "a", Trigger: store.StartUp, State: store.Pending,
		Scheduled: Noon.In(here), Started: Noon.Add(time.Millisecond + 999*time.Microsecond).In(here),
	})
	want := store.Job{ID: 1, Provider: "a", Trigger: store.StartUp, State: store.Running, Scheduled: Noon, Started: Noon.Add(time.Millisecond)}
	if err != nil || !reflect.DeepEqual(began, want) || !reflect.DeepEqual(Jobs(t, s, store.JobFilter{}), []store.Job{want}) {
		t.Fatalf("began %+v, %v; not %+v", began, err, want)
	}
	reopen(t, s)

	job := began
	job.Finished, job.Attempts, job.HTTPStatus, job.Bytes, job.Seen, job.Ignored, job.Rejected = Noon.Add(time.Second).In(here), 2, 200, 1234, 7, 2, 3
	job.Rejections = []feed.Rejection{{BaseID: "1", EventID: "2", Line: 3, Reason: "no title"}, {}}
	job.New, job.Gone = 50, 60 // what Apply finds out counts
	applied, ended, err := s.Apply(t.Context(), Snapshot("a", 1, Sample("a", 1, 1), Sample("a", 2, 1)), job)
	want = job
	want.State, want.Finished, want.New, want.Gone = store.Completed, Noon.Add(time.Second), 2, 0
	if err != nil || applied.New != 2 || !reflect.DeepEqual(ended, want) {
		t.Errorf("ended %+v, %v; not %+v", ended, err, want)
	}
	reopen(t, s)
	if got := Jobs(t, s, store.JobFilter{}); !reflect.DeepEqual(got, []store.Job{want}) {
		t.Errorf("recorded is %+v, not %+v", got, want)
	}

	for _, job := range []store.Job{
		{State: store.Failed, Kind: "http_status", Message: "status 503", HTTPStatus: 503, Attempts: 4},
		{State: store.Completed, NotModified: true, HTTPStatus: 304, Attempts: 1},
	} {
		began := Begin(t, s, "a")
		job.ID, job.Provider, job.Trigger, job.Started, job.Finished = began.ID, "a", store.Schedule, began.Started, began.Finished
		if err := s.Finish(t.Context(), job, nil); err != nil {
			t.Error(err)
		}
		if got := Jobs(t, s, store.JobFilter{Limit: 1}); !reflect.DeepEqual(got, []store.Job{job}) {
			t.Errorf("recorded is %+v, not %+v", got, job)
		}
	}
	if got := Records(t, s, Everything); len(got) != 2 || !got[0].Current {
		t.Errorf("jobs without a snapshot changed what is stored: %+v", got)
	}
}

// testFinishRevalidates shows that an unchanged answer's validators count from its job's
// end on, if they are of the body that the snapshot was decoded from.
func testFinishRevalidates(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	old := feed.Validators{ETag: "1", LastModified: "then", Digest: [32]byte{1}, Source: "here"}
	newer := feed.Validators{ETag: "2", Digest: [32]byte{1}, Source: "here"}
	check := func(when string, want feed.Validators) {
		t.Helper()
		reopen(t, s)
		if v, err := s.Validators(t.Context(), "a"); err != nil || v != want {
			t.Errorf("%s: %+v, %v, want %+v", when, v, err, want)
		}
	}
	finish := func(v feed.Validators) error {
		job := Begin(t, s, "a")
		job.State, job.NotModified, job.Finished = store.Completed, true, job.Started
		return s.Finish(t.Context(), job, &v)
	}
	if err := finish(newer); err != nil {
		t.Fatal(err)
	}
	check("without a snapshot", feed.Validators{})
	snap := Snapshot("a", 1, Sample("a", 1, 1))
	snap.Validators = old
	Apply(t, s, snap)
	for name, v := range map[string]feed.Validators{
		"of another body":     {ETag: "2", Digest: [32]byte{2}, Source: "here"},
		"from another source": {ETag: "2", Digest: [32]byte{1}, Source: "there"},
		"the same":            old,
	} {
		if err := finish(v); err != nil {
			t.Fatal(err)
		}
		check(name, old)
	}
	tooLong := newer
	tooLong.ETag = strings.Repeat("x", 1<<10+1)
	if err := finish(tooLong); err == nil {
		t.Error("an entity tag that is too long was stored")
	}
	if got := Jobs(t, s, store.JobFilter{Limit: 1}); got[0].State != store.Running {
		t.Errorf("the job of it has ended: %+v", got[0])
	}
	if err := finish(newer); err != nil {
		t.Fatal(err)
	}
	check("newer ones", newer)
	if got := Records(t, s, Everything); len(got) != 1 || !got[0].Current {
		t.Errorf("what is stored changed: %+v", got)
	}
}

// testApplyAsks shows that a snapshot which is not accepted changes nothing, and what is
// told of it before.
func testApplyAsks(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	Apply(t, s, Snapshot("a", 1, Sample("a", 1, 1), Sample("a", 2, 1), Sample("a", 3, 1)))
	Apply(t, s, Snapshot("b", 1, Sample("b", 1, 1)))
	before := Records(t, s, Everything)
	job := Begin(t, s, "a")
	snap := Snapshot("a", 2, Sample("a", 1, 1), Sample("a", 4, 1))
	snap.Validators.ETag = "new"
	odd := errors.New("it is odd")
	var told store.Applied
	snap.Accept = func(a store.Applied) error {
		told = a
		return odd
	}
	if _, _, err := s.Apply(t.Context(), snap, job); !errors.Is(err, odd) {
		t.Errorf("error %v", err)
	}
	if told.Before != 3 || told.New != 1 || told.Unchanged != 1 || told.Gone != 2 {
		t.Errorf("told %+v", told)
	}
	reopen(t, s)
	if got := Records(t, s, Everything); !reflect.DeepEqual(got, before) {
		t.Errorf("it changed what is stored: %+v", got)
	}
	if v, err := s.Validators(t.Context(), "a"); err != nil || v.ETag != "" {
		t.Errorf("validators %+v, %v", v, err)
	}
	if got := Jobs(t, s, store.JobFilter{Provider: "a", Limit: 1}); got[0].State != store.Running {
		t.Errorf("its job has ended: %+v", got[0])
	}
	snap.Accept = func(store.Applied) error { return nil }
	if _, ended, err := s.Apply(t.Context(), snap, job); err != nil || ended.Gone != 2 {
		t.Errorf("%+v, %v", ended, err)
	}
}

// endsAfter is a context that ends when it was asked so many times.
type endsAfter struct {
	context.Context
	left int
}

func (c *endsAfter) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// testApplyIsAllOrNothing stops Apply at each place where it can be stopped. As the
// file shows when it is opened again, either the job runs and its data is not there,
// or it completed and all of it is.
func testApplyIsAllOrNothing(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	Apply(t, s, Snapshot("a", 1, Sample("a", 1, 1)))
	old := feed.Validators{ETag: "old"}
	if _, _, err := s.Apply(t.Context(), store.Snapshot{Provider: "a", TimeZone: "UTC", Validators: old}, Begin(t, s, "a")); err != nil {
		t.Fatal(err)
	}
	before := Records(t, s, Everything)
	snap := Snapshot("a", 2)
	snap.Validators.ETag = "new"
	for n := range 600 {
		snap.Events = append(snap.Events, Sample("a", n, 1))
	}
	stops := 0
	for ; ; stops++ {
		job := Begin(t, s, "a")
		_, _, err := s.Apply(&endsAfter{t.Context(), stops}, snap, job)
		reopen(t, s)
		got := Jobs(t, s, store.JobFilter{Limit: 1})[0]
		if err == nil {
			if v, err := s.Validators(t.Context(), "a"); err != nil || v != snap.Validators {
				t.Errorf("validators %+v, %v", v, err)
			}
			if n := len(Records(t, s, Everything)); n != 600 || got.State != store.Completed || got.New != 599 {
				t.Errorf("%d records and the job %+v", n, got)
			}
			break
		}
		if !errors.Is(err, context.Canceled) || got.ID != job.ID || got.State != store.Running {
			t.Errorf("stopped at %d: job %+v, %v", stops, got, err)
		}
		if v, err := s.Validators(t.Context(), "a"); err != nil || v != old {
			t.Errorf("stopped at %d: validators %+v, %v", stops, v, err)
		}
		if !reflect.DeepEqual(Records(t, s, Everything), before) {
			t.Errorf("stopped at %d: data has changed", stops)
		}
		if n, err := s.Interrupt(t.Context(), Noon.Add(time.Hour)); n != 1 || err != nil {
			t.Errorf("stopped at %d: %d interrupted, %v", stops, n, err)
		}
		got = Jobs(t, s, store.JobFilter{Limit: 1})[0]
		if got.ID != job.ID || got.State != store.Failed || got.Kind != feed.KindInterrupted || !got.Finished.Equal(Noon.Add(time.Hour)) {
			t.Errorf("stopped at %d: then %+v", stops, got)
		}
	}
	if stops < 4 {
		t.Errorf("it could be stopped at %d places only", stops)
	}
}

func testInterrupt(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	interrupt := func(want int) {
		t.Helper()
		if n, err := s.Interrupt(t.Context(), Noon); n != want || err != nil {
			t.Errorf("%d interrupted, not %d: %v", n, want, err)
		}
	}
	interrupt(0)
	for _, provider := range []string{"b", "a", "a-b"} {
		Fail(t, s, Begin(t, s, provider))
		Begin(t, s, provider)
	}
	Fail(t, s, Begin(t, s, "c"))
	interrupt(3)
	if got, want := ids(t, s, store.JobFilter{}), "c/7:f a-b/6:f a-b/5:f a/4:f a/3:f b/2:f b/1:f"; got != want {
		t.Errorf("%s, not %s", got, want)
	}
	before := Jobs(t, s, store.JobFilter{})
	for _, job := range before {
		if (job.Kind == feed.KindInterrupted) != (job.ID%2 == 0) || (job.Message == "") != (job.ID%2 == 1) {
			t.Errorf("%+v", job)
		}
	}
	interrupt(0)
	if got := Jobs(t, s, store.JobFilter{}); !reflect.DeepEqual(got, before) {
		t.Errorf("%+v, not %+v", got, before)
	}
}

// testBeginInterrupts begins a job after one whose end could not be recorded.
func testBeginInterrupts(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	lost, other := Begin(t, s, "a"), Begin(t, s, "a-b")
	Begin(t, s, "a")
	if got, want := ids(t, s, store.JobFilter{}), "a/3:r a-b/2:r a/1:f"; got != want {
		t.Errorf("%s, not %s", got, want)
	}
	if got := Jobs(t, s, store.JobFilter{Provider: "a"})[1]; got.Kind != feed.KindInterrupted || !got.Finished.Equal(Noon) {
		t.Errorf("%+v", got)
	}
	if _, _, err := s.Apply(t.Context(), Snapshot("a", 1, Sample("a", 1, 1)), lost); err == nil || !strings.Contains(err.Error(), "job 1: it has failed already") {
		t.Errorf("error %v", err)
	}
	if got := Records(t, s, Everything); len(got) != 0 {
		t.Errorf("stored %+v", got)
	}
	if _, _, err := s.Apply(t.Context(), Snapshot("a-b", 1), other); err != nil {
		t.Error(err)
	}
}

func testRetention(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	check := func(f store.JobFilter, want string) {
		t.Helper()
		if got := ids(t, s, f); got != want {
			t.Errorf("%+v: %s, not %s", f, got, want)
		}
	}
	Fail(t, s, Begin(t, s, "a-b"))
	Begin(t, s, "b") // runs throughout
	for range Keep {
		Fail(t, s, Begin(t, s, "a"))
	}
	check(store.JobFilter{}, "a/5:f a/4:f a/3:f b/2:r a-b/1:f")
	job := Begin(t, s, "a")
	check(store.JobFilter{Provider: "a"}, "a/6:r a/5:f a/4:f a/3:f")
	Fail(t, s, job)
	check(store.JobFilter{Provider: "a"}, "a/6:f a/5:f a/4:f")
	Apply(t, s, Snapshot("a", 1))
	check(store.JobFilter{Provider: "a"}, "a/7:c a/6:f a/5:f")
	Begin(t, s, "a")
	Begin(t, s, "a")
	check(store.JobFilter{}, "a/9:r a/8:f a/7:c a/6:f b/2:r a-b/1:f")
	if _, err := s.Interrupt(t.Context(), Noon); err != nil {
		t.Fatal(err)
	}
	check(store.JobFilter{}, "a/9:f a/8:f a/7:c b/2:f a-b/1:f")
	for _, keep := range []int{1, 2} {
		s.keep = keep
		reopen(t, s)
		Apply(t, s, Snapshot("a", 1))
	}
	check(store.JobFilter{}, "a/11:c a/10:c b/2:f a-b/1:f")
}

// testRetentionOfTheBest has more failures than are kept: what says how fresh the data is,
// and what the snapshot was, stays.
func testRetentionOfTheBest(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	same := func(provider string) {
		t.Helper()
		job := Begin(t, s, provider)
		job.State, job.NotModified = store.Completed, true
		if err := s.Finish(t.Context(), job, nil); err != nil {
			t.Fatal(err)
		}
	}
	fail := func(times int) {
		t.Helper()
		for range times {
			Fail(t, s, Begin(t, s, "a"))
		}
	}
	check := func(want string) {
		t.Helper()
		if got := ids(t, s, store.JobFilter{}); got != want {
			t.Errorf("%s, not %s", got, want)
		}
	}
	Apply(t, s, Snapshot("a", 1))
	Apply(t, s, Snapshot("a", 2))
	same("a")
	same("a")
	fail(Keep)
	check("a/7:f a/6:f a/5:f a/4:c a/2:c") // the newest that was answered, and the newest snapshot
	same("a")
	check("a/8:c a/7:f a/6:f a/2:c")
	Apply(t, s, Snapshot("a", 3))
	check("a/9:c a/8:c a/7:f")
	fail(Keep + 1)
	check("a/13:f a/12:f a/11:f a/9:c")
}

// testDocumentIsNoAnswer keeps the newest job that the provider answered beside that of a
// document that came later.
func testDocumentIsNoAnswer(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	Apply(t, s, Snapshot("a", 1))
	job, err := s.Begin(t.Context(), store.Job{Provider: "a", Trigger: store.Document, Started: Noon})
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now().Truncate(time.Millisecond)
	_, job, err = s.Apply(t.Context(), Snapshot("a", 2), job) // which does not say when it finished
	if err != nil || job.Finished.Before(before) || job.Finished.After(time.Now()) {
		t.Errorf("%+v, %v", job, err)
	}
	for range Keep {
		Fail(t, s, Begin(t, s, "a"))
	}
	if got, want := ids(t, s, store.JobFilter{}), "a/5:f a/4:f a/3:f a/2:c a/1:c"; got != want {
		t.Errorf("%s, not %s", got, want)
	}
}

func testJobFilter(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	for _, provider := range []string{"a", "b", "a-b", "a", "b", "a"} {
		Fail(t, s, Begin(t, s, provider))
		reopen(t, s)
	}
	for _, tc := range []struct {
		f    store.JobFilter
		want string
	}{
		{store.JobFilter{}, "a/6:f b/5:f a/4:f a-b/3:f b/2:f a/1:f"},
		{store.JobFilter{Limit: 4}, "a/6:f b/5:f a/4:f a-b/3:f"},
		{store.JobFilter{Limit: 40}, "a/6:f b/5:f a/4:f a-b/3:f b/2:f a/1:f"},
		{store.JobFilter{Limit: -1, Provider: "b"}, "b/5:f b/2:f"},
		{store.JobFilter{Limit: 1, Provider: "a"}, "a/6:f"},
		{store.JobFilter{Provider: "c"}, ""},
		{store.JobFilter{Provider: "a\x00"}, ""},
	} {
		if got := ids(t, s, tc.f); got != tc.want {
			t.Errorf("%+v: %s, not %s", tc.f, got, tc.want)
		}
	}
	for job, err := range s.Jobs(t.Context(), store.JobFilter{}) {
		if err != nil || job.ID != 6 {
			t.Errorf("%+v, %v", job, err)
		}
		break
	}

	complete(t, s, Begin(t, s, "b"))
	Begin(t, s, "a")
	complete(t, s, Begin(t, s, "b"))
	for _, tc := range []struct {
		f    store.JobFilter
		want string
	}{
		{store.JobFilter{}, "b/9:c a/8:r b/7:c a/6:f b/5:f a/4:f a-b/3:f a/1:f"},
		{store.JobFilter{Before: 10}, "b/9:c a/8:r b/7:c a/6:f b/5:f a/4:f a-b/3:f a/1:f"},
		{store.JobFilter{Before: 9, Limit: 3}, "a/8:r b/7:c a/6:f"},
		{store.JobFilter{Before: 6, Limit: 3}, "b/5:f a/4:f a-b/3:f"},
		{store.JobFilter{Before: 6, Provider: "a"}, "a/4:f a/1:f"},
		{store.JobFilter{Before: 1}, ""},
		{store.JobFilter{State: store.Running}, "a/8:r"},
		{store.JobFilter{State: store.Completed, Limit: 1}, "b/9:c"},
		{store.JobFilter{State: store.Completed, Limit: 3}, "b/9:c b/7:c"},
		{store.JobFilter{State: store.Failed, Limit: 2}, "a/6:f b/5:f"}, // behind others
		{store.JobFilter{State: store.Failed, Limit: 1, Provider: "b", Before: 9}, "b/5:f"},
		{store.JobFilter{State: store.Pending}, ""},
	} {
		if got := ids(t, s, tc.f); got != tc.want {
			t.Errorf("%+v: %s, not %s", tc.f, got, tc.want)
		}
	}
}

// testJobsWhileWriting deletes jobs from within the loop that are yet to come.
func testJobsWhileWriting(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	for range Keep {
		Fail(t, s, Begin(t, s, "a"))
	}
	Fail(t, s, Begin(t, s, "b"))
	var got []uint64
	for job, err := range s.Jobs(t.Context(), store.JobFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, job.ID); job.ID == 3 {
			Fail(t, s, Begin(t, s, "a"))
			Fail(t, s, Begin(t, s, "a"))
		}
	}
	if want := []uint64{4, 3}; !slices.Equal(got, want) {
		t.Errorf("%d, not %d", got, want)
	}
}

// testJobStateWhileWriting changes the state of a job that is yet to come: it counts as
// it is when its turn comes.
func testJobStateWhileWriting(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	later := Begin(t, s, "a")
	Begin(t, s, "b")
	var got []uint64
	for job, err := range s.Jobs(t.Context(), store.JobFilter{State: store.Running}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, job.ID)
		Fail(t, s, later)
	}
	if want := []uint64{2}; !slices.Equal(got, want) {
		t.Errorf("%d, not %d", got, want)
	}
}

// testJobsRefused gives each method what it must refuse. Nothing is recorded.
func testJobsRefused(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	Fail(t, s, Begin(t, s, "a"))
	running := Begin(t, s, "a")
	before := Jobs(t, s, store.JobFilter{})
	good := store.Job{Provider: "b", Trigger: store.Manual, Started: Noon}
	for _, tc := range []struct {
		change func(*store.Job)
		say    string
	}{
		{func(j *store.Job) { j.Provider = "" }, "provider name"},
		{func(j *store.Job) { j.Provider = "B" }, "provider name"},
		{func(j *store.Job) { j.Trigger = "" }, `trigger ""`},
		{func(j *store.Job) { j.Trigger = "whim" }, `trigger "whim"`},
		{func(j *store.Job) { j.Started = time.Time{} }, "not started"},
		{func(j *store.Job) { j.Started = Noon.AddDate(-100, 0, 0) }, "1921"},
		{func(j *store.Job) { j.Scheduled = Noon.AddDate(9000, 0, 0) }, "11021"},
		{func(j *store.Job) { j.Finished = Noon }, "has an end"},
		{func(j *store.Job) { j.Message = "x" }, "has an end"},
		{func(j *store.Job) { j.Attempts = -1 }, "a count of -1"},
		{func(j *store.Job) { j.Bytes = -2 }, "a count of -2"},
	} {
		job := good
		tc.change(&job)
		if got, err := s.Begin(t.Context(), job); err == nil || !strings.Contains(err.Error(), tc.say) || !reflect.DeepEqual(got, store.Job{}) {
			t.Errorf("began %+v, error %v says nothing of %q", got, err, tc.say)
		}
	}
	running.State, running.Kind = store.Failed, "timeout"
	for _, tc := range []struct {
		change func(*store.Job)
		say    string
	}{
		{func(j *store.Job) { j.ID = 0 }, "no id"},
		{func(j *store.Job) { j.ID = 1 }, "it has failed already"},
		{func(j *store.Job) { j.ID = 3 }, "no such job"},
		{func(j *store.Job) { j.Provider = "b" }, "no such job is on record"},
		{func(j *store.Job) { j.Finished = time.Time{} }, "without a time"},
		{func(j *store.Job) { j.Kind = "" }, "without a time or a kind"},
		{func(j *store.Job) { j.State, j.Kind, j.NotModified = store.Completed, "", false }, "was not applied"},
		{func(j *store.Job) { j.State, j.NotModified = store.Completed, true }, "with a failure"},
		{func(j *store.Job) { j.State, j.Kind, j.Finished = store.Running, "", time.Time{} }, "still runs"},
		{func(j *store.Job) { j.State = store.Pending }, `state "pending"`},
		{func(j *store.Job) { j.State = "" }, `state ""`},
		{func(j *store.Job) { j.Rejections = make([]feed.Rejection, 101) }, "101 rejections"},
		{func(j *store.Job) { j.Rejections = []feed.Rejection{{Line: -3}} }, "a count of -3"},
	} {
		job := running
		tc.change(&job)
		if err := s.Finish(t.Context(), job, nil); err == nil || !strings.Contains(err.Error(), tc.say) {
			t.Errorf("error %v says nothing of %q", err, tc.say)
		}
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err1 := s.Begin(canceled, good)
	_, err2 := s.Interrupt(canceled, Noon)
	_, err3 := s.Validators(canceled, "a")
	for _, err := range []error{err1, err2, err3, s.Finish(canceled, running, nil)} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	}
	for _, err := range s.Jobs(canceled, store.JobFilter{}) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	}
	for _, tc := range []struct {
		change func(*store.Job)
		say    string
	}{
		{func(j *store.Job) { j.ID = 0 }, "no id"},
		{func(j *store.Job) { j.ID = 1 }, "job 1: it has failed already"},
		{func(j *store.Job) { j.Provider = "b" }, "another provider"},
	} {
		job := running
		tc.change(&job)
		if _, _, err := s.Apply(t.Context(), Snapshot("a", 1, Sample("a", 1, 1)), job); err == nil || !strings.Contains(err.Error(), tc.say) {
			t.Errorf("error %v says nothing of %q", err, tc.say)
		}
	}
	if got := Jobs(t, s, store.JobFilter{}); !reflect.DeepEqual(got, before) || len(Records(t, s, Everything)) != 0 {
		t.Errorf("recorded are %+v, not %+v", got, before)
	}
}

// testJobsInParallel runs the jobs of several providers at once, and looks at them.
func testJobsInParallel(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	const each = 4
	var wg sync.WaitGroup
	for _, provider := range []string{"a", "a-b", "b", "c"} {
		wg.Go(func() {
			for n := range each {
				if _, err := Collect(t.Context(), s, Snapshot(provider, int64(n), Sample(provider, n, 1))); err != nil {
					t.Error(err)
				}
				for _, err := range s.Jobs(t.Context(), store.JobFilter{}) {
					if err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	got := Jobs(t, s, store.JobFilter{})
	if len(got) != 4*Keep || got[0].ID != 4*each {
		t.Errorf("%d jobs, the newest %+v", len(got), got[0])
	}
	for _, job := range got {
		if job.State != store.Completed || job.New != 1 {
			t.Errorf("%+v", job)
		}
	}
}

func testValidators(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	check := func(provider string, want feed.Validators) {
		t.Helper()
		reopen(t, s)
		if got, err := s.Validators(t.Context(), provider); err != nil || got != want {
			t.Errorf("%s: %+v, %v, not %+v", provider, got, err, want)
		}
	}
	check("a", feed.Validators{})
	check("", feed.Validators{})
	first := feed.Validators{ETag: "W/\"\xff\x80\"", LastModified: strings.Repeat("\x01", 1024), Digest: [32]byte{0: 1, 31: 2}, Source: "source"}
	snap := Snapshot("a", 1, Sample("a", 1, 1))
	snap.Validators = first
	Apply(t, s, snap)
	check("a", first)
	check("a-b", feed.Validators{})
	Fail(t, s, Begin(t, s, "a"))
	check("a", first)
	second := feed.Validators{ETag: "2"}
	snap.Validators, snap.Events = second, nil
	bad := snap
	bad.Events = []event.Event{{Key: event.Key{Provider: "a", BaseID: "1", EventID: "1"}}}
	if _, err := Collect(t.Context(), s, bad); err == nil {
		t.Error("an invalid event was stored")
	}
	check("a", first)
	Apply(t, s, snap)
	check("a", second)
	Apply(t, s, Snapshot("a", 1)) // from a file, say
	check("a", feed.Validators{})
}
