package event_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"fever/event"
)

func TestParseTime(t *testing.T) {
	t.Parallel()
	madrid := location(t, "Europe/Madrid")
	for _, test := range []struct {
		text, want, zone string // want: as a Local is written
	}{
		// As written.
		{"2026-03-27", "2026-03-27", ""},
		{"2026-03-27T20:00:00", "2026-03-27T20:00:00", ""},
		{"2026-03-27 20:00:00", "2026-03-27T20:00:00", ""},
		{"2026-03-27T20:00", "2026-03-27T20:00:00", ""},
		{"2026-03-27T20:00:00.000", "2026-03-27T20:00:00", ""},
		{"2026-03-27T23:59:59.999999", "2026-03-27T23:59:59", ""},
		{"2026-03-29T02:30:00", "2026-03-29T02:30:00", ""}, // the clocks skip it
		{"2026-10-25T02:30:00", "2026-10-25T02:30:00", ""}, // they show it twice
		{"2026-10-25T02:30:00[fold=1]", "2026-10-25T02:30:00[fold=1]", ""},
		{"2026-10-25 02:30[fold=1]", "2026-10-25T02:30:00[fold=1]", ""},
		{"2026-03-27T24:00:00", "2026-03-28T00:00:00", ""},
		{"2026-02-28T24:00", "2026-03-01T00:00:00", ""},
		{"2026-12-31 24:00:00.00", "2027-01-01T00:00:00", ""},

		// An instant.
		{"2026-03-27T19:00:00Z", "2026-03-27T20:00:00", "Europe/Madrid"},
		{"2026-03-27T19:00z", "2026-03-27T20:00:00", "Europe/Madrid"},
		{"2026-03-27 19:00:00.000Z", "2026-03-27T20:00:00", "Europe/Madrid"},
		{"2026-03-27T20:00:00+01:00", "2026-03-27T20:00:00", "Europe/Madrid"},
		{"2026-03-27T20:00:00+0100", "2026-03-27T20:00:00", "Europe/Madrid"},
		{"2026-03-27T20:00:00+01", "2026-03-27T20:00:00", "Europe/Madrid"},
		{"2026-03-27T14:00-0500", "2026-03-27T20:00:00", "Europe/Madrid"},
		{"2026-03-27T19:00:00-00:00", "2026-03-27T20:00:00", "Europe/Madrid"},
		{"2026-03-28T00:45:00+05:45", "2026-03-27T20:00:00", "Europe/Madrid"},
		{"2026-03-31T23:30:00Z", "2026-04-01T01:30:00", "Europe/Madrid"},
		{"2026-03-27T24:00:00Z", "2026-03-28T01:00:00", "Europe/Madrid"},
		{"2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00", "Europe/Madrid"},
		{"2026-10-25T02:30:00+01:00", "2026-10-25T02:30:00[fold=1]", "Europe/Madrid"},
		{"2026-10-25T01:30:00Z", "2026-10-25T02:30:00[fold=1]", "Europe/Madrid"},
		{"2026-03-29T02:30:00+01:00", "2026-03-29T03:30:00", "Europe/Madrid"},

		// With a time zone of its own.
		{"2026-03-27T20:00[Europe/London]", "2026-03-27T20:00:00", "Europe/London"},
		{"2026-03-27T20:00:00Z[Europe/London]", "2026-03-27T20:00:00", "Europe/London"},
		{"2026-07-27T20:00:00Z[Europe/London]", "2026-07-27T21:00:00", "Europe/London"},
		{"2026-07-27T20:00:00+01:00[Europe/London]", "2026-07-27T20:00:00", "Europe/London"},
		{"2026-10-25T01:30:00+00:00[Europe/London]", "2026-10-25T01:30:00[fold=1]", "Europe/London"},
		{"2026-03-27T20:00:00+01[Europe/Madrid]", "2026-03-27T20:00:00", "Europe/Madrid"},
		{"2026-03-27T20:00[UTC]", "2026-03-27T20:00:00", "UTC"},
	} {
		l, zone, err := event.ParseTime(test.text, madrid)
		if err != nil || l.String() != test.want || zone != test.zone {
			t.Errorf("%s is %s in %q, %v; want %s in %q", test.text, l, zone, err, test.want, test.zone)
		}
	}
	const form, day, clock, year = "is not a date and time like", "names a day that does not exist", "names a time of day that does not exist", "the year is"
	for text, want := range map[string]string{
		"":                                         form,
		"soon":                                     form,
		"20260327":                                 form,
		"20260327T200000Z":                         form,
		"27/03/2026":                               form,
		"2026-3-27":                                form,
		"2026-03":                                  form,
		"2026-03-27T":                              form,
		"2026-03-27T20":                            form,
		"2026-03-27T20:0":                          form,
		"2026-03-27T20:00:":                        form,
		"2026-03-27T20:00:0":                       form,
		"2026-03-27T20.00":                         form,
		"2026-03-27T20:00:00.":                     form,
		"2026-03-27T20:00:00,5":                    form,
		"2026-03-27t20:00:00":                      form,
		"2026-03-27  20:00:00":                     form,
		"2026-03-27T20:00:00 +01:00":               form,
		"2026-03-27T20:00:00+1":                    form,
		"2026-03-27T20:00:00+1:00":                 form,
		"2026-03-27T20:00:00+24:00":                form,
		"2026-03-27T20:00:00+01:60":                form,
		"2026-03-27T20:00:00+01:00:00":             form,
		"2026-03-27T20:00:00Z1234":                 form,
		"2026-03-27T20:00:00 CET":                  form,
		"2026-03-27T10-00-00-00":                   form,
		"2026-03-27Z":                              form,
		"2026-03-27[Europe/Madrid]":                form,
		"2026-03-27[fold=1]":                       form,
		"2026-03-27T20:00:00Z[fold=1]":             "is not an IANA name",
		"2026-03-27T20:00:00[Europe/Madrid":        form,
		"2026-03-27T20:00:00[Europe/Madrid] ":      form,
		"2026-03-27T20:00:00[]":                    "is not an IANA name",
		"2026-03-27T20:00:00[Local]":               "is not an IANA name",
		"2026-03-27T20:00:00[+01:00]":              "is not an IANA name",
		"2026-03-27T20:00:00[Europe/Lond]":         "is not known",
		"2026-07-27T20:00:00+02:00[Europe/London]": "has an offset that Europe/London does not have then",
		"2026-02-30":                               day, "2026-02-30T24:00": day, "2026-13-01T00:00:00Z": day, "2026-00-00": day,
		"2026-03-27T24:00:01": clock, "2026-03-27T24:30": clock, "2026-03-27T24:00:00.1": clock, "2026-03-27T25:00": clock, "2026-03-27T23:59:60": clock, "2026-03-27T20:60Z": clock,
		"9999-12-31T24:00": year, "9999-12-31T23:59:59-01:00": year, "0000-01-01T00:00:00+01:00": year,
	} {
		if l, zone, err := event.ParseTime(text, time.UTC); err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 200 {
			t.Errorf("%q is %s in %q, %v; want %q", text, l, zone, err, want)
		}
	}
}

func TestSetTimes(t *testing.T) {
	t.Parallel()
	madrid := location(t, "Europe/Madrid")
	for _, test := range []struct {
		own, start, end              string
		wantZone, wantStart, wantEnd string
	}{
		{"", "2026-03-27T20:00", "", "", "2026-03-27T20:00:00", ""},
		{"", "2026-03-27T20:00", "2026-03-27T21:00Z", "Europe/Madrid", "2026-03-27T20:00:00", "2026-03-27T22:00:00"},
		{"", "2026-03-27T20:00+01:00", "2026-03-27T22:00", "Europe/Madrid", "2026-03-27T20:00:00", "2026-03-27T22:00:00"},
		{"", "2026-03-27T19:00Z", "", "Europe/Madrid", "2026-03-27T20:00:00", ""},
		{"Europe/London", "2026-03-27T20:00", "2026-03-27T21:00Z", "Europe/London", "2026-03-27T20:00:00", "2026-03-27T21:00:00"},
		{"Europe/London", "2026-03-27T20:00+01:00", "2026-03-27", "Europe/London", "2026-03-27T19:00:00", "2026-03-27"},
		{"", "2026-03-27T20:00[Europe/London]", "2026-03-27T21:00", "Europe/London", "2026-03-27T20:00:00", "2026-03-27T21:00:00"},
		{"", "2026-03-27T20:00[Europe/London]", "2026-03-27T22:00[Europe/Paris]", "Europe/London", "2026-03-27T20:00:00", "2026-03-27T21:00:00"},
		{"Europe/Lisbon", "2026-03-27T20:00[Europe/Paris]", "", "Europe/Lisbon", "2026-03-27T19:00:00", ""},
		{"", "2026-03-27T20:00", "2026-03-27T21:00[Europe/London]", "Europe/Madrid", "2026-03-27T20:00:00", "2026-03-27T22:00:00"},
		{"", "2026-03-27", "2026-03-27T21:00[UTC]", "Europe/Madrid", "2026-03-27", "2026-03-27T22:00:00"},
		{"Europe/London", "2026-10-25T01:30:00Z", "2026-10-25T02:45[Europe/Madrid]", "Europe/London", "2026-10-25T01:30:00[fold=1]", "2026-10-25T01:45:00"},
	} {
		e := event.Event{TimeZone: test.own}
		if err := e.SetTimes(test.start, test.end, madrid); err != nil {
			t.Error(err)
		}
		if e.TimeZone != test.wantZone || e.Start.String() != test.wantStart || e.End.String() != test.wantEnd {
			t.Errorf("%+v: %q, from %s to %s", test, e.TimeZone, e.Start, e.End)
		}
	}
	for want, e := range map[string][3]string{
		`time zone "Nowhere" is not known`:                 {"Nowhere", "2026-03-27", ""},
		`start date "soon" is not a date and time`:         {"", "soon", ""},
		`end date "late" is not a date and time`:           {"UTC", "2026-03-27", "late"},
		`start date "2026-03-27T20:00[X/Y]": time zone "X`: {"UTC", "2026-03-27T20:00[X/Y]", ""},
		"end date the year is 10000 at UTC":                {"UTC", "2026-03-27", "9999-12-31T23:00[America/New_York]"},
	} {
		got := event.Event{TimeZone: e[0]}
		if err := got.SetTimes(e[1], e[2], madrid); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %q", e, err, want)
		}
	}
}

// TestParseTimeProperty writes instants as feeds do, near all changes of all zones, with the
// offset of any other zone, and reads them again.
func TestParseTimeProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom(zones).Draw(t, "zone")
		loc := location(t, zone)
		second := rapid.Int64Range(-2208988800, 4102444800).Draw(t, "second") // years 1900 to 2100
		if c := changes()[zone]; len(c) > 0 && rapid.Bool().Draw(t, "near a change") {
			second = rapid.SampledFrom(c).Draw(t, "change") + rapid.Int64Range(-7200, 7200).Draw(t, "distance")
		}
		minutes := rapid.IntRange(-18*60, 18*60).Draw(t, "offset")
		at := time.Unix(second, 0).In(time.FixedZone("", minutes*60))
		if at.Second() == 0 && rapid.Bool().Draw(t, "without seconds") {
			checkParseTime(t, at.Format("2006-01-02T15:04Z07:00"), second, loc)
		}
		layout := rapid.SampledFrom([]string{time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05.000-0700", "2006-01-02T15:04:05-07:00"}).Draw(t, "layout")
		checkParseTime(t, at.Format(layout), second, loc)
	})
}

func checkParseTime(t *rapid.T, text string, second int64, loc *time.Location) {
	l, zone, err := event.ParseTime(text, loc)
	if err != nil || zone != loc.String() || l.Unix(loc) != second {
		t.Fatalf("%s at %s is %s in %q, %v: %d, not %d", text, loc, l, zone, err, l.Unix(loc), second)
	}
	if again, _, err := event.ParseTime(l.String(), loc); err != nil || again != l {
		t.Fatalf("%s came back as %s, %v", l, again, err)
	}
}

// FuzzParseTime reads anything. What ParseLocal or Local.UnmarshalText read, it reads alike. What
// it reads is a time that exists, and is written and read again.
func FuzzParseTime(f *testing.F) {
	for _, text := range []string{
		"2026-03-27", "2026-03-27T20:00:00", "2026-03-27 24:00", "2026-10-25T02:30:00.5+0100", "2026-10-25T02:30[fold=1]", "2026-07-27T20:00:00Z[Europe/London]",
	} {
		f.Add(text)
	}
	loc := location(f, "Europe/Madrid")
	f.Fuzz(func(t *testing.T, s string) {
		l, zone, err := event.ParseTime(s, loc)
		var same event.Local
		if same.UnmarshalText([]byte(s)) == nil && !same.IsZero() && (err != nil || l != same || zone != "") {
			t.Fatalf("%q is %s in %q, %v, not %s", s, l, zone, err, same)
		}
		if err != nil {
			return
		}
		if again, _, err := event.ParseTime(l.String(), loc); err != nil || again != l {
			t.Errorf("%q is %s, which came back as %s, %v", s, l, again, err)
		}
		if want, err := time.Parse(time.RFC3339, strings.Replace(s, " ", "T", 1)); err == nil && l.Unix(loc) != want.Unix() {
			t.Errorf("%q is %s, which is %d, not %d", s, l, l.Unix(loc), want.Unix())
		}
		e := camela()
		if e.SetTimes(s, s, loc) != nil || e.Start != l || e.TimeZone != zone {
			t.Errorf("%q is %s in %q, and set it is %s in %q", s, l, zone, e.Start, e.TimeZone)
		}
	})
}
