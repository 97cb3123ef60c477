package bolt

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"fever/index"
	"fever/store"
	"fever/store/storetest"
)

// BenchmarkApply applies 5,000 events of 300 zones each over themselves, with some of
// them changed each time.
func BenchmarkApply(b *testing.B) {
	for _, changed := range []int{0, 50, 5000} {
		b.Run(fmt.Sprintf("events=5000/zones=300/changed=%d", changed), func(b *testing.B) {
			s, snap := benchStore(b), benchSnapshot(0, 5000, 300)
			if _, err := run(b.Context(), s, snap); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				for i := range changed {
					snap.Events[i*len(snap.Events)/changed].Zones[0].Capacity++
				}
				applied, err := run(b.Context(), s, snap)
				if err != nil || applied.Changed != changed || applied.Unchanged != len(snap.Events)-changed {
					b.Fatal(applied, err)
				}
			}
		})
	}
}

// BenchmarkHistory changes a count of one zone in 1% of the events each time, and reports what the file
// keeps of a change.
func BenchmarkHistory(b *testing.B) {
	const events, changed = 10_000, 100
	for _, zones := range []int{3, 30, 300} {
		b.Run(fmt.Sprintf("zones=%d", zones), func(b *testing.B) {
			s, snap := benchStore(b), benchSnapshot(0, events, zones)
			s.db.NoSync = true
			if _, err := run(b.Context(), s, snap); err != nil {
				b.Fatal(err)
			}
			n := 0
			for b.Loop() {
				for i := range changed {
					e := &snap.Events[(n+i)*61%events]
					zone := &e.Zones[(n+i)*7%zones]
					zone.Capacity = (zone.Capacity + 250) % 300 // has 1 to 3 digits in turn
				}
				n += changed
				snap.Taken = snap.Taken.Add(time.Minute)
				if applied, err := run(b.Context(), s, snap); err != nil || applied.Changed != changed {
					b.Fatal(applied, err)
				}
			}
			err := s.view(func(tx *bbolt.Tx) error {
				kept := tx.Bucket(historyBucket).Stats()
				b.ReportMetric(float64(kept.LeafInuse)/float64(n), "B/change")
				b.ReportMetric(float64(kept.LeafAlloc)/float64(n), "file-B/change")
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkApplyFirst applies a provider's first 5,000 events of 300 zones each.
func BenchmarkApplyFirst(b *testing.B) {
	snap := benchSnapshot(0, 5000, 300)
	for b.Loop() {
		b.StopTimer()
		s := benchStore(b)
		b.StartTimer()
		if _, err := run(b.Context(), s, snap); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkJob records jobs that bring nothing, of a provider of which as many are kept
// as may be: what an unchanged feed costs.
func BenchmarkJob(b *testing.B) {
	s := benchStore(b)
	s.keep = 1000
	job := func() {
		job, err := s.Begin(b.Context(), store.Job{Provider: "feverup", Trigger: store.Schedule, Started: noon})
		if err != nil {
			b.Fatal(err)
		}
		job.State, job.NotModified, job.Finished = store.Completed, true, noon
		if err := s.Finish(b.Context(), job, nil); err != nil {
			b.Fatal(err)
		}
	}
	s.db.NoSync = true
	for range s.keep {
		job()
	}
	s.db.NoSync = false
	b.ReportAllocs()
	for b.Loop() {
		job()
	}
	kept := 0
	for _, err := range s.Jobs(b.Context(), store.JobFilter{}) {
		if kept++; err != nil {
			b.Fatal(err)
		}
	}
	if kept != s.keep {
		b.Fatal(kept)
	}
}

// BenchmarkStart brings 1,000,000 events of 3 zones from a closed file into an index,
// and reports the time of each step, and of opening for writing, which verifies all
// checksums.
func BenchmarkStart(b *testing.B) {
	const total, batch = 1_000_000, 100_000
	s := benchStore(b)
	for first := 0; first < total; first += batch {
		if _, err := run(b.Context(), s, benchSnapshot(first, batch, 3)); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	var opening, verifying, loading, indexing time.Duration
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		s, err := OpenReadOnly(s.path)
		if err != nil {
			b.Fatal(err)
		}
		opened := time.Now()
		entries, _, err := s.Load(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		loaded := time.Now()
		x := index.New()
		if err := x.Load(entries); err != nil || x.Snapshot().Events != total {
			b.Fatal(err)
		}
		opening += opened.Sub(start)
		loading += loaded.Sub(opened)
		indexing += time.Since(loaded)
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		start = time.Now()
		if s, err = Open(s.path, keep); err != nil {
			b.Fatal(err)
		}
		verifying += time.Since(start)
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(verifying.Seconds()/float64(b.N), "open-rw-s")
	b.ReportMetric(opening.Seconds()/float64(b.N), "open-s")
	b.ReportMetric(loading.Seconds()/float64(b.N), "load-s")
	b.ReportMetric(indexing.Seconds()/float64(b.N), "index-s")
}

func benchStore(b *testing.B) *Store {
	b.Helper()
	s, err := Open(filepath.Join(b.TempDir(), "fever.db"), keep)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	s.History = storetest.History
	return s
}

func benchSnapshot(first, events, zones int) store.Snapshot {
	snap := store.Snapshot{Provider: "feverup", TimeZone: "Europe/Madrid", Taken: time.UnixMilli(1)}
	for i := range events {
		snap.Events = append(snap.Events, sample("feverup", first+i, zones))
	}
	return snap
}
