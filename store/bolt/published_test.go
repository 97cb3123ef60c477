package bolt

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"fever/event"
	"fever/store"
	"fever/store/storetest"
)

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
	r := storetest.Subscriber{Events: make(map[event.Key]event.Record)}
	r.CatchUp(t, s, 1)
	if len(r.Events) != 3 || r.After != 2 || r.Restarts != 0 {
		t.Errorf("%d events up to %d, after %d restarts", len(r.Events), r.After, r.Restarts)
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
