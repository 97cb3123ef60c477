package event_test

import (
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"fever/event"
)

// entry makes the entry of an event with the given local times; "" is none.
func entry(loc *time.Location, start, end string) *event.Entry {
	e := camela()
	e.Start, e.End = mustLocal(start), mustLocal(end)
	return event.NewEntry(&e, loc)
}

func TestEntryInstants(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, zone, start, end string
		wantStart, wantEnd     string
	}{
		{"summer", "Europe/Madrid", "2021-06-30T21:00:00", "2021-06-30T22:00:00", "2021-06-30T19:00:00Z", "2021-06-30T20:00:00Z"},
		{"winter", "Europe/Madrid", "2021-02-10T20:00:00", "2021-02-10T21:30:00", "2021-02-10T19:00:00Z", "2021-02-10T20:30:00Z"},
		{"no end", "Europe/Madrid", "2021-06-30T21:00:00", "", "2021-06-30T19:00:00Z", "2021-06-30T19:00:00Z"},
		{"dates alone", "Europe/Madrid", "2021-06-30", "2021-07-01", "2021-06-29T22:00:00Z", "2021-07-01T21:59:59Z"},
		{"one date alone", "UTC", "2021-06-30", "2021-06-30", "2021-06-30T00:00:00Z", "2021-06-30T23:59:59Z"},
		{"a date alone without an end", "UTC", "2021-06-30", "", "2021-06-30T00:00:00Z", "2021-06-30T00:00:00Z"},
		{"a time, ends the same date", "UTC", "2021-06-30T21:00:00", "2021-06-30", "2021-06-30T21:00:00Z", "2021-06-30T23:59:59Z"},
		{"a date, ends at a time of it", "UTC", "2021-06-30", "2021-06-30T10:00:00", "2021-06-30T00:00:00Z", "2021-06-30T10:00:00Z"},
		{"before the epoch", "UTC", "1969-12-31T23:59:58", "1969-12-31", "1969-12-31T23:59:58Z", "1969-12-31T23:59:59Z"},
		{"the first day", "UTC", "0000-01-01", "0000-01-01", "0000-01-01T00:00:00Z", "0000-01-01T23:59:59Z"},
		{"the last day", "UTC", "9999-12-31", "9999-12-31", "9999-12-31T00:00:00Z", "9999-12-31T23:59:59Z"},

		{"Madrid, before the gap", "Europe/Madrid", "2021-03-28T01:59:59", "2021-03-28T03:00:00", "2021-03-28T00:59:59Z", "2021-03-28T01:00:00Z"},
		{"Madrid, in the gap", "Europe/Madrid", "2021-03-28T02:30:00", "2021-03-28T04:00:00", "2021-03-28T01:30:00Z", "2021-03-28T02:00:00Z"},
		{"Madrid, from the gap to just after it", "Europe/Madrid", "2021-03-28T02:30:00", "2021-03-28T03:10:00", "2021-03-28T01:30:00Z", "2021-03-28T01:30:00Z"},
		{"Madrid, in the fold", "Europe/Madrid", "2021-10-31T02:30:00", "2021-10-31T02:59:59", "2021-10-31T00:30:00Z", "2021-10-31T00:59:59Z"},
		{"Madrid, over the fold", "Europe/Madrid", "2021-10-31T01:59:59", "2021-10-31T03:00:00", "2021-10-30T23:59:59Z", "2021-10-31T02:00:00Z"},
		{"New York, in the gap", "America/New_York", "2021-03-14T02:30:00", "", "2021-03-14T07:30:00Z", "2021-03-14T07:30:00Z"},
		{"New York, after the gap", "America/New_York", "2021-03-14T03:00:00", "", "2021-03-14T07:00:00Z", "2021-03-14T07:00:00Z"},
		{"New York, in the fold", "America/New_York", "2021-11-07T01:30:00", "", "2021-11-07T05:30:00Z", "2021-11-07T05:30:00Z"},
		{"Lord Howe, in the gap of half an hour", "Australia/Lord_Howe", "2021-10-03T02:15:00", "", "2021-10-02T15:45:00Z", "2021-10-02T15:45:00Z"},
		{"Lord Howe, after the gap", "Australia/Lord_Howe", "2021-10-03T02:30:00", "", "2021-10-02T15:30:00Z", "2021-10-02T15:30:00Z"},
		{"Lord Howe, in the fold of half an hour", "Australia/Lord_Howe", "2021-04-04T01:45:00", "", "2021-04-03T14:45:00Z", "2021-04-03T14:45:00Z"},
		{"Casablanca, into Ramadan", "Africa/Casablanca", "2021-04-11T02:30:00", "", "2021-04-11T01:30:00Z", "2021-04-11T01:30:00Z"},
		{"Casablanca, out of Ramadan", "Africa/Casablanca", "2021-05-16T02:30:00", "", "2021-05-16T02:30:00Z", "2021-05-16T02:30:00Z"},
		{"Apia, on the day that was left out", "Pacific/Apia", "2011-12-30T12:00:00", "", "2011-12-30T22:00:00Z", "2011-12-30T22:00:00Z"},
		{"Apia, that date alone", "Pacific/Apia", "2011-12-30", "2011-12-30", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z"},
		{"Apia, the day before", "Pacific/Apia", "2011-12-29", "2011-12-29", "2011-12-29T10:00:00Z", "2011-12-30T09:59:59Z"},
		{"Apia, the day after", "Pacific/Apia", "2011-12-31", "2011-12-31", "2011-12-30T10:00:00Z", "2011-12-31T09:59:59Z"},
		{"São Paulo, no midnight", "America/Sao_Paulo", "2018-11-04", "2018-11-04", "2018-11-04T03:00:00Z", "2018-11-05T01:59:59Z"},
		{"São Paulo, 23:59:59 twice", "America/Sao_Paulo", "2018-02-17T23:59:59", "2018-02-17", "2018-02-18T01:59:59Z", "2018-02-18T02:59:59Z"},
		{"Nuuk, no 23:59:59", "America/Nuuk", "2024-03-30", "2024-03-30", "2024-03-30T02:00:00Z", "2024-03-31T00:59:59Z"},
		{"Havana, midnight twice", "America/Havana", "2021-11-07", "2021-11-06", "2021-11-07T04:00:00Z", "2021-11-07T04:00:00Z"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := entry(location(t, test.zone), test.start, test.end)
			if s := time.Unix(got.Start, 0).UTC().Format(time.RFC3339); s != test.wantStart {
				t.Errorf("%s starts %s, want %s", test.start, s, test.wantStart)
			}
			if s := time.Unix(got.End, 0).UTC().Format(time.RFC3339); s != test.wantEnd {
				t.Errorf("%q ends %s, want %s", test.end, s, test.wantEnd)
			}
		})
	}
}

// zones have changes of every sort: of an hour, half an hour and a day, at midnight,
// over Ramadan, and from local mean time.
var zones = []string{
	"UTC", "Africa/Casablanca", "America/Havana", "America/Juneau", "America/New_York", "America/Nuuk", "America/Santiago", "America/Sao_Paulo",
	"America/St_Johns", "Antarctica/Troll", "Asia/Gaza", "Asia/Kathmandu", "Asia/Manila", "Australia/Lord_Howe", "Europe/Dublin",
	"Europe/Lisbon", "Europe/Madrid", "Pacific/Apia", "Pacific/Kiritimati", "Pacific/Kwajalein",
}

// changes returns the Unix seconds at which the offset of a zone changes, from 1840
// to 2045.
var changes = sync.OnceValue(func() map[string][]int64 {
	found := make(map[string][]int64)
	for _, zone := range zones {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			panic(err)
		}
		const step = 3 * 24 * 60 * 60 // no zone changes twice within it
		for second := int64(-4102444800); second < 2366841600; second += step {
			before, after := second, second+step
			if offset(before, loc) == offset(after, loc) {
				continue
			}
			for after-before > 1 {
				if mid := (before + after) / 2; offset(mid, loc) == offset(before, loc) {
					before = mid
				} else {
					after = mid
				}
			}
			found[zone] = append(found[zone], after)
		}
	}
	return found
})

func offset(second int64, loc *time.Location) int64 {
	_, o := time.Unix(second, 0).In(loc).Zone()
	return int64(o)
}

// TestInstantProperty compares with the definition: the first second at which the clock shows the
// local time, or, when there is none, the one by the offset from before the gap.
func TestInstantProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom(zones).Draw(t, "zone")
		loc := location(t, zone)
		near := rapid.Int64Range(-4102444800, 4102444800).Draw(t, "second") // years 1840 to 2100
		if c := changes()[zone]; len(c) > 0 && rapid.IntRange(0, 3).Draw(t, "near a change") > 0 {
			near = rapid.SampledFrom(c).Draw(t, "change")
			near += offset(near-rapid.Int64Range(0, 1).Draw(t, "side"), loc)
			near += rapid.OneOf(rapid.Int64Range(-2, 2), rapid.Int64Range(-2*3600, 2*3600), rapid.Int64Range(-26*3600, 26*3600)).Draw(t, "distance")
		}
		text := time.Unix(near, 0).UTC().Format(dateTime)
		got := entry(loc, text, "")
		if want := oracle(near, loc); got.Start != want || got.End != want {
			t.Fatalf("%s in %s starts at %d (%s) and ends at %d, want %d (%s)",
				text, zone, got.Start, time.Unix(got.Start, 0).In(loc), got.End, want, time.Unix(want, 0).In(loc))
		}

		length := rapid.OneOf(rapid.Int64Range(0, 7200), rapid.Int64Range(0, 40*86400)).Draw(t, "length")
		later := time.Unix(near+length, 0).UTC()
		if got, want := entry(loc, text, later.Format(dateTime)), max(oracle(near, loc), oracle(near+length, loc)); got.End != want {
			t.Fatalf("%s to %s in %s ends at %d, want %d", text, later.Format(dateTime), zone, got.End, want)
		}
		date := later.Format(time.DateOnly)
		got = entry(loc, text, date)
		if got.End < got.Start {
			t.Fatalf("%s to %s in %s: ends at %d, before it starts at %d", text, date, zone, got.End, got.Start)
		}
		on := func(second int64) string { return time.Unix(second, 0).In(loc).Format(time.DateOnly) }
		noon := later.Truncate(24 * time.Hour).Add(12 * time.Hour).Unix()
		skipped := on(oracle(noon, loc)) != date // by a clock that changed sides of the date line
		if got.End > got.Start && !skipped && (on(got.End) != date || on(got.End+1) == date) {
			t.Fatalf("%s in %s ends on %s, one second before %s", date, zone, on(got.End), on(got.End+1))
		}
	})
}

func oracle(local int64, loc *time.Location) int64 {
	first, skipped, exists := int64(0), int64(0), false
	for _, hours := range []int64{-40, -24, -16, -12, -8, -4, -2, 0, 2, 4, 8, 12, 16, 24, 40} {
		o := offset(local+hours*3600, loc)
		switch second := local - o; {
		case offset(second, loc) != o:
			if hours == -40 {
				skipped = second
			}
		case !exists || second < first:
			first, exists = second, true
		}
	}
	if exists {
		return first
	}
	return skipped
}
