package bolt

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"fever/store"
)

// TestDays counts enough events for several workers, and those that are near to
// midnight, in a zone or without a time: it is the date as it was written that counts.
func TestDays(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	if got, err := s.Days(t.Context()); err != nil || got != nil {
		t.Errorf("of nothing: %v, %v", got, err)
	}
	day := func(year, month, day int) time.Time { return time.Date(year, time.Month(month), day, 0, 0, 0, 0, utc) }
	var want []store.Day
	for _, provider := range []string{"a", "a-b"} {
		snap := store.Snapshot{Provider: provider, TimeZone: "Pacific/Auckland", Taken: time.Unix(1, 0)}
		for i := range 3 * batchSize {
			e := sample(provider, i, 0)
			e.End = local("9999-12-31")
			switch i % 3 {
			case 0:
				e.Start = local("2024-02-29T23:59:59")
			case 1:
				e.Start = local("2024-03-01T00:00:00")
			case 2:
				e.Start = local("0001-01-01")
			}
			snap.Events = append(snap.Events, e)
		}
		apply(t, s, snap)
		want = append(want,
			store.Day{Provider: provider, Date: day(1, 1, 1), Events: batchSize}, store.Day{Provider: provider, Date: day(2024, 2, 29), Events: batchSize}, store.Day{Provider: provider, Date: day(2024, 3, 1), Events: batchSize})
	}
	// What is no longer in the snapshot is still stored.
	apply(t, s, snapshot("a", 2))
	got, err := s.Days(t.Context())
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v; not %v", got, err, want)
	}
}

func TestDaysFails(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	apply(t, s, snapshot("a", 1, sample("a", 1, 1)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := s.Days(ctx); !errors.Is(err, context.Canceled) || got != nil {
		t.Errorf("cancelled: %v, %v", got, err)
	}
	key := sample("a", 1, 1).Bytes()
	var whole []byte
	put := func(change func([]byte)) {
		t.Helper()
		err := s.db.Update(func(tx *bbolt.Tx) error {
			b := append([]byte(nil), whole...)
			change(b)
			return tx.Bucket(eventsBucket).Put(key, b)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.view(func(tx *bbolt.Tx) error {
		whole = append(whole, tx.Bucket(eventsBucket).Get(key)...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	put(func(b []byte) { b[len(b)/2]++ })
	if got, err := s.Days(t.Context()); !errors.Is(err, store.ErrDamaged) || got != nil {
		t.Errorf("damaged: %v, %v", got, err)
	}
	put(func([]byte) {})
}

// BenchmarkDays counts 1,000,000 events of 3 zones: what the status page waits for
// after a change.
func BenchmarkDays(b *testing.B) {
	const total, batch = 1_000_000, 100_000
	s := benchStore(b)
	for first := 0; first < total; first += batch {
		if _, err := run(b.Context(), s, benchSnapshot(first, batch, 3)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		days, err := s.Days(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for _, day := range days {
			n += day.Events
		}
		if n != total {
			b.Fatal(n)
		}
	}
}
