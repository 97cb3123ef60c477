package bolt

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"fever/event"
	"fever/store"
)

// keep is the number of finished jobs that the tests' stores keep of each provider.
const keep = 3

// newStore opens a store in a folder of its own. When the test ends the store is
// closed, opened again, and checked.
func newStore(t *testing.T) *Store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fever.db")
	s, err := Open(path, keep)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		checkFile(t, path)
	})
	return s
}

// checkFile checks the file of a closed store.
func checkFile(t *testing.T, path string) {
	t.Helper()
	s, err := OpenReadOnly(path)
	if err != nil {
		t.Error(err)
		return
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// reopen closes s and opens its file again, in its place.
func reopen(t *testing.T, s *Store) {
	t.Helper()
	path := s.path
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(path, keep)
	if err != nil {
		t.Fatal(err)
	}
	s.db, s.file = again.db, again.file
}

// metaBytes is the length of what bbolt writes of a meta page.
const metaBytes = 80

// noon is when the tests' jobs run, unless they say something else.
var noon = time.Date(2021, 2, 1, 12, 0, 0, 0, time.UTC)

func begin(t *testing.T, s *Store, provider string) store.Job {
	t.Helper()
	job, err := s.Begin(t.Context(), store.Job{Provider: provider, Trigger: store.Schedule, Started: noon})
	if err != nil {
		t.Fatal(err)
	}
	job.Finished = noon.Add(time.Second)
	return job
}

// run applies a snapshot with a job of its own.
func run(ctx context.Context, s *Store, snap store.Snapshot) (store.Applied, error) {
	job, err := s.Begin(ctx, store.Job{Provider: snap.Provider, Trigger: store.Schedule, Started: noon})
	if err != nil {
		return store.Applied{}, err
	}
	job.Finished = noon.Add(time.Second)
	applied, _, err := s.Apply(ctx, snap, job)
	return applied, err
}

func apply(t *testing.T, s *Store, snap store.Snapshot) store.Applied {
	t.Helper()
	applied, err := run(t.Context(), s, snap)
	if err != nil {
		t.Fatal(err)
	}
	return applied
}

// jobs returns what f finds.
func jobs(t *testing.T, s *Store, f store.JobFilter) []store.Job {
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

// snapshot makes a snapshot in UTC, taken so many seconds after the epoch.
func snapshot(provider string, taken int64, events ...event.Event) store.Snapshot {
	return store.Snapshot{Provider: provider, TimeZone: "UTC", Events: events, Taken: time.Unix(taken, 0)}
}

// records returns what f finds.
func records(t *testing.T, s *Store, f store.Filter) []event.Record {
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

var (
	everything = store.Filter{Window: event.Always}
	utc        = time.UTC
)

// inOrder sorts records of a provider in UTC as Records yields them.
func inOrder(records []event.Record) []event.Record {
	entries := make(map[event.Key]*event.Entry)
	for i := range records {
		entries[records[i].Key] = event.NewEntry(&records[i].Event, utc)
	}
	slices.SortFunc(records, func(a, b event.Record) int { return entries[a.Key].Compare(&entries[b.Key].SortKey) })
	return records
}

// sample makes a valid event, another one for each number.
func sample(provider string, number, zones int) event.Event {
	id := strconv.Itoa(number)
	e := event.Event{
		Key:         event.Key{Provider: provider, BaseID: id, EventID: id},
		Title:       "Camela en concierto " + id,
		OrganizerID: "1",
		Start:       local(fmt.Sprintf("20%02d-%02d-%02dT%02d:00:00", 10+number%30, 1+number%12, 1+number%28, number%22)),
		SellFrom:    "2020-07-01T00:00:00",
		SellTo:      "2021-06-30T20:00:00",
		Zones:       make([]event.Zone, zones),
	}
	e.End = local(dateOf(e.Start) + "T23:00:00")
	for z := range zones {
		e.Zones[z] = event.Zone{
			ID:       strconv.Itoa(z),
			Name:     "Platea " + strconv.Itoa(z),
			Capacity: int64(number+z) % 500,
			Price:    price(fmt.Sprintf("%d.50", 10+z%40)),
			Numbered: z%2 == 0,
		}
	}
	return e
}

// local and price are for constants.
func local(s string) event.Local { return must(event.ParseLocal(s)) }
func price(s string) event.Price { return must(event.ParsePrice(s)) }

// dateOf returns the date of a local time.
func dateOf(l event.Local) string {
	date, _, _ := strings.Cut(l.String(), "T")
	return date
}

func pointer[V any](v V) *V { return &v }

// must is for values that are constants.
func must[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}
