package rrule

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"fever/internal/leak"
)

func TestMain(m *testing.M) { os.Exit(leak.Check(m.Run())) }

// at reads a time of a test.
func at(tb testing.TB, s string) int64 {
	tb.Helper()
	t, _, err := ParseTime(s)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// expand returns the times of a rule up to a last one, without what they have in common.
func expand(tb testing.TB, rule, start, last string) (string, bool) {
	tb.Helper()
	r, err := Parse(rule)
	if err != nil {
		tb.Fatalf("%s: %v", rule, err)
	}
	until := at(tb, last)
	if r.UntilForm != None {
		until = r.Until
	}
	times, whole := r.Between(at(tb, start), until, at(tb, start), at(tb, last))
	var words []string
	for _, t := range times {
		words = append(words, time.Unix(t, 0).UTC().Format("060102T1504"))
	}
	return strings.Join(words, " "), whole
}

// TestExamples has examples of RFC 5545 section 3.8.5.3, and rules that implementations read
// in different ways.
func TestExamples(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, rule, start, last, want string }{
		{"every other day", "FREQ=DAILY;INTERVAL=2", "19970902T090000", "19970908T235959", "970902T0900 970904T0900 970906T0900 970908T0900"},
		{"each day in January", "FREQ=YEARLY;UNTIL=19990103T140000;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA", "19980130T090000", "20000101T000000", "980130T0900 980131T0900 990101T0900 990102T0900 990103T0900"},
		{"every other week, weeks begin on Sunday", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;WKST=SU;BYDAY=TU,SU", "19970805T090000", "20000101T000000", "970805T0900 970817T0900 970819T0900 970831T0900"},
		{"every other week, weeks begin on Monday", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;WKST=MO;BYDAY=TU,SU", "19970805T090000", "20000101T000000", "970805T0900 970810T0900 970819T0900 970824T0900"},
		{"first and last Sunday of every other month", "FREQ=MONTHLY;INTERVAL=2;COUNT=6;BYDAY=1SU,-1SU", "19970907T090000", "20000101T000000", "970907T0900 970928T0900 971102T0900 971130T0900 980104T0900 980125T0900"},
		{"third day before the end of the month", "FREQ=MONTHLY;BYMONTHDAY=-3;COUNT=3", "19970928T090000", "20000101T000000", "970928T0900 971029T0900 971128T0900"},
		{"a day that few months have", "FREQ=MONTHLY;COUNT=3", "20260131T090000", "20280101T000000", "260131T0900 260331T0900 260531T0900"},
		{"a leap day", "FREQ=YEARLY;COUNT=3", "20240229T090000", "20400101T000000", "240229T0900 280229T0900 320229T0900"},
		{"days of the year", "FREQ=YEARLY;INTERVAL=3;COUNT=5;BYYEARDAY=1,100,200", "19970101T090000", "20100101T000000", "970101T0900 970410T0900 970719T0900 000101T0900 000409T0900"},
		{"the 20th Monday of the year", "FREQ=YEARLY;BYDAY=20MO;COUNT=3", "19970519T090000", "20100101T000000", "970519T0900 980518T0900 990517T0900"},
		{"Monday of week 20", "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO;COUNT=3", "19970512T090000", "20100101T000000", "970512T0900 980511T0900 990517T0900"},
		{"Friday the 13th", "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13;COUNT=3", "19980213T090000", "20100101T000000", "980213T0900 980313T0900 981113T0900"},
		{"election day", "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8;COUNT=3", "19961105T090000", "20100101T000000", "961105T0900 001107T0900 041102T0900"},
		{"the third of some days", "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "19970904T090000", "20100101T000000", "970904T0900 971007T0900 971106T0900"},
		{"the last but one work day", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2;COUNT=3", "19970929T090000", "20100101T000000", "970929T0900 971030T0900 971127T0900"},
		{"every third hour", "FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T170000", "19970902T090000", "20100101T000000", "970902T0900 970902T1200 970902T1500"},
		{"every 20 minutes of some hours", "FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,16;COUNT=5", "19970902T090000", "20100101T000000", "970902T0900 970902T0920 970902T0940 970902T1600 970902T1620"},
		{"the same by day", "FREQ=DAILY;BYHOUR=9,16;BYMINUTE=0,20,40;COUNT=5", "19970902T090000", "20100101T000000", "970902T0900 970902T0920 970902T0940 970902T1600 970902T1620"},
		{"a day that is not there", "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5", "20070115T090000", "20100101T000000", "070115T0900 070130T0900 070215T0900 070315T0900 070330T0900"},

		// python-dateutil 2.9, rrule.js 2.8 and rrule-go 1.8 give only Sundays here that are the
		// first. The RFC says that each day in a list is in the set.
		{"days with and without a number", "FREQ=MONTHLY;BYDAY=1MO,SU;COUNT=4", "20261101T090000", "20270101T000000", "261101T0900 261102T0900 261108T0900 261115T0900"},
		// They give all days of the week here. The RFC takes what a rule leaves out from DTSTART.
		{"a week without days", "FREQ=YEARLY;BYWEEKNO=20;COUNT=2", "20260512T090000", "20280101T000000", "260512T0900 270518T0900"},
		{"a week of two years", "FREQ=YEARLY;BYWEEKNO=53;BYDAY=FR,SA", "20210101T090000", "20211231T000000", "210101T0900 210102T0900"},
		{"weeks from the end", "FREQ=YEARLY;BYWEEKNO=-1;BYDAY=MO;COUNT=2", "20261228T090000", "20290101T000000", "261228T0900 271227T0900"},
		// The start is the first that COUNT counts, whether the rule matches it or not.
		{"a start that does not match", "FREQ=WEEKLY;BYDAY=MO;COUNT=3", "20261103T090000", "20270101T000000", "261103T0900 261109T0900 261116T0900"},
		{"never", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "20261103T090000", "20280101T000000", "261103T0900"},
		{"before the epoch", "FREQ=WEEKLY;COUNT=2", "19500101T090000", "19600101T000000", "500101T0900 500108T0900"},
	} {
		got, whole := expand(t, test.rule, test.start, test.last)
		if got != test.want || !whole {
			t.Errorf("%s: %s from %s:\n%s, whole: %t, want\n%s", test.name, test.rule, test.start, got, whole, test.want)
		}
	}
}

// A window gives what is in it, wherever it begins, and a rule that counts counts from the start.
func TestWindow(t *testing.T) {
	t.Parallel()
	for _, rule := range []string{
		"FREQ=YEARLY;INTERVAL=3", "FREQ=YEARLY;BYWEEKNO=1,53;BYDAY=MO,SU", "FREQ=MONTHLY;INTERVAL=5;BYDAY=-1FR", "FREQ=WEEKLY;INTERVAL=3;BYDAY=MO,SU;WKST=SU",
		"FREQ=DAILY;INTERVAL=11", "FREQ=HOURLY;INTERVAL=1001", "FREQ=MINUTELY;INTERVAL=50021", "FREQ=SECONDLY;INTERVAL=3000017", "FREQ=WEEKLY;COUNT=700",
	} {
		r, err := Parse(rule)
		if err != nil {
			t.Fatal(err)
		}
		start, end := at(t, "20100315T093000"), at(t, "20260101T000000")
		all, _ := r.Between(start, end, start, end)
		for year := 2009; year < 2027; year++ {
			from := time.Date(year, 3, 3, 9, 30, 0, 0, time.UTC).Unix()
			to := from + 500*secondsADay
			var want []int64
			for _, at := range all {
				if at >= from && at <= min(to, end) {
					want = append(want, at)
				}
			}
			if got, whole := r.Between(start, end, from, to); !slices.Equal(got, want) || !whole {
				t.Errorf("%s from %d: %d, want %d (whole: %t)", rule, year, got, want, whole)
			}
		}
	}
}

// A rule that gives too many times, or takes too long, is cut.
func TestBounds(t *testing.T) {
	t.Parallel()
	for rule, want := range map[string]int{
		"FREQ=SECONDLY": MaxTimes,
		"FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30;INTERVAL=7": 1,
		"FREQ=SECONDLY;BYSECOND=1;BYHOUR=3;INTERVAL=2":     1, // never: the seconds are even
		"FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=9":       1,
		"FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYHOUR=" + digits(24) + ";BYMINUTE=" + digits(60) + ";BYSECOND=" + digits(60): 0, // many times a day,
	} {
		r, err := Parse(rule)
		if err != nil {
			t.Fatal(err)
		}
		last := at(t, "99991231T000000")
		times, whole := r.Between(at(t, "20260101T000000"), last, at(t, "20260101T000000"), last)
		if whole || want > 0 && len(times) != want || len(times) > MaxTimes {
			t.Errorf("%s: %d times, whole: %t", rule, len(times), whole)
		}
	}
}

// digits returns the numbers below n.
func digits(n int) string {
	var words []string
	for i := range n {
		words = append(words, strconv.Itoa(i))
	}
	return strings.Join(words, ",")
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for rule, want := range map[string]string{
		"":                                          "has no FREQ",
		"COUNT=1":                                   "has no FREQ",
		"FREQ=FORTNIGHTLY":                          "FREQ=FORTNIGHTLY is not known",
		"FREQ=DAILY;FREQ=DAILY":                     "is not one NAME=VALUE",
		"FREQ=DAILY;COUNT":                          "is not one NAME=VALUE",
		"FREQ=DAILY;COUNT=0":                        "COUNT=0 is not a whole number from 1",
		"FREQ=DAILY;INTERVAL=-1":                    "INTERVAL=-1 is not",
		"FREQ=DAILY;COUNT=1;UNTIL=20260101":         "both COUNT and UNTIL",
		"FREQ=DAILY;UNTIL=tomorrow":                 `"TOMORROW" is not a date`,
		"FREQ=DAILY;BYEASTER=1":                     "BYEASTER\" is not known",
		"FREQ=DAILY;RSCALE=HEBREW":                  "RSCALE=HEBREW is not expanded",
		"FREQ=DAILY;SKIP=FORWARD":                   "SKIP=FORWARD is not expanded",
		"FREQ=DAILY;WKST=XX":                        "WKST=XX is not a day",
		"FREQ=DAILY;BYDAY=":                         "BYDAY= is not a day",
		"FREQ=DAILY;BYDAY=1MO":                      "BYDAY with a number is for",
		"FREQ=YEARLY;BYDAY=1MO;BYWEEKNO=2":          "BYDAY with a number is for",
		"FREQ=MONTHLY;BYDAY=0MO":                    "BYDAY=0MO: the number is not",
		"FREQ=MONTHLY;BYMONTHDAY=0":                 "BYMONTHDAY=0 means nothing",
		"FREQ=MONTHLY;BYMONTHDAY=32":                "BYMONTHDAY=32 is not",
		"FREQ=WEEKLY;BYMONTHDAY=1":                  "BYMONTHDAY is not for FREQ=WEEKLY",
		"FREQ=MONTHLY;BYYEARDAY=1":                  "BYYEARDAY is not for FREQ=MONTHLY",
		"FREQ=MONTHLY;BYWEEKNO=1":                   "BYWEEKNO is for FREQ=YEARLY only",
		"FREQ=MONTHLY;BYSETPOS=1":                   "BYSETPOS needs another BY part",
		"FREQ=DAILY;BYHOUR=24":                      "BYHOUR=24 is not",
		"FREQ=DAILY;X=" + strings.Repeat("x", 9999): "is not known",
	} {
		if r, err := Parse(rule); err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 200 {
			t.Errorf("%q: %+v, %v, want %s", rule, r, err, want)
		}
	}
	for _, rule := range []string{"freq=daily;", "FREQ=DAILY; COUNT=2", "FREQ=DAILY;RSCALE=GREGORIAN;SKIP=OMIT", "FREQ=MINUTELY;BYSECOND=60"} {
		if _, err := Parse(rule); err != nil {
			t.Errorf("%q: %v", rule, err)
		}
	}
}

func TestParseTime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"20260327":         "2026-03-27T00:00:00 1",
		"20260327T200000":  "2026-03-27T20:00:00 2",
		"20260327T200000Z": "2026-03-27T20:00:00 3",
		"20260327T240000":  "2026-03-28T00:00:00 2",
		"20260327T235960Z": "2026-03-27T23:59:59 3",
		"00010101":         "0001-01-01T00:00:00 1",
	} {
		got, form, err := ParseTime(text)
		if s := time.Unix(got, 0).UTC().Format("2006-01-02T15:04:05 ") + string('0'+rune(form)); err != nil || s != want {
			t.Errorf("%s: %s, %v, want %s", text, s, err, want)
		}
	}
	for _, text := range []string{"", "T", "Z", "20260230", "20261301", "20260327Z", "20260327T", "20260327T2000", "20260327T240001", "20260327T206000", "2026-03-27", "20260327 200000", "２０２６０３２７"} {
		if got, form, err := ParseTime(text); err == nil || form != None {
			t.Errorf("%q: %d", text, got)
		}
	}
}

// FuzzBetween holds what is promised of any rule: times in the window, in order, each once,
// and the start among them.
func FuzzBetween(f *testing.F) {
	for _, rule := range []string{"FREQ=WEEKLY;BYDAY=MO,SU", "FREQ=YEARLY;BYWEEKNO=-1,53;BYSETPOS=-1", "FREQ=SECONDLY;INTERVAL=7;BYHOUR=3", "FREQ=MONTHLY;BYDAY=-1FR,2MO;BYMONTH=2,3"} {
		f.Add(rule, int64(1_700_000_000), int64(1_760_000_000), int64(100_000_000))
	}
	f.Fuzz(func(t *testing.T, text string, start, from, length int64) {
		const year = 366 * secondsADay
		start, from, length = start%(9000*year), from%(9000*year), length%(2000*year)
		r, err := Parse(text)
		if err != nil {
			return
		}
		to := from + length
		times, _ := r.Between(start, to, from, to)
		if !slices.IsSorted(times) || len(slices.Compact(slices.Clone(times))) != len(times) || len(times) > MaxTimes {
			t.Fatalf("%s: %d", text, times)
		}
		for _, at := range times {
			if at < from || at > to || at < start {
				t.Fatalf("%s: %d from %d to %d", text, at, from, to)
			}
		}
		if start >= from && start <= to && (len(times) == 0 || times[0] != start) {
			t.Fatalf("%s: the start is missing", text)
		}
	})
}

// BenchmarkBetween expands a weekly rule to 79 times.
func BenchmarkBetween(b *testing.B) {
	r, err := Parse("FREQ=WEEKLY;BYDAY=FR")
	if err != nil {
		b.Fatal(err)
	}
	start, from, to := at(b, "20150102T200000"), at(b, "20261001T000000"), at(b, "20280401T000000")
	b.ReportAllocs()
	for b.Loop() {
		if times, _ := r.Between(start, to, from, to); len(times) != 79 {
			b.Fatal(len(times))
		}
	}
}

// First finds what the rule matches by itself, and leaves count and interval aside.
func TestFirst(t *testing.T) {
	t.Parallel()
	for rule, want := range map[string]string{
		"FREQ=MONTHLY;INTERVAL=3;BYDAY=2MO;COUNT=1": "20261214T200000",
		"FREQ=WEEKLY":                          "20261201T200000",
		"FREQ=YEARLY;BYMONTH=11":               "20271101T200000",
		"FREQ=MONTHLY;BYMONTHDAY=-1":           "20261231T200000",
		"FREQ=DAILY;BYMONTH=2":                 "20270201T200000",
		"FREQ=MONTHLY;BYMONTHDAY=31;BYMONTH=2": "",
	} {
		r, err := Parse(rule)
		if err != nil {
			t.Fatal(err)
		}
		start, _, _ := ParseTime("20261201T200000")
		to, _, _ := ParseTime("20280101")
		got := ""
		if first, ok := r.First(start, to); ok {
			got = time.Unix(first, 0).UTC().Format("20060102T150405")
		}
		if got != want {
			t.Errorf("%s: %q, want %q", rule, got, want)
		}
	}
}
