package index_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sort"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"fever/event"
	"fever/index"
)

// However many events there are, one starts every hour on average and lasts half an hour to
// three hours. So a window has answers of the same size among 5,000 as among 1,000,000.
const hour = 3600

const (
	few  = 5_000
	many = 1_000_000
)

var (
	fewEntries  = sync.OnceValue(func() []*event.Entry { return generate(few) })
	manyEntries = sync.OnceValue(func() []*event.Entry { return generate(many) })
)

func stored(n int) []*event.Entry {
	if n == few {
		return slices.Clone(fewEntries())
	}
	return slices.Clone(manyEntries())
}

// generate makes n entries as a feed of real events would give them, in no order.
func generate(n int) []*event.Entry {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	entries := make([]*event.Entry, n)
	for i := range entries {
		start := r.Int64N(int64(n) * hour)
		entries[i] = &event.Entry{SortKey: event.SortKey{Start: start, End: start + hour/2 + r.Int64N(5*hour/2), ID: id(i)}}
		entries[i].Summary = fmt.Appendf(nil, `{"id":"%s","title":"Event number %d","start_date":"2021-06-30",`+
			`"start_time":"21:00:00","end_date":"2021-06-30","end_time":"22:00:00","min_price":15,"max_price":30}`, entries[i].ID, i)
	}
	return entries
}

func id(i int) (u uuid.UUID) {
	r := rand.New(rand.NewPCG(2, uint64(i)))
	binary.LittleEndian.PutUint64(u[:8], r.Uint64())
	binary.LittleEndian.PutUint64(u[8:], r.Uint64())
	return u
}

func loaded(tb testing.TB, entries []*event.Entry) *index.Index {
	tb.Helper()
	x := index.New()
	if err := x.Load(entries); err != nil {
		tb.Fatal(err)
	}
	return x
}

// appendText does what a handler does with a result.
func appendText(b []byte, a *index.Result) []byte {
	for r := range a.Runs {
		b = append(b, r.Text()...)
	}
	return b
}

func BenchmarkSearch(b *testing.B) {
	for _, n := range []int{few, many} {
		benchmarkSearch(b, n, stored(n))
	}
}

// BenchmarkSearchLong has events of which one in a hundred lasts for one to six months.
func BenchmarkSearchLong(b *testing.B) {
	for _, n := range []int{few, many} {
		entries := stored(n)
		r := rand.New(rand.NewPCG(5, 6))
		for i := 0; i < n; i += 100 {
			e := *entries[i]
			e.End = e.Start + 30*24*hour + r.Int64N(150*24*hour)
			entries[i] = &e
		}
		benchmarkSearch(b, n, entries)
	}
}

// benchmarkSearch searches for events in a window, and for as many that overlap a narrower one.
func benchmarkSearch(b *testing.B, n int, entries []*event.Entry) {
	b.Helper()
	s := loaded(b, entries).Snapshot()
	var a index.Result
	var buf []byte
	for _, size := range []int{5, 32, 137, 5_000} {
		for _, overlap := range []bool{false, true} {
			queries := make([]index.Query, 1<<12)
			// found sets the width of all windows, and returns how much they have on average.
			found := func(width int64) (events float64, bytes int64) {
				r := rand.New(rand.NewPCG(3, 4))
				for i := range queries {
					from := r.Int64N(max(1, int64(n)*hour-width))
					queries[i] = index.Query{Window: event.Window{From: from, To: from + width}, Overlap: overlap}
					s.Search(queries[i], &a)
					events += float64(a.Events)
					bytes += int64(a.Size)
				}
				return events / float64(len(queries)), bytes / int64(len(queries))
			}
			width := sort.Search(min(2*size, n)*hour/60, func(minutes int) bool {
				events, _ := found(60 * int64(minutes))
				return events >= float64(size)
			})
			mean, bytes := found(60 * int64(width))
			if mean > 1.1*float64(size) {
				continue // more events overlap any moment
			}
			b.Run(fmt.Sprintf("stored=%d/events=%d/%s", n, size, map[bool]string{false: "within", true: "overlap"}[overlap]), func(b *testing.B) {
				b.SetBytes(bytes)
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					s.Search(queries[i%len(queries)], &a)
					buf = appendText(buf[:0], &a)
				}
				b.ReportMetric(mean, "events/op")
			})
		}
	}
}

// BenchmarkApply replaces a part of the entries. "same" keeps their times, as a
// change of price does; "moved" does not.
func BenchmarkApply(b *testing.B) {
	for _, n := range []int{few, many} {
		for _, percent := range []int{1, 100} {
			for _, moved := range []int64{0, 1} {
				name := fmt.Sprintf("stored=%d/percent=%d/%s", n, percent, [...]string{"same", "moved"}[moved])
				b.Run(name, func(b *testing.B) {
					x := loaded(b, stored(n))
					// Two batches in turn, so that every entry is a different one from the last.
					var batches [2][]*event.Entry
					for i, e := range stored(n)[:n*percent/100] {
						for k := range batches {
							f := *e
							f.Start += moved * int64(i%hour) * int64(k)
							f.End += moved * int64(i%hour) * int64(k)
							batches[k] = append(batches[k], &f)
						}
					}
					x.Apply(batches[1])
					if got := x.Snapshot().Events; got != n {
						b.Fatalf("%d entries, want %d", got, n)
					}
					b.ReportAllocs()
					for i := 0; b.Loop(); i++ {
						x.Apply(batches[i%2])
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(batches[0])), "ns/event")
				})
			}
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{few, many} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			all := stored(n)
			x := index.New()
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				entries := slices.Clone(all)
				b.StartTimer()
				if err := x.Load(entries); err != nil {
					b.Fatal(err)
				}
			}
			if got := x.Snapshot().Events; got != n {
				b.Fatalf("%d entries, want %d", got, n)
			}
		})
	}
}

// BenchmarkStart makes 1,000,000 events searchable: the entries and the index.
func BenchmarkStart(b *testing.B) {
	price, err := event.ParsePrice("20.50")
	if err != nil {
		b.Fatal(err)
	}
	events := make([]event.Event, many)
	for i := range events {
		day := time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, i*7919%3650).Format(time.DateOnly)
		var e event.Event
		e.Key = event.Key{Provider: "feverup", BaseID: fmt.Sprint(i / 2), EventID: fmt.Sprint(i)}
		e.Title = fmt.Sprintf("Event number %d", i)
		if e.Start, err = event.ParseLocal(day + "T21:00:00"); err != nil {
			b.Fatal(err)
		}
		if e.End, err = event.ParseLocal(day + "T22:30:00"); err != nil {
			b.Fatal(err)
		}
		e.Zones = []event.Zone{{ID: "1", Capacity: 10, Price: price}, {ID: "2", Price: price}}
		events[i] = e
	}
	loc, err := time.LoadLocation("Europe/Madrid")
	if err != nil {
		b.Fatal(err)
	}
	var x *index.Index
	b.ReportAllocs()
	for b.Loop() {
		entries := make([]*event.Entry, len(events))
		for i := range events {
			entries[i] = event.NewEntry(&events[i], loc)
		}
		x = loaded(b, entries)
	}
	if got := x.Snapshot().Events; got != many {
		b.Fatalf("%d entries, want %d", got, many)
	}
}

// BenchmarkMemory shows what one stored event costs, after a start and after every
// event has been replaced once.
func BenchmarkMemory(b *testing.B) {
	for _, n := range []int{few, many} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				before := heap()
				x := loaded(b, generate(n))
				start := heap() - before
				x.Apply(generate(n))
				replaced := heap() - before
				b.ReportMetric(float64(start)/float64(n), "B/event")
				b.ReportMetric(float64(replaced)/float64(n), "B/replaced")
				b.ReportMetric(float64(x.Snapshot().TextBytes)/float64(n), "text-B/event")
				b.ReportMetric(float64(x.Snapshot().PackedBytes)/float64(n), "packed-B/event")
			}
		})
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
