package bolt

import (
	"context"
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

func TestLoadNothing(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for range 2 {
		if got, _, err := s.Load(t.Context()); err != nil || len(got) != 0 {
			t.Errorf("%d entries, %v", len(got), err)
		}
		apply(t, s, snapshot("a", 1))
	}
}

func TestLoadCancelled(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	apply(t, s, snapshot("a", 1, sample("a", 1, 1)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, _, err := s.Load(ctx); !errors.Is(err, context.Canceled) || got != nil {
		t.Errorf("%d entries, %v", len(got), err)
	}
	for _, err := range s.Records(ctx, everything) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("record: %v", err)
		}
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

func TestRecords(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	at := func(provider, id, start, end string) event.Event {
		e := sample(provider, 1, 2)
		e.BaseID, e.Start, e.End = id, local(start), local(end)
		return e
	}
	apply(t, s, snapshot("a", 1,
		at("a", "late", "2021-03-01T00:00:00", "2021-03-01T01:00:00"),
		at("a", "early", "2021-01-01T00:00:00", "2021-01-01T01:00:00"),
		at("a", "long", "2021-01-01T00:00:00", "2021-02-01T00:00:00")))
	apply(t, s, snapshot("a-b", 1, at("a-b", "other", "2021-02-01T00:00:00", "2021-02-01T01:00:00")))
	second := func(s string) int64 { return must(time.Parse(time.DateOnly, s)).Unix() }
	for _, tc := range []struct {
		name string
		f    store.Filter
		want string
	}{
		{"everything", everything, "early long other late"},
		{"one provider", store.Filter{Provider: "a", Window: event.Always}, "early long late"},
		{"a provider whose name begins with another's", store.Filter{Provider: "a-b", Window: event.Always}, "other"},
		{"an unknown provider", store.Filter{Provider: "b", Window: event.Always}, ""},
		{"the zero value", store.Filter{}, ""},
		{"a window", store.Filter{Window: event.Window{From: second("2021-01-01"), To: second("2021-02-28")}}, "early long other"},
		{"a window that an event is too long for", store.Filter{Window: event.Window{From: second("2021-01-01"), To: second("2021-01-31")}}, "early"},
		{"a limit", store.Filter{Window: event.Always, Limit: 2}, "early long"},
		{"a limit above what there is", store.Filter{Window: event.Always, Limit: 20}, "early long other late"},
		{"everything at once", store.Filter{Provider: "a", Window: event.Window{From: second("2021-01-02"), To: second("2022-01-01")}, Limit: 1}, "late"},
	} {
		var got []string
		for _, r := range records(t, s, tc.f) {
			got = append(got, r.BaseID)
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%s: %q, not %q", tc.name, got, tc.want)
		}
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

// TestRecordsWhileWriting writes from within the loop, as slow consumers do in effect:
// nothing may wait for the other.
func TestRecordsWhileWriting(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var events []event.Event
	for i := range 8 {
		events = append(events, sample("a", i, 1))
	}
	apply(t, s, snapshot("a", 1, events...))
	n := 0
	for r, err := range s.Records(t.Context(), everything) {
		if err != nil {
			t.Fatal(err)
		}
		// Growing the file needs all transactions to end.
		apply(t, s, snapshot("b", int64(n), sample("b", n, 2000)))
		if n++; r.Provider != "a" {
			t.Errorf("%s was not there at the start", r.Key)
		}
	}
	if n != len(events) {
		t.Errorf("%d of %d", n, len(events))
	}
	for _, err := range s.Records(t.Context(), everything) {
		if err != nil {
			t.Error(err)
		}
		break
	}
}
