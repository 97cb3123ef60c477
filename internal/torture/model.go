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
	applied  [providers][]applied
	events   [providers][events]kept
	ids      map[string]string // of an event, by its provider and its own ids
}

// An applied job has completed with a version of its provider's feed.
type applied struct {
	job     uint64
	version int
	started time.Time
}

// kept is an event in the model. A version of 0 means that it was never on sale.
type kept struct {
	version            int
	current            bool
	firstSeen, changed time.Time
}

// apply makes of an event what a job made of it, and reports whether that is something else.
func (e *kept) apply(event int, a applied) (changed bool) {
	before := *e
	e.current = shows(event, a.version)
	if e.current {
		if e.version == 0 {
			e.firstSeen = a.started
		}
		e.version, e.changed = a.version, a.started
	}
	return *e != before
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
	a := applied{j.ID, version, j.Started}
	for i := range m.events[p] {
		e := &m.events[p][i]
		before := *e
		e.apply(i, a)
		switch {
		case before.current && !e.current:
			want.Gone++
		case e.current && before.version == 0:
			want.New++
		case e.current:
			want.Changed++
		}
	}
	want.Seen = want.New + want.Changed
	m.applied[p] = append(m.applied[p], a)
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
		at := r.place()
		if at.event < 0 {
			return fmt.Errorf("event %+v", r)
		}
		if err := r.compare(at, m.events[at.provider][at.event]); err != nil {
			return err
		}
		key := r.Provider + "/" + r.BaseID
		if seen[r.ID] || m.ids[key] != "" && m.ids[key] != r.ID {
			return fmt.Errorf("event %s has the id %s of another, or had %s", key, r.ID, m.ids[key])
		}
		seen[r.ID], m.ids[key] = true, r.ID
	}
	return nil
}

// A place is the number of a provider and that of one of its events.
type place struct{ provider, event int }

// place returns the place of an event, or {-1, -1} if there is no such event.
func (r *record) place() place {
	p := providerNumber(r.Provider)
	n, err := strconv.Atoi(r.BaseID)
	if err != nil || p < 0 || n < 0 || n >= events {
		return place{-1, -1}
	}
	return place{p, n}
}

// compare returns an error unless the record is that of an event in the model.
func (r *record) compare(at place, e kept) error {
	o := occurrenceOf(at.provider, at.event, e.version)
	good := r.BaseID == r.EventID && r.Title == o.title && r.Start == o.start && r.End == o.end &&
		r.Current == e.current && r.FirstSeen.Equal(e.firstSeen) && r.LastChanged.Equal(e.changed) && len(r.Zones) == zones
	for z := range r.Zones {
		good = good && r.Zones[z] == zone{int64(1_000_000 + e.version), json.Number(fmt.Sprintf("%d.5", o.price+z))}
	}
	if !good {
		return fmt.Errorf("event %+v is not %+v of %+v", r, o, e)
	}
	return nil
}

// A past is a version of an event in fever dump --history.
type past struct {
	record
	At  time.Time
	Job uint64
}

// compareHistory returns an error unless the versions of an event, the newest first, are those that the
// completed jobs make or, without a history, the last one of these.
func (m *model) compareHistory(at place, found []past, history bool) error {
	var e kept
	type version struct {
		kept
		applied
	}
	var want []version
	for _, a := range m.applied[at.provider] {
		if e.apply(at.event, a) {
			want = append(want, version{e, a})
		}
	}
	if n := len(want); n > 0 && !history {
		want = want[n-1:]
	}
	if len(found) != len(want) {
		return fmt.Errorf("%+v has %d versions, not %d: %+v", at, len(found), len(want), found)
	}
	for i := range found {
		w := want[len(want)-1-i]
		if i == len(want)-1 { // nothing tells what made the oldest one
			w.started, w.job = w.changed, 0
		}
		if err := found[i].compare(at, w.kept); err != nil {
			return fmt.Errorf("in the history: %w", err)
		}
		if !found[i].At.Equal(w.started) || found[i].Job != w.job {
			return fmt.Errorf("the history has %+v, and it is %+v", found[i], w)
		}
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
	type shown struct{ event, provider, version int }
	all := make([]shown, len(found))
	for i := range found {
		at := &all[i]
		if _, err := fmt.Sscanf(found[i].Title, "Concert %d of p%d, version %d", &at.event, &at.provider, &at.version); err != nil {
			return versions, fmt.Errorf("title %q: %w", found[i].Title, err)
		}
		versions[at.provider] = max(versions[at.provider], at.version)
	}
	var current [providers]int
	for _, at := range all {
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
