package event_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"fever/event"
)

// refused is why an event is refused that ends before it starts.
const refused = "before its start"

// A night is an event around a change of the clocks, with the instants that it must have.
type night struct {
	zone, start, end   string
	wantStart, wantEnd string // in UTC; refused: the event is
}

// run checks the instants of the event, and then its entry.
func (test *night) run(t *testing.T, check func(*testing.T, *event.Entry)) {
	t.Helper()
	t.Run(strings.Join([]string{test.zone, test.start, test.end}, " "), func(t *testing.T) {
		t.Parallel()
		loc := location(t, test.zone)
		e := camela()
		e.Start, e.End = mustLocal(test.start), mustLocal(test.end)
		if err := e.ValidateIn(loc); test.wantStart == refused {
			if err == nil || !strings.Contains(err.Error(), refused) {
				t.Errorf("%v, want an end %s", err, refused)
			}
			return
		} else if err != nil {
			t.Fatal(err)
		}
		got := event.NewEntry(&e, loc)
		utc := func(second int64) string { return time.Unix(second, 0).UTC().Format(time.RFC3339) }
		if utc(got.Start) != test.wantStart || utc(got.End) != test.wantEnd {
			t.Errorf("from %s to %s, want %s to %s", utc(got.Start), utc(got.End), test.wantStart, test.wantEnd)
		}
		check(t, got)
	})
}

// TestNights has the nights on which clocks change. A time that the clocks show twice is the first
// of the two; as an end it is the first that is not before the start. A time that they skip has
// the offset from before the gap (RFC 5545 section 3.3.5).
func TestNights(t *testing.T) {
	t.Parallel()
	for _, test := range []night{
		// Back from 03:00 to 02:00.
		{"Europe/Madrid", "2026-10-25T02:30:00", "2026-10-25T02:45:00", "2026-10-25T00:30:00Z", "2026-10-25T00:45:00Z"},
		{"Europe/Madrid", "2026-10-25T02:30:00", "2026-10-25T02:30:00", "2026-10-25T00:30:00Z", "2026-10-25T00:30:00Z"},
		{"Europe/Madrid", "2026-10-25T02:30:00", "2026-10-25T02:15:00", "2026-10-25T00:30:00Z", "2026-10-25T01:15:00Z"},
		{"Europe/Madrid", "2026-10-25T02:59:59", "2026-10-25T02:00:00", "2026-10-25T00:59:59Z", "2026-10-25T01:00:00Z"},
		{"Europe/Madrid", "2026-10-25T02:30:00", "2026-10-25T03:10:00", "2026-10-25T00:30:00Z", "2026-10-25T02:10:00Z"},
		{"Europe/Madrid", "2026-10-24T23:30:00", "2026-10-25T02:15:00", "2026-10-24T21:30:00Z", "2026-10-25T00:15:00Z"},
		{"Europe/Madrid", "2026-10-25T02:30:00", "2026-10-25T01:59:59", refused, ""},
		{"Europe/Madrid", "2026-10-25T03:00:00", "2026-10-25T02:30:00", refused, ""},
		{"Europe/Madrid", "2026-10-26T02:30:00", "2026-10-26T02:15:00", refused, ""},
		{"UTC", "2026-10-25T02:30:00", "2026-10-25T02:15:00", refused, ""},
		// On from 02:00 to 03:00.
		{"Europe/Madrid", "2026-03-29T02:30:00", "2026-03-29T03:30:00", "2026-03-29T01:30:00Z", "2026-03-29T01:30:00Z"},
		{"Europe/Madrid", "2026-03-29T02:30:00", "2026-03-29T03:10:00", "2026-03-29T01:30:00Z", "2026-03-29T01:30:00Z"},
		{"Europe/Madrid", "2026-03-29T01:30:00", "2026-03-29T02:30:00", "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"},
		{"Europe/Madrid", "2026-03-29T02:30:00", "2026-03-29T02:15:00", refused, ""},

		{"America/New_York", "2026-11-01T01:30:00", "2026-11-01T01:10:00", "2026-11-01T05:30:00Z", "2026-11-01T06:10:00Z"},
		{"America/New_York", "2026-11-01T01:30:00", "2026-11-01T00:59:00", refused, ""},
		{"America/New_York", "2026-03-08T02:30:00", "2026-03-08T04:00:00", "2026-03-08T07:30:00Z", "2026-03-08T08:00:00Z"},
		// Half an hour: back from 02:00 to 01:30, on from 02:00 to 02:30.
		{"Australia/Lord_Howe", "2026-04-05T01:50:00", "2026-04-05T01:40:00", "2026-04-04T14:50:00Z", "2026-04-04T15:10:00Z"},
		{"Australia/Lord_Howe", "2026-04-05T01:50:00", "2026-04-05T01:20:00", refused, ""},
		{"Australia/Lord_Howe", "2026-10-04T02:15:00", "2026-10-04T03:00:00", "2026-10-03T15:45:00Z", "2026-10-03T16:00:00Z"},
		// Standard time is the one of summer there, in name alone.
		{"Europe/Dublin", "2026-10-25T01:30:00", "2026-10-25T01:15:00", "2026-10-25T00:30:00Z", "2026-10-25T01:15:00Z"},
		{"Europe/Dublin", "2026-03-29T01:30:00", "2026-03-29T02:30:00", "2026-03-29T01:30:00Z", "2026-03-29T01:30:00Z"},
		// Back from midnight to 23:00 of the day before; on from midnight, so that a day has none.
		{"America/Santiago", "2026-04-04T23:30:00", "2026-04-04T23:15:00", "2026-04-05T02:30:00Z", "2026-04-05T03:15:00Z"},
		{"America/Santiago", "2026-04-04T23:30:00", "2026-04-04", "2026-04-05T02:30:00Z", "2026-04-05T03:59:59Z"},
		{"America/Santiago", "2026-09-06", "2026-09-06", "2026-09-06T04:00:00Z", "2026-09-07T02:59:59Z"},
		{"America/Santiago", "2026-09-06T00:00:00", "2026-09-06T01:30:00", "2026-09-06T04:00:00Z", "2026-09-06T04:30:00Z"},
		{"America/Santiago", "2026-09-05T23:00:00", "2026-09-06T00:30:00", "2026-09-06T03:00:00Z", "2026-09-06T04:30:00Z"},
		// A day that was left out.
		{"Pacific/Apia", "2011-12-29T23:00:00", "2011-12-31T01:00:00", "2011-12-30T09:00:00Z", "2011-12-30T11:00:00Z"},
		{"Pacific/Apia", "2011-12-30T20:00:00", "2011-12-30T22:00:00", "2011-12-31T06:00:00Z", "2011-12-31T08:00:00Z"},
		{"Pacific/Apia", "2011-12-30T20:00:00", "2011-12-31T02:00:00", "2011-12-31T06:00:00Z", "2011-12-31T06:00:00Z"},
	} {
		test.run(t, func(*testing.T, *event.Entry) {})
	}
}

// TestOrderProperty compares with the definition: an event is in order when its local times
// are, or when one of the instants that its end can mean is not before its start.
func TestOrderProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom(zones).Filter(func(zone string) bool { return len(changes()[zone]) > 0 }).Draw(t, "zone")
		loc := location(t, zone)
		change := rapid.SampledFrom(changes()[zone]).Draw(t, "change")
		near := change + offset(change-1, loc)
		distance := rapid.OneOf(rapid.Int64Range(-7200, 7200), rapid.Int64Range(-26*3600, 26*3600))
		start, end := near+distance.Draw(t, "start"), near+distance.Draw(t, "end")

		first := oracle(start, loc)
		// An end that the clocks skip can be after a start that they show (02:50 after 03:10).
		inOrder, want := end >= start || oracle(end, loc) >= first, max(first, oracle(end, loc))
		for _, o := range []int64{offset(change-1, loc), offset(change, loc)} {
			if second := end - o; (end < start || oracle(end, loc) < first) && second >= first && offset(second, loc) == o {
				inOrder, want = true, second
			}
		}
		e := camela()
		text := func(local int64) event.Local { return mustLocal(time.Unix(local, 0).UTC().Format(dateTime)) }
		e.Start, e.End = text(start), text(end)
		if err := e.ValidateIn(loc); (err == nil) != inOrder {
			t.Fatalf("%s to %s in %s: %v, want in order: %t", e.Start, e.End, zone, err, inOrder)
		}
		if got := event.NewEntry(&e, loc); inOrder && got.End != want {
			t.Fatalf("%s to %s in %s ends at %d, want %d", e.Start, e.End, zone, got.End, want)
		}
	})
}
