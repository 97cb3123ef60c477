package rrule

import (
	"slices"
	"time"
)

const secondsADay = 24 * 60 * 60

// Bounds of one expansion. The second is about 20 ms of work: the days and times that are
// examined, whether they are in the rule or not.
const (
	MaxTimes = 1000
	maxSteps = 1 << 20
)

// Between returns the wall-clock times that the rule gives for an event that starts at start:
// those from from to to, both inclusive, in order and each once. The start is always one of
// them, also if the rule does not match it, and it is the first that COUNT counts (RFC 5545
// section 3.8.5.3).
//
// The last time is until, inclusive; pass to if the rule has no UNTIL.
//
// At most [MaxTimes] are returned. Whole says whether these are all: the rule may give more,
// or the search for them took too long.
func (r *Rule) Between(start, until, from, to int64) (times []int64, whole bool) {
	x := expansion{Rule: r, start: start, after: start, from: from, last: min(until, to), left: r.count - 1}
	if start >= from && start <= to {
		x.emit(start)
	}
	if x.left != 0 {
		x.defaults()
		x.run()
	}
	return x.times, !x.cut
}

// First returns the first time that the rule matches from start to to, both inclusive, whatever
// its interval and count. It reports whether there is one. What the rule does not say, such as
// the time of day, is that of start. A schedule that need not begin with a time of its rule
// is expanded from there.
func (r *Rule) First(start, to int64) (int64, bool) {
	every := *r
	every.interval = 1
	x := expansion{Rule: &every, start: start, after: start - 1, from: start, last: to, left: 1}
	x.defaults()
	x.run()
	if len(x.times) == 0 {
		return 0, false
	}
	return x.times[0], true
}

// An expansion is under way.
type expansion struct {
	*Rule
	start, from, last int64
	after             int64 // the times up to this one are there already

	// The parts of the rule, with what it leaves to the start (RFC 5545 section 3.3.10).
	hours, minutes, seconds []int
	months, monthDays       []int
	days                    []nthDay

	left  int // times that may follow; negative: any number
	steps int
	set   []int64 // the times of a period
	times []int64
	cut   bool
}

// defaults takes from the start what the rule does not say.
func (x *expansion) defaults() {
	day, second := split(x.start)
	_, month, monthDay := civil(day)
	x.hours = orElse(x.byHour, second/3600)
	x.minutes = orElse(x.byMinute, second/60%60)
	x.seconds = orElse(x.bySecond, second%60)
	x.months, x.monthDays, x.days = x.byMonth, x.byMonthDay, x.byDay
	if x.byMonthDay != nil || x.byYearDay != nil || x.byDay != nil {
		return
	}
	switch {
	case x.freq == weekly || x.freq == yearly && x.byWeekNo != nil:
		x.days = []nthDay{{day: weekday(day)}}
	case x.freq == yearly:
		x.months, x.monthDays = orElse(x.byMonth, month), []int{monthDay}
	case x.freq == monthly:
		x.monthDays = []int{monthDay}
	}
}

func orElse(list []int, value int) []int {
	if list == nil {
		return []int{value}
	}
	return list
}

// run goes from period to period until the last time, or the bounds.
func (x *expansion) run() {
	if x.freq < daily {
		x.runTimes()
		return
	}
	for n := x.first(); !x.cut; n += int64(x.interval) {
		from, to, year := x.period(n)
		if from*secondsADay > x.last {
			return
		}
		x.set = x.set[:0]
		for day := from; day <= to; day++ {
			if x.steps++; x.steps > maxSteps {
				x.cut = true
				return
			}
			if !x.matches(day, year) {
				if x.freq == yearly && !x.inMonth(day) {
					day = endOfMonth(day)
				}
				continue
			}
			x.steps += len(x.hours) * len(x.minutes) * len(x.seconds)
			for _, hour := range x.hours {
				for _, minute := range x.minutes {
					for _, second := range x.seconds {
						x.set = append(x.set, day*secondsADay+int64(hour*3600+minute*60+second))
					}
				}
			}
		}
		if !x.emitSet() {
			return
		}
	}
}

// first returns the number of the first period to look at: that of the start, or the last
// one that ends before from, if nothing has to be counted.
func (x *expansion) first() int64 {
	begin := x.number(x.start)
	if x.left >= 0 || x.from <= x.start {
		return begin
	}
	skipped := (x.number(x.from) - begin) / int64(x.interval)
	return begin + max(skipped-1, 0)*int64(x.interval)
}

// number returns the number of the period that a time is in: its year, which is that of its
// week for BYWEEKNO, its month since the year 0, its week, or its day.
func (x *expansion) number(t int64) int64 {
	day, _ := split(t)
	year, month, _ := civil(day)
	switch x.freq {
	case yearly:
		if x.byWeekNo != nil { // the first days of January may be in the last week, and the last of December in the first
			if day < x.firstWeek(year) {
				year--
			} else if day >= x.firstWeek(year+1) {
				year++
			}
		}
		return int64(year)
	case monthly:
		return int64(year)*12 + int64(month-1)
	case weekly:
		// Day 0, 1 January 1970, was a Thursday.
		return floor(day+int64(time.Thursday)-int64(x.weekStart), 7)
	}
	return day
}

// period returns the first and the last day of the period with the given number. For
// BYWEEKNO a year is that of its weeks: the first one has four days or more in the year. The
// year is that of these weeks, or of any day of the period.
func (x *expansion) period(n int64) (from, to int64, year int) {
	switch x.freq {
	case yearly:
		if x.byWeekNo != nil {
			return x.firstWeek(int(n)), x.firstWeek(int(n)+1) - 1, int(n)
		}
		return dayOf(int(n), 1, 1), dayOf(int(n), 12, 31), int(n)
	case monthly:
		year, month := int(floor(n, 12)), int(n-12*floor(n, 12))+1
		return dayOf(year, month, 1), dayOf(year, month, daysIn(year, month)), year
	case weekly:
		from = n*7 - int64(time.Thursday) + int64(x.weekStart)
		return from, from + 6, 0
	}
	return n, n, 0
}

// firstWeek returns the first day of week 1 of a year.
func (x *expansion) firstWeek(year int) int64 {
	fourth := dayOf(year, 1, 4)
	return fourth - floorMod(int64(weekday(fourth))-int64(x.weekStart), 7)
}

// matches reports whether all parts of the rule that choose days choose this one. The week
// year is that of the period: see period.
func (x *expansion) matches(day int64, weekYear int) bool {
	// The day of the week is cheap, and often all that has to match.
	on := weekday(day)
	if x.days != nil && !slices.ContainsFunc(x.days, func(d nthDay) bool { return d.day == on }) {
		return false
	}
	if !x.inMonth(day) {
		return false
	}
	if x.byWeekNo != nil {
		first := x.firstWeek(weekYear)
		if !hasNth(x.byWeekNo, int(day-first)/7+1, int(x.firstWeek(weekYear+1)-first)/7) {
			return false
		}
	}
	if x.monthDays == nil && x.byYearDay == nil && !slices.ContainsFunc(x.days, nthDay.numbered) {
		return true
	}
	year, month, monthDay := civil(day)
	newYear := dayOf(year, 1, 1)
	yearDay, length := int(day-newYear)+1, int(dayOf(year+1, 1, 1)-newYear)
	if x.monthDays != nil && !hasNth(x.monthDays, monthDay, daysIn(year, month)) || x.byYearDay != nil && !hasNth(x.byYearDay, yearDay, length) {
		return false
	}
	at := yearDay
	if x.freq != yearly || x.byMonth != nil { // a number counts within the month
		at, length = monthDay, daysIn(year, month)
	}
	return x.days == nil || slices.ContainsFunc(x.days, func(d nthDay) bool {
		return d.day == on && (d.n == 0 || d.n == (at-1)/7+1 || d.n == -((length-at)/7+1))
	})
}

func (x *expansion) inMonth(day int64) bool {
	if x.months == nil {
		return true
	}
	_, month, _ := civil(day)
	return slices.Contains(x.months, month)
}

// hasNth reports whether a sorted list holds n, or what n is from the end of that many.
func hasNth(list []int, n, length int) bool {
	return has(list, n) || has(list, n-length-1)
}

// has reports whether a sorted list holds n. The list can be long, and a period has many n.
func has(list []int, n int) bool {
	_, ok := slices.BinarySearch(list, n)
	return ok
}

// runTimes is run for a rule that repeats within a day.
func (x *expansion) runTimes() {
	unit := []int64{secondly: 1, minutely: 60, hourly: 3600}[x.freq]
	step := unit * int64(x.interval)
	t := x.start - floorMod(x.start, unit)
	if x.left < 0 && x.from > t {
		t += max((x.from-t)/step-1, 0) * step
	}
	for ; t <= x.last && !x.cut; t += step {
		if x.steps++; x.steps > maxSteps {
			x.cut = true
			return
		}
		day, second := split(t)
		if !x.matches(day, 0) {
			// Go on with the last step before the next day.
			t += (secondsADay - 1 - int64(second)) / step * step
			continue
		}
		if x.byHour != nil && !slices.Contains(x.byHour, second/3600) ||
			x.freq <= minutely && x.byMinute != nil && !slices.Contains(x.byMinute, second/60%60) ||
			x.freq == secondly && x.bySecond != nil && !slices.Contains(x.bySecond, second%60) {
			continue
		}
		x.set = x.set[:0]
		switch x.freq {
		case hourly:
			for _, minute := range x.minutes {
				for _, second := range x.seconds {
					x.set = append(x.set, t+int64(minute*60+second))
				}
			}
		case minutely:
			for _, second := range x.seconds {
				x.set = append(x.set, t+int64(second))
			}
		default:
			x.set = append(x.set, t)
		}
		x.steps += len(x.set)
		if !x.emitSet() {
			return
		}
	}
}

// emitSet gives the times of a period, in order, and reports whether the rule goes on.
func (x *expansion) emitSet() bool {
	for i, t := range x.set {
		if x.bySetPos != nil && !hasNth(x.bySetPos, i+1, len(x.set)) {
			continue
		}
		if t <= x.after {
			continue
		}
		if t > x.last || x.left == 0 {
			return false
		}
		if x.left > 0 {
			x.left--
		}
		if t >= x.from && !x.emit(t) {
			return false
		}
	}
	return x.left != 0
}

// emit gives a time, and reports whether there is room for another.
func (x *expansion) emit(t int64) bool {
	if len(x.times) == MaxTimes {
		x.cut = true
		return false
	}
	x.times = append(x.times, t)
	return true
}

// The calendar: days are counted from 1 January 1970.

func dayOf(year, month, day int) int64 {
	return time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Unix() / secondsADay
}

func civil(day int64) (year, month, monthDay int) {
	y, m, d := time.Unix(day*secondsADay, 0).UTC().Date()
	return y, int(m), d
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

func endOfMonth(day int64) int64 {
	year, month, monthDay := civil(day)
	return day + int64(daysIn(year, month)-monthDay)
}

func weekday(day int64) time.Weekday { return time.Weekday(floorMod(day+int64(time.Thursday), 7)) }

func split(t int64) (day int64, second int) {
	day = floor(t, secondsADay)
	return day, int(t - day*secondsADay)
}

func floor(a, b int64) int64 { return (a - floorMod(a, b)) / b }

func floorMod(a, b int64) int64 { return (a%b + b) % b }
