package storetest

import (
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"fever/event"
	"fever/provider/feed"
	"fever/store"
)

// A Model is the store as simply as it can be said.
type Model struct {
	Records    map[event.Key]event.Record
	jobs       []store.Job // by id
	last       uint64
	validators map[string]feed.Validators
	zones      map[string]string // recorded with the latest snapshot

	streams map[string]store.Stream
	items   map[string]map[itemID]*modelItem // by provider
	owners  map[event.Key]string             // ids of the items that current events are of, if they are of any

	digests map[string]*store.Digests // of some time, by provider

	revision, rewritten store.Revision
	changed             map[event.Key]store.Revision

	history map[event.Key][]change // the oldest first
	keeps   time.Duration          // it is kept for so long
}

// A change is what an event was before it, and what brought it.
type change struct {
	before event.Record
	at     time.Time
	job    uint64
}

// NewModel returns an empty one.
func NewModel() *Model {
	return &Model{
		Records: make(map[event.Key]event.Record), validators: make(map[string]feed.Validators),
		zones: make(map[string]string), changed: make(map[event.Key]store.Revision),
		streams: make(map[string]store.Stream), items: make(map[string]map[itemID]*modelItem), owners: make(map[event.Key]string),
		digests: make(map[string]*store.Digests), history: make(map[event.Key][]change), keeps: History,
	}
}

// Begin is told the job that the store returned.
func (m *Model) begin(job store.Job, keep int) {
	if running := m.running(job.Provider); running != nil {
		m.interrupt(*running, job.Started, keep)
	}
	job.Turn = store.Turn{} // which is not recorded
	m.last++
	m.jobs = append(m.jobs, job)
}

// end records the end of a running job.
func (m *Model) end(job store.Job, keep int) {
	job.Turn = store.Turn{} // which is not recorded
	finished, records := 0, 0
	answered, applied := false, false
	for i := range slices.Backward(m.jobs) {
		if m.jobs[i].ID == job.ID {
			m.jobs[i] = job
		}
		if j := &m.jobs[i]; j.Provider == job.Provider {
			record := j.Trigger == store.Forget || j.Trigger == store.Rename
			newestAnswered := !answered && j.State == store.Completed && j.Trigger != store.Document && !record
			newestApplied := !applied && j.State == store.Completed && !j.NotModified && !record
			answered, applied = answered || newestAnswered, applied || newestApplied
			if finished++; finished > keep && !newestAnswered && !newestApplied {
				if record {
					records++
				}
				if !record || records > keep {
					j.ID = 0
				}
			}
		}
	}
	m.jobs = slices.DeleteFunc(m.jobs, func(j store.Job) bool { return j.ID == 0 })
}

func (m *Model) interrupt(job store.Job, now time.Time, keep int) {
	job.State, job.Finished, job.Kind = store.Failed, now, feed.KindInterrupted
	job.Message = "the process ended, or could not record the job's end"
	m.end(job, keep)
}

// running returns the running job of a provider, or of any.
func (m *Model) running(provider string) *store.Job {
	for _, job := range m.jobs {
		if job.State == store.Running && (provider == "" || job.Provider == provider) {
			return &job
		}
	}
	return nil
}

func (m *Model) find(f store.JobFilter) (found []store.Job) {
	for _, job := range slices.Backward(m.jobs) {
		if f.Provider == "" || f.Provider == job.Provider {
			found = append(found, job)
		}
	}
	if f.Limit > 0 && f.Limit < len(found) {
		found = found[:f.Limit]
	}
	return found
}

// location returns where a provider's local times count.
func (m *Model) location(provider string) *time.Location {
	return must(event.LoadLocation(m.zones[provider]))
}

func (m *Model) entry(r *event.Record) *event.Entry {
	return event.NewEntry(&r.Event, m.location(r.Provider))
}

func (m *Model) knows(provider string) bool {
	for k := range m.Records {
		if k.Provider == provider {
			return true
		}
	}
	return false
}

// Apply makes the snapshot of a job its provider's latest, and says what the store must say of it.
func (m *Model) Apply(snap store.Snapshot, job uint64) (want store.Applied) {
	before := maps.Clone(m.Records)
	rezoned := m.zones[snap.Provider] != "" && m.zones[snap.Provider] != snap.TimeZone && m.knows(snap.Provider)
	m.validators[snap.Provider], m.zones[snap.Provider] = snap.Validators, snap.TimeZone
	want.Known = m.knows(snap.Provider)
	was := m.current(snap.Provider)
	changed := make(map[event.Key]bool)
	for _, e := range slices.Concat(snap.Events, snap.Past) {
		r, known := m.Records[e.Key]
		switch {
		case !known:
			want.New++
			r.FirstSeen = snap.Taken.UTC()
		case !reflect.DeepEqual(r.Event, e):
			want.Changed++
		default:
			want.Unchanged++
			continue
		}
		r.Event, r.LastChanged = e, snap.Taken.UTC()
		m.Records[e.Key] = r
		changed[e.Key] = true
	}
	is := make(map[event.Key]bool)
	if snap.Changes != nil {
		is = m.applyPage(snap, was)
	} else {
		m.dropStream(snap.Provider)
		for i := range snap.Events {
			is[snap.Events[i].Key] = true
		}
	}
	for _, k := range m.of(snap.Provider) {
		r := m.Records[k]
		if r.Current = is[k]; was[k] != is[k] {
			changed[k] = true
		}
		if was[k] && !is[k] {
			want.Gone++
		}
		m.Records[k] = r
	}
	want.Before, want.Current = len(was), len(is)
	if len(changed) > 0 || rezoned {
		m.revision++
	}
	for key := range changed {
		m.changed[key] = m.revision
		if r, known := before[key]; known {
			m.remember(key, change{r, snap.Taken.UTC(), job})
		}
	}
	if rezoned {
		m.rewritten = m.revision
	}
	want.Revision = m.revision
	return want
}

// current returns the keys of a provider's current events.
func (m *Model) current(provider string) map[event.Key]bool {
	is := make(map[event.Key]bool)
	for _, k := range m.of(provider) {
		if m.Records[k].Current {
			is[k] = true
		}
	}
	return is
}

// testModel runs random jobs with random snapshots of few events with few values, on
// the store and on the model, opens the file again at times, and compares Everything
// each time.
func testModel(t *testing.T, place func(*testing.T) Place) {
	outer := t
	rapid.Check(t, func(t *rapid.T) {
		s := &opened{place: place(outer), keep: Keep, history: History}
		again := func() {
			var err error
			if s.Store, err = s.place(s.keep, s.history); err != nil {
				t.Fatal(err)
			}
		}
		again()
		defer func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}()
		m := NewModel()
		begin := func(t *rapid.T, provider string) store.Job {
			job, err := s.Begin(t.Context(), store.Job{
				Provider:  provider,
				Trigger:   rapid.SampledFrom([]store.Trigger{store.Schedule, store.StartUp, store.Manual, store.Document}).Draw(t, "trigger"),
				Scheduled: drawn(rapid.Int64Range(0, 1e13).Draw(t, "scheduled")),
				Started:   drawn(rapid.Int64Range(1, 1e13).Draw(t, "started")),
			})
			if err != nil || job.ID != m.last+1 {
				t.Fatalf("began %+v, %v, after job %d", job, err, m.last)
			}
			m.begin(job, s.keep)
			return job
		}
		// running returns a job to end: one that runs, or a new one.
		running := func(t *rapid.T, provider string) store.Job {
			job := m.running(provider)
			if job == nil {
				began := begin(t, provider)
				job = &began
			}
			job.Finished = drawn(rapid.Int64Range(1, 1e13).Draw(t, "finished"))
			job.Attempts = rapid.IntMin(0).Draw(t, "attempts")
			job.Bytes = rapid.Int64Min(0).Draw(t, "bytes")
			for i := range rapid.IntRange(0, 3).Draw(t, "rejections") {
				job.Rejections = append(job.Rejections, feed.Rejection{BaseID: "1", EventID: "2", Line: i, Reason: "no title"})
			}
			return *job
		}
		t.Repeat(map[string]func(*rapid.T){
			"begin": func(t *rapid.T) { begin(t, drawProvider(t)) },
			"apply": func(t *rapid.T) {
				snap := m.drawSnapshot(t)
				m.repeat(t, &snap)
				job := running(t, snap.Provider)
				got, ended, err := m.applyKnown(t.Context(), t, s, snap, job)
				if err != nil {
					t.Fatal(err)
				}
				want := m.Apply(snap, job.ID)
				if !reflect.DeepEqual(got, want) {
					t.Fatalf("applied %+v, not %+v", got, want)
				}
				job.State, job.New, job.Changed, job.Unchanged, job.Gone = store.Completed, want.New, want.Changed, want.Unchanged, want.Gone
				if !reflect.DeepEqual(ended, job) {
					t.Fatalf("ended %+v, not %+v", ended, job)
				}
				m.end(job, s.keep)
			},
			"apply, stopped": func(t *rapid.T) {
				snap := m.drawSnapshot(t)
				job := running(t, snap.Provider)
				if _, _, err := s.Apply(&endsAfter{t.Context(), rapid.IntRange(0, 1).Draw(t, "after")}, snap, job); err == nil {
					t.Fatal("it was not stopped")
				}
			},
			"finish": func(t *rapid.T) {
				job := running(t, drawProvider(t))
				job.State, job.NotModified = store.Completed, true
				if rapid.Bool().Draw(t, "failed") {
					job.State, job.NotModified, job.Kind, job.Message = store.Failed, false, "http_status", "status 503"
				}
				if err := s.Finish(t.Context(), job, nil); err != nil {
					t.Fatal(err)
				}
				m.end(job, s.keep)
			},
			"interrupt": func(t *rapid.T) {
				now := drawn(rapid.Int64Range(1, 1e13).Draw(t, "now"))
				want := 0
				for job := m.running(""); job != nil; job = m.running("") {
					m.interrupt(*job, now, s.keep)
					want++
				}
				if n, err := s.Interrupt(t.Context(), now); n != want || err != nil {
					t.Fatalf("%d interrupted, not %d: %v", n, want, err)
				}
			},
			"copy": func(t *rapid.T) {
				if m.running("") != nil {
					t.Skip("a job runs")
				}
				from := s.Store
				s.place = place(outer)
				again()
				copied(t, from, s.Store)
				if err := from.Close(); err != nil {
					t.Fatal(err)
				}
			},
			"forget": func(t *rapid.T) { m.forgetting(t, s) },
			"rename": func(t *rapid.T) { m.renaming(t, s) },
			"reopen": func(t *rapid.T) {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s.keep = rapid.IntRange(1, 4).Draw(t, "keep")
				s.history = rapid.SampledFrom([]time.Duration{History, 0}).Draw(t, "history")
				m.keeps = s.history
				again()
				if err := s.Check(); err != nil {
					t.Fatal(err)
				}
			},
			"": func(t *rapid.T) {
				want := inOrder(slices.Collect(maps.Values(m.Records)), m.entry)
				var got []event.Record
				for r, err := range s.Records(t.Context(), Everything) {
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, r)
				}
				if !reflect.DeepEqual(got, want) {
					t.Fatalf("stored are\n%+v\nnot\n%+v", got, want)
				}
				f := store.JobFilter{Limit: rapid.IntRange(0, 9).Draw(t, "limit")}
				if rapid.Bool().Draw(t, "one provider") {
					f.Provider = drawProvider(t)
				}
				var recorded []store.Job
				for job, err := range s.Jobs(t.Context(), f) {
					if err != nil {
						t.Fatal(err)
					}
					recorded = append(recorded, job)
				}
				if want := m.find(f); !reflect.DeepEqual(recorded, want) {
					t.Fatalf("for %+v jobs are\n%+v\nnot\n%+v", f, recorded, want)
				}
				m.checkCurrent(t, s)
				m.checkRevisions(t, s)
				m.checkItems(t, s)
				m.checkHistory(t, s)
				for _, provider := range providers {
					if v, err := s.Validators(t.Context(), provider); err != nil || v != m.validators[provider] {
						t.Fatalf("validators of %s are %+v, %v, not %+v", provider, v, err, m.validators[provider])
					}
				}
			},
		})
	})
}

var providers = []string{"a", "a-b", "b"}

// drawn is the time of so many Unix milliseconds; 0 is the zero time.
func drawn(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func drawProvider(t *rapid.T) string { return rapid.SampledFrom(providers).Draw(t, "provider") }

func drawSnapshot(t *rapid.T) store.Snapshot {
	snap := store.Snapshot{
		Provider: drawProvider(t),
		TimeZone: rapid.SampledFrom([]string{"UTC", "UTC", "UTC", "Etc/UTC", "Pacific/Apia"}).Draw(t, "zone"), // the first two are the same time
		Taken:    time.UnixMilli(rapid.Int64Range(-1e12, 1e13).Draw(t, "taken")),
	}
	if rapid.Bool().Draw(t, "validators") {
		snap.Validators = feed.Validators{
			ETag:         string(rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "etag")),
			LastModified: string(rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "last modified")),
			Digest:       [32]byte{rapid.Byte().Draw(t, "digest")},
			Source:       rapid.StringN(0, 10, -1).Draw(t, "source"),
		}
	}
	numbers := rapid.SliceOfNDistinct(rapid.IntRange(0, 15), 0, 8, rapid.ID).Draw(t, "events")
	for _, n := range numbers {
		e := Sample(snap.Provider, n, rapid.SampledFrom([]int{0, 1, 1, 1, 2, 2, 8}).Draw(t, "zones"))
		e.SoldOut = rapid.Bool().Draw(t, "sold out")
		if e.TimeZone = rapid.SampledFrom([]string{"", "", "", "UTC", "Europe/London", "Pacific/Apia"}).Draw(t, "own time zone"); e.TimeZone == "Europe/London" {
			e.Start = Local(rapid.SampledFrom([]string{"2026-10-25T01:30:00", "2026-10-25T01:30:00[fold=1]"}).Draw(t, "start"))
			e.End = Local(rapid.SampledFrom([]string{"", "2026-10-25T01:45:00[fold=1]"}).Draw(t, "end"))
		}
		if len(e.Zones) > 0 {
			e.Zones[0].Capacity = rapid.Int64Min(0).Draw(t, "capacity")
			if rapid.Bool().Draw(t, "free") {
				e.Zones[0].Price = event.Price{}
			}
			if rapid.IntRange(0, 3).Draw(t, "available") == 0 {
				e.Zones[0].Capacity, e.Zones[0].Available = 0, true
			}
			e.Zones[len(e.Zones)-1].Currency = rapid.SampledFrom([]string{"", "", "EUR", "GBP"}).Draw(t, "currency")
		}
		if rapid.IntRange(0, 3).Draw(t, "past") == 0 {
			snap.Past = append(snap.Past, e)
		} else {
			snap.Events = append(snap.Events, e)
		}
	}
	return snap
}
