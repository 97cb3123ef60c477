package postgres

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"fever/index"
	"fever/internal/postgrestest"
	"fever/store"
	"fever/store/bolt"
	"fever/store/storetest"
)

const (
	benchPast  = 200_000 // events of 3 zones that are no longer on sale
	benchFeed  = 9_000   // events of 100 zones in the feed that is collected
	benchTurns = 5       // of both stores, for each b.N
)

// BenchmarkStores compares the store in PostgreSQL with that in a file. Both hold the same, and
// do the same in turns. It reports the median time of each in milliseconds, and the median of the
// ratios within a turn. The server runs on this machine with the settings that it has by itself,
// and both stores wait for the disk with each commit.
func BenchmarkStores(b *testing.B) {
	p := newPair(b)
	for first := 0; first < benchPast; first += benchPast / 10 {
		snap := storetest.Past(benchSnapshot("past", 0, 0, 0), benchSnapshot("past", first, benchPast/10, 3).Events...)
		p.both(b, func(s store.Store) error { return collect(b, s, snap, benchPast/10, 0) })
	}
	b.Run("size", p.benchSize)
	b.Run("load", p.benchLoad)
	feed := benchSnapshot("feed", 0, benchFeed, 100)
	p.both(b, func(s store.Store) error { return collect(b, s, feed, benchFeed, 0) })
	for _, changed := range []int{0, benchFeed / 100, benchFeed} {
		b.Run(fmt.Sprintf("apply/changed=%d", changed), func(b *testing.B) {
			prepare := func() { change(feed, changed) }
			p.compare(b, prepare, func(s store.Store) (time.Duration, error) {
				return timed(func() error { return collect(b, s, feed, 0, changed) })
			})
		})
	}
	b.Run("job", p.benchJob)
	for _, changed := range []int{5, benchFeed} {
		b.Run(fmt.Sprintf("changes/changed=%d", changed), func(b *testing.B) { p.benchChanges(b, feed, changed) })
	}
}

// pair is a store of each kind.
type pair struct {
	file  *bolt.Store
	path  string
	table *Store
	place string
}

func newPair(b *testing.B) *pair {
	b.Helper()
	p := &pair{path: filepath.Join(b.TempDir(), "fever.db"), place: postgrestest.Durable(b)}
	p.table = open(b, p.place)
	var err error
	if p.file, err = bolt.Open(p.path, keep); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := p.file.Close(); err != nil {
			b.Error(err)
		}
	})
	return p
}

// both calls f with each of the two.
func (p *pair) both(b *testing.B, f func(store.Store) error) {
	b.Helper()
	for _, s := range []store.Store{p.file, p.table} {
		if err := f(s); err != nil {
			b.Fatal(err)
		}
	}
}

// compare has f do the same with both stores in turns, each of which it prepares, and reports how
// long it says that took.
func (p *pair) compare(b *testing.B, prepare func(), f func(store.Store) (time.Duration, error)) {
	b.Helper()
	var file, table, ratio []float64
	stores := []store.Store{p.file, p.table}
	for b.Loop() {
		for turn := range benchTurns {
			prepare()
			var took [2]float64
			for i := range took {
				i = (i + turn) % 2 // each is the first in every other turn
				runtime.GC()       // what the other left
				d, err := f(stores[i])
				if err != nil {
					b.Fatal(err)
				}
				took[i] = float64(d) / float64(time.Millisecond)
			}
			file, table, ratio = append(file, took[0]), append(table, took[1]), append(ratio, took[1]/took[0])
		}
	}
	report(b, map[string][]float64{"file-ms": file, "postgres-ms": table, "ratio": ratio})
}

// report reports medians, and no time of the whole.
func report(b *testing.B, figures map[string][]float64) {
	for unit, of := range figures {
		slices.Sort(of)
		b.ReportMetric(of[len(of)/2], unit)
	}
	b.ReportMetric(0, "ns/op")
}

func timed(f func() error) (time.Duration, error) {
	start := time.Now()
	err := f()
	return time.Since(start), err
}

// benchSize reports the megabytes on the disk of what was only ever added.
func (p *pair) benchSize(b *testing.B) {
	var table int64
	for b.Loop() {
		err := p.table.pool.QueryRow(b.Context(), `select sum(pg_total_relation_size(oid)) from pg_class
			where relnamespace = 'fever'::regnamespace and relkind = 'r'`).Scan(&table)
		if err != nil {
			b.Fatal(err)
		}
	}
	file := p.file.Stats().Size
	report(b, map[string][]float64{"file-MB": {float64(file) / 1e6}, "postgres-MB": {float64(table) / 1e6}, "ratio": {float64(table) / float64(file)}})
}

// benchLoad opens each store and loads everything.
func (p *pair) benchLoad(b *testing.B) {
	if err := p.file.Close(); err != nil {
		b.Fatal(err)
	}
	again := map[store.Store]func() (store.Store, error){
		p.file:  func() (store.Store, error) { return bolt.OpenReadOnly(p.path) },
		p.table: func() (store.Store, error) { return Open(b.Context(), p.place, keep) },
	}
	p.compare(b, func() {}, func(s store.Store) (time.Duration, error) {
		var opened store.Store
		took, err := timed(func() (err error) {
			if opened, err = again[s](); err != nil {
				return err
			}
			entries, _, err := opened.Load(b.Context())
			if err == nil && len(entries) != benchPast {
				err = fmt.Errorf("%d events", len(entries))
			}
			return err
		})
		if err != nil {
			return 0, err
		}
		return took, opened.Close()
	})
	var err error
	if p.file, err = bolt.Open(p.path, keep); err != nil {
		b.Fatal(err)
	}
}

// benchJob records jobs of a provider that says that nothing was modified.
func (p *pair) benchJob(b *testing.B) {
	p.compare(b, func() {}, func(s store.Store) (time.Duration, error) {
		return timed(func() error {
			job, err := s.Begin(b.Context(), store.Job{Provider: "feed", Trigger: store.Schedule, Started: storetest.Noon})
			if err != nil {
				return err
			}
			job.State, job.NotModified, job.Finished = store.Completed, true, storetest.Noon
			return s.Finish(b.Context(), job, nil)
		})
	})
}

// benchChanges reads what a feed has changed, and brings it into an index. What that costs
// reading included, against the index alone, is to-index.
func (p *pair) benchChanges(b *testing.B, feed store.Snapshot, changed int) {
	x := index.New()
	entries, _, err := p.table.Load(b.Context())
	if err == nil {
		err = x.Load(entries)
	}
	if err != nil {
		b.Fatal(err)
	}
	before := make(map[store.Store]store.Revision)
	prepare := func() {
		change(feed, changed)
		p.both(b, func(s store.Store) error {
			_, now, err := s.Locations(b.Context())
			before[s] = now
			if err == nil {
				err = collect(b, s, feed, 0, changed)
			}
			return err
		})
	}
	var toIndex []float64
	p.compare(b, prepare, func(s store.Store) (time.Duration, error) {
		reading, err := timed(func() error {
			entries, _, err = s.Changes(b.Context(), before[s])
			if err == nil && len(entries) != changed {
				err = fmt.Errorf("%d changes", len(entries))
			}
			return err
		})
		if s == store.Store(p.table) {
			indexing, _ := timed(func() error { x.Apply(entries); return nil })
			toIndex = append(toIndex, float64(reading+indexing)/float64(indexing))
		}
		return reading, err
	})
	slices.Sort(toIndex)
	b.ReportMetric(toIndex[len(toIndex)/2], "to-index")
}

// collect applies a snapshot that is to bring as many new and changed events.
func collect(b *testing.B, s store.Store, snap store.Snapshot, newer, changed int) error {
	b.Helper()
	applied, err := storetest.Collect(b.Context(), s, snap)
	if err == nil && (applied.New != newer || applied.Changed != changed) {
		err = fmt.Errorf("%d new, %d changed, but not %d and %d", applied.New, applied.Changed, newer, changed)
	}
	return err
}

// change changes so many events, evenly spread.
func change(snap store.Snapshot, n int) {
	for i := range n {
		snap.Events[i*len(snap.Events)/n].Zones[0].Capacity++
	}
}

func benchSnapshot(provider string, first, events, zones int) store.Snapshot {
	snap := store.Snapshot{Provider: provider, TimeZone: "Europe/Madrid", Taken: time.UnixMilli(1)}
	for i := range events {
		snap.Events = append(snap.Events, storetest.Sample(provider, first+i, zones))
	}
	return snap
}
