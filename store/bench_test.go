package store

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"fever/index"
)

// BenchmarkApply applies 5,000 events of 300 zones each over themselves, with some of
// them changed each time.
func BenchmarkApply(b *testing.B) {
	for _, changed := range []int{0, 50} {
		b.Run(fmt.Sprintf("events=5000/zones=300/changed=%d", changed), func(b *testing.B) {
			s, snap := benchStore(b), benchSnapshot(0, 5000, 300)
			if _, err := s.Apply(b.Context(), snap); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				for i := range changed {
					snap.Events[i*len(snap.Events)/changed].Zones[0].Capacity++
				}
				applied, err := s.Apply(b.Context(), snap)
				if err != nil || applied.Changed != changed || applied.Unchanged != len(snap.Events)-changed {
					b.Fatal(applied, err)
				}
			}
		})
	}
}

// BenchmarkStart brings 1,000,000 events of 3 zones from a closed file into an index,
// and reports the time of each step.
func BenchmarkStart(b *testing.B) {
	const total, batch = 1_000_000, 100_000
	s := benchStore(b)
	for first := 0; first < total; first += batch {
		if _, err := s.Apply(b.Context(), benchSnapshot(first, batch, 3)); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	var opening, loading, indexing time.Duration
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		s, err := OpenReadOnly(s.path)
		if err != nil {
			b.Fatal(err)
		}
		opened := time.Now()
		entries, err := s.Load(b.Context(), nil)
		if err != nil {
			b.Fatal(err)
		}
		loaded := time.Now()
		x := index.New()
		if err := x.Load(entries); err != nil || x.Snapshot().Len() != total {
			b.Fatal(err)
		}
		opening += opened.Sub(start)
		loading += loaded.Sub(opened)
		indexing += time.Since(loaded)
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(opening.Seconds()/float64(b.N), "open-s")
	b.ReportMetric(loading.Seconds()/float64(b.N), "load-s")
	b.ReportMetric(indexing.Seconds()/float64(b.N), "index-s")
}

func benchStore(b *testing.B) *Store {
	b.Helper()
	s, err := Open(filepath.Join(b.TempDir(), "fever.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

func benchSnapshot(first, events, zones int) Snapshot {
	snap := Snapshot{Provider: "feverup", TimeZone: "Europe/Madrid", Taken: time.UnixMilli(1)}
	for i := range events {
		snap.Events = append(snap.Events, sample("feverup", first+i, zones))
	}
	return snap
}
