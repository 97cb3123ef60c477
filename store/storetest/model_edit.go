package storetest

import (
	"bytes"
	"cmp"
	"errors"
	"maps"
	"reflect"
	"slices"
	"time"

	"pgregory.net/rapid"

	"fever/event"
	"fever/store"
)

// sum is what the model says of some events.
func (m *Model) sum(keys []event.Key) (sel store.Selection) {
	var found []event.Record
	for _, k := range keys {
		r := m.Records[k]
		found = append(found, r)
		e := m.entry(&r)
		if from := time.Unix(e.Start, 0).UTC(); sel.Events == 0 || from.Before(sel.From) {
			sel.From = from
		}
		if to := time.Unix(e.End, 0).UTC(); sel.Events == 0 || to.After(sel.To) {
			sel.To = to
		}
		if r.Current {
			sel.Current++
		}
		sel.Events++
	}
	if found = inOrder(found, m.entry); len(found) > 0 {
		sel.First = found[:min(len(found), store.MostFirst)]
	}
	return sel
}

// of returns the keys of a provider's events.
func (m *Model) of(provider string) (keys []event.Key) {
	for k := range m.Records {
		if k.Provider == provider {
			keys = append(keys, k)
		}
	}
	return keys
}

// jobsOf returns the number of a provider's jobs, without records of what was done by hand,
// and with them.
func (m *Model) jobsOf(provider string) (ordinary, all int) {
	for _, job := range m.jobs {
		if job.Provider == provider {
			all++
			if job.Trigger != store.Forget && job.Trigger != store.Rename {
				ordinary++
			}
		}
	}
	return ordinary, all
}

// latest returns the job that brought a provider's latest snapshot; 0: none is known.
func (m *Model) latest(provider string) (id uint64) {
	for _, job := range m.jobs {
		if job.Provider == provider && job.State == store.Completed && !job.NotModified && job.Trigger != store.Forget && job.Trigger != store.Rename {
			id = job.ID
		}
	}
	return id
}

// recorded is told what the store recorded of what was done by hand.
func (m *Model) recorded(job store.Job, keep int) {
	if running := m.running(job.Provider); running != nil {
		m.interrupt(*running, job.Started, keep)
	}
	m.last++
	m.jobs = append(m.jobs, job)
	m.end(job, keep)
}

// forget says what is to be forgotten, and forgets it if there is a record of that. Before
// is the second of the cutoff, nil when there is none.
func (m *Model) forget(provider string, before *int64, record store.Job, keep int) (want store.Forgotten) {
	var keys []event.Key
	for _, k := range m.of(provider) {
		r := m.Records[k]
		if before == nil || !r.Current && m.entry(&r).End < *before {
			keys = append(keys, k)
		}
	}
	want.Selection, want.Revision = m.sum(keys), m.revision
	if before == nil {
		want.Jobs, _ = m.jobsOf(provider)
	}
	if want.Record = record; record.ID == 0 {
		return want
	}
	for _, k := range keys {
		delete(m.Records, k)
		delete(m.changed, k)
		delete(m.history, k)
	}
	if len(keys) > 0 {
		m.revision++
		m.rewritten, want.Revision = m.revision, m.revision
	}
	if before == nil {
		m.dropStream(provider)
		delete(m.validators, provider)
		delete(m.zones, provider)
		m.jobs = slices.DeleteFunc(m.jobs, func(j store.Job) bool {
			return j.Provider == provider && j.Trigger != store.Forget && j.Trigger != store.Rename
		})
	}
	m.recorded(record, keep)
	return want
}

// rename says what is to be renamed, and renames it if there is a record of that.
func (m *Model) rename(from, to string, record store.Job, keep int) (want store.Renamed) {
	if record.ID != 0 {
		for _, name := range []string{from, to} {
			if running := m.running(name); running != nil {
				m.interrupt(*running, record.Started, keep)
			}
		}
	}
	want.Selection = m.sum(m.of(from))
	_, want.Jobs = m.jobsOf(from)
	_, fromKnown := m.validators[from]
	_, toKnown := m.validators[to]
	fromCounts := fromKnown && (!toKnown || m.latest(from) > m.latest(to))
	want.OldTimeZone, want.TimeZone, want.Revision = m.zones[from], m.zones[to], m.revision
	if fromCounts {
		want.TimeZone = m.zones[from]
	}
	rezoned := toKnown && want.TimeZone != m.zones[to] && m.knows(to)
	retired := fromCounts && slices.ContainsFunc(m.of(to), func(k event.Key) bool { return m.Records[k].Current })
	merged := make(map[event.Key]event.Record)
	mine := make(map[event.Key]event.Key) // of merged: whose history is theirs
	for _, k := range m.of(from) {
		r := m.Records[k]
		r.Provider = to
		mine[r.Key] = k
		if old, known := m.Records[r.Key]; known {
			want.Known++
			changed := false
			switch equal := reflect.DeepEqual(r.Event, old.Event); {
			case equal && old.LastChanged.Before(r.LastChanged):
				r.LastChanged = old.LastChanged
			case equal:
			case fromCounts && r.Current:
				changed = true
			case !fromCounts && old.Current:
			default:
				changed = r.LastChanged.After(old.LastChanged)
			}
			switch equal := reflect.DeepEqual(r.Event, old.Event); {
			case changed:
				want.Changed++
			case !equal:
				r.Event, r.LastChanged = old.Event, old.LastChanged
			}
			if reflect.DeepEqual(r.Event, old.Event) && r.LastChanged.Equal(old.LastChanged) {
				mine[r.Key] = r.Key
			}
			if old.FirstSeen.Before(r.FirstSeen) {
				r.FirstSeen = old.FirstSeen
			}
			if !fromCounts {
				r.Current = old.Current
			}
		} else if !fromCounts {
			r.Current = false
		}
		merged[r.Key] = r
	}
	if want.Record = record; record.ID == 0 {
		return want
	}
	if len(merged) > 0 || rezoned || retired {
		m.revision++
		m.rewritten, want.Revision = m.revision, m.revision
	}
	before, history := maps.Clone(m.Records), maps.Clone(m.history)
	for _, k := range m.of(from) {
		delete(m.Records, k)
		delete(m.changed, k)
		delete(m.history, k)
	}
	for _, k := range m.of(to) {
		if r := m.Records[k]; fromCounts {
			r.Current = false
			m.Records[k] = r
			if _, is := merged[k]; !is {
				mine[k] = k
			}
		}
	}
	for k, r := range merged {
		m.Records[k] = r
		m.changed[k] = m.revision
	}
	for k, old := range mine {
		m.history[k] = history[old]
		if r := before[old]; r.Current != m.Records[k].Current {
			m.remember(k, change{r, record.Started, record.ID})
		}
	}
	m.dropStream(from)
	if fromCounts {
		m.dropStream(to)
		m.validators[to], m.zones[to] = m.validators[from], m.zones[from]
	}
	delete(m.validators, from)
	delete(m.zones, from)
	for i := range m.jobs {
		if m.jobs[i].Provider == from {
			m.jobs[i].Provider = to
		}
	}
	m.recorded(record, keep)
	return want
}

// forgetting and renaming are steps of TestModel. Each looks first at a dry run.

func (m *Model) forgetting(t *rapid.T, s *opened) {
	f := store.Forgetting{Provider: drawProvider(t)}
	var before *int64
	switch rapid.IntRange(0, 2).Draw(t, "cutoff") {
	case 0:
		date := rapid.SampledFrom([]string{"2011-01-01", "2014-03-05", "2015-01-01", "2100-01-01"}).Draw(t, "date")
		second := must(time.Parse(time.DateOnly, date)).Unix() // at the provider's place, if it has one
		if m.zones[f.Provider] != "" {
			second = Local(date).Unix(m.location(f.Provider))
		}
		f.GoneBefore, before = must(store.ParseCutoff(date)), &second
	case 1: // an end, and the instants beside it
		e := Sample("a", rapid.IntRange(0, 15).Draw(t, "sample"), 0)
		end := event.NewEntry(&e, utc).End
		at := time.Unix(end, 0).Add(time.Duration(rapid.IntRange(-1, 1).Draw(t, "beside")) * time.Second / 2)
		f.GoneBefore = must(store.ParseCutoff(at.UTC().Format(time.RFC3339Nano)))
		second := at.Add(time.Second - 1).Unix()
		before = &second
	}
	_, known := m.validators[f.Provider]
	jobs, _ := m.jobsOf(f.Provider)
	dry, err := s.Forget(t.Context(), store.Forgetting{Provider: f.Provider, GoneBefore: f.GoneBefore, DryRun: true})
	if known || jobs > 0 {
		if want := m.forget(f.Provider, before, store.Job{}, s.keep); err != nil || !reflect.DeepEqual(dry, want) {
			t.Fatalf("to forget are %+v, %v, not %+v", dry, err, want)
		}
	}
	checkNothing(t, err, !known && jobs == 0)
	got, err := s.Forget(t.Context(), f)
	checkNothing(t, err, !known && jobs == 0)
	if err != nil {
		return
	}
	if recorded := got.Record.ID != 0; recorded != (dry.Events > 0 || before == nil) {
		t.Fatalf("recorded is %+v", got.Record)
	} else if recorded {
		checkRecord(t, &got.Record, store.Job{ID: m.last + 1, Provider: f.Provider, Trigger: store.Forget, Gone: dry.Events})
	}
	if want := m.forget(f.Provider, before, got.Record, s.keep); !reflect.DeepEqual(got, want) {
		t.Fatalf("forgotten are %+v, not %+v", got, want)
	}
}

func (m *Model) renaming(t *rapid.T, s *opened) {
	r := store.Renaming{From: drawProvider(t), To: drawProvider(t)}
	if r.From == r.To {
		if _, err := s.Rename(t.Context(), r); err == nil {
			t.Fatalf("%s was renamed to itself", r.From)
		}
		return
	}
	_, known := m.validators[r.From]
	jobs, _ := m.jobsOf(r.From)
	dry, err := s.Rename(t.Context(), store.Renaming{From: r.From, To: r.To, DryRun: true})
	if known || jobs > 0 {
		if want := m.rename(r.From, r.To, store.Job{}, s.keep); err != nil || !reflect.DeepEqual(dry, want) {
			t.Fatalf("to rename are %+v, %v, not %+v", dry, err, want)
		}
	}
	checkNothing(t, err, !known && jobs == 0)
	got, err := s.Rename(t.Context(), r)
	checkNothing(t, err, !known && jobs == 0)
	if err != nil {
		return
	}
	checkRecord(t, &got.Record, store.Job{
		ID: m.last + 1, Provider: r.To, Trigger: store.Rename,
		Seen: dry.Events, New: dry.Events - dry.Known, Changed: dry.Changed, Unchanged: dry.Known - dry.Changed,
	})
	if want := m.rename(r.From, r.To, got.Record, s.keep); !reflect.DeepEqual(got, want) {
		t.Fatalf("renamed are %+v, not %+v", got, want)
	}
}

func checkNothing(t *rapid.T, err error, nothing bool) {
	t.Helper()
	if nothing != errors.Is(err, store.ErrNothing) || err != nil && !nothing {
		t.Fatalf("the error is %v", err)
	}
}

// checkRecord compares a record with what it must say. When it was made, and what it says to
// people, the model does not know.
func checkRecord(t *rapid.T, got *store.Job, want store.Job) {
	t.Helper()
	want.State, want.Started, want.Finished, want.Message = store.Completed, got.Started, got.Finished, got.Message
	if !reflect.DeepEqual(*got, want) || got.Started.IsZero() || got.Finished.Before(got.Started) || got.Message == "" {
		t.Fatalf("recorded is %+v, not %+v", got, want)
	}
}

// checkRevisions compares what came after each revision.
func (m *Model) checkRevisions(t *rapid.T, s *opened) {
	t.Helper()
	loaded, at, err := s.Load(t.Context())
	if err != nil || len(loaded) != len(m.Records) || at != m.revision {
		t.Fatalf("%d entries of revision %d are loaded, %v, not %d of %d", len(loaded), at, err, len(m.Records), m.revision)
	}
	order := slices.SortedFunc(maps.Keys(m.changed), func(a, b event.Key) int {
		return cmp.Or(cmp.Compare(m.changed[a], m.changed[b]), bytes.Compare(a.Bytes(), b.Bytes()))
	})
	for since := range m.revision + 2 {
		entries, at, err := s.Changes(t.Context(), since)
		if since < m.rewritten || since > m.revision {
			if !errors.Is(err, store.ErrRewritten) {
				t.Fatalf("since revision %d of %d, rewritten at %d: %d changes, %v", since, m.revision, m.rewritten, len(entries), err)
			}
			continue
		}
		var want []*event.Entry
		for _, k := range order {
			if r := m.Records[k]; m.changed[k] > since {
				want = append(want, m.entry(&r))
			}
		}
		if err != nil || at != m.revision || !reflect.DeepEqual(entries, want) {
			t.Fatalf("since revision %d: %d changes up to %d, %v, not %d up to %d", since, len(entries), at, err, len(want), m.revision)
		}
	}
	if m.revision > 0 {
		if err := s.Wait(t.Context(), m.revision-1); err != nil {
			t.Fatal(err)
		}
	}
}

// checkCurrent compares the numbers that Stats tells.
func (m *Model) checkCurrent(t *rapid.T, s *opened) {
	t.Helper()
	want := make(map[string]int)
	for _, r := range m.Records {
		if r.Current {
			want[r.Provider]++
		}
	}
	for provider, n := range s.Stats().Current {
		_, known := m.validators[provider]
		if n != want[provider] || !known {
			t.Fatalf("%d events of %s are current, not %d", n, provider, want[provider])
		}
		delete(want, provider)
	}
	if len(want) > 0 {
		t.Fatalf("current are also %v", want)
	}
}
