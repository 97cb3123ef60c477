package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"fever/event"
	"fever/store"
)

// A Subscriber reads what is published, and has what it was told, by event.
type Subscriber struct {
	Provider string // empty: all
	After    store.Revision
	Events   map[event.Key]event.Record
	Restarts int

	key []byte
}

// CatchUp asks until nothing follows, in pages of few items.
func (r *Subscriber) CatchUp(t *testing.T, s store.Store, limit int) {
	t.Helper()
	for {
		items, at, err := s.Published(t.Context(), r.Provider, r.After, r.key, limit)
		if errors.Is(err, store.ErrRewritten) {
			*r = Subscriber{Provider: r.Provider, Events: make(map[event.Key]event.Record), Restarts: r.Restarts + 1}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(items) == 0 {
			return
		}
		if len(items) > limit {
			t.Fatalf("%d items, more than %d", len(items), limit)
		}
		for _, item := range items {
			key := item.Bytes()
			if item.Revision < r.After || item.Revision == r.After && slices.Compare(key, r.key) <= 0 || item.Revision > at {
				t.Fatalf("%s at %d after %q at %d, of a store at %d", item.Key, item.Revision, r.key, r.After, at)
			}
			if item.Location == nil {
				t.Fatalf("%s has no location", item.Key)
			}
			r.After, r.key = item.Revision, key
			r.Events[item.Key] = item.Record
		}
	}
}

// testPublished has several readers follow a store page by page while it changes in every way.
// Each knows what is stored whenever it has caught up.
func testPublished(t *testing.T, place func(*testing.T) Place) {
	seed := rand.Uint64() //nolint:gosec // any will do
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // to be repeated
	s := open(t, place)
	readers := []*Subscriber{{}, {}, {Provider: "a"}, {Provider: "b"}}
	for _, r := range readers {
		r.Events = make(map[event.Key]event.Record)
	}
	draw := func(provider string) (events []event.Event) {
		for n := range 12 {
			if random.IntN(2) == 0 {
				e := Sample(provider, n, 1)
				e.Title = fmt.Sprint(random.IntN(3))
				events = append(events, e)
			}
		}
		return events
	}
	for step := range 60 {
		provider := []string{"a", "b"}[random.IntN(2)]
		switch random.IntN(10) {
		case 0:
			_, err := s.Forget(t.Context(), store.Forgetting{Provider: provider})
			if err != nil && !errors.Is(err, store.ErrNothing) {
				t.Fatal(err)
			}
		case 1:
			_, err := s.Rename(t.Context(), store.Renaming{From: provider, To: "c"})
			if err != nil && !errors.Is(err, store.ErrNothing) {
				t.Fatal(err)
			}
		case 2:
			snap := Snapshot(provider, int64(step), draw(provider)...)
			snap.TimeZone = []string{"UTC", "Europe/Madrid"}[random.IntN(2)]
			Apply(t, s, snap)
		default:
			Apply(t, s, Snapshot(provider, int64(step), draw(provider)...))
		}
		for n, r := range readers {
			if n > 0 && random.IntN(4) > 0 {
				continue // it will have more to read next time
			}
			r.CatchUp(t, s, 1+random.IntN(5))
			want := make(map[event.Key]event.Record)
			for _, record := range Records(t, s, store.Filter{Provider: r.Provider, Window: event.Always}) {
				want[record.Key] = record
			}
			if !reflect.DeepEqual(r.Events, want) {
				t.Fatalf("step %d: reader %d has %d events, %+v, not %d, %+v", step, n, len(r.Events), r.Events, len(want), want)
			}
		}
	}
	if readers[0].Restarts == 0 {
		t.Error("nobody had to start over")
	}
}

// testLocations asks for the time zones of the providers.
func testLocations(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	Apply(t, s, Snapshot("a", 1, Sample("a", 1, 1)))
	Apply(t, s, zoned(Snapshot("b", 1, Sample("b", 1, 1)), "Europe/Madrid"))
	got, at, err := s.Locations(t.Context())
	if err != nil || at != 2 || len(got) != 2 || got["a"].String() != "UTC" || got["b"].String() != "Europe/Madrid" {
		t.Errorf("%v at %d, %v", got, at, err)
	}
}
