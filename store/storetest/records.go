package storetest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"fever/event"
	"fever/store"
)

func testLoadNothing(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	for range 2 {
		if got, _, err := s.Load(t.Context()); err != nil || len(got) != 0 {
			t.Errorf("%d entries, %v", len(got), err)
		}
		Apply(t, s, Snapshot("a", 1))
	}
}

func testLoadCancelled(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	Apply(t, s, Snapshot("a", 1, Sample("a", 1, 1)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, _, err := s.Load(ctx); !errors.Is(err, context.Canceled) || got != nil {
		t.Errorf("%d entries, %v", len(got), err)
	}
	for _, err := range s.Records(ctx, Everything) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("record: %v", err)
		}
	}
}

func testRecords(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	at := func(provider, id, start, end string) event.Event {
		e := Sample(provider, 1, 2)
		e.BaseID, e.Start, e.End = id, Local(start), Local(end)
		return e
	}
	Apply(t, s, Snapshot("a", 1,
		at("a", "late", "2021-03-01T00:00:00", "2021-03-01T01:00:00"),
		at("a", "early", "2021-01-01T00:00:00", "2021-01-01T01:00:00"),
		at("a", "long", "2021-01-01T00:00:00", "2021-02-01T00:00:00")))
	Apply(t, s, Snapshot("a-b", 1, at("a-b", "other", "2021-02-01T00:00:00", "2021-02-01T01:00:00")))
	key := func(provider, id string) event.Key {
		return event.Key{Provider: provider, BaseID: id, EventID: Sample(provider, 1, 2).EventID}
	}
	second := func(s string) int64 { return must(time.Parse(time.DateOnly, s)).Unix() }
	for _, tc := range []struct {
		name string
		f    store.Filter
		want string
	}{
		{"Everything", Everything, "early long other late"},
		{"one provider", store.Filter{Provider: "a", Window: event.Always}, "early long late"},
		{"a provider whose name begins with another's", store.Filter{Provider: "a-b", Window: event.Always}, "other"},
		{"an unknown provider", store.Filter{Provider: "b", Window: event.Always}, ""},
		{"the zero value", store.Filter{}, ""},
		{"a window", store.Filter{Window: event.Window{From: second("2021-01-01"), To: second("2021-02-28")}}, "early long other"},
		{"a window that an event is too long for", store.Filter{Window: event.Window{From: second("2021-01-01"), To: second("2021-01-31")}}, "early"},
		{"a key", store.Filter{Key: key("a", "early"), Window: event.Always}, "early"},
		{"a key outside the window", store.Filter{Key: key("a", "early")}, ""},
		{"an unknown key", store.Filter{Key: key("a-b", "early"), Window: event.Always}, ""},
		{"an id", store.Filter{ID: key("a-b", "other").ID(), Window: event.Always}, "other"},
		{"an id of another provider", store.Filter{Provider: "a", ID: key("a-b", "other").ID(), Window: event.Always}, ""},
		{"an unknown id", store.Filter{ID: key("a-b", "early").ID(), Window: event.Always}, ""},
		{"a limit", store.Filter{Window: event.Always, Limit: 2}, "early long"},
		{"a limit above what there is", store.Filter{Window: event.Always, Limit: 20}, "early long other late"},
		{"Everything at once", store.Filter{Provider: "a", Window: event.Window{From: second("2021-01-02"), To: second("2022-01-01")}, Limit: 1}, "late"},
	} {
		var got []string
		for _, r := range Records(t, s, tc.f) {
			got = append(got, r.BaseID)
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%s: %q, not %q", tc.name, got, tc.want)
		}
	}
}

// testRecordsWhileWriting writes from within the loop, as slow consumers do in effect:
// nothing may wait for the other.
func testRecordsWhileWriting(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	var events []event.Event
	for i := range 8 {
		events = append(events, Sample("a", i, 1))
	}
	Apply(t, s, Snapshot("a", 1, events...))
	n := 0
	for r, err := range s.Records(t.Context(), Everything) {
		if err != nil {
			t.Fatal(err)
		}
		// Growing the file needs all transactions to end.
		Apply(t, s, Snapshot("b", int64(n), Sample("b", n, 2000)))
		if n++; r.Provider != "a" {
			t.Errorf("%s was not there at the start", r.Key)
		}
	}
	if n != len(events) {
		t.Errorf("%d of %d", n, len(events))
	}
	for _, err := range s.Records(t.Context(), Everything) {
		if err != nil {
			t.Error(err)
		}
		break
	}
}

// testRecordsWhileEditing forgets and renames from within the loop. What is left must not pass
// for all that was there, and nothing is damaged. A store may have read some events ahead.
func testRecordsWhileEditing(t *testing.T, place func(*testing.T) Place) {
	for name, edit := range map[string]func(context.Context, store.Store) error{
		"forget": func(ctx context.Context, s store.Store) error {
			_, err := s.Forget(ctx, store.Forgetting{Provider: "b"})
			return err
		},
		"rename": func(ctx context.Context, s store.Store) error {
			_, err := s.Rename(ctx, store.Renaming{From: "b", To: "c"})
			return err
		},
	} {
		s := open(t, place)
		Apply(t, s, Snapshot("a", 1, Sample("a", 1, 1)))
		var events []event.Event
		for n := range 1000 {
			events = append(events, Sample("b", 2+n, 1))
		}
		Apply(t, s, Snapshot("b", 1, events...))
		var got []string
		var ended error
		for r, err := range s.Records(t.Context(), Everything) {
			if err != nil {
				ended = err
				continue
			}
			if got = append(got, r.BaseID); len(got) == 2 {
				if err := edit(t.Context(), s); err != nil {
					t.Fatal(err)
				}
			}
		}
		if !errors.Is(ended, store.ErrRemoved) || errors.Is(ended, store.ErrDamaged) || len(got) > 500 {
			t.Errorf("%s: %d events, then %v", name, len(got), ended)
		}
		for _, err := range s.Records(t.Context(), Everything) {
			if err != nil {
				t.Errorf("%s: asked again: %v", name, err)
			}
		}
	}
}
