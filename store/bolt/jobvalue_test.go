package bolt

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"fever/provider/feed"
	"fever/store"
)

// TestJobLimits records a job at all of its limits, and one beyond what is cut.
func TestJobLimits(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	provider := strings.Repeat("p", 63)
	record := func(change func(*store.Job)) store.Job {
		t.Helper()
		job := begin(t, s, provider)
		job.State, job.Kind = store.Failed, "decode"
		change(&job)
		if err := s.Finish(t.Context(), job, nil); err != nil {
			t.Fatal(err)
		}
		return jobs(t, s, store.JobFilter{Limit: 1})[0]
	}
	full := feed.Rejection{
		BaseID: strings.Repeat("é", 64), EventID: strings.Repeat("e", 128), Line: math.MaxInt, Reason: strings.Repeat("\U0001F600", 256),
	}
	want := store.Job{
		Scheduled: time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC), Finished: time.UnixMilli(1).UTC(),
		Attempts: math.MaxInt, HTTPStatus: math.MaxInt, Bytes: math.MaxInt64,
		Seen: math.MaxInt, New: math.MaxInt, Changed: math.MaxInt, Unchanged: math.MaxInt, Ignored: math.MaxInt, Rejected: math.MaxInt, Gone: math.MaxInt,
		Kind: feed.Kind(strings.Repeat("k", 64)), Message: strings.Repeat("é", 1024), State: store.Failed, NotModified: true,
	}
	for range 100 {
		want.Rejections = append(want.Rejections, full)
	}
	got := record(func(j *store.Job) {
		want.ID, want.Provider, want.Trigger, want.Started = j.ID, j.Provider, j.Trigger, j.Started
		*j = want
	})
	if !reflect.DeepEqual(got, want) {
		t.Error("a job at all of its limits does not come back")
	}

	got = record(func(j *store.Job) {
		j.Kind = feed.Kind("k" + strings.Repeat("é", 64))
		j.Message = "a\xff" + strings.Repeat("\U0001F600", 1<<20)
		j.Rejections = []feed.Rejection{{BaseID: full.BaseID + "é", EventID: "\xff", Reason: "x" + full.Reason}}
	})
	for name, s := range map[string]struct {
		text string
		want int
	}{
		"kind":     {string(got.Kind), 63},
		"message":  {got.Message, 2048},
		"base id":  {got.Rejections[0].BaseID, 128},
		"event id": {got.Rejections[0].EventID, 3}, // the replacement character
		"reason":   {got.Rejections[0].Reason, 1021},
	} {
		if len(s.text) != s.want || !utf8.ValidString(s.text) {
			t.Errorf("%s: %d bytes, not %d: %.20q", name, len(s.text), s.want, s.text)
		}
	}
}

func TestJobJSON(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		job  store.Job
		want string
	}{
		{exampleJobs[0], `{"id":4,"provider":"feverup","trigger":"manual","state":"running",` +
			`"started":"2021-02-01T10:03:00.5Z","attempts":0,"http_status":0,"bytes":0,"not_modified":false,` +
			`"seen":0,"new":0,"changed":0,"unchanged":0,"ignored":0,"rejected":0,"gone":0}`},
		{exampleJobs[1], `{"id":3,"provider":"feverup","trigger":"schedule","state":"failed",` +
			`"scheduled":"2021-02-01T10:02:00.5Z","started":"2021-02-01T10:02:00.5Z","finished":"2021-02-01T10:02:30.5Z",` +
			`"attempts":3,"http_status":503,"bytes":0,"not_modified":false,` +
			`"seen":0,"new":0,"changed":0,"unchanged":0,"ignored":0,"rejected":0,"gone":0,` +
			`"kind":"timeout","message":"fetch from example.com: not done within 10s"}`},
		{exampleJobs[2], `{"id":2,"provider":"feverup","trigger":"schedule","state":"completed",` +
			`"scheduled":"2021-02-01T10:01:00Z","started":"2021-02-01T10:01:00.5Z","finished":"2021-02-01T10:01:01.75Z",` +
			`"attempts":2,"http_status":200,"bytes":1771,"not_modified":false,` +
			`"seen":3,"new":0,"changed":1,"unchanged":0,"ignored":1,"rejected":1,"gone":0,` +
			`"rejections":[{"base_id":"444","event_id":"1642","line":21,"reason":"no such day"}]}`},
	} {
		if got := string(must(json.Marshal(tc.job))); got != tc.want {
			t.Errorf("%s\nnot\n%s", got, tc.want)
		}
	}
}
