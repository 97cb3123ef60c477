package store

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
)

// TestLoad compares what is loaded with the entries of the events themselves: enough
// of them for several decoders, of which some have no end, no zones, or no tickets.
func TestLoad(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	madrid := must(time.LoadLocation("Europe/Madrid"))
	var want []*event.Entry
	for provider, loc := range map[string]*time.Location{"a": utc, "a-b": madrid} {
		snap := Snapshot{Provider: provider, TimeZone: loc.String(), Taken: time.Unix(1, 0)}
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
		got, err := s.Load(t.Context(), zones)
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(got, func(a, b *event.Entry) int { return a.Compare(&b.Place) })
		return got
	}
	slices.SortFunc(want, func(a, b *event.Entry) int { return a.Compare(&b.Place) })
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
		if got, err := s.Load(t.Context(), nil); err != nil || len(got) != 0 {
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
	if got, err := s.Load(ctx, nil); !errors.Is(err, context.Canceled) || got != nil {
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
		b, err := seal([]byte("a"), &providerFields{TimeZone: "Mars/Olympus"})
		return errors.Join(err, tx.Bucket(providersBucket).Put([]byte("a"), b))
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Load(t.Context(), nil)
	if err == nil || errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), `provider a: time zone "Mars/Olympus"`) {
		t.Errorf("error %v", err)
	}
	if got, err := s.Load(t.Context(), map[string]*time.Location{"a": utc}); err != nil || len(got) != 1 {
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
		f    Filter
		want string
	}{
		{"everything", everything, "early long other late"},
		{"one provider", Filter{Provider: "a", Window: event.Always}, "early long late"},
		{"a provider whose name begins with another's", Filter{Provider: "a-b", Window: event.Always}, "other"},
		{"an unknown provider", Filter{Provider: "b", Window: event.Always}, ""},
		{"the zero value", Filter{}, ""},
		{"a window", Filter{Window: event.Window{From: second("2021-01-01"), To: second("2021-02-28")}}, "early long other"},
		{"a window that an event is too long for", Filter{Window: event.Window{From: second("2021-01-01"), To: second("2021-01-31")}}, "early"},
		{"a limit", Filter{Window: event.Always, Limit: 2}, "early long"},
		{"a limit above what there is", Filter{Window: event.Always, Limit: 20}, "early long other late"},
		{"everything at once", Filter{Provider: "a", Window: event.Window{From: second("2021-01-02"), To: second("2022-01-01")}, Limit: 1}, "late"},
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
