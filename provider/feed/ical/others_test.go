package ical

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestOthers reads what libraries read otherwise: each was run on the same lines, in a calendar
// of CRLF lines. docs/formats.md lists them. The versions are go-ical of 2025-03-29, golang-ical
// 0.3.4, gocal 0.9.1, ical.js 2.2.1, and recurring-ical-events 2.0.1 with icalendar 4.0.3.
func TestOthers(t *testing.T) {
	t.Parallel()
	const show = "DTSTART" + madrid + ":20261120T200000\n"
	daily := func(zone, start string) string {
		return veventOf("DTSTART;TZID=" + zone + ":" + start + "\nRRULE:FREQ=DAILY;COUNT=3")
	}
	change := func(lines string) string { return "\n" + veventOf(lines) }
	old := strings.NewReplacer("TZID:Here", "TZID:America/New_York", "BYMONTH=3;BYDAY=-1SU", "BYMONTH=4;BYDAY=1SU", "19700329", "19700405", "FROM:+0100", "FROM:-0500",
		"TO:+0200", "TO:-0400", "FROM:+0200", "FROM:-0400", "TO:+0100", "TO:-0500").Replace(zoneOfSpain)
	text, err := os.ReadFile("../../../docs/formats.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, others, doc, want string }{
		// Files and lines.
		{"a byte order mark", "go-ical, ical.js, recurring-ical-events: no calendar", "\ufeff" + calendarOf(veventOf(show)), "u 2026-11-20T20:00:00 Europe/Madrid\n"},
		{"several calendars in a file", "golang-ical, recurring-ical-events: refused; go-ical: the first one", calendarOf(veventOf(show)) + calendarOf(veventOf("UID:v\n"+show)), "u 2026-11-20T20:00:00 Europe/Madrid\nv 2026-11-20T20:00:00 Europe/Madrid\n"},
		{"names in lower case", "golang-ical: no event", "begin:vevent\nuid:u\ndtstart:20261120T190000Z\nsummary:t\nend:vevent", "u 2026-11-20T20:00:00 Europe/Madrid\n"},
		{"no DTSTAMP", "gocal: the file is refused", "BEGIN:VEVENT\nUID:u\n" + show + "SUMMARY:t\nEND:VEVENT", "u 2026-11-20T20:00:00 Europe/Madrid\n"},
		{"no UID, a URL", "gocal: the file is refused; the others: an event without an id", "BEGIN:VEVENT\nURL:https://a.example/1\n" + show + "SUMMARY:t\nEND:VEVENT", "https://a.example/1 2026-11-20T20:00:00 Europe/Madrid\n"},
		// Dates.
		{"VALUE=DATE with a time", "go-ical, gocal: refused; ical.js: the day, without the time", veventOf("DTSTART;VALUE=DATE:20261120T200000"), "u 2026-11-20T20:00:00\n"},
		{"a date without VALUE=DATE", "go-ical, ical.js: refused", veventOf("DTSTART:20261120\nDTEND:20261121"), "u 2026-11-20 to 2026-11-20\n"},
		{"no end", "gocal: no event; golang-ical: an error", veventOf(show), "u 2026-11-20T20:00:00 Europe/Madrid\n"},
		{"a date without an end", "recurring-ical-events: no day; golang-ical: an error", veventOf("DTSTART;VALUE=DATE:20261120"), "u 2026-11-20 to 2026-11-20\n"},
		{"a date that ends as it starts", "go-ical, golang-ical, ical.js, recurring-ical-events: no day", veventOf("DTSTART;VALUE=DATE:20261120\nDTEND;VALUE=DATE:20261120"), "u 2026-11-20 to 2026-11-20\n"},
		{"a day long, over a change of the clocks", "go-ical, gocal, recurring-ical-events: 24 hours", veventOf("DTSTART" + madrid + ":20261024T200000\nDURATION:P1D"), "u 2026-10-24T20:00:00 to 2026-10-25T20:00:00 Europe/Madrid\n"},
		{"24 hours long, over a change of the clocks", "ical.js: a day; golang-ical: no DURATION at all", veventOf("DTSTART" + madrid + ":20261024T200000\nDURATION:PT24H"), "u 2026-10-24T20:00:00 to 2026-10-25T19:00:00 Europe/Madrid\n"},
		{"a series whose first show is over a change", "gocal, ical.js: the later ones an hour short", veventOf("DTSTART" + madrid + ":20261024T200000\nDTEND" + madrid + ":20261025T040000\nRRULE:FREQ=WEEKLY;COUNT=2"), "20261024T180000Z 2026-10-24T20:00:00 to 2026-10-25T04:00:00 Europe/Madrid\n20261031T190000Z 2026-10-31T20:00:00 to 2026-11-01T05:00:00 Europe/Madrid\n"},
		// Time zones.
		{"a zone that only the VTIMEZONE knows", "go-ical, golang-ical: unknown", zoneOfSpain + veventOf("DTSTART;TZID=Here:20260720T200000"), "u 2026-07-20T20:00:00 Europe/Madrid\n"},
		{"two TZIDs in a VTIMEZONE", "recurring-ical-events: fails; ical.js: the second floats; go-ical, golang-ical: unknown", strings.Replace(zoneOfSpain, "TZID:Here", "TZID:Here\nTZID:There", 1) + veventOf("DTSTART;TZID=Here:20260720T200000") + "\n" + veventOf("UID:v\nDTSTART;TZID=There:20260720T200000"), "u 2026-07-20T20:00:00 Europe/Madrid\nv 2026-07-20T20:00:00 Europe/Madrid\n"},
		{"a VTIMEZONE without END", "go-ical, golang-ical, ical.js, recurring-ical-events: refused", strings.Replace(zoneOfSpain, "END:VTIMEZONE\n", "", 1) + veventOf("DTSTART;TZID=Here:20260720T200000"), "u 2026-07-20T20:00:00 Europe/Madrid\n"},
		{"a VTIMEZONE unlike the zone database", "go-ical, golang-ical, recurring-ical-events: the database", old + veventOf("DTSTART;TZID=America/New_York:20270320T200000"), "u 2027-03-20T21:00:00 America/New_York\n"},
		{"a name of Windows", "go-ical, golang-ical: unknown; ical.js: floats", veventOf("DTSTART;TZID=\"GMT Standard Time\":20260720T200000"), "u 2026-07-20T20:00:00 Europe/London\n"},
		{"a name in lower case", "go-ical, golang-ical: unknown; ical.js: floats", veventOf("DTSTART;TZID=europe/madrid:20260720T200000"), "u 2026-07-20T20:00:00 Europe/Madrid\n"},
		{"an abbreviation, EST", "go-ical, golang-ical, recurring-ical-events: no summer time", veventOf("DTSTART;TZID=EST:20260720T200000"), "u 2026-07-20T20:00:00\n"},
		{"UTC+02:00", "go-ical, golang-ical, gocal, ical.js, recurring-ical-events: an error", veventOf("DTSTART;TZID=UTC+02:00:20260720T200000"), "u 2026-07-20T20:00:00\n"},
		{"an unknown zone", "ical.js, recurring-ical-events: floats", veventOf("DTSTART;TZID=Klingon:20260720T200000"), "line 4: time zone \"Klingon\" is not known: it is neither an IANA name nor one of Windows, and no VTIMEZONE says what it is\n"},
		{"X-WR-TIMEZONE", "go-ical, golang-ical, ical.js: ignored", "X-WR-TIMEZONE:America/New_York\n" + veventOf("DTSTART:20261120T200000"), "u 2026-11-20T20:00:00 America/New_York\n"},
		// Clocks.
		{"a time that is skipped, east of Greenwich", "gocal: the next day, too, an hour late", daily("Europe/Madrid", "20270327T023000"), "20270327T013000Z 2027-03-27T02:30:00 Europe/Madrid\n20270328T013000Z 2027-03-28T03:30:00 Europe/Madrid\n20270329T003000Z 2027-03-29T02:30:00 Europe/Madrid\n"},
		{"a time that is skipped, west of Greenwich", "go-ical: an hour early; gocal: the next day, too", daily("America/New_York", "20270313T023000"), "20270313T073000Z 2027-03-13T02:30:00 America/New_York\n20270314T073000Z 2027-03-14T03:30:00 America/New_York\n20270315T063000Z 2027-03-15T02:30:00 America/New_York\n"},
		{"one show at a time that is skipped", "go-ical, golang-ical: west of Greenwich an hour early", veventOf("DTSTART;TZID=America/New_York:20270314T023000"), "u 2027-03-14T03:30:00 America/New_York\n"},
		{"a time that comes twice, east of Greenwich", "go-ical, gocal, recurring-ical-events: the second", daily("Europe/Madrid", "20261024T023000"), "20261024T003000Z 2026-10-24T02:30:00 Europe/Madrid\n20261025T003000Z 2026-10-25T02:30:00 Europe/Madrid\n20261026T013000Z 2026-10-26T02:30:00 Europe/Madrid\n"},
		{"a time that comes twice, west of Greenwich", "recurring-ical-events: the second", daily("America/New_York", "20261031T013000"), "20261031T053000Z 2026-10-31T01:30:00 America/New_York\n20261101T053000Z 2026-11-01T01:30:00 America/New_York\n20261102T063000Z 2026-11-02T01:30:00 America/New_York\n"},
		{"a midnight that does not exist, Santiago", "go-ical: no show; gocal: the evening before, twice", daily("America/Santiago", "20270904T000000"), "20270904T040000Z 2027-09-04T00:00:00 America/Santiago\n20270905T040000Z 2027-09-05T01:00:00 America/Santiago\n20270906T030000Z 2027-09-06T00:00:00 America/Santiago\n"},
		{"a midnight that does not exist, Havana", "go-ical: no show; gocal: the evening before, twice", daily("America/Havana", "20270313T000000"), "20270313T050000Z 2027-03-13T00:00:00 America/Havana\n20270314T050000Z 2027-03-14T01:00:00 America/Havana\n20270315T040000Z 2027-03-15T00:00:00 America/Havana\n"},
		{"a midnight that does not exist, Cairo", "gocal: the next day, too, an hour late", daily("Africa/Cairo", "20270429T000000"), "20270428T220000Z 2027-04-29T00:00:00 Africa/Cairo\n20270429T220000Z 2027-04-30T01:00:00 Africa/Cairo\n20270430T210000Z 2027-05-01T00:00:00 Africa/Cairo\n"},
		{"a day that did not exist, Apia", "gocal: 24 hours apart, whatever the clocks; recurring-ical-events: twice at one time", daily("Pacific/Apia", "20111229T100000"), "20111229T200000Z 2011-12-29T10:00:00 Pacific/Apia\n20111230T200000Z 2011-12-31T10:00:00 Pacific/Apia\n"},
		{"negative summer time, skipped, Dublin", "gocal: the next day, too, an hour late", daily("Europe/Dublin", "20270327T013000"), "20270327T013000Z 2027-03-27T01:30:00 Europe/Dublin\n20270328T013000Z 2027-03-28T02:30:00 Europe/Dublin\n20270329T003000Z 2027-03-29T01:30:00 Europe/Dublin\n"},
		{"negative summer time, twice, Dublin", "go-ical, gocal: the second", daily("Europe/Dublin", "20261024T013000"), "20261024T003000Z 2026-10-24T01:30:00 Europe/Dublin\n20261025T003000Z 2026-10-25T01:30:00 Europe/Dublin\n20261026T013000Z 2026-10-26T01:30:00 Europe/Dublin\n"},
		{"negative summer time, skipped, Casablanca", "gocal: the next day, too, an hour late", daily("Africa/Casablanca", "20270313T023000"), "20270313T023000Z 2027-03-13T02:30:00 Africa/Casablanca\n20270314T023000Z 2027-03-14T03:30:00 Africa/Casablanca\n20270315T013000Z 2027-03-15T02:30:00 Africa/Casablanca\n"},
		{"negative summer time, twice, Casablanca", "go-ical, gocal: the second", daily("Africa/Casablanca", "20270206T023000"), "20270206T013000Z 2027-02-06T02:30:00 Africa/Casablanca\n20270207T013000Z 2027-02-07T02:30:00 Africa/Casablanca\n20270208T023000Z 2027-02-08T02:30:00 Africa/Casablanca\n"},
		{"each hour, over a gap", "recurring-ical-events: two at one time", veventOf("DTSTART" + madrid + ":20270328T000000\nRRULE:FREQ=HOURLY;COUNT=4"), "20270327T230000Z 2027-03-28T00:00:00 Europe/Madrid\n20270328T000000Z 2027-03-28T01:00:00 Europe/Madrid\n20270328T010000Z 2027-03-28T03:00:00 Europe/Madrid\n"},
		// Rules.
		{"a start that the rule does not match", "go-ical, ical.js: no show; recurring-ical-events: one more than COUNT", veventOf(show + "RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=3"), "20261120T190000Z 2026-11-20T20:00:00 Europe/Madrid\n20261123T190000Z 2026-11-23T20:00:00 Europe/Madrid\n20261130T190000Z 2026-11-30T20:00:00 Europe/Madrid\n"},
		{"UNTIL as a date", "go-ical, ical.js, recurring-ical-events: without the last day", veventOf(show + "RRULE:FREQ=DAILY;UNTIL=20261122"), "20261120T190000Z 2026-11-20T20:00:00 Europe/Madrid\n20261121T190000Z 2026-11-21T20:00:00 Europe/Madrid\n20261122T190000Z 2026-11-22T20:00:00 Europe/Madrid\n"},
		{"UNTIL at the last show, in UTC", "ical.js: without it", veventOf(show + "RRULE:FREQ=DAILY;UNTIL=20261122T190000Z"), "20261120T190000Z 2026-11-20T20:00:00 Europe/Madrid\n20261121T190000Z 2026-11-21T20:00:00 Europe/Madrid\n20261122T190000Z 2026-11-22T20:00:00 Europe/Madrid\n"},
		{"UNTIL before the start", "go-ical, ical.js, recurring-ical-events: no show, and no word", veventOf(show + "RRULE:FREQ=DAILY;UNTIL=20261110T190000Z"), "line 4: its rule ends before it starts\n"},
		{"COUNT and UNTIL", "go-ical, ical.js, recurring-ical-events: expanded", veventOf(show + "RRULE:FREQ=DAILY;COUNT=2;UNTIL=20261122T190000Z"), "line 4: the rule has both COUNT and UNTIL\n"},
		{"a frequency that is none", "recurring-ical-events: the first show", veventOf(show + "RRULE:FREQ=FORTNIGHTLY"), "line 4: FREQ=FORTNIGHTLY is not known\n"},
		{"two RRULEs", "gocal, recurring-ical-events: refused; go-ical: the first rule; ical.js: the first show twice", veventOf(show + "RRULE:FREQ=DAILY;COUNT=2\nRRULE:FREQ=WEEKLY;COUNT=2"), "20261120T190000Z 2026-11-20T20:00:00 Europe/Madrid\n20261121T190000Z 2026-11-21T20:00:00 Europe/Madrid\n20261127T190000Z 2026-11-27T20:00:00 Europe/Madrid\n"},
		{"EXRULE", "go-ical, ical.js, recurring-ical-events: ignored", veventOf(show + "RRULE:FREQ=DAILY;COUNT=3\nEXRULE:FREQ=DAILY;INTERVAL=2;COUNT=2"), "line 4: it has an EXRULE, which is not expanded\n"},
		{"RDATE alone", "go-ical: left out; ical.js: only that, without the start", veventOf(show + "RDATE" + madrid + ":20261122T200000"), "20261120T190000Z 2026-11-20T20:00:00 Europe/Madrid\n20261122T190000Z 2026-11-22T20:00:00 Europe/Madrid\n"},
		{"RDATE of a period", "go-ical: left out; ical.js, recurring-ical-events: fail", veventOf(show + "RDATE;VALUE=PERIOD" + madrid + ":20261122T200000/PT1H"), "20261120T190000Z 2026-11-20T20:00:00 Europe/Madrid\n20261122T190000Z 2026-11-22T20:00:00 to 2026-11-22T21:00:00 Europe/Madrid\n"},
		{"EXDATE by date, near midnight", "go-ical, recurring-ical-events: ignored", veventOf("DTSTART" + madrid + ":20261120T003000\nRRULE:FREQ=DAILY;COUNT=3\nEXDATE;VALUE=DATE:20261121"), "20261119T233000Z 2026-11-20T00:30:00 Europe/Madrid\n20261121T233000Z 2026-11-22T00:30:00 Europe/Madrid\n"},
		{"EXDATE of several dates", "go-ical: refused", veventOf(show + "RRULE:FREQ=DAILY;COUNT=4\nEXDATE" + madrid + ":20261121T200000,20261122T200000"), "20261120T190000Z 2026-11-20T20:00:00 Europe/Madrid\n20261123T190000Z 2026-11-23T20:00:00 Europe/Madrid\n"},
		{"EXDATE in UTC", "ical.js: ignored", veventOf(show + "RRULE:FREQ=DAILY;COUNT=3\nEXDATE:20261121T190000Z"), "20261120T190000Z 2026-11-20T20:00:00 Europe/Madrid\n20261122T190000Z 2026-11-22T20:00:00 Europe/Madrid\n"},
		// Changes of a series.
		{"RECURRENCE-ID in the hour that comes twice", "go-ical: the moved show and the old one", daily("Europe/Madrid", "20261024T023000") + change("DTSTART"+madrid+":20261025T120000\nRECURRENCE-ID"+madrid+":20261025T023000"), "20261024T003000Z 2026-10-24T02:30:00 Europe/Madrid\n20261026T013000Z 2026-10-26T02:30:00 Europe/Madrid\n20261025T003000Z 2026-10-25T12:00:00 Europe/Madrid\n"},
		{"RECURRENCE-ID in UTC", "go-ical: both; ical.js: the old one", veventOf(show+"RRULE:FREQ=DAILY;COUNT=3") + change("DTSTART"+madrid+":20261121T220000\nRECURRENCE-ID:20261121T190000Z"), "20261120T190000Z 2026-11-20T20:00:00 Europe/Madrid\n20261122T190000Z 2026-11-22T20:00:00 Europe/Madrid\n20261121T190000Z 2026-11-21T22:00:00 Europe/Madrid\n"},
		{"RECURRENCE-ID by date", "go-ical: both; ical.js: the old one", veventOf(show+"RRULE:FREQ=DAILY;COUNT=3") + change("DTSTART"+madrid+":20261121T220000\nRECURRENCE-ID;VALUE=DATE:20261121"), "20261120T190000Z 2026-11-20T20:00:00 Europe/Madrid\n20261122T190000Z 2026-11-22T20:00:00 Europe/Madrid\n20261121T190000Z 2026-11-21T22:00:00 Europe/Madrid\n"},
		{"RANGE=THISANDFUTURE", "go-ical: both; recurring-ical-events: one show is moved", veventOf(show+"RRULE:FREQ=DAILY;COUNT=4") + change("DTSTART"+madrid+":20261122T210000\nRECURRENCE-ID;RANGE=THISANDFUTURE"+madrid+":20261122T200000"), "20261120T190000Z 2026-11-20T20:00:00 Europe/Madrid\n20261121T190000Z 2026-11-21T20:00:00 Europe/Madrid\n20261122T190000Z 2026-11-22T21:00:00 Europe/Madrid\n20261123T190000Z 2026-11-23T21:00:00 Europe/Madrid\n"},
		{"an instance that is cancelled", "go-ical: it is sold twice; ical.js, recurring-ical-events: it is sold", veventOf(show+"RRULE:FREQ=DAILY;COUNT=3") + change(strings.ReplaceAll(show, "1120T", "1121T")+"RECURRENCE-ID"+madrid+":20261121T200000\nSTATUS:CANCELLED"), "20261120T190000Z 2026-11-20T20:00:00 Europe/Madrid\n20261122T190000Z 2026-11-22T20:00:00 Europe/Madrid\n1 ignored\n"},
		{"the same event twice, the newer one first", "go-ical, golang-ical, ical.js, recurring-ical-events: both", veventOf(show+"SEQUENCE:2") + change("DTSTART"+madrid+":20261122T200000\nSEQUENCE:1"), "u 2026-11-20T20:00:00 Europe/Madrid\nline 10: the event on line 4 has the same UID and RECURRENCE-ID, and a higher SEQUENCE, a later date, or a later line\n"},
		{"the same change twice, the newer one first", "go-ical: both, and the old one; ical.js: the last one", veventOf(show+"RRULE:FREQ=DAILY;COUNT=2") + change("DTSTART"+madrid+":20261121T210000\nSEQUENCE:2\nRECURRENCE-ID"+madrid+":20261121T200000") + change("DTSTART"+madrid+":20261121T220000\nSEQUENCE:1\nRECURRENCE-ID"+madrid+":20261121T200000"), "20261120T190000Z 2026-11-20T20:00:00 Europe/Madrid\n20261121T190000Z 2026-11-21T21:00:00 Europe/Madrid\nline 17: the event on line 10 has the same UID and RECURRENCE-ID, and a higher SEQUENCE, a later date, or a later line\n"},
	} {
		at := received
		if strings.Contains(test.name, "Apia") {
			at = time.Date(2011, 12, 1, 0, 0, 0, 0, time.UTC)
		}
		doc := test.doc
		if !strings.Contains(doc, "VCALENDAR") {
			doc = calendarOf(doc)
		}
		got, err := readAt(t, strings.ReplaceAll(doc, "\n", "\r\n"), "", at)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		} else if rows(got) != test.want {
			t.Errorf("%s: got\n%s\nwant\n%s", test.name, rows(got), test.want)
		}
		if line := "| " + test.name + " | " + test.others + " |"; !strings.Contains(string(text), line) {
			t.Errorf("docs/formats.md has no line %s", line)
		}
	}
}
