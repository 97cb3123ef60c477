package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"fever/internal/harness"
)

// keepJobs is how many finished jobs fever is told to keep of each provider.
const keepJobs = 40

// A job is one of fever dump --jobs.
type job struct {
	ID        uint64
	Provider  string
	State     string
	Started   time.Time
	Finished  time.Time
	Attempts  int
	Bytes     int64
	Seen      int
	New       int
	Changed   int
	Unchanged int
	Ignored   int
	Rejected  int
	Gone      int
	Kind      string
	Message   string
}

// A record is an event of fever dump.
type record struct {
	ID          string
	Provider    string
	BaseID      string `json:"base_id"`
	EventID     string `json:"event_id"`
	Title       string
	Start       string
	End         string
	Zones       []zone
	FirstSeen   time.Time `json:"first_seen"`
	LastChanged time.Time `json:"last_changed"`
	Current     bool
}

type zone struct {
	Capacity int64
	Price    json.Number
}

// A model is what a data file must hold: the result of its completed jobs, in the order of their
// ids.
type model struct {
	jobs     map[uint64]job // all that were ever found in the file
	finished [providers]int
	last     uint64 // the newest job
	version  [providers]int
	events   [providers][events]kept
	ids      map[string]string // of an event, by its provider and its own ids
}

// kept is an event in the model. A version of 0 means that it was never on sale.
type kept struct {
	version            int
	current            bool
	firstSeen, changed time.Time
}

func newModel() *model { return &model{jobs: make(map[uint64]job), ids: make(map[string]string)} }

// ran reports whether the job ran when its process ended. It has no end until the next process
// records one.
func (j job) ran() bool { return j.State == "failed" && j.Kind == "interrupted" && j.Finished.IsZero() }

// take compares jobs, the newest first, with those of the last examination, and applies those
// that have completed since. It returns their number, and the jobs that ran at the end. When
// a process has served since, no job of the process before may still run. If it was starved,
// jobs may have failed.
func (m *model) take(found []job, served, starved bool) (completed int, running []job, err error) {
	var of [providers]int // finished jobs that are kept
	var runs [providers]bool
	for i := len(found) - 1; i >= 0; i-- {
		j := found[i]
		p := providerNumber(j.Provider)
		if p < 0 {
			return 0, nil, fmt.Errorf("job %d of provider %q", j.ID, j.Provider)
		}
		if j.ran() {
			runs[p] = true
			running = append(running, j)
		} else {
			of[p]++
			if runs[p] {
				return 0, nil, fmt.Errorf("an older job than job %d of %s still runs", j.ID, j.Provider)
			}
		}
		before, known := m.jobs[j.ID]
		m.jobs[j.ID] = j
		switch {
		case known && before == j && (!j.ran() || !served || starved):
			continue
		case known && before.ran() && !j.ran() && j.State == "failed" && j.Kind == "interrupted":
		case !known && starved && !j.ran() && j.ID > m.last && j.State == "failed" && (j.Kind == "store" || j.Kind == "interrupted"):
		case known:
			return 0, nil, fmt.Errorf("job %+v has become %+v", before, j)
		case j.ID <= m.last:
			return 0, nil, fmt.Errorf("job %d is new, and job %d was there before", j.ID, m.last)
		case j.ran():
			continue
		case j.State == "completed":
			if err := m.apply(p, j); err != nil {
				return 0, nil, err
			}
			completed++
		default:
			return 0, nil, fmt.Errorf("job %+v", j)
		}
		m.finished[p]++
	}
	if len(found) > 0 {
		m.last = max(m.last, found[0].ID)
	}
	for p := range providers {
		if want := min(m.finished[p], keepJobs); of[p] != want {
			return 0, nil, fmt.Errorf("%d finished jobs of %s, not %d", of[p], providerName(p), want)
		}
	}
	return completed, running, nil
}

// apply applies a completed job, and checks the counts of its record.
func (m *model) apply(p int, j job) error {
	version := versionOf(j.Bytes)
	if version <= m.version[p] {
		return fmt.Errorf("job %d brought version %d of %s after version %d", j.ID, version, j.Provider, m.version[p])
	}
	want := job{
		ID: j.ID, Provider: j.Provider, State: "completed", Started: j.Started, Finished: j.Finished, Attempts: 1, Bytes: j.Bytes,
	}
	for i := range m.events[p] {
		e := &m.events[p][i]
		if !shows(i, version) {
			if e.current {
				want.Gone++
			}
			e.current = false
			continue
		}
		want.Seen++
		if e.version == 0 {
			want.New++
			e.firstSeen = j.Started
		} else {
			want.Changed++
		}
		e.version, e.current, e.changed = version, true, j.Started
	}
	m.version[p] = version
	if j != want {
		return fmt.Errorf("job %+v is not %+v", j, want)
	}
	return nil
}

// compare returns an error unless the records are exactly those of the model.
func (m *model) compare(found []record) error {
	want := 0
	for p := range m.events {
		for i := range m.events[p] {
			if m.events[p][i].version > 0 {
				want++
			}
		}
	}
	if len(found) != want {
		return fmt.Errorf("%d events are stored, not the %d that were ever on sale", len(found), want)
	}
	seen := make(map[string]bool)
	for i := range found {
		r := &found[i]
		p := providerNumber(r.Provider)
		n, err := strconv.Atoi(r.BaseID)
		if err != nil || p < 0 || n < 0 || n >= events {
			return fmt.Errorf("event %+v", r)
		}
		e := &m.events[p][n]
		o := occurrenceOf(p, n, e.version)
		good := r.BaseID == r.EventID && r.Title == o.title && r.Start == o.start && r.End == o.end &&
			r.Current == e.current && r.FirstSeen.Equal(e.firstSeen) && r.LastChanged.Equal(e.changed) && len(r.Zones) == zones
		for z := range r.Zones {
			good = good && r.Zones[z] == zone{int64(1_000_000 + e.version), json.Number(fmt.Sprintf("%d.5", o.price+z))}
		}
		if !good {
			return fmt.Errorf("event %+v is not %+v of %+v", r, o, e)
		}
		key := r.Provider + "/" + r.BaseID
		if seen[r.ID] || m.ids[key] != "" && m.ids[key] != r.ID {
			return fmt.Errorf("event %s has the id %s of another, or had %s", key, r.ID, m.ids[key])
		}
		seen[r.ID], m.ids[key] = true, r.ID
	}
	return nil
}

// agree returns an error unless a search for everything finds the records, in their order: the
// index must have what the store has.
func agree(answer []byte, stored []record) error {
	found, err := decode(answer)
	if err != nil {
		return err
	}
	if len(found) != len(stored) {
		return fmt.Errorf("a search finds %d events, and %d are stored", len(found), len(stored))
	}
	for i := range stored {
		r := &stored[i]
		startDate, startTime, _ := strings.Cut(r.Start, "T")
		endDate, endTime, _ := strings.Cut(r.End, "T")
		want := harness.Summary{
			ID: r.ID, Title: r.Title, StartDate: startDate, StartTime: startTime, EndDate: endDate, EndTime: endTime,
			MinPrice: r.Zones[0].Price, MaxPrice: r.Zones[len(r.Zones)-1].Price,
		}
		if found[i] != want {
			return fmt.Errorf("a search finds %+v, and stored is %+v", found[i], want)
		}
	}
	return nil
}

// whole returns the version of each provider in an answer, or an error when versions are mixed.
func whole(answer []byte) (versions [providers]int, err error) {
	found, err := decode(answer)
	if err != nil {
		return versions, err
	}
	type place struct{ event, provider, version int }
	places := make([]place, len(found))
	for i := range found {
		at := &places[i]
		if _, err := fmt.Sscanf(found[i].Title, "Concert %d of p%d, version %d", &at.event, &at.provider, &at.version); err != nil {
			return versions, fmt.Errorf("title %q: %w", found[i].Title, err)
		}
		versions[at.provider] = max(versions[at.provider], at.version)
	}
	var current [providers]int
	for _, at := range places {
		latest := versions[at.provider]
		switch {
		case shows(at.event, latest) != (at.version == latest):
			return versions, fmt.Errorf("a search finds version %d of event %d of p%d beside version %d", at.version, at.event, at.provider, latest)
		case at.version == latest:
			current[at.provider]++
		}
	}
	for p, n := range current {
		if n != 0 && n != events*9/10 {
			return versions, fmt.Errorf("a search finds %d events of version %d of p%d, not %d", n, versions[p], p, events*9/10)
		}
	}
	return versions, nil
}
