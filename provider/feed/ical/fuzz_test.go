package ical

import (
	"errors"
	"strings"
	"testing"

	"fever/provider/feed"
)

// FuzzDecode reads any document: it is refused with a kind, or gives the same feed twice, with
// events that are valid.
func FuzzDecode(f *testing.F) {
	f.Add(calendarOf(zoneOfSpain + veventOf("DTSTART;TZID=Here:20261025T023000\nRRULE:FREQ=DAILY;COUNT=3\nEXDATE:20261026\nRDATE;VALUE=PERIOD:20261124T200000Z/PT1H")))
	f.Add(calendarOf("X-WR-TIMEZONE:Romance Standard Time\n" + veventOf("DTSTART:20261120\nDURATION:P2DT1H\nRRULE:FREQ=YEARLY;BYWEEKNO=-1;BYDAY=MO")))
	f.Add(calendarOf(veventOf("DTSTART:20261120T200000\nRRULE:FREQ=DAILY;UNTIL=20261125T190000Z") + "\n" + veventOf("DTSTART:20261122T210000\nRECURRENCE-ID;RANGE=THISANDFUTURE:20261122T200000\nSEQUENCE:1")))
	f.Fuzz(func(t *testing.T, doc string) {
		got, err := read(t, doc, "")
		if err != nil {
			if failure, ok := errors.AsType[*feed.Error](err); !ok || failure.Kind == feed.KindInternal {
				t.Fatal(err)
			}
			return
		}
		if got.Seen != len(got.Events)+got.Ignored+got.Rejected {
			t.Fatalf("%d rows, %d events, %d ignored, %d rejected", got.Seen, len(got.Events), got.Ignored, got.Rejected)
		}
		again, err := read(t, doc, "")
		if err != nil || rows(again) != rows(got) {
			t.Fatalf("%v, first\n%s\nthen\n%s", err, rows(got), rows(again))
		}
		if len(doc) < 1<<16 && !strings.Contains(doc, "\r") {
			crlf, err := read(t, strings.ReplaceAll(doc, "\n", "\r\n"), "")
			if err != nil || rows(crlf) != rows(got) {
				t.Fatalf("%v, with CRLF\n%s\nwith LF\n%s", err, rows(crlf), rows(got))
			}
		}
	})
}
