package storetest

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"fever/event"
	"fever/provider/feed"
	"fever/store"
)

// Known returns a snapshot as a decoder makes it that has these digests: without the values of the
// events that they find.
func Known(snap store.Snapshot, digests *store.Digests) store.Snapshot {
	events := snap.Events
	snap.Events = nil
	for i := range events {
		if same := digests.Find(&events[i]); same != nil {
			snap.Unchanged = append(snap.Unchanged, same)
		} else {
			snap.Events = append(snap.Events, events[i])
		}
	}
	return snap
}

// Encoded returns a snapshot as another process decodes it: with its events encoded.
func Encoded(snap store.Snapshot) store.Snapshot {
	var enc store.Encoder
	for _, of := range []struct {
		events []event.Event
		past   bool
	}{{snap.Events, false}, {snap.Past, true}} {
		for i := range of.events {
			values := bytes.Clone(enc.Encode(&of.events[i]))
			snap.Encoded = append(snap.Encoded, feed.Encoded{
				Stored: feed.Stored{Key: of.events[i].Key, Digest: store.DigestOf(values)}, Values: values, Past: of.past,
			})
		}
	}
	snap.Events, snap.Past = nil, nil
	return snap
}

func digests(t testing.TB, s store.Store, provider string) *store.Digests {
	t.Helper()
	d, err := s.Digests(t.Context(), provider)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// testDigests applies snapshots without the values of events that are stored with them.
func testDigests(t *testing.T, place func(*testing.T) Place) {
	one, two, three := Sample("a", 1, 2), Sample("a", 2, 0), Sample("a", 3, 1)
	moved := With(one, func(e *event.Event) { e.End = Local(DateOf(e.Start) + "T23:30:00") })
	s := open(t, place)
	if d := digests(t, s, "a"); d.Find(&one) != nil {
		t.Error("of nothing there are digests")
	}
	Apply(t, s, Past(Snapshot("a", 1, one, two), three))
	Apply(t, s, Snapshot("a-b", 1, With(one, func(e *event.Event) { e.Provider = "a-b" })))
	before := digests(t, s, "a")
	for _, tc := range []struct {
		what  string
		event event.Event
		found bool
	}{{"current", one, true}, {"current, without zones", two, true}, {"past", three, false}, {"changed", moved, false}} {
		got := before.Find(&tc.event)
		if (got != nil) != tc.found || tc.found && got.Key != tc.event.Key {
			t.Errorf("an event that is %s: %+v", tc.what, got)
		}
	}

	// Applied says the same as if all values had been there.
	for _, step := range []struct {
		snap store.Snapshot
		want store.Applied
	}{
		{Snapshot("a", 2, one, two), store.Applied{Unchanged: 2, Before: 2, Current: 2, Known: true, Revision: 2}},
		{Past(Snapshot("a", 3, two), three), store.Applied{Unchanged: 2, Gone: 1, Before: 2, Current: 1, Known: true, Revision: 3}},
		{Snapshot("a", 4, two, three, moved), store.Applied{Changed: 1, Unchanged: 2, Before: 1, Current: 3, Known: true, Revision: 4}},
		{Snapshot("a", 5, moved, two, three), store.Applied{Unchanged: 3, Before: 3, Current: 3, Known: true, Revision: 4}},
	} {
		known := Known(step.snap, digests(t, s, "a"))
		if len(known.Unchanged) == 0 {
			t.Errorf("no digest finds any of %+v", step.snap)
		}
		if got := Apply(t, s, known); got != step.want {
			t.Errorf("applied %+v, not %+v", got, step.want)
		}
		reopen(t, s)
	}
	stored := Records(t, s, Everything)

	// Digests of another time are refused, and so is what makes no sense.
	now := digests(t, s, "a")
	same := &feed.Stored{Key: two.Key, Digest: now.Find(&two).Digest}
	for what, snap := range map[string]store.Snapshot{
		"changed":            Known(Snapshot("a", 6, one, two), before),
		"never stored":       {Provider: "a", TimeZone: "UTC", Unchanged: []*feed.Stored{same, {Key: event.Key{Provider: "a", BaseID: "x", EventID: "y"}}}},
		"with another's":     {Provider: "a", TimeZone: "UTC", Unchanged: []*feed.Stored{{Key: one.Key, Digest: same.Digest}}},
		"twice":              {Provider: "a", TimeZone: "UTC", Unchanged: []*feed.Stored{same, same}},
		"also with values":   {Provider: "a", TimeZone: "UTC", Events: []event.Event{two}, Unchanged: []*feed.Stored{same}},
		"another provider's": {Provider: "a-b", TimeZone: "UTC", Unchanged: []*feed.Stored{same}},
		"in a page": {
			Provider: "a", TimeZone: "UTC", Unchanged: []*feed.Stored{same},
			Changes: &store.Changes{Stream: store.Stream{Generation: 1}, Items: []store.Item{{Item: feed.Item{ID: "1", Keys: []event.Key{two.Key}}}}},
		},
	} {
		_, err := Collect(t.Context(), s, snap)
		if stale := what == "changed" || what == "never stored" || what == "with another's"; err == nil || errors.Is(err, store.ErrStale) != stale {
			t.Errorf("an event that is %s: %v", what, err)
		}
	}
	if got := Records(t, s, Everything); !reflect.DeepEqual(got, stored) {
		t.Errorf("stored are\n%+v\nnot\n%+v", got, stored)
	}

	// Those of what was forgotten or moved are, too.
	if _, err := s.Rename(t.Context(), store.Renaming{From: "a", To: "c"}); err != nil {
		t.Fatal(err)
	}
	if _, err := Collect(t.Context(), s, Known(Snapshot("a", 7, moved, two, three), now)); !errors.Is(err, store.ErrStale) {
		t.Errorf("after renaming: %v", err)
	}
	named := func(e event.Event) event.Event { return With(e, func(e *event.Event) { e.Provider = "c" }) }
	all := Snapshot("c", 7, named(moved), named(two), named(three))
	if got := Apply(t, s, Known(all, digests(t, s, "c"))); got.Unchanged != 3 {
		t.Errorf("after renaming %+v", got)
	}
	now = digests(t, s, "c")
	if known := Known(all, now); len(known.Unchanged) != 3 {
		t.Errorf("%d digests, after a snapshot under the new name", len(known.Unchanged))
	}
	if _, err := s.Forget(t.Context(), store.Forgetting{Provider: "c"}); err != nil {
		t.Fatal(err)
	}
	if _, err := Collect(t.Context(), s, Known(all, now)); !errors.Is(err, store.ErrStale) {
		t.Errorf("after forgetting: %v", err)
	}
	if got := Apply(t, s, all); got.New != 3 {
		t.Errorf("after forgetting %+v", got)
	}
}

// repeat gives some of the events in a snapshot the values that are stored.
func (m *Model) repeat(t *rapid.T, snap *store.Snapshot) {
	for i := range snap.Events {
		if r, known := m.Records[snap.Events[i].Key]; known && rapid.IntRange(0, 2).Draw(t, "as stored") > 0 {
			snap.Events[i] = r.Event
		}
	}
}

// applyKnown applies a snapshot without the values of events that some digests find, which may be
// those of another time. Then the store may refuse it, and gets it with all values.
func (m *Model) applyKnown(ctx context.Context, t *rapid.T, s store.Store, snap store.Snapshot, job store.Job) (store.Applied, store.Job, error) {
	fresh, err := s.Digests(ctx, snap.Provider)
	if err != nil || snap.Changes != nil {
		return s.Apply(ctx, snap, job)
	}
	used, old := rapid.IntRange(0, 2).Draw(t, "digests"), m.digests[snap.Provider]
	if old == nil || rapid.Bool().Draw(t, "keep the digests") {
		m.digests[snap.Provider] = fresh
	}
	known := snap
	switch {
	case used == 1:
		known = Known(snap, fresh)
	case used == 2 && old != nil:
		known = Known(snap, old)
	}
	if rapid.Bool().Draw(t, "encoded") {
		known = Encoded(known)
	}
	applied, ended, err := s.Apply(ctx, known, job)
	if errors.Is(err, store.ErrStale) && used == 2 {
		return s.Apply(ctx, snap, job)
	}
	return applied, ended, err
}
