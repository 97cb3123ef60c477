package storetest

import (
	"reflect"
	"testing"

	"fever/event"
	"fever/store"
)

// testApply applies snapshots one after the other and looks at what each changed and
// at what is stored at the end.
func testApply(t *testing.T, place func(*testing.T) Place) {
	one, two, three := Sample("a", 1, 2), Sample("a", 2, 0), Sample("a", 3, 1)
	moved := With(one, func(e *event.Event) { e.End = Local(DateOf(e.Start) + "T23:30:00") })
	sold := With(three, func(e *event.Event) { e.Zones[0].Capacity = 0 })
	other := With(one, func(e *event.Event) { e.Provider = "a-b" })
	twin := With(one, func(e *event.Event) { e.BaseID = "other"; e.Title = "the same event id in another base" })

	type counts struct{ New, Changed, Unchanged, Gone int }
	type step struct {
		snap store.Snapshot
		want counts
	}
	record := func(e event.Event, first, changed int64, current bool) event.Record {
		s := Snapshot("", first)
		c := Snapshot("", changed)
		return event.Record{Event: e, FirstSeen: s.Taken.UTC(), LastChanged: c.Taken.UTC(), Current: current}
	}
	for _, tc := range []struct {
		name  string
		steps []step
		want  []event.Record
	}{
		{"nothing", []step{{Snapshot("a", 1), counts{}}}, nil},
		{
			"new",
			[]step{{Snapshot("a", 1, two, one), counts{New: 2}}},
			[]event.Record{record(one, 1, 1, true), record(two, 1, 1, true)},
		},
		{
			"unchanged",
			[]step{{Snapshot("a", 1, one, two), counts{New: 2}}, {Snapshot("a", 2, two, one), counts{Unchanged: 2}}},
			[]event.Record{record(one, 1, 1, true), record(two, 1, 1, true)},
		},
		{
			"changed",
			[]step{
				{Snapshot("a", 1, one, three), counts{New: 2}},
				{Snapshot("a", 2, moved, three), counts{Changed: 1, Unchanged: 1}},
				{Snapshot("a", 3, moved, sold), counts{Changed: 1, Unchanged: 1}},
			},
			[]event.Record{record(moved, 1, 2, true), record(sold, 1, 3, true)},
		},
		{
			"gone and back",
			[]step{
				{Snapshot("a", 1, one, two, three), counts{New: 3}},
				{Snapshot("a", 2, two), counts{Unchanged: 1, Gone: 2}},
				{Snapshot("a", 3, two), counts{Unchanged: 1}},
				{Snapshot("a", 4, one, two), counts{Unchanged: 2}},
			},
			[]event.Record{record(one, 1, 1, true), record(two, 1, 1, true), record(three, 1, 1, false)},
		},
		{
			"back with other values",
			[]step{
				{Snapshot("a", 1, one), counts{New: 1}},
				{Snapshot("a", 2), counts{Gone: 1}},
				{Snapshot("a", 3, moved), counts{Changed: 1}},
			},
			[]event.Record{record(moved, 1, 3, true)},
		},
		{
			"changed and back",
			[]step{
				{Snapshot("a", 1, one), counts{New: 1}},
				{Snapshot("a", 2, moved), counts{Changed: 1}},
				{Snapshot("a", 3, one), counts{Changed: 1}},
			},
			[]event.Record{record(one, 1, 3, true)},
		},
		{
			"a provider whose name begins with another's",
			[]step{
				{Snapshot("a", 1, one), counts{New: 1}},
				{Snapshot("a-b", 2, other), counts{New: 1}},
				{Snapshot("a", 3), counts{Gone: 1}},
				{Snapshot("a-b", 4, other), counts{Unchanged: 1}},
			},
			[]event.Record{record(one, 1, 1, false), record(other, 2, 2, true)},
		},
		{
			"past from the start, then on sale, then past again",
			[]step{
				{Past(Snapshot("a", 1, two), one, three), counts{New: 3}},
				{Past(Snapshot("a", 2, two), one, three), counts{Unchanged: 3}},
				{Snapshot("a", 3, one, two), counts{Unchanged: 2}},
				{Past(Snapshot("a", 4, two), moved), counts{Changed: 1, Unchanged: 1, Gone: 1}},
				{Past(Snapshot("a", 5), two, moved, three), counts{Unchanged: 3, Gone: 1}},
			},
			[]event.Record{record(moved, 1, 4, false), record(two, 1, 1, false), record(three, 1, 1, false)},
		},
		{
			"an event id in two bases",
			[]step{
				{Snapshot("a", 1, one, twin), counts{New: 2}},
				{Snapshot("a", 2, twin), counts{Unchanged: 1, Gone: 1}},
			},
			[]event.Record{record(one, 1, 1, false), record(twin, 1, 1, true)},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, place)
			for i, step := range tc.steps {
				got := Apply(t, s, step.snap)
				if (counts{got.New, got.Changed, got.Unchanged, got.Gone}) != step.want {
					t.Errorf("step %d: %+v, not %+v", i+1, got, step.want)
				}
				reopen(t, s)
			}
			if got, want := Records(t, s, Everything), InOrder(tc.want); !reflect.DeepEqual(got, want) {
				t.Errorf("stored are\n%+v\nnot\n%+v", got, want)
			}
		})
	}
}

func testApplyRecordsTheTimeZone(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	snap := Snapshot("a", 1, With(Sample("a", 1, 1), func(e *event.Event) {
		e.Start, e.End = Local("2021-06-30T21:00:00"), Local("2021-06-30T22:00:00")
	}))
	Apply(t, s, snap)
	snap.TimeZone = "Europe/Madrid"
	if got := Apply(t, s, snap); got.Unchanged != 1 {
		t.Errorf("%+v: the zone is no value of the event", got)
	}
	entries, _, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := entries[0].Start; got != 1625079600 { // 19:00 UTC
		t.Errorf("starts at %d", got)
	}
}
