package bolt

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"fever/event"
	"fever/store"
)

// A subscriber reads what is published, and has what it was told, by event.
type subscriber struct {
	provider string // empty: all
	after    store.Revision
	key      []byte
	events   map[event.Key]event.Record
	restarts int
}

// catchUp asks until nothing follows, in pages of few items.
func (r *subscriber) catchUp(t *testing.T, s *Store, limit int) {
	t.Helper()
	for {
		items, at, err := s.Published(t.Context(), r.provider, r.after, r.key, limit)
		if errors.Is(err, store.ErrRewritten) {
			*r = subscriber{provider: r.provider, events: make(map[event.Key]event.Record), restarts: r.restarts + 1}
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
			if item.Revision < r.after || item.Revision == r.after && slices.Compare(key, r.key) <= 0 || item.Revision > at {
				t.Fatalf("%s at %d after %q at %d, of a store at %d", item.Key, item.Revision, r.key, r.after, at)
			}
			if item.Location == nil {
				t.Fatalf("%s has no location", item.Key)
			}
			r.after, r.key = item.Revision, key
			r.events[item.Key] = item.Record
		}
	}
}

// TestPublished has several readers follow a store page by page while it changes in every way.
// Each knows what is stored whenever it has caught up.
func TestPublished(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	s := newStore(t)
	s.db.NoSync = true
	readers := []*subscriber{{}, {}, {provider: "a"}, {provider: "b"}}
	for _, r := range readers {
		r.events = make(map[event.Key]event.Record)
	}
	draw := func(provider string) (events []event.Event) {
		for n := range 12 {
			if random.IntN(2) == 0 {
				e := sample(provider, n, 1)
				e.Title = fmt.Sprint(random.IntN(3))
				events = append(events, e)
			}
		}
		return events
	}
	for step := range 120 {
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
			snap := snapshot(provider, int64(step), draw(provider)...)
			snap.TimeZone = []string{"UTC", "Europe/Madrid"}[random.IntN(2)]
			apply(t, s, snap)
		default:
			apply(t, s, snapshot(provider, int64(step), draw(provider)...))
		}
		for n, r := range readers {
			if n > 0 && random.IntN(4) > 0 {
				continue // it will have more to read next time
			}
			r.catchUp(t, s, 1+random.IntN(5))
			want := make(map[event.Key]event.Record)
			for _, record := range records(t, s, store.Filter{Provider: r.provider, Window: event.Always}) {
				want[record.Key] = record
			}
			if !reflect.DeepEqual(r.events, want) {
				t.Fatalf("step %d: reader %d has %d events, %+v, not %d, %+v", step, n, len(r.events), r.events, len(want), want)
			}
		}
	}
	if readers[0].restarts == 0 {
		t.Error("nobody had to start over")
	}
}

// TestPublishedConverted publishes events from before revisions were counted.
func TestPublishedConverted(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "fever.db")
	s := must(Open(path, keep))
	apply(t, s, snapshot("a", 1, sample("a", 1, 1), sample("a", 2, 1), sample("a", 3, 1)))
	if err := errors.Join(s.db.Update(withoutRevisions), s.Close()); err != nil {
		t.Fatal(err)
	}
	s = must(Open(path, keep))
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	apply(t, s, snapshot("a", 1, sample("a", 1, 1), with(sample("a", 2, 1), func(e *event.Event) { e.Title = "other" }), sample("a", 3, 1)))
	r := subscriber{events: make(map[event.Key]event.Record)}
	r.catchUp(t, s, 1)
	if len(r.events) != 3 || r.after != 2 || r.restarts != 0 {
		t.Errorf("%d events up to %d, after %d restarts", len(r.events), r.after, r.restarts)
	}
	for _, after := range []store.Revision{3, 1 << 40} {
		if _, _, err := s.Published(t.Context(), "", after, nil, 1); !errors.Is(err, store.ErrRewritten) {
			t.Errorf("after revision %d of 2: %v", after, err)
		}
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Published(cancelled, "", 0, nil, 10); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, _, err := s.Published(cancelled, "", 1, []byte("z"), 10); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestLocations has the zone of the settings count, and else that of the latest snapshot.
func TestLocations(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	madrid := must(event.LoadLocation("Europe/Madrid"))
	s.Zones = map[string]*time.Location{"a": madrid}
	apply(t, s, snapshot("a", 1, sample("a", 1, 1)))
	apply(t, s, snapshot("b", 1, sample("b", 1, 1)))
	got, at, err := s.Locations(t.Context())
	want := map[string]*time.Location{"a": madrid, "b": must(event.LoadLocation("UTC"))}
	if err != nil || at != 2 || !reflect.DeepEqual(got, want) {
		t.Errorf("%v at %d, %v", got, at, err)
	}
}
