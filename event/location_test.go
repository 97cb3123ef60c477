package event_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"fever/event"
)

func TestLoadLocation(t *testing.T) {
	t.Parallel()
	for _, name := range append([]string{"UTC", "Etc/GMT+5", "America/Argentina/ComodRivadavia", "America/Port-au-Prince", "EST5EDT"}, zones...) {
		for range 2 { // the second time it is remembered
			if loc, err := event.LoadLocation(name); err != nil || loc.String() != name {
				t.Errorf("%s: %v, %v", name, loc, err)
			}
		}
	}
	for _, name := range []string{
		"", "Local", "localtime", "posixrules", "posix/Europe/Madrid", "right/Europe/Madrid", "zone.tab", "tzdata.zi",
		"/Europe/Madrid", "Europe/", "Europe", "Europe//Madrid", "Europe/./Madrid", "Europe/../Europe/Madrid", "../etc/localtime",
		"europe/madrid", "Madrid", "Europe/Madrid ", "Europe/Madrid\x00", "Europe\\Madrid", "+01:00", "UTC+2", strings.Repeat("Europe/", 1000) + "Madrid", "É",
	} {
		loc, err := event.LoadLocation(name)
		if err == nil || len(err.Error()) > 120 {
			t.Errorf("%q: %v, %v", name, loc, err)
		}
	}
}

// TestOwnTimeZone has events in a time zone that is not their provider's.
func TestOwnTimeZone(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		provider, own, start, end string
		wantStart, wantEnd        string // in UTC
	}{
		{"Europe/Madrid", "", "2026-03-27T20:00:00", "2026-03-27T22:00:00", "2026-03-27T19:00:00Z", "2026-03-27T21:00:00Z"},
		{"Europe/Madrid", "Europe/London", "2026-03-27T20:00:00", "2026-03-27T22:00:00", "2026-03-27T20:00:00Z", "2026-03-27T22:00:00Z"},
		{"Europe/Madrid", "Europe/Madrid", "2026-03-27T20:00:00", "", "2026-03-27T19:00:00Z", "2026-03-27T19:00:00Z"},
		{"Europe/Madrid", "UTC", "2026-03-27T20:00:00", "", "2026-03-27T20:00:00Z", "2026-03-27T20:00:00Z"},
		{"UTC", "America/New_York", "2026-03-27", "2026-03-27", "2026-03-27T04:00:00Z", "2026-03-28T03:59:59Z"},
		{"UTC", "Pacific/Kiritimati", "2026-03-27", "2026-03-27", "2026-03-26T10:00:00Z", "2026-03-27T09:59:59Z"},
		// London shows this end twice, Madrid does not: only in London is it not before the start.
		{"Europe/Madrid", "Europe/London", "2026-10-25T01:30:00", "2026-10-25T01:15:00", "2026-10-25T00:30:00Z", "2026-10-25T01:15:00Z"},
	} {
		e := camela()
		e.TimeZone, e.Start, e.End = test.own, mustLocal(test.start), mustLocal(test.end)
		loc := location(t, test.provider)
		if err := e.ValidateIn(loc); err != nil {
			t.Error(err)
		}
		got := event.NewEntry(&e, loc)
		utc := func(second int64) string { return time.Unix(second, 0).UTC().Format(time.RFC3339) }
		if utc(got.Start) != test.wantStart || utc(got.End) != test.wantEnd {
			t.Errorf("%+v: from %s to %s", test, utc(got.Start), utc(got.End))
		}
		if want := fmt.Sprintf(`"start_date":%q`, date(e.Start)); !strings.Contains(string(got.Summary), want) {
			t.Errorf("%+v: %s, want %s", test, got.Summary, want)
		}
	}
}

// TestFold has the second of the times that the clocks show twice. Elsewhere it means nothing.
func TestFold(t *testing.T) {
	t.Parallel()
	for _, test := range []night{
		{"Europe/Madrid", "2026-10-25T02:30:00[fold=1]", "", "2026-10-25T01:30:00Z", "2026-10-25T01:30:00Z"},
		{"Europe/Madrid", "2026-10-25T02:30:00[fold=1]", "2026-10-25T02:45:00[fold=1]", "2026-10-25T01:30:00Z", "2026-10-25T01:45:00Z"},
		{"Europe/Madrid", "2026-10-25T02:30:00[fold=1]", "2026-10-25T02:45:00", "2026-10-25T01:30:00Z", "2026-10-25T01:45:00Z"},
		{"Europe/Madrid", "2026-10-25T02:30:00", "2026-10-25T02:45:00[fold=1]", "2026-10-25T00:30:00Z", "2026-10-25T01:45:00Z"},
		{"Europe/Madrid", "2026-10-25T02:30:00", "2026-10-25T02:15:00[fold=1]", "2026-10-25T00:30:00Z", "2026-10-25T01:15:00Z"},
		{"Europe/Madrid", "2026-10-25T02:30:00[fold=1]", "2026-10-25", "2026-10-25T01:30:00Z", "2026-10-25T22:59:59Z"},
		{"Europe/Madrid", "2026-10-25T02:30:00[fold=1]", "2026-10-25T02:15:00[fold=1]", refused, ""},
		{"Europe/Madrid", "2026-10-25T02:30:00[fold=1]", "2026-10-25T02:15:00", refused, ""},
		{"Europe/Madrid", "2026-06-25T02:30:00[fold=1]", "2026-06-25T02:45:00[fold=1]", "2026-06-25T00:30:00Z", "2026-06-25T00:45:00Z"},
		{"Europe/Madrid", "2026-03-29T02:30:00[fold=1]", "", "2026-03-29T01:30:00Z", "2026-03-29T01:30:00Z"}, // skipped
		{"America/Juneau", "1867-10-19T12:00:00", "", "1867-10-18T20:57:41Z", "1867-10-18T20:57:41Z"},        // a day came twice
		{"America/Juneau", "1867-10-19T12:00:00[fold=1]", "", "1867-10-19T20:57:41Z", "1867-10-19T20:57:41Z"},
	} {
		test.run(t, func(t *testing.T, got *event.Entry) {
			t.Helper()
			if strings.Contains(string(got.Summary), "fold") {
				t.Errorf("the answer is %s", got.Summary)
			}
		})
	}
}

// TestLocalAtProperty makes local times of instants, near all changes of all zones, and instants
// of them again: as the start of an event, as its end, and by way of its text.
func TestLocalAtProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom(zones).Draw(t, "zone")
		loc := location(t, zone)
		second := rapid.Int64Range(-4102444800, 4102444800).Draw(t, "second") // years 1840 to 2100
		if c := changes()[zone]; len(c) > 0 && rapid.IntRange(0, 3).Draw(t, "near a change") > 0 {
			second = rapid.SampledFrom(c).Draw(t, "change")
			second += rapid.OneOf(rapid.Int64Range(-2, 2), rapid.Int64Range(-2*3600, 2*3600), rapid.Int64Range(-26*3600, 26*3600)).Draw(t, "distance")
		}
		checkLocalAt(t, second, second+rapid.OneOf(rapid.Int64Range(0, 7200), rapid.Int64Range(0, 40*86400)).Draw(t, "length"), loc)
	})
}

// TestLocalAtChanges does so for the seconds around every change.
func TestLocalAtChanges(t *testing.T) {
	t.Parallel()
	for zone, all := range changes() {
		loc := location(t, zone)
		for _, change := range all {
			before := offset(change-1, loc) - offset(change, loc) // how far the clocks go back
			for _, near := range []int64{change - 1, change, change - before - 1, change - before, change + before - 1, change + before} {
				checkLocalAt(t, near, near+1800, loc)
			}
		}
	}
}

func checkLocalAt(t rapid.TB, start, end int64, loc *time.Location) {
	t.Helper()
	e := camela()
	var err1, err2 error
	e.Start, err1 = event.LocalAt(start, loc)
	e.End, err2 = event.LocalAt(end, loc)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if want := time.Unix(start, 0).In(loc).Format(dateTime); strings.TrimSuffix(e.Start.String(), "[fold=1]") != want {
		t.Fatalf("%d at %s is %s, want %s", start, loc, e.Start, want)
	}
	if again := mustLocal(e.Start.String()); again != e.Start {
		t.Fatalf("%s came back as %s", e.Start, again)
	}
	if err := e.ValidateIn(loc); err != nil {
		t.Fatalf("from %d to %d at %s: %v", start, end, loc, err)
	}
	if got := event.NewEntry(&e, loc); got.Start != start || got.End != end {
		t.Fatalf("from %d to %d at %s came back as %d (%s) to %d (%s)", start, end, loc, got.Start, e.Start, got.End, e.End)
	}
}

func TestLocalAtRange(t *testing.T) {
	t.Parallel()
	tokyo := location(t, "Asia/Tokyo")
	for second, want := range map[int64]string{
		-62167219200:         "0000-01-01T00:00:00",
		-62167219200 - 1:     "",
		253402300799:         "9999-12-31T23:59:59",
		253402300799 + 1:     "",
		-9223372036854775808: "",
		9223372036854775807:  "",
	} {
		if l, err := event.LocalAt(second, time.UTC); l.String() != want || (err == nil) != (want != "") {
			t.Errorf("%d: %s, %v", second, l, err)
		}
	}
	if l, err := event.LocalAt(253402300799, tokyo); err == nil {
		t.Errorf("in the year 10000: %s", l)
	}
}
