package storetest

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"fever/event"
	"fever/provider/feed"
	"fever/store"
)

func testValueLimits(t *testing.T, place func(*testing.T) Place) {
	id, text := strings.Repeat("i", event.MaxIDBytes), strings.Repeat("é", event.MaxTextBytes/2)
	e := event.Event{
		Key:   event.Key{Provider: strings.Repeat("p", 63), BaseID: id, EventID: id},
		Title: text, OrganizerID: id, SellFrom: text, SellTo: text,
		TimeZone: "America/Argentina/ComodRivadavia", Start: Local("0000-01-01T00:00:00[fold=1]"), End: Local("9999-12-31T23:59:59[fold=1]"),
	}
	for range event.MaxZones {
		e.Zones = append(e.Zones, event.Zone{ID: id, Name: text, Capacity: 1<<63 - 1, Price: Price("1234567890.123456789"), Numbered: true, Currency: "EUR"})
	}
	e.Zones[0].Capacity, e.Zones[0].Available = 0, true
	if err := e.Validate(); err != nil {
		t.Fatal(err)
	}
	s := open(t, place)
	Apply(t, s, Snapshot(e.Provider, -1e9, e))
	got := Records(t, s, Everything)
	if len(got) != 1 || !reflect.DeepEqual(got[0].Event, e) || got[0].FirstSeen.Unix() != -1e9 {
		t.Error("an event at all of its limits does not come back")
	}
}

// testJobLimits records a job at all of its limits, and one beyond what is cut.
func testJobLimits(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	provider := strings.Repeat("p", 63)
	record := func(change func(*store.Job)) store.Job {
		t.Helper()
		job := Begin(t, s, provider)
		job.State, job.Kind = store.Failed, "decode"
		change(&job)
		if err := s.Finish(t.Context(), job, nil); err != nil {
			t.Fatal(err)
		}
		return Jobs(t, s, store.JobFilter{Limit: 1})[0]
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
