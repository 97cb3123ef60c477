package storetest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"fever/event"
	"fever/store"
)

// With returns e changed by f.
func With(e event.Event, f func(*event.Event)) event.Event {
	e.Zones = slices.Clone(e.Zones)
	f(&e)
	return e
}

// Past adds events to a snapshot that are no longer on sale.
func Past(snap store.Snapshot, events ...event.Event) store.Snapshot {
	snap.Past = events
	return snap
}

// Begin begins a job at Noon, and says that it ends a second later.
func Begin(t testing.TB, s store.Store, provider string) store.Job {
	t.Helper()
	job, err := s.Begin(t.Context(), store.Job{Provider: provider, Trigger: store.Schedule, Started: Noon})
	if err != nil {
		t.Fatal(err)
	}
	job.Finished = Noon.Add(time.Second)
	return job
}

// Noon is when the jobs of tests run, unless they say something else.
var Noon = time.Date(2021, 2, 1, 12, 0, 0, 0, time.UTC)

// Everything asks for all that is stored.
var Everything = store.Filter{Window: event.Always}

var utc = time.UTC

// must is for values that are constants.
func must[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}

// Collect applies a snapshot with a job of its own.
func Collect(ctx context.Context, s store.Store, snap store.Snapshot) (store.Applied, error) {
	job, err := s.Begin(ctx, store.Job{Provider: snap.Provider, Trigger: store.Schedule, Started: Noon})
	if err != nil {
		return store.Applied{}, err
	}
	job.Finished = Noon.Add(time.Second)
	applied, _, err := s.Apply(ctx, snap, job)
	return applied, err
}

// Apply is [Collect] that must not fail.
func Apply(t testing.TB, s store.Store, snap store.Snapshot) store.Applied {
	t.Helper()
	applied, err := Collect(t.Context(), s, snap)
	if err != nil {
		t.Fatal(err)
	}
	return applied
}

// Jobs returns what f finds.
func Jobs(t testing.TB, s store.Store, f store.JobFilter) []store.Job {
	t.Helper()
	var all []store.Job
	for job, err := range s.Jobs(t.Context(), f) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, job)
	}
	return all
}

// Snapshot makes a snapshot in UTC, taken so many seconds after the epoch.
func Snapshot(provider string, taken int64, events ...event.Event) store.Snapshot {
	return store.Snapshot{Provider: provider, TimeZone: "UTC", Events: events, Taken: time.Unix(taken, 0)}
}

// Records returns what f finds.
func Records(t testing.TB, s store.Store, f store.Filter) []event.Record {
	t.Helper()
	var all []event.Record
	for r, err := range s.Records(t.Context(), f) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// InOrder sorts records of providers in UTC as Records yields them.
func InOrder(records []event.Record) []event.Record {
	return inOrder(records, func(r *event.Record) *event.Entry { return event.NewEntry(&r.Event, utc) })
}

func inOrder(records []event.Record, entry func(*event.Record) *event.Entry) []event.Record {
	entries := make(map[event.Key]*event.Entry)
	for i := range records {
		entries[records[i].Key] = entry(&records[i])
	}
	slices.SortFunc(records, func(a, b event.Record) int { return entries[a.Key].Compare(&entries[b.Key].SortKey) })
	return records
}

// Sample makes a valid event, another one for each number.
func Sample(provider string, number, zones int) event.Event {
	id := strconv.Itoa(number)
	e := event.Event{
		Key:         event.Key{Provider: provider, BaseID: id, EventID: id},
		Title:       "Camela en concierto " + id,
		OrganizerID: "1",
		Start:       Local(fmt.Sprintf("20%02d-%02d-%02dT%02d:00:00", 10+number%30, 1+number%12, 1+number%28, number%22)),
		SellFrom:    "2020-07-01T00:00:00",
		SellTo:      "2021-06-30T20:00:00",
		Zones:       make([]event.Zone, zones),
	}
	e.End = Local(DateOf(e.Start) + "T23:00:00")
	for z := range zones {
		e.Zones[z] = event.Zone{
			ID:       strconv.Itoa(z),
			Name:     "Platea " + strconv.Itoa(z),
			Capacity: int64(number+z) % 500,
			Price:    Price(fmt.Sprintf("%d.50", 10+z%40)),
			Numbered: z%2 == 0,
		}
	}
	return e
}

// Local parses a constant.
func Local(s string) (l event.Local) {
	if err := l.UnmarshalText([]byte(s)); err != nil {
		panic(err)
	}
	return l
}

// Price parses a constant.
func Price(s string) event.Price { return must(event.ParsePrice(s)) }

// DateOf returns the date of a local time.
func DateOf(l event.Local) string {
	date, _, _ := strings.Cut(l.String(), "T")
	return date
}
