package ical

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"fever/provider/feed"
	"fever/provider/rrule"
)

// TestBounds refuses documents whose few bytes would take much memory or time. Without their
// bounds each of them takes gigabytes, or minutes.
func TestBounds(t *testing.T) { //nolint:paralleltest // it measures what is allocated meanwhile
	const base = "DTSTART:20261120T200000\n"
	zone := func(lines string) string {
		return "BEGIN:VTIMEZONE\nTZID:Here\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\n" + lines + "END:STANDARD\nEND:VTIMEZONE\n"
	}
	var inZone strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&inZone, "BEGIN:VEVENT\nUID:u%d\nDTSTART;TZID=Here:20261120T200000\nEND:VEVENT\n", i)
	}
	for name, test := range map[string]struct {
		doc  string
		want string // of the first rejection, or of the error
	}{
		"many rules":                  {veventOf(base + strings.Repeat("RRULE:FREQ=DAILY\n", 200_000)), "it has more than 128 rules"},
		"many rules of a zone":        {zone(strings.Repeat("RRULE:FREQ=DAILY\n", 200_000)) + veventOf("DTSTART;TZID=Here:20261120T200000"), "it has more than 128 rules"},
		"many changes of a zone":      {zone(strings.Repeat("RRULE:FREQ=DAILY\n", 100)) + inZone.String(), "more than 8192 changes"},
		"a long TZID of many dates":   {veventOf(base + "EXDATE;TZID=" + strings.Repeat("x", 500_000) + ":" + strings.Repeat("20261120T200000,", 30_000)), "EXDATE: time zone"},
		"many parameters, many dates": {veventOf("DTSTART:20260132\nEXDATE" + strings.Repeat(";a=b", 100_000) + ":" + strings.Repeat("20261120T200000,", 30_000)), "DTSTART"},
		"many events":                 {strings.Repeat("BEGIN:VEVENT\nEND:VEVENT\n", maxComponents+1), "more than 1048576 events, time zones and calendars"},
	} {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // likewise
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got, err := read(t, calendarOf(test.doc), "")
			runtime.ReadMemStats(&after)
			reason := ""
			if err != nil {
				reason = err.Error()
			} else if len(got.Rejections) > 0 {
				reason = got.Rejections[0].Reason
			}
			if !strings.Contains(reason, test.want) {
				t.Errorf("%q, want %q", reason, test.want)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 1<<30 {
				t.Errorf("it allocated %d MiB for %d bytes", n>>20, len(test.doc))
			}
		})
	}
}

// TestCut leaves out what a rule gives beyond its bounds, and reports it. A rule that never has an
// instance gives its start alone, and nothing is left out.
func TestCut(t *testing.T) {
	t.Parallel()
	for rule, want := range map[string]struct{ events, cut int }{
		"FREQ=SECONDLY": {rrule.MaxTimes, 1},
		"FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30;INTERVAL=7": {1, 0},
	} {
		got, err := read(t, calendarOf(veventOf("DTSTART:20261120T200000\nRRULE:"+rule)), "")
		if err != nil || len(got.Events) != want.events || got.Rejected != want.cut || want.cut > 0 && !strings.Contains(got.Rejections[0].Reason, "the later ones are left out") {
			t.Errorf("%s: %v, %d events, %+v", rule, err, len(got.Events), got.Rejections)
		}
	}
}

// TestLongID gives an event whose UID is too long for a key one that is as good.
func TestLongID(t *testing.T) {
	t.Parallel()
	uid := strings.Repeat("x", 200)
	got, err := read(t, calendarOf(veventOf("UID:"+uid+"1\nDTSTART:20261120")+"\n"+veventOf("UID:"+uid+"2\nDTSTART:20261120")), "")
	if err != nil || len(got.Events) != 2 || got.Events[0].Key == got.Events[1].Key {
		t.Fatalf("%v, %+v", err, got)
	}
	if id := got.Events[0].BaseID; !regexp.MustCompile(`^sha256-[0-9a-f]{32}$`).MatchString(id) || got.Events[0].EventID != id {
		t.Errorf("%+v", got.Events[0].Key)
	}
}

// TestExpiredWithin ends a document within its only series, and within a time zone, when its
// time is over although its last byte was read.
func TestExpiredWithin(t *testing.T) {
	t.Parallel()
	for name, lines := range map[string]string{
		"a series": veventOf("DTSTART:20261120T200000\nRRULE:FREQ=DAILY"),
		"a zone":   zoneOfSpain + veventOf("DTSTART;TZID=Here:20261120T200000"),
	} {
		doc := &feed.Document{Body: io.NopCloser(strings.NewReader(calendarOf(lines))), Op: "read", Page: feed.Page{Began: received}}
		doc.Expired = func() error { return feed.Errorf(feed.KindTimeout, "%w", context.DeadlineExceeded) }
		got, err := feed.Decode(doc, New(), "test", time.UTC)
		failure, ok := errors.AsType[*feed.Error](err)
		if got != nil || !ok || failure.Kind != feed.KindTimeout {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// TestFuture shifts later instances along with the wall clock of their series, however the
// change is written.
func TestFuture(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ start, change, want string }{
		"by date": {
			"20261120T200000", "RECURRENCE-ID;VALUE=DATE;RANGE=THISANDFUTURE:20261121\nDTSTART" + madrid + ":20261121T210000",
			"20261120T190000Z 2026-11-20T20:00:00\n20261121T190000Z 2026-11-21T21:00:00\n20261122T190000Z 2026-11-22T21:00:00\n",
		},
		"in UTC, over a change of the clocks": {
			"20261023T200000", "RECURRENCE-ID;RANGE=THISANDFUTURE:20261024T180000Z\nDTSTART:20261024T190000Z\nDTEND:20261024T200000Z",
			"20261023T180000Z 2026-10-23T20:00:00\n20261024T180000Z 2026-10-24T21:00:00 to 2026-10-24T22:00:00\n20261025T190000Z 2026-10-25T21:00:00 to 2026-10-25T22:00:00\n",
		},
	} {
		doc := veventOf("DTSTART"+madrid+":"+test.start+"\nRRULE:FREQ=DAILY;COUNT=3") + "\n" + veventOf(test.change)
		got, err := read(t, calendarOf(doc), "")
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.ReplaceAll(rows(got), " Europe/Madrid", ""); text != test.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, text, test.want)
		}
	}
}
