// Package rrule reads recurrence rules of iCalendar (RFC 5545 section 3.3.10) and expands them.
//
// It works on a wall clock: times are Unix seconds of what the clock shows, as if that were
// UTC. So a rule knows nothing of time zones, and a show at 20:00 stays at 20:00 when the
// clocks change. The caller turns wall-clock times into instants.
//
// The cost of a rule is bounded, and depends on the rule alone.
package rrule

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Frequency is the unit of a rule's interval.
type frequency uint8

const (
	secondly frequency = iota
	minutely
	hourly
	daily
	weekly
	monthly
	yearly
)

var frequencies = []string{"SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"}

// weekdays are in the order of [time.Weekday].
var weekdays = []string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"}

// A Rule is a recurrence rule. Use [Parse] to make one.
type Rule struct {
	// Until is the last time that the rule may give, inclusive, as it is written; UntilForm
	// says how to read it. It is zero if there is none. The caller turns it into a wall-clock
	// time for [Rule.Between]: an instant cannot be compared with one.
	Until     int64
	UntilForm Form

	freq      frequency
	interval  int
	count     int // 0: no count
	weekStart time.Weekday

	bySecond, byMinute, byHour      []int
	byMonthDay, byYearDay, byWeekNo []int
	byMonth, bySetPos               []int
	byDay                           []nthDay
}

// A Form is how a date or a time is written in iCalendar (RFC 5545 sections 3.3.4 and 3.3.5).
type Form uint8

// The forms. The zero value is no time at all.
const (
	None  Form = iota
	Date       // 20260327
	Local      // 20260327T200000
	UTC        // 20260327T190000Z
)

// An nthDay is a day of the week: each one if n is 0, or the nth of the month or year, from
// the end if n is negative.
type nthDay struct {
	n   int
	day time.Weekday
}

func (d nthDay) numbered() bool { return d.n != 0 }

// ParseTime reads a date or a time of iCalendar. It returns the Unix second that a clock in
// UTC shows so. A 60th second is the 59th (RFC 5545 section 3.3.12); 24:00 is 0:00 of the next day.
func ParseTime(s string) (int64, Form, error) {
	digits, utc := strings.CutSuffix(s, "Z")
	date, clock, timed := strings.Cut(digits, "T")
	year, month, day, ok := number(date, 8, 0, 4), number(date, 8, 4, 6), number(date, 8, 6, 8), true
	hour, minute, second := 0, 0, 0
	if timed {
		hour, minute, second = number(clock, 6, 0, 2), number(clock, 6, 2, 4), number(clock, 6, 4, 6)
	} else if utc {
		ok = false
	}
	if !ok || year < 0 || month < 0 || day < 0 || hour < 0 || minute < 0 || second < 0 {
		return 0, None, fmt.Errorf("%.40q is not a date or a time like 20260327T200000", s)
	}
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || minute > 59 || second > 60 ||
		hour > 24 || hour == 24 && minute+second > 0 {
		return 0, None, fmt.Errorf("%.40q names a day or a time that does not exist", s)
	}
	t := dayOf(year, month, day)*secondsADay + int64(hour*3600+minute*60+min(second, 59))
	switch {
	case utc:
		return t, UTC, nil
	case timed:
		return t, Local, nil
	}
	return t, Date, nil
}

// number returns the digits from..to of a text of the given length, or -1.
func number(s string, length, from, to int) int {
	if len(s) != length {
		return -1
	}
	n := 0
	for _, c := range []byte(s[from:to]) {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// Parse reads the value of an RRULE. It refuses parts that it does not know, and those that
// RFC 5545 forbids for the frequency: to leave them out would invent shows.
func Parse(s string) (*Rule, error) {
	r := &Rule{interval: 1, weekStart: time.Monday}
	seen := make(map[string]bool)
	for part := range strings.SplitSeq(s, ";") {
		if strings.TrimSpace(part) == "" {
			continue // a semicolon at the end
		}
		name, value, ok := strings.Cut(strings.ToUpper(strings.TrimSpace(part)), "=")
		if !ok || seen[name] {
			return nil, fmt.Errorf("the rule's part %.40q is not one NAME=VALUE", part)
		}
		seen[name] = true
		if err := r.set(name, value); err != nil {
			return nil, err
		}
	}
	if !seen["FREQ"] {
		return nil, fmt.Errorf("the rule %.40q has no FREQ", s)
	}
	return r, r.check(seen)
}

// set reads one part of a rule.
func (r *Rule) set(name, value string) (err error) {
	switch name {
	case "FREQ":
		i := slices.Index(frequencies, value)
		if i < 0 {
			return fmt.Errorf("FREQ=%.40s is not known", value)
		}
		r.freq = frequency(i)
	case "INTERVAL":
		r.interval, err = one(name, value, 1, 1<<30)
	case "COUNT":
		r.count, err = one(name, value, 1, 1<<30)
	case "UNTIL":
		r.Until, r.UntilForm, err = ParseTime(value)
	case "WKST":
		i := slices.Index(weekdays, value)
		if i < 0 {
			return fmt.Errorf("WKST=%.40s is not a day of the week", value)
		}
		r.weekStart = time.Weekday(i)
	case "BYSECOND":
		r.bySecond, err = list(name, value, 0, 60)
		for i := range r.bySecond {
			r.bySecond[i] = min(r.bySecond[i], 59) // see ParseTime
		}
	case "BYMINUTE":
		r.byMinute, err = list(name, value, 0, 59)
	case "BYHOUR":
		r.byHour, err = list(name, value, 0, 23)
	case "BYDAY":
		r.byDay, err = days(value)
	case "BYMONTHDAY":
		r.byMonthDay, err = list(name, value, -31, 31)
	case "BYYEARDAY":
		r.byYearDay, err = list(name, value, -366, 366)
	case "BYWEEKNO":
		r.byWeekNo, err = list(name, value, -53, 53)
	case "BYMONTH":
		r.byMonth, err = list(name, value, 1, 12)
	case "BYSETPOS":
		r.bySetPos, err = list(name, value, -366, 366)
	case "RSCALE", "SKIP": // RFC 7529; these two values are what is done without them
		if value != "GREGORIAN" && value != "OMIT" {
			return fmt.Errorf("%s=%.40s is not expanded", name, value)
		}
	default:
		return fmt.Errorf("the rule's part %.40q is not known", name)
	}
	return err
}

// check refuses the combinations that RFC 5545 section 3.3.10 forbids.
func (r *Rule) check(seen map[string]bool) error {
	numbered := slices.ContainsFunc(r.byDay, nthDay.numbered)
	switch {
	case seen["COUNT"] && seen["UNTIL"]:
		return fmt.Errorf("the rule has both COUNT and UNTIL")
	case r.byWeekNo != nil && r.freq != yearly:
		return fmt.Errorf("BYWEEKNO is for FREQ=YEARLY only")
	case r.byYearDay != nil && (r.freq == daily || r.freq == weekly || r.freq == monthly):
		return fmt.Errorf("BYYEARDAY is not for FREQ=%s", frequencies[r.freq])
	case r.byMonthDay != nil && r.freq == weekly:
		return fmt.Errorf("BYMONTHDAY is not for FREQ=WEEKLY")
	case numbered && (r.freq != monthly && r.freq != yearly || r.byWeekNo != nil):
		return fmt.Errorf("BYDAY with a number is for FREQ=MONTHLY and FREQ=YEARLY without BYWEEKNO")
	case r.bySetPos != nil && r.bySecond == nil && r.byMinute == nil && r.byHour == nil && r.byDay == nil &&
		r.byMonthDay == nil && r.byYearDay == nil && r.byWeekNo == nil && r.byMonth == nil:
		return fmt.Errorf("BYSETPOS needs another BY part")
	}
	return nil
}

func one(name, value string, least, most int) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%s=%.40s is not a whole number from %d to %d", name, value, least, most)
	}
	return n, nil
}

// list reads numbers, sorted and each once. Where least is negative, 0 is none of them.
func list(name, value string, least, most int) ([]int, error) {
	var all []int
	for text := range strings.SplitSeq(value, ",") {
		n, err := one(name, text, least, most)
		if err == nil && n == 0 && least < 0 {
			err = fmt.Errorf("%s=0 means nothing", name)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

func days(value string) ([]nthDay, error) {
	var all []nthDay
	for text := range strings.SplitSeq(value, ",") {
		at := max(len(text)-2, 0)
		d := nthDay{day: time.Weekday(slices.Index(weekdays, text[at:]))}
		if d.day < 0 {
			return nil, fmt.Errorf("BYDAY=%.40s is not a day of the week", text)
		}
		if at > 0 {
			n, err := one("BYDAY", text[:at], -53, 53)
			if err != nil || n == 0 {
				return nil, fmt.Errorf("BYDAY=%.40s: the number is not from 1 to 53 or from -53 to -1", text)
			}
			d.n = n
		}
		if !slices.Contains(all, d) {
			all = append(all, d)
		}
	}
	return all, nil
}

// Daily reports whether the rule gives dates: its interval is a day or more. Only such a rule
// can repeat an event of whole days.
func (r *Rule) Daily() bool { return r.freq >= daily }

// WithoutTimes returns the rule without the parts that give a time of day. They are to be
// ignored where an event starts with a date (RFC 5545 section 3.3.10).
func (r *Rule) WithoutTimes() *Rule {
	dates := *r
	dates.bySecond, dates.byMinute, dates.byHour = nil, nil, nil
	return &dates
}
