package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"fever/index"
	"fever/index/follow"
	"fever/internal/postgrestest"
	"fever/store"
	"fever/store/storetest"
)

// BenchmarkFollow measures how late searches of one process find what another one stored: from
// when the first knows that it is stored, to when the index of the second has it. The server is
// on this machine, and syncs each commit to the disk. With many events it also reports the ratio to
// what the index alone takes to take them in.
func BenchmarkFollow(b *testing.B) {
	for _, shape := range []struct{ events, zones, changed, turns int }{
		{50, 3, 5, 500},
		{benchFeed, 3, benchFeed, 10},
	} {
		b.Run(fmt.Sprintf("changed=%d", shape.changed), func(b *testing.B) {
			benchFollow(b, benchSnapshot("feed", 0, shape.events, shape.zones), shape.changed, shape.turns)
		})
	}
}

func benchFollow(b *testing.B, feed store.Snapshot, changed, turns int) {
	place := postgrestest.Durable(b)
	one, other := open(b, place), &told{Store: open(b, place), at: make(chan arrival, 1)}
	storetest.Apply(b, one, feed)
	x, alone := index.New(), index.New()
	f := follow.New(other, x, slog.New(slog.DiscardHandler))
	if err := f.CatchUp(b.Context()); err != nil {
		b.Fatal(err)
	}
	entries, _, err := one.Load(b.Context())
	if err == nil {
		err = alone.Load(entries)
	}
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	running.Go(func() { f.Run(ctx) })
	<-other.at
	var late, ratios []float64
	for b.Loop() {
		for range turns {
			change(feed, changed)
			before := f.Revision()
			applied, err := storetest.Collect(b.Context(), one, feed)
			stored := time.Now()
			if err != nil || applied.Changed != changed {
				b.Fatal(applied, err)
			}
			came := <-other.at
			for came.revision < applied.Revision {
				came = <-other.at
			}
			took := came.at.Sub(stored)
			late = append(late, milliseconds(took))
			if entries, _, err = one.Changes(b.Context(), before); err != nil || len(entries) != changed {
				b.Fatal(len(entries), err)
			}
			indexing, _ := timed(func() error { alone.Apply(entries); return nil })
			ratios = append(ratios, float64(took)/float64(indexing))
		}
	}
	report(b, map[string][]float64{"p50-ms": late})
	b.ReportMetric(late[len(late)*99/100], "p99-ms")
	if changed == len(feed.Events) {
		report(b, map[string][]float64{"to-index": ratios})
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// told is a store that tells when its follower has brought a revision into the index: it waits for
// the next one.
type told struct {
	*Store
	at chan arrival
}

type arrival struct {
	revision store.Revision
	at       time.Time
}

func (s *told) Wait(ctx context.Context, since store.Revision) error {
	select {
	case s.at <- arrival{since, time.Now()}:
	case <-ctx.Done():
	}
	return s.Store.Wait(ctx, since)
}
