package bolt

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"fever/event"
	"fever/store"
)

// TestLoad compares what is loaded with the entries of the events themselves: enough
// of them for several decoders, of which some have no end, no zones, or no tickets.
func TestLoad(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	madrid := must(time.LoadLocation("Europe/Madrid"))
	var want []*event.Entry
	for provider, loc := range map[string]*time.Location{"a": utc, "a-b": madrid} {
		snap := store.Snapshot{Provider: provider, TimeZone: loc.String(), Taken: time.Unix(1, 0)}
		for i := range 3 * batchSize {
			e := sample(provider, i, i%4)
			if i%5 == 0 {
				e.End = event.Local{}
			}
			if i%7 == 0 {
				e.Start = local(dateOf(e.Start))
			}
			e.SoldOut = i%11 == 0
			snap.Events = append(snap.Events, e)
			want = append(want, event.NewEntry(&e, loc))
		}
		apply(t, s, snap)
	}
	load := func(zones map[string]*time.Location) []*event.Entry {
		t.Helper()
		s.Zones = zones
		got, _, err := s.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(got, func(a, b *event.Entry) int { return a.Compare(&b.SortKey) })
		return got
	}
	slices.SortFunc(want, func(a, b *event.Entry) int { return a.Compare(&b.SortKey) })
	recorded := load(nil)
	if !reflect.DeepEqual(recorded, want) {
		t.Error("entries are not those of the events, in the zones that were recorded")
	}
	for _, zones := range []map[string]*time.Location{{"a-b": madrid}, {"a": utc, "c": madrid}} {
		if !reflect.DeepEqual(load(zones), recorded) {
			t.Errorf("the same zones, configured as %v, make a difference", zones)
		}
	}
	if reflect.DeepEqual(load(map[string]*time.Location{"a": madrid}), recorded) {
		t.Error("another zone makes no difference")
	}
}

// TestLoadUnknownZone reads a zone that was recorded by a machine that knows more.
func TestLoadUnknownZone(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	apply(t, s, snapshot("a", 1, sample("a", 1, 1)))
	err := s.db.Update(func(tx *bbolt.Tx) error {
		b, err := (&store.Provider{TimeZone: "Mars/Olympus"}).Encode([]byte("a"))
		return errors.Join(err, tx.Bucket(providersBucket).Put([]byte("a"), b))
	})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = s.Load(t.Context())
	if err == nil || errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), `provider a: time zone "Mars/Olympus"`) {
		t.Errorf("error %v", err)
	}
	s.Zones = map[string]*time.Location{"a": utc}
	if got, _, err := s.Load(t.Context()); err != nil || len(got) != 1 {
		t.Errorf("%d entries, %v", len(got), err)
	}
}

// TestLoadUnknownOwnZone reads an event whose own zone this machine does not know. In no other
// zone would it be at the right moment.
func TestLoadUnknownOwnZone(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	e := sample("a", 1, 1)
	apply(t, s, snapshot("a", 1, e))
	e.TimeZone = "Mars/Olympus"
	err := s.db.Update(func(tx *bbolt.Tx) error {
		var enc store.Encoder
		b, err := (&store.Value{Revision: 1, Event: enc.Encode(&e)}).Encode(e.Bytes())
		return errors.Join(err, tx.Bucket(eventsBucket).Put(e.Bytes(), b), tx.Bucket(currentBucket).Put(e.Bytes(), markOf(store.DigestOf(enc.Encode(&e)))))
	})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = s.Load(t.Context())
	if err == nil || errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), `event a/1/1: time zone "Mars/Olympus" is not known`) {
		t.Errorf("error %v", err)
	}
	if got := apply(t, s, snapshot("a", 2, sample("a", 1, 1))); got.Changed != 1 {
		t.Errorf("applied %+v", got)
	}
	if got, _, err := s.Load(t.Context()); err != nil || len(got) != 1 {
		t.Errorf("%d entries, %v", len(got), err)
	}
}

// TestZones corrects a time zone: from then on it counts for all that instants are made
// for, whatever was recorded with the latest snapshot.
func TestZones(t *testing.T) {
	t.Parallel()
	madrid := must(time.LoadLocation("Europe/Madrid"))
	e := sample("a", 1, 1)
	e.Start, e.End = local("2021-01-01T00:30:00"), local("2021-01-01T01:30:00")
	for _, tc := range []struct {
		zones    map[string]*time.Location
		old, new string // time zones of a and b, when a is renamed to that
		start    string
	}{
		{nil, "UTC", "UTC", "2021-01-01T00:30:00Z"},
		{map[string]*time.Location{"b": madrid}, "UTC", "Europe/Madrid", "2021-01-01T00:30:00Z"},
		{map[string]*time.Location{"a": madrid}, "Europe/Madrid", "UTC", "2020-12-31T23:30:00Z"},
		{map[string]*time.Location{"a": madrid, "b": madrid}, "Europe/Madrid", "Europe/Madrid", "2020-12-31T23:30:00Z"},
	} {
		s := newStore(t)
		s.Zones = tc.zones
		apply(t, s, snapshot("a", 1, e))
		apply(t, s, snapshot("a", 2)) // it is gone
		start := must(time.Parse(time.RFC3339, tc.start))
		loaded, _, err := s.Load(t.Context())
		if err != nil || len(loaded) != 1 || loaded[0].Start != start.Unix() {
			t.Fatalf("%v: loaded %+v, error %v", tc.zones, loaded, err)
		}
		exactly := event.Window{From: loaded[0].Start, To: loaded[0].End}
		if got := records(t, s, store.Filter{Window: exactly}); len(got) != 1 {
			t.Errorf("%v: %d records where a search finds one", tc.zones, len(got))
		}
		for after, want := range map[time.Duration]int{time.Hour: 0, time.Hour + time.Second: 1} {
			cutoff := must(store.ParseCutoff(start.Add(after).Format(time.RFC3339)))
			done, err := s.Forget(t.Context(), store.Forgetting{Provider: "a", GoneBefore: cutoff, DryRun: true})
			if err != nil || done.Events != want || want == 1 && !done.From.Equal(start) {
				t.Errorf("%v: before %s %+v, error %v", tc.zones, cutoff, done, err)
			}
		}
		done, err := s.Rename(t.Context(), store.Renaming{From: "a", To: "b"})
		if err != nil || !done.From.Equal(start) || done.OldTimeZone != tc.old || done.TimeZone != tc.new {
			t.Errorf("%v: renamed %+v, error %v", tc.zones, done, err)
		}
	}
}
