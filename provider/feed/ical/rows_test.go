package ical

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	_ "time/tzdata" // for a machine that has no time zones

	"fever/provider/feed"
)

// received is when the documents of tests come: rules are expanded from 1 October 2026 to the
// end of April 2028.
var received = time.Date(2026, 11, 15, 12, 0, 0, 0, time.UTC)

// read reads a calendar with these lines of a provider in Madrid.
func read(tb testing.TB, doc, zone string) (*feed.Feed, error) {
	tb.Helper()
	return readAt(tb, doc, zone, received)
}

func readAt(tb testing.TB, doc, zone string, received time.Time) (*feed.Feed, error) {
	tb.Helper()
	loc, err := time.LoadLocation(cmp.Or(zone, "Europe/Madrid"))
	if err != nil {
		tb.Fatal(err)
	}
	return feed.Decode(&feed.Document{Body: io.NopCloser(strings.NewReader(doc)), Op: "read", Page: feed.Page{Began: received}}, New(), "test", loc)
}

func calendarOf(lines string) string {
	return "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\n" + lines + "\nEND:VCALENDAR\n"
}

// vevent is an event with the UID u and the title t, unless the lines say otherwise.
func veventOf(lines string) string {
	if !strings.Contains(lines, "UID:") {
		lines = "UID:u\n" + lines
	}
	if !strings.Contains(lines, "SUMMARY") {
		lines += "\nSUMMARY:t"
	}
	return "BEGIN:VEVENT\n" + lines + "\nEND:VEVENT"
}

// rows writes a feed as text: a line for each event (its id without its base id, start, end
// and time zone), and one for each rejection.
func rows(f *feed.Feed) string {
	var b strings.Builder
	for i := range f.Events {
		e := &f.Events[i]
		fmt.Fprintf(&b, "%s %s", e.EventID, e.Start)
		if !e.End.IsZero() {
			fmt.Fprintf(&b, " to %s", e.End)
		}
		if e.TimeZone != "" {
			fmt.Fprintf(&b, " %s", e.TimeZone)
		}
		if e.Title != "t" {
			fmt.Fprintf(&b, " %q", e.Title)
		}
		b.WriteString("\n")
	}
	for _, r := range f.Rejections {
		fmt.Fprintf(&b, "line %d: %s\n", r.Line, r.Reason)
	}
	if f.Ignored > 0 {
		fmt.Fprintf(&b, "%d ignored\n", f.Ignored)
	}
	return b.String()
}

const madrid = ";TZID=Europe/Madrid"

func TestRows(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ doc, want string }{
		"a time of the provider":        {veventOf("DTSTART:20261120T200000\nDTEND:20261120T220000"), "u 2026-11-20T20:00:00 to 2026-11-20T22:00:00\n"},
		"a time zone":                   {veventOf("DTSTART;TZID=Europe/London:20261120T200000\nDTEND;TZID=Europe/London:20261120T220000"), "u 2026-11-20T20:00:00 to 2026-11-20T22:00:00 Europe/London\n"},
		"UTC":                           {veventOf("DTSTART:20261120T190000Z\nDTEND:20261120T200000Z"), "u 2026-11-20T20:00:00 to 2026-11-20T21:00:00 Europe/Madrid\n"},
		"no end":                        {veventOf("DTSTART:20261120T200000"), "u 2026-11-20T20:00:00\n"},
		"a date":                        {veventOf("DTSTART;VALUE=DATE:20261120"), "u 2026-11-20 to 2026-11-20\n"},
		"a date without VALUE":          {veventOf("DTSTART:20261120\nDTEND:20261121"), "u 2026-11-20 to 2026-11-20\n"},
		"a date, DURATION":              {veventOf("DTSTART;VALUE=DATE:20261120\nDURATION:P1D"), "u 2026-11-20 to 2026-11-20\n"},
		"dates":                         {veventOf("DTSTART;VALUE=DATE:20261120\nDTEND;VALUE=DATE:20261123"), "u 2026-11-20 to 2026-11-22\n"},
		"a date that ends as it starts": {veventOf("DTSTART;VALUE=DATE:20261120\nDTEND;VALUE=DATE:20261120"), "u 2026-11-20 to 2026-11-20\n"},
		"a date that ends before":       {veventOf("DTSTART;VALUE=DATE:20261120\nDTEND;VALUE=DATE:20261101"), "u 2026-11-20 to 2026-11-20\n"},
		"a time under VALUE=DATE":       {veventOf("DTSTART;VALUE=DATE:20261120T200000"), "u 2026-11-20T20:00:00\n"},
		"midnight under VALUE=DATE":     {veventOf("DTSTART;VALUE=DATE:20261120T000000"), "u 2026-11-20 to 2026-11-20\n"},
		"nominal DURATION":              {veventOf("DTSTART" + madrid + ":20261024T200000\nDURATION:P1D"), "u 2026-10-24T20:00:00 to 2026-10-25T20:00:00 Europe/Madrid\n"},
		"elapsed DURATION":              {veventOf("DTSTART" + madrid + ":20261024T200000\nDURATION:PT24H"), "u 2026-10-24T20:00:00 to 2026-10-25T19:00:00 Europe/Madrid\n"},
		"folded, escapes":               {veventOf("DTSTART:20261120T200000\nSUMMARY:Caf\n \u00e9\\, m\\ús\\nica\\; a\n\t\\\\b"), "u 2026-11-20T20:00:00 \"Caf\u00e9, mús ica; a\\\\b\"\n"},
		"any case":                      {"begin:vevent\nuid:u\ndtstart;tzid=europe/london:20261120T200000\nsummary;language=en:t\nend:vevent", "u 2026-11-20T20:00:00 Europe/London\n"},
		"an alarm within":               {veventOf("SUMMARY:t\nDTSTART:20261120T200000\nBEGIN:VALARM\nTRIGGER:-PT5M\nSUMMARY:alarm\nDURATION:PT5M\nEND:VALARM"), "u 2026-11-20T20:00:00\n"},
		"no UID, a URL":                 {"BEGIN:VEVENT\nURL:https://a.example/1\nDTSTART:20261120\nSUMMARY:t\nEND:VEVENT", "https://a.example/1 2026-11-20 to 2026-11-20\n"},
		"no UID, no URL":                {"BEGIN:VEVENT\nDTSTART:20261120\nSUMMARY:t\nEND:VEVENT", "line 4: it has neither a UID nor a URL\n"},
		"cancelled":                     {veventOf("DTSTART:20261120\nSTATUS:CANCELLED"), "1 ignored\n"},
		"tentative":                     {veventOf("DTSTART:20261120\nSTATUS:TENTATIVE"), "u 2026-11-20 to 2026-11-20\n"},
		"no start":                      {veventOf("DTEND:20261120"), "line 4: it has no DTSTART\n"},
		"ends before":                   {veventOf("DTSTART:20261120T200000\nDTEND:20261120T190000"), "line 4: DTEND is before DTSTART\n"},
		"an unknown zone":               {veventOf("DTSTART;TZID=Klingon:20261120T200000"), "line 4: time zone \"Klingon\" is not known: it is neither an IANA name nor one of Windows, and no VTIMEZONE says what it is\n"},
		"a zone of Windows":             {veventOf("DTSTART;TZID=Romance Standard Time:20261120T200000"), "u 2026-11-20T20:00:00 Europe/Paris\n"},
		"London in Windows":             {veventOf("DTSTART;TZID=\"GMT Standard Time\":20260720T200000"), "u 2026-07-20T20:00:00 Europe/London\n"},
		"Exchange's UTC":                {veventOf("DTSTART;TZID=\"tzone://Microsoft/Utc\":20261120T190000"), "u 2026-11-20T19:00:00 UTC\n"},
		"a vendor's prefix":             {veventOf("DTSTART;TZID=/vendor.example/20050126_1/Europe/Berlin:20261120T200000"), "u 2026-11-20T20:00:00 Europe/Berlin\n"},
		"an abbreviation":               {veventOf("DTSTART;TZID=CET:20260720T200000"), "u 2026-07-20T20:00:00\n"},
		"floats in the calendar's zone": {"X-WR-TIMEZONE:America/New_York\n" + veventOf("DTSTART:20261120T200000"), "u 2026-11-20T20:00:00 America/New_York\n"},
		"its own zone": {"BEGIN:VTIMEZONE\nTZID:Customized Time Zone 1\nBEGIN:STANDARD\nDTSTART:16010101T000000\nTZOFFSETFROM:+0300\nTZOFFSETTO:+0300\nEND:STANDARD\nEND:VTIMEZONE\n" +
			veventOf("DTSTART;TZID=Customized Time Zone 1:20261120T200000"), "u 2026-11-20T18:00:00 Europe/Madrid\n"},
		"the newest": {veventOf("DTSTART:20261121\nSEQUENCE:2") + "\n" + veventOf("DTSTART:20261122\nSEQUENCE:1"), "u 2026-11-21 to 2026-11-21\n" +
			"line 10: the event on line 4 has the same UID and RECURRENCE-ID, and a higher SEQUENCE, a later date, or a later line\n"},
		"a rule": {veventOf("DTSTART" + madrid + ":20261023T200000\nDTEND" + madrid + ":20261023T220000\nRRULE:FREQ=WEEKLY;COUNT=2"), "20261023T180000Z 2026-10-23T20:00:00 to 2026-10-23T22:00:00 Europe/Madrid\n" +
			"20261030T190000Z 2026-10-30T20:00:00 to 2026-10-30T22:00:00 Europe/Madrid\n"},
		"a rule without a zone":    {veventOf("DTSTART:20261120T200000\nRRULE:FREQ=DAILY;UNTIL=20261121"), "20261120T200000 2026-11-20T20:00:00\n20261121T200000 2026-11-21T20:00:00\n"},
		"a rule of dates":          {veventOf("DTSTART:20261120\nRRULE:FREQ=DAILY;UNTIL=20261121;BYHOUR=7"), "20261120 2026-11-20 to 2026-11-20\n20261121 2026-11-21 to 2026-11-21\n"},
		"excluded":                 {veventOf("DTSTART" + madrid + ":20261120T003000\nRRULE:FREQ=DAILY;COUNT=4\nEXDATE:20261120T233000Z\nEXDATE;VALUE=DATE:20261122"), "20261119T233000Z 2026-11-20T00:30:00 Europe/Madrid\n20261122T233000Z 2026-11-23T00:30:00 Europe/Madrid\n"},
		"RDATE alone":              {veventOf("DTSTART:20261120T200000\nRDATE:20261122T210000,20261123T210000\nRDATE;VALUE=PERIOD:20261124T200000/PT1H"), "20261120T200000 2026-11-20T20:00:00\n20261122T210000 2026-11-22T21:00:00\n20261123T210000 2026-11-23T21:00:00\n20261124T200000 2026-11-24T20:00:00 to 2026-11-24T21:00:00\n"},
		"changed":                  {veventOf("DTSTART:20261120T200000\nRRULE:FREQ=DAILY;COUNT=3") + "\n" + veventOf("DTSTART:20261121T220000\nRECURRENCE-ID:20261121T200000\nSUMMARY:later"), "20261120T200000 2026-11-20T20:00:00\n20261122T200000 2026-11-22T20:00:00\n20261121T200000 2026-11-21T22:00:00 \"later\"\n"},
		"changed from there on":    {veventOf("DTSTART:20261120T200000\nRRULE:FREQ=DAILY;COUNT=4") + "\n" + veventOf("DTSTART:20261122T210000\nRECURRENCE-ID;RANGE=THISANDFUTURE:20261122T200000\nSUMMARY:new"), "20261120T200000 2026-11-20T20:00:00\n20261121T200000 2026-11-21T20:00:00\n20261122T200000 2026-11-22T21:00:00 \"new\"\n20261123T200000 2026-11-23T21:00:00 \"new\"\n"},
		"a change alone":           {veventOf("DTSTART:20261121T220000\nRECURRENCE-ID" + madrid + ":20261121T200000"), "20261121T190000Z 2026-11-21T22:00:00\n"},
		"an instance is cancelled": {veventOf("DTSTART:20261120\nRRULE:FREQ=DAILY;COUNT=2") + "\n" + veventOf("DTSTART:20261121\nRECURRENCE-ID:20261121\nSTATUS:CANCELLED"), "20261120 2026-11-20 to 2026-11-20\n1 ignored\n"},
		"a rule of the past":       {veventOf("DTSTART:20200120\nRRULE:FREQ=DAILY;COUNT=2"), "1 ignored\n"},
		"COUNT and UNTIL":          {veventOf("DTSTART:20261120\nRRULE:FREQ=DAILY;COUNT=2;UNTIL=20271010") + "\n" + veventOf("DTSTART:20261121\nRECURRENCE-ID:20261121"), "line 4: the rule has both COUNT and UNTIL\nline 10: it changes the event on line 4, which was rejected\n"},
		"UNTIL before":             {veventOf("DTSTART:20261120\nRRULE:FREQ=DAILY;UNTIL=20261119"), "line 4: its rule ends before it starts\n"},
		"UNTIL in UTC":             {veventOf("DTSTART" + madrid + ":20261120T200000\nRRULE:FREQ=DAILY;UNTIL=20261121T190000Z"), "20261120T190000Z 2026-11-20T20:00:00 Europe/Madrid\n20261121T190000Z 2026-11-21T20:00:00 Europe/Madrid\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, doc := range []string{calendarOf(test.doc), "\ufeff" + strings.ReplaceAll(calendarOf(test.doc), "\n", "\r\n")} {
				got, err := read(t, doc, "")
				if err != nil {
					t.Fatal(err)
				}
				if rows(got) != test.want {
					t.Fatalf("got\n%s\nwant\n%s", rows(got), test.want)
				}
			}
		})
	}
}

// TestClockChanges reads the rule for times that a clock skips or shows twice (RFC 5545 section
// 3.3.5), on both sides of Greenwich, and the days after a change. Libraries differ: for a
// daily show at 02:30, ical.js 1.5, rrule.js 2.7, go-ical and python-dateutil 2.8 give an hour
// early, a moved show, none, or one more.
func TestClockChanges(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ zone, start, want string }{
		{"Europe/Madrid", "20270327T023000", // skipped on the 28th: 03:30 by the clock, which is 01:30 UTC
			"20270327T013000Z 2027-03-27T02:30:00\n20270328T013000Z 2027-03-28T03:30:00\n20270329T003000Z 2027-03-29T02:30:00\n"},
		{"Europe/Madrid", "20261024T023000", // twice on the 25th: the first one
			"20261024T003000Z 2026-10-24T02:30:00\n20261025T003000Z 2026-10-25T02:30:00\n20261026T013000Z 2026-10-26T02:30:00\n"},
		{
			"America/New_York", "20270313T023000",
			"20270313T073000Z 2027-03-13T02:30:00\n20270314T073000Z 2027-03-14T03:30:00\n20270315T063000Z 2027-03-15T02:30:00\n",
		},
		{
			"America/New_York", "20261031T013000",
			"20261031T053000Z 2026-10-31T01:30:00\n20261101T053000Z 2026-11-01T01:30:00\n20261102T063000Z 2026-11-02T01:30:00\n",
		},
		{"America/Santiago", "20270904T000000", // the midnight of the 5th does not exist
			"20270904T040000Z 2027-09-04T00:00:00\n20270905T040000Z 2027-09-05T01:00:00\n20270906T030000Z 2027-09-06T00:00:00\n"},
		{
			"America/Havana", "20270313T000000",
			"20270313T050000Z 2027-03-13T00:00:00\n20270314T050000Z 2027-03-14T01:00:00\n20270315T040000Z 2027-03-15T00:00:00\n",
		},
		{"Europe/Dublin", "20270327T013000", // winter is what the zone database calls summer time, an hour less
			"20270327T013000Z 2027-03-27T01:30:00\n20270328T013000Z 2027-03-28T02:30:00\n20270329T003000Z 2027-03-29T01:30:00\n"},
	} {
		t.Run(test.zone+" "+test.start, func(t *testing.T) {
			t.Parallel()
			got, err := read(t, calendarOf(veventOf("DTSTART;TZID="+test.zone+":"+test.start+"\nRRULE:FREQ=DAILY;COUNT=3")), "")
			if err != nil {
				t.Fatal(err)
			}
			if text := strings.ReplaceAll(rows(got), " "+test.zone, ""); text != test.want {
				t.Errorf("got\n%s\nwant\n%s", text, test.want)
			}
		})
	}
}

// A rule that repeats each hour loses no instance when the clocks change, and gives none twice.
func TestHours(t *testing.T) {
	t.Parallel()
	got, err := read(t, calendarOf(veventOf("DTSTART"+madrid+":20270328T000000\nRRULE:FREQ=HOURLY;COUNT=5")), "")
	want := "20270327T230000Z 2027-03-28T00:00:00 Europe/Madrid\n20270328T000000Z 2027-03-28T01:00:00 Europe/Madrid\n" +
		"20270328T010000Z 2027-03-28T03:00:00 Europe/Madrid\n20270328T020000Z 2027-03-28T04:00:00 Europe/Madrid\n"
	if err != nil || rows(got) != want {
		t.Errorf("%v, got\n%s\nwant\n%s", err, rows(got), want)
	}
}

// zoneOfSpain is a VTIMEZONE with the rules of Spain, under another name.
const zoneOfSpain = "BEGIN:VTIMEZONE\nTZID:Here\nBEGIN:DAYLIGHT\nDTSTART:19700329T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\nEND:DAYLIGHT\n" +
	"BEGIN:STANDARD\nDTSTART:19701025T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\nEND:STANDARD\nEND:VTIMEZONE\n"

// A VTIMEZONE counts before the zone database, as far as it reaches (RFC 5545 section 3.2.19).
func TestTimeZones(t *testing.T) {
	t.Parallel()
	named := func(name string) string { return strings.ReplaceAll(zoneOfSpain, "TZID:Here", "TZID:"+name) }
	// What summer time was in the United States until 2006.
	old := strings.NewReplacer("BYMONTH=3;BYDAY=-1SU", "BYMONTH=4;BYDAY=1SU", "19700329", "19700405", "FROM:+0100", "FROM:-0500", "TO:+0200", "TO:-0400", "FROM:+0200", "FROM:-0400", "TO:+0100", "TO:-0500").Replace(named("America/New_York"))
	for name, test := range map[string]struct{ doc, want string }{
		"no name, twice a day":   {zoneOfSpain + veventOf("DTSTART;TZID=Here:20261025T023000\nDTEND;TZID=Here:20261025T030000"), "u 2026-10-25T02:30:00 to 2026-10-25T03:00:00 Europe/Madrid\n"},
		"no name, skipped":       {zoneOfSpain + veventOf("DTSTART;TZID=Here:20270328T023000"), "u 2027-03-28T03:30:00 Europe/Madrid\n"},
		"a name that agrees":     {named("Europe/Madrid") + veventOf("DTSTART;TZID=Europe/Madrid:20270720T200000"), "u 2027-07-20T20:00:00 Europe/Madrid\n"},
		"X-LIC-LOCATION":         {strings.Replace(zoneOfSpain, "TZID:Here", "TZID:Here\nX-LIC-LOCATION:Europe/Madrid", 1) + veventOf("DTSTART;TZID=Here:20270720T200000"), "u 2027-07-20T20:00:00 Europe/Madrid\n"},
		"a name that disagrees":  {old + veventOf("DTSTART;TZID=America/New_York:20270320T200000"), "u 2027-03-20T21:00:00 America/New_York\n"},
		"agrees in the summer":   {old + veventOf("DTSTART;TZID=America/New_York:20270720T200000"), "u 2027-07-20T20:00:00 America/New_York\n"},
		"the changes of a year":  {strings.NewReplacer("RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\n", "", "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\n", "", "1970", "2025", "0329T", "0330T", "1025T", "1026T").Replace(named("Europe/Madrid")) + veventOf("DTSTART;TZID=Europe/Madrid:20270720T200000"), "u 2027-07-20T20:00:00 Europe/Madrid\n"},
		"two names":              {strings.Replace(zoneOfSpain, "TZID:Here", "TZID:Here\nTZID:There", 1) + veventOf("DTSTART;TZID=Here:20261120T200000") + "\n" + veventOf("UID:v\nDTSTART;TZID=There:20261120T200000"), "u 2026-11-20T20:00:00 Europe/Madrid\nv 2026-11-20T20:00:00 Europe/Madrid\n"},
		"END is missing":         {strings.Replace(zoneOfSpain, "END:VTIMEZONE\n", "", 1) + veventOf("DTSTART;TZID=Here:20261120T200000"), "u 2026-11-20T20:00:00 Europe/Madrid\n"},
		"after the event":        {veventOf("DTSTART;TZID=Here:20261120T200000") + "\n" + strings.TrimSuffix(zoneOfSpain, "\n"), "u 2026-11-20T20:00:00 Europe/Madrid\n"},
		"in the other calendar":  {zoneOfSpain + "END:VCALENDAR\nBEGIN:VCALENDAR\n" + veventOf("DTSTART;TZID=Here:20261120T200000"), "u 2026-11-20T20:00:00 Europe/Madrid\n"},
		"a broken one":           {strings.ReplaceAll(zoneOfSpain, "+0200", "2") + veventOf("DTSTART;TZID=Here:20261120T200000"), "line 19: VTIMEZONE \"Here\": \"2\" is not an offset like +0100\n"},
		"an empty one, no name":  {"BEGIN:VTIMEZONE\nTZID:Here\nEND:VTIMEZONE\n" + veventOf("DTSTART;TZID=Here:20261120T200000"), "line 7: time zone \"Here\" is not known: it is neither an IANA name nor one of Windows, and no VTIMEZONE says what it is\n"},
		"an empty one with name": {"BEGIN:VTIMEZONE\nTZID:Europe/Rome\nEND:VTIMEZONE\n" + veventOf("DTSTART;TZID=Europe/Rome:20261120T200000"), "u 2026-11-20T20:00:00 Europe/Rome\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := read(t, calendarOf(test.doc), "")
			if err != nil {
				t.Fatal(err)
			}
			if rows(got) != test.want {
				t.Errorf("got\n%s\nwant\n%s", rows(got), test.want)
			}
		})
	}
}

// TestErrors refuses what is no calendar, or not a whole one.
func TestErrors(t *testing.T) {
	t.Parallel()
	whole := calendarOf(veventOf("DTSTART:20261120"))
	for name, test := range map[string]struct {
		doc  string
		kind feed.Kind
		text string
	}{
		"nothing":                  {"", feed.KindDecode, "not a calendar: the document is empty"},
		"HTML":                     {"\n<!DOCTYPE html>\n<html></html>", feed.KindDecode, `line 2: not a calendar: it begins with "<!DOCTYPE html>", not with BEGIN:VCALENDAR`},
		"an event alone":           {veventOf("DTSTART:20261120"), feed.KindDecode, "not a calendar"},
		"no end":                   {strings.TrimSuffix(whole, "END:VCALENDAR\n"), feed.KindMalformed, "cut short: the VCALENDAR that begins on line 1 has no end"},
		"cut inside an event":      {strings.TrimSuffix(whole, "END:VEVENT\nEND:VCALENDAR\n"), feed.KindMalformed, "cut short: the VEVENT that begins on line 4 has no end"},
		"an event is not ended":    {strings.Replace(whole, "END:VEVENT\n", "", 1), feed.KindMalformed, "line 8: END:VCALENDAR where the VEVENT that begins on line 4 is open"},
		"an event in a task":       {strings.Replace(whole, "BEGIN:VEVENT", "BEGIN:VTODO\nBEGIN:VEVENT", 1), feed.KindMalformed, "line 5: an event begins within the VTODO that begins on line 4"},
		"an event in an event":     {strings.Replace(whole, "SUMMARY", "BEGIN:VEVENT\nSUMMARY", 1), feed.KindMalformed, "line 7: an event begins within the event on line 4"},
		"a calendar in a calendar": {strings.Replace(whole, "SUMMARY", "BEGIN:VCALENDAR\nSUMMARY", 1), feed.KindMalformed, "line 7: a calendar begins within the VEVENT that begins on line 4"},
		"something after":          {whole + "<br>Warning", feed.KindMalformed, `line 10: "<br>Warning" follows the end of the calendar`},
		"a long line":              {strings.Replace(whole, ":t\n", ":t"+strings.Repeat("\n "+strings.Repeat("x", 70), 20000)+"\n", 1), feed.KindMalformed, "line 7: it has more than 1048576 bytes"},
		"deep":                     {strings.Replace(whole, "SUMMARY", strings.Repeat("BEGIN:X\n", 20)+"SUMMARY", 1), feed.KindMalformed, "more than 16 components in each other"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := read(t, test.doc, "")
			failure, ok := errors.AsType[*feed.Error](err)
			if got != nil || !ok || failure.Kind != test.kind || !strings.Contains(err.Error(), test.text) {
				t.Errorf("%+v, %v, want %s with %q", got, err, test.kind, test.text)
			}
		})
	}
	for n := range len(whole) - 1 {
		if got, err := read(t, whole[:n], ""); err == nil {
			t.Errorf("cut after %q: %+v", whole[:n], got)
		}
	}
}

// TestExpired ends a document between two series when its time is over.
func TestExpired(t *testing.T) {
	t.Parallel()
	late := feed.Errorf(feed.KindTimeout, "late")
	calls := 0
	doc := &feed.Document{
		Body: io.NopCloser(strings.NewReader(big(5))), Op: "read", Page: feed.Page{Began: received},
		Expired: func() error {
			if calls++; calls > 3 {
				return late
			}
			return nil
		},
	}
	if got, err := feed.Decode(doc, New(), "test", time.UTC); !errors.Is(err, late) || calls != 4 {
		t.Errorf("%+v, %v after %d calls", got, err, calls)
	}
}

// What is read in spite of a doubt is told to those who trace.
func TestNotes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ doc, want string }{
		"an abbreviation":    {veventOf("DTSTART;TZID=CET:20261120T200000\nDTEND;TZID=CET:20261120T210000"), `time zone "CET" is an abbreviation or an offset: the provider's zone counts`},
		"a zone of its own":  {zoneOfSpain + veventOf("DTSTART;TZID=Here:20261120T200000"), ""},
		"a zone that agrees": {strings.ReplaceAll(zoneOfSpain, "TZID:Here", "TZID:Europe/Madrid") + veventOf("DTSTART"+madrid+":20261120T200000"), ""},
		"one that disagrees": {strings.ReplaceAll(zoneOfSpain, "TZID:Here", "TZID:Europe/London") + veventOf("DTSTART;TZID=Europe/London:20261120T200000\nRRULE:FREQ=DAILY;COUNT=3"), "the VTIMEZONE of Europe/London has another offset then than the IANA zone: the VTIMEZONE counts"},
	} {
		var notes []string
		doc := &feed.Document{
			Body: io.NopCloser(strings.NewReader(calendarOf(test.doc))), Op: "read", Page: feed.Page{Began: received},
			Trace: func(r *feed.Row) { notes = append(notes, r.Notes...) },
		}
		if _, err := feed.Decode(doc, New(), "test", time.UTC); err != nil || strings.Join(notes, "\n") != test.want {
			t.Errorf("%s: %v, %q", name, err, notes)
		}
	}
}

// What an EXDATE leaves out is told to those who trace, with the id that it had. It is not counted, and a change
// that has its own place is kept.
func TestWithout(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ lines, want string }{
		"a time":              {"DTSTART" + madrid + ":20261120T200000\nRRULE:FREQ=DAILY;COUNT=3\nEXDATE" + madrid + ":20261121T200000", "u/20261121T190000Z"},
		"an instant":          {"DTSTART" + madrid + ":20261120T200000\nRRULE:FREQ=DAILY;COUNT=3\nEXDATE:20261121T190000Z", "u/20261121T190000Z"},
		"a day of times":      {"DTSTART" + madrid + ":20261120T200000\nRRULE:FREQ=DAILY;COUNT=3\nEXDATE;VALUE=DATE:20261121,20261122", "u/20261121T190000Z u/20261122T190000Z"},
		"days":                {"DTSTART:20261120\nRRULE:FREQ=DAILY;COUNT=3\nEXDATE:20261120", "u/20261120"},
		"all of them":         {"DTSTART:20261120\nRRULE:FREQ=DAILY;COUNT=1\nEXDATE:20261120", "u/20261120 u/"},
		"one without a rule":  {"DTSTART:20261120\nEXDATE:20261120", "u/u u/"},
		"one that is no time": {"DTSTART:20261120\nRRULE:FREQ=DAILY;COUNT=3\nEXDATE:20261130", ""},
	} {
		var got []string
		doc := &feed.Document{
			Body: io.NopCloser(strings.NewReader(calendarOf(veventOf(test.lines)))), Op: "read", Page: feed.Page{Began: received},
			Trace: func(r *feed.Row) {
				for _, i := range r.Ignored {
					got = append(got, i.BaseID+"/"+i.EventID)
					if i.EventID != "" && i.Why != "an EXDATE leaves it out" {
						t.Errorf("%s: %+v", name, i)
					}
				}
			},
		}
		f, err := feed.Decode(doc, New(), "test", time.UTC)
		slices.Sort(got)
		wants := strings.Fields(test.want)
		slices.Sort(wants)
		if err != nil || !slices.Equal(got, wants) {
			t.Errorf("%s: %q, want %q, %v", name, got, test.want, err)
		}
		if f != nil && f.Seen != len(f.Events)+f.Ignored {
			t.Errorf("%s: %d seen, %d events, %d ignored", name, f.Seen, len(f.Events), f.Ignored)
		}
	}
}

// A text that is not UTF-8 is in the charset that HTTP names; one that is UTF-8 is that,
// whatever HTTP says.
func TestCharset(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ title, charset, want string }{
		{"Caf\xe9", "iso-8859-1", "Café"},
		{"Café", "iso-8859-1", "Café"},
		{"Café", "utf-8", "Café"},
		{"Caf\xe9 \x80", "windows-1252", "Café €"},
		{"Caf\xe9", "", ""},
		{"Caf\xe9", "klingon", ""},
	} {
		doc := &feed.Document{Body: io.NopCloser(strings.NewReader(calendarOf(veventOf("DTSTART:20261120\nSUMMARY:" + test.title)))), Op: "read", Charset: test.charset}
		got, err := feed.Decode(doc, New(), "test", time.UTC)
		if err != nil || (len(got.Events) == 1) != (test.want != "") || len(got.Events) == 1 && got.Events[0].Title != test.want {
			t.Errorf("%q in %s: %v, %+v", test.title, test.charset, err, got)
		}
	}
}
