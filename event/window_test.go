package event_test

import (
	"errors"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"fever/event"
)

func TestParseInstantAccepts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		in          string
		floor, ceil string // as time.RFC3339
	}{
		{"1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"},
		{"2021-06-30T21:00:00Z", "2021-06-30T21:00:00Z", "2021-06-30T21:00:00Z"},
		{"1937-01-01T12:00:27.87+00:20", "1937-01-01T11:40:27Z", "1937-01-01T11:40:28Z"}, // section 5.8

		// The offset.
		{"2021-06-30T21:00:00+02:00", "2021-06-30T19:00:00Z", "2021-06-30T19:00:00Z"},
		{"2021-06-30T21:00:00-02:30", "2021-06-30T23:30:00Z", "2021-06-30T23:30:00Z"},
		{"2021-06-30T21:00:00+00:00", "2021-06-30T21:00:00Z", "2021-06-30T21:00:00Z"},
		{"2021-06-30T21:00:00-00:00", "2021-06-30T21:00:00Z", "2021-06-30T21:00:00Z"}, // section 4.3
		{"2021-06-30T21:00:00+23:59", "2021-06-29T21:01:00Z", "2021-06-29T21:01:00Z"},
		{"2021-06-30T21:00:00-23:59", "2021-07-01T20:59:00Z", "2021-07-01T20:59:00Z"},

		// Lower case (section 5.6).
		{"2021-06-30t21:00:00z", "2021-06-30T21:00:00Z", "2021-06-30T21:00:00Z"},
		{"2021-06-30t21:00:00.5+01:00", "2021-06-30T20:00:00Z", "2021-06-30T20:00:01Z"},

		// Fractions of any length.
		{"2021-06-30T21:00:00.0Z", "2021-06-30T21:00:00Z", "2021-06-30T21:00:00Z"},
		{"2021-06-30T21:00:00.000000000000Z", "2021-06-30T21:00:00Z", "2021-06-30T21:00:00Z"},
		{"2021-06-30T21:00:00.1Z", "2021-06-30T21:00:00Z", "2021-06-30T21:00:01Z"},
		{"2021-06-30T21:00:00.0000000001Z", "2021-06-30T21:00:00Z", "2021-06-30T21:00:01Z"},
		{"2021-06-30T23:59:59." + strings.Repeat("9", 1000) + "Z", "2021-06-30T23:59:59Z", "2021-07-01T00:00:00Z"},
		{"1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z"}, // before the epoch

		// Days that only some years have.
		{"2000-02-29T00:00:00Z", "2000-02-29T00:00:00Z", "2000-02-29T00:00:00Z"},
		{"2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"},

		// The first and the last that four digits can write.
		{"0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"},
		{"0000-02-29T00:00:00Z", "0000-02-29T00:00:00Z", "0000-02-29T00:00:00Z"},
		{"0000-01-01T00:00:00+23:59", "-0001-12-31T00:01:00Z", "-0001-12-31T00:01:00Z"},
		{"9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"},
		{"9999-12-31T23:59:59.9Z", "9999-12-31T23:59:59Z", "10000-01-01T00:00:00Z"},
		{"9999-12-31T23:59:59-23:59", "10000-01-01T23:58:59Z", "10000-01-01T23:58:59Z"},

		// Leap seconds (section 5.7 and appendix D), which lie between two seconds.
		{"1990-12-31T23:59:60Z", "1990-12-31T23:59:59Z", "1991-01-01T00:00:00Z"},
		{"1990-12-31T15:59:60-08:00", "1990-12-31T23:59:59Z", "1991-01-01T00:00:00Z"},
		{"2017-01-01T00:59:60+01:00", "2016-12-31T23:59:59Z", "2017-01-01T00:00:00Z"},
		{"2016-12-31T23:59:60.5Z", "2016-12-31T23:59:59Z", "2017-01-01T00:00:00Z"},
		{"2015-06-30T23:59:60Z", "2015-06-30T23:59:59Z", "2015-07-01T00:00:00Z"},
		{"2024-02-29T23:59:60Z", "2024-02-29T23:59:59Z", "2024-03-01T00:00:00Z"}, // any month may get one
		{"9999-12-31T23:59:60Z", "9999-12-31T23:59:59Z", "10000-01-01T00:00:00Z"},
	} {
		got, err := event.ParseInstant(test.in)
		if err != nil {
			t.Errorf("ParseInstant(%q): %v", test.in, err)
			continue
		}
		if s := unix(got.Floor()); s != test.floor {
			t.Errorf("the floor of %q is %s, want %s", test.in, s, test.floor)
		}
		if s := unix(got.Ceil()); s != test.ceil {
			t.Errorf("the ceiling of %q is %s, want %s", test.in, s, test.ceil)
		}
	}
}

func unix(second int64) string { return time.Unix(second, 0).UTC().Format(time.RFC3339) }

// TestParseInstantSays has what is missing named.
func TestParseInstantSays(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"2021-06-3":                 "too short",
		"2021-06-30":                "no time of day",
		"2021-06-30T21:00Z":         "no time of day",
		"2021-06-30 21:00:00Z":      "no time of day",
		"2021-06-30T21:00:00":       "no offset",
		"2021-06-30T21:00:00.5":     "no offset",
		"2021-06-30T21:00:00 02:00": "no offset",
	} {
		if _, err := event.ParseInstant(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
	}
}

func TestParseInstantRefuses(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"", " ", "Z", "now", "0", "1625086800",

		// Parts missing or too many.
		"2021-06-30", "2021-06-30T", "2021-06-30T21:00", "2021-06-30T21:00Z", "2021-06-30T21Z",
		"21:00:00Z", "T21:00:00Z", "2021-06T21:00:00Z", "2021-W26-3T21:00:00Z", "2021-181T21:00:00Z",
		"20210630T210000Z", "20210630T21:00:00Z", "2021-06-30T210000Z",
		"2021-06-30T21:00:00", "2021-06-30T21:00:00.5", "2021-06-30T21:00:00.",
		"2021-06-30T21:00:00.Z", "2021-06-30T21:00:00..5Z", "2021-06-30T21:00:00.5.5Z", "2021-06-30T21:00:00.-5Z",
		"2021-06-30T21:00:00ZZ", "2021-06-30T21:00:00Z ", " 2021-06-30T21:00:00Z", "2021-06-30T21:00:00 Z",
		"2021-06-30T21:00:00Z\n", "2021-06-30T21:00:00Z\x00", "\ufeff2021-06-30T21:00:00Z",
		"2021-06-30T21:00:00Z2021-06-30T21:00:00Z",
		"121-06-30T21:00:00Z", "12021-06-30T21:00:00Z", "+2021-06-30T21:00:00Z", "-2021-06-30T21:00:00Z",

		// Separators.
		"2021/06/30T21:00:00Z", "2021-06-30 21:00:00Z", "2021-06-30_21:00:00Z", "2021-06-30T21.00.00Z",
		"2021-06-30T21:00:00−02:00", "2021–06–30T21:00:00Z",

		// Digits.
		"2021-6-30T21:00:00Z", "2021-06-3T21:00:00Z", "2021-06-30T21:0:00Z", "2021-06-30T21:00:0Z",
		"2O21-06-30T21:00:00Z", "2021-06-30T2a:00:00Z", "2021-06-30T21:00:00.5aZ", "+021-06-30T21:00:00Z",
		"2021-+6-30T21:00:00Z", "2021-06- 1T21:00:00Z", "２０２１-06-30T21:00:00Z", "٢٠٢١-٠٦-٣٠T21:00:00Z",
		"2021-06-30T21:00:00.５Z", "0x21-06-30T21:00:00Z", "2_21-06-30T21:00:00Z", "2e21-06-30T21:00:00Z",

		// Offsets.
		"2021-06-30T21:00:00+02", "2021-06-30T21:00:00+0200", "2021-06-30T21:00:00+2:00", "2021-06-30T21:00:00+02:0",
		"2021-06-30T21:00:00+02:00:00", "2021-06-30T21:00:00+02:00Z", "2021-06-30T21:00:00Z+02:00", "2021-06-30T21:00:00+-2:00",
		"2021-06-30T21:00:00 02:00", "2021-06-30T21:00:0002:00", "2021-06-30T21:00:00+99:99", "2021-06-30T21:00:00+02:a0",
		"2021-06-30T21:00:00UTC", "2021-06-30T21:00:00GMT", "2021-06-30T21:00:00CET", "2021-06-30T21:00:00Europe/Madrid",
		"2021-06-30T21:00:00Z[UTC]", "2021-06-30T21:00:00[Z", "2021-06-30T21:00:00X",

		// Days and times of day that do not exist.
		"2021-00-01T00:00:00Z", "2021-13-01T00:00:00Z", "2021-01-00T00:00:00Z", "2021-01-32T00:00:00Z",
		"2021-09-31T00:00:00Z", "2021-04-31T00:00:00Z", "2021-02-29T00:00:00Z", "2024-02-30T00:00:00Z",
		"1900-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2021-06-30T24:00:00Z", "2021-06-30T23:60:00Z",
		"2021-06-30T99:00:00Z", "2021-06-30T23:59:61Z", "2021-06-30T23:59:99Z",

		// Leap seconds where there can be none: only a month's last second in UTC may get one.
		"2016-12-31T12:00:60Z", "2016-12-31T23:58:60Z", "2016-12-30T23:59:60Z", "2017-01-01T23:59:60Z",
		"2016-12-31T23:59:60+01:00", "2016-12-31T22:59:60Z", "2016-12-31T23:59:60-00:01", "2021-02-27T23:59:60Z",
		"2024-02-28T23:59:60Z",
	} {
		if got, err := event.ParseInstant(in); !errors.Is(err, event.ErrInstant) {
			t.Errorf("ParseInstant(%q) = %+v, %v, want ErrInstant", in, got, err)
		}
	}
}

// TestParseInstantAndTimeParse lists all differences of the two. FuzzParseInstant and a reading of
// package time found no more.
func TestParseInstantAndTimeParse(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"2021-06-30T5:00:00Z", // a one-digit hour
		"2021-06-30T5:00:00.5+02:00",
		"2021-06-30T21:00:00,5Z", // a comma before the fraction
		"2021-06-30T21:00:00,123456789+02:00",
		"2021-06-30T21:00:00+24:00", // an offset of a day
		"2021-06-30T21:00:00-24:00",
		"2021-06-30T21:00:00+02:60", // an offset with 60 minutes
		"2021-06-30T21:00:00-24:60",
		"2021-06-30T5:00:00,5+24:60", // all of these
	} {
		if _, err := time.Parse(time.RFC3339, in); err != nil {
			t.Errorf("time.Parse(%q): %v; it is no example any more", in, err)
		}
		if got, err := event.ParseInstant(in); !errors.Is(err, event.ErrInstant) {
			t.Errorf("ParseInstant(%q) = %+v, %v, want ErrInstant", in, got, err)
		}
	}
	for _, in := range []string{
		"2021-06-30t21:00:00Z",
		"2021-06-30T21:00:00z",
		"2016-12-31T23:59:60Z",
		"2016-12-31T23:59:60.25Z",
	} {
		if _, err := time.Parse(time.RFC3339, in); err == nil {
			t.Errorf("time.Parse(%q) succeeds; it is no example any more", in)
		}
		parseInstant(t, in)
	}
}

func TestInstantCompare(t *testing.T) {
	t.Parallel()
	// In order; those in one row are equal.
	rows := [][]string{
		{"0000-01-01T00:00:00+23:59"},
		{"0000-01-01T00:00:00Z"},
		{"1969-12-31T23:59:59Z"},
		{"1969-12-31T23:59:59.9Z"},
		{"1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z", "1970-01-01T02:00:00+02:00", "1969-12-31t23:00:00-01:00"},
		{"2016-12-31T23:59:59.1Z", "2016-12-31T23:59:59.10Z", "2017-01-01T00:59:59.100000000000+01:00"},
		{"2016-12-31T23:59:59.1000000000000000000001Z"},
		{"2016-12-31T23:59:59.12Z"},
		{"2016-12-31T23:59:59.2Z"},
		{"2016-12-31T23:59:59.999999999999Z"},
		{"2016-12-31T23:59:60Z", "2016-12-31T23:59:60.0Z", "2016-12-31T15:59:60-08:00"},
		{"2016-12-31T23:59:60.1Z"},
		{"2016-12-31T23:59:60.9999Z"},
		{"2017-01-01T00:00:00Z"},
		{"2017-01-01T00:00:00.0000000001Z"},
		{"9999-12-31T23:59:59.9-23:59"},
	}
	for i, row := range rows {
		for j, other := range rows {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = +1
			}
			for _, a := range row {
				for _, b := range other {
					if got := parseInstant(t, a).Compare(parseInstant(t, b)); got != want {
						t.Errorf("Compare(%s, %s) = %d, want %d", a, b, got, want)
					}
				}
			}
		}
	}
}

func parseInstant(t testing.TB, s string) event.Instant {
	t.Helper()
	i, err := event.ParseInstant(s)
	if err != nil {
		t.Fatalf("ParseInstant(%q): %v", s, err)
	}
	return i
}

func TestWindowHolds(t *testing.T) {
	t.Parallel()
	window := event.Window{From: 10, To: 20}
	for _, test := range []struct {
		window     event.Window
		start, end int64
		want       bool
	}{
		{window, 10, 20, true},
		{window, 10, 10, true},
		{window, 20, 20, true},
		{window, 9, 20, false},
		{window, 10, 21, false},
		{window, 9, 21, false},
		{window, 0, 5, false},
		{window, 25, 30, false},
		{event.Window{From: 11, To: 10}, 10, 11, false},
		{event.Window{From: 11, To: 10}, 11, 11, false},
		{event.Window{From: math.MinInt64, To: 20}, -1 << 40, 20, true},
		{event.Window{From: 10, To: math.MaxInt64}, 10, 1 << 40, true},
		{event.Always, math.MinInt64, math.MaxInt64, true},
		{event.Window{}, 0, 0, true},
		{event.Window{}, 0, 1, false},
	} {
		if got := test.window.Holds(&event.SortKey{Start: test.start, End: test.end}); got != test.want {
			t.Errorf("%+v holds %d-%d: %t, want %t", test.window, test.start, test.end, got, test.want)
		}
	}
}

// grammar is the date-time of RFC 3339 section 5.6, as a second opinion: it leaves
// the days of the month and the leap seconds to the code.
var grammar = regexp.MustCompile(`^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])` +
	`[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`)

// FuzzParseInstant compares ParseInstant with the grammar and with time.Parse.
func FuzzParseInstant(f *testing.F) {
	f.Fuzz(func(t *testing.T, s string) {
		got, err := event.ParseInstant(s)
		if err != nil && !errors.Is(err, event.ErrInstant) {
			t.Fatalf("%q: %v is not ErrInstant", s, err)
		}
		if !grammar.MatchString(s) {
			if err == nil {
				t.Fatalf("%q was accepted against the grammar", s)
			}
			return
		}

		// Within the grammar, time.Parse knows the days, once lower case and leap seconds are
		// replaced, which it refuses.
		plain := strings.ToUpper(s)
		leap := plain[17:19] == "60"
		if leap {
			plain = plain[:17] + "59" + plain[19:]
		}
		want, wantErr := time.Parse(time.RFC3339, plain)
		if wantErr == nil && leap && want.UTC().Truncate(time.Second).Add(time.Second).Format("02 15:04:05") != "01 00:00:00" {
			wantErr = errors.New("no leap second then")
		}
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: %v, want %v", s, err, wantErr)
		}
		if err != nil {
			return
		}
		if got.Floor() != want.Unix() {
			t.Fatalf("the floor of %q is %d, want %d", s, got.Floor(), want.Unix())
		}
		ceil := want.Unix()
		if leap || strings.Trim(fraction(plain), "0") != "" {
			ceil++
		}
		if got.Ceil() != ceil {
			t.Fatalf("the ceiling of %q is %d, want %d", s, got.Ceil(), ceil)
		}

		// One more digit makes it later, and no more than a second.
		stem := s[:19] + "." + fraction(plain)
		offset := strings.TrimLeft(s[19:], ".0123456789")
		later := parseInstant(t, stem+"1"+offset)
		if got.Compare(later) != -1 || later.Compare(got) != 1 || got.Compare(parseInstant(t, stem+"0"+offset)) != 0 {
			t.Fatalf("%q does not come right before %q", s, stem+"1"+offset)
		}
		if later.Floor() != got.Floor() || later.Ceil() != got.Floor()+1 {
			t.Fatalf("%q is not in the second of %q", stem+"1"+offset, s)
		}
	})
}

// fraction returns the digits after the point of a date-time.
func fraction(s string) string {
	digits, ok := strings.CutPrefix(s[19:], ".")
	if !ok {
		return ""
	}
	return digits[:strings.IndexAny(digits, "Z+-")]
}
