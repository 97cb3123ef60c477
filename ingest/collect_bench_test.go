package ingest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"fever/provider/feed"
	"fever/provider/feed/feverup"
	"fever/store"
	"fever/store/bolt"
)

// benchFeed returns a feed in which the first of the zones of each event has its capacity.
func benchFeed(zones int, capacities []int) []byte {
	b := bytes.NewBufferString(`<planList><output><base_plan base_plan_id="1" sell_mode="online" title="Camela en concierto">`)
	for i, capacity := range capacities {
		fmt.Fprintf(b, `<plan plan_id="%d" plan_start_date="2021-06-30T21:00:00" plan_end_date="2021-06-30T22:00:00" sell_from="2020-07-01T00:00:00" sell_to="2021-06-30T20:00:00" sold_out="false">`, i)
		for z := range zones {
			fmt.Fprintf(b, `<zone zone_id="%d" capacity="%d" price="%d.50" name="Platea %d" numbered="true"/>`, z, capacity+z, 15+z%20, z)
		}
		b.WriteString(`</plan>`)
	}
	fmt.Fprintf(b, `</base_plan></output></planList><!-- %v -->`, time.Now()) // so that no bytes are the same
	return b.Bytes()
}

// BenchmarkCollect runs jobs of feeds of which so many events have changed. Beside the time on the
// clock it reports that of the processor, for what decodes and what comes after, and by how much
// the heap grew at most.
func BenchmarkCollect(b *testing.B) {
	const events, zones = 9000, 130
	for _, changed := range []int{0, events / 100, events} {
		b.Run(fmt.Sprintf("events=%d/zones=%d/changed=%d", events, zones, changed), func(b *testing.B) {
			st, err := bolt.Open(filepath.Join(b.TempDir(), "fever.db"), 10)
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = st.Close() }()
			var document []byte
			format := feverup.New(0)
			var decoding time.Duration
			g := New(st, slog.New(slog.DiscardHandler), 1, Provider{
				Name: "feverup", Location: time.UTC, Every: time.Minute,
				Get: func(context.Context, feed.Validators, *feed.Progress) (*feed.Document, error) {
					return &feed.Document{Body: io.NopCloser(bytes.NewReader(document))}, nil
				},
				Decode: func(doc *feed.Document) (*feed.Feed, error) {
					began := processorTime()
					defer func() { decoding += processorTime() - began }()
					return feed.Decode(doc, format, "feverup", time.UTC)
				},
			})
			capacities := make([]int, events)
			collect := func(newer, changed int) {
				job, err := g.RunNow(b.Context(), "feverup", store.Manual, false)
				if err != nil || job.State != store.Completed || job.New != newer || job.Changed != changed || job.Seen != events {
					b.Fatalf("%+v, %v", job, err)
				}
			}
			document = benchFeed(zones, capacities)
			collect(events, 0)
			decoding = 0
			var whole time.Duration
			var most uint64
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				for i := range changed {
					capacities[i*events/changed]++
				}
				document = benchFeed(zones, capacities)
				runtime.GC()
				peak := watchHeap()
				b.StartTimer()
				began := processorTime()
				collect(0, changed)
				whole += processorTime() - began
				b.StopTimer()
				most = max(most, peak())
				b.StartTimer()
			}
			b.ReportMetric(float64(decoding.Milliseconds())/float64(b.N), "decode-cpu-ms/op")
			b.ReportMetric(float64((whole-decoding).Milliseconds())/float64(b.N), "rest-cpu-ms/op")
			b.ReportMetric(float64(most)/1e6, "heap-MB")
		})
	}
}

// processorTime returns the time that the process has had a processor.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// watchHeap looks at the heap until the function is called that it returns: by how many bytes it
// was larger at most.
func watchHeap() func() uint64 {
	size := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, most := size(), uint64(0)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			most = max(most, size())
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	return func() uint64 {
		close(stop)
		<-stopped
		return most - min(most, before)
	}
}
