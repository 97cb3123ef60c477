package event

import (
	"fmt"
	"strings"
	"time"
)

// A Local is a local time as the provider wrote it: a date, with or without a time of day,
// and no offset. The zero value is no time at all.
//
// When the clocks go back they show some times twice. A Local that was made of an instant says
// whether it is the second of the two, as the fold of Python's PEP 495 does.
type Local struct {
	year                 int16
	month, day           uint8
	hour, minute, second uint8
	clock                bool // there is a time of day
	fold                 bool // if the clocks show it twice, it is the second
}

// LocalAt returns what the clocks at loc show at a Unix second. It fails outside the years 0 to
// 9999.
func LocalAt(second int64, loc *time.Location) (Local, error) {
	t := time.Unix(second, 0).In(loc)
	if t.Year() < 0 || t.Year() > 9999 {
		return Local{}, fmt.Errorf("the year is %d at %s", t.Year(), loc)
	}
	l := Local{int16(t.Year()), uint8(t.Month()), uint8(t.Day()), uint8(t.Hour()), uint8(t.Minute()), uint8(t.Second()), true, false}
	l.fold = UnixAt(l.first(), loc) != second
	return l, nil
}

// ParseLocal reads "2021-06-30T21:00:00" or "2021-06-30". It refuses days and times that do
// not exist, and everything else that ISO 8601 might allow.
func ParseLocal(s string) (Local, error) {
	date, clock, timed := strings.Cut(s, "T")
	year, month, day, ok := parseDate(date)
	hour, minute, second, ok2 := 0, 0, 0, true
	if timed {
		hour, minute, second, ok2 = parseClock(clock)
	}
	if !ok || !ok2 {
		return Local{}, errNoTime(s)
	}
	return makeLocal(s, year, month, day, hour, minute, second, timed)
}

// makeLocal returns the local time that the text s says, if it exists.
func makeLocal(s string, year, month, day, hour, minute, second int, clock bool) (Local, error) {
	switch {
	case !isDay(year, month, day):
		return Local{}, fmt.Errorf("%s names a day that does not exist", quote(s))
	case hour > 23 || minute > 59 || second > 59:
		return Local{}, fmt.Errorf("%s names a time of day that does not exist", quote(s))
	}
	return Local{int16(year), uint8(month), uint8(day), uint8(hour), uint8(minute), uint8(second), clock, false}, nil
}

func errNoTime(s string) error {
	return fmt.Errorf("%s is not a date and time like 2021-06-30T21:00:00", quote(s))
}

// parseDate reads "2006-01-02", parseClock "15:04:05". Their numbers may be out of range.
func parseDate(s string) (year, month, day int, ok bool) {
	if len(s) != len("2006-01-02") || s[4] != '-' || s[7] != '-' {
		return 0, 0, 0, false
	}
	year, ok1 := number(s[0:4])
	month, ok2 := number(s[5:7])
	day, ok3 := number(s[8:10])
	return year, month, day, ok1 && ok2 && ok3
}

func parseClock(s string) (hour, minute, second int, ok bool) {
	if len(s) != len("15:04:05") || s[2] != ':' || s[5] != ':' {
		return 0, 0, 0, false
	}
	hour, ok1 := number(s[0:2])
	minute, ok2 := number(s[3:5])
	second, ok3 := number(s[6:8])
	return hour, minute, second, ok1 && ok2 && ok3
}

// number reads a field of ASCII digits.
func number(s string) (n int, ok bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}

// isDay reports whether there is such a day.
func isDay(year, month, day int) bool {
	return month >= 1 && month <= 12 && day >= 1 && day <= time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// IsZero reports whether there is no time at all.
func (l Local) IsZero() bool { return l.month == 0 }

func (l Local) appendDate(b []byte) []byte {
	b = append2(b, int(l.year)/100)
	b = append2(b, int(l.year)%100)
	b = append2(append(b, '-'), int(l.month))
	return append2(append(b, '-'), int(l.day))
}

func (l Local) appendClock(b []byte) []byte {
	b = append2(b, int(l.hour))
	b = append2(append(b, ':'), int(l.minute))
	return append2(append(b, ':'), int(l.second))
}

func append2(b []byte, n int) []byte { return append(b, byte('0'+n/10), byte('0'+n%10)) }

// secondMark is written behind the second of two times. It has the form of a suffix of RFC 9557
// (section 3.1), of those that a reader may skip.
const secondMark = "[fold=1]"

// String returns what [Local.UnmarshalText] reads: what [ParseLocal] reads, or "" for the zero
// value. The second of two times that the clocks show has "[fold=1]" behind it.
func (l Local) String() string {
	b, _ := l.AppendText(nil)
	return string(b)
}

// AppendText appends what [Local.String] returns. The error is always nil.
func (l Local) AppendText(b []byte) ([]byte, error) {
	if l.IsZero() {
		return b, nil
	}
	b = l.appendDate(b)
	if l.clock {
		b = l.appendClock(append(b, 'T'))
	}
	if l.fold {
		b = append(b, secondMark...)
	}
	return b, nil
}

// MarshalText returns what [Local.String] returns. The error is always nil.
func (l Local) MarshalText() ([]byte, error) { return l.AppendText(nil) }

// UnmarshalText accepts what [Local.String] returns.
func (l *Local) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*l = Local{}
		return nil
	}
	unmarked, fold := strings.CutSuffix(string(text), secondMark)
	m, err := ParseLocal(unmarked)
	if err == nil && fold && !m.clock {
		err = fmt.Errorf("%s is a date, which no clock shows twice", quote(string(text)))
	}
	if err != nil {
		return err
	}
	m.fold = fold
	*l = m
	return nil
}

// first and last return the first and the last second that l can mean in UTC: a date alone
// means any time of its day.
func (l Local) first() int64 {
	return time.Date(int(l.year), time.Month(l.month), int(l.day), int(l.hour), int(l.minute), int(l.second), 0, time.UTC).Unix()
}

func (l Local) last() int64 {
	if !l.clock {
		l.hour, l.minute, l.second = 23, 59, 59
	}
	return l.first()
}

// Unix returns the Unix second at which the clocks at loc show l, and that of the beginning of a
// date. Of two it is the first, unless l is the second. A time that the clocks skip has the offset
// from before the gap (RFC 5545 section 3.3.5).
func (l Local) Unix(loc *time.Location) int64 {
	if l.fold {
		return lastInstant(l.first(), loc)
	}
	return UnixAt(l.first(), loc)
}

// ends returns the Unix second at which an event at loc ends: the last one of a date.
func (l Local) ends(loc *time.Location) int64 {
	if l.clock {
		return l.Unix(loc)
	}
	// When clocks go back at midnight, the last second of the day comes twice.
	return UnixAt(l.last()+1, loc) - 1
}

// endsAgain is ends with the second instant of a time that the clocks show twice.
func (l Local) endsAgain(loc *time.Location) int64 {
	l.fold = l.clock // of a date alone, ends is the second one already
	return l.ends(loc)
}

// UnixAt returns the Unix second at which a clock in loc shows the local second, which is
// given as if it were UTC. Of two such seconds it is the first. A second that the clock
// skips has the offset from before the gap (RFC 5545 section 3.3.5).
func UnixAt(local int64, loc *time.Location) int64 {
	// Offsets are less than a day, and no zone changes its offset twice within two days: the
	// offset of a day earlier is the one from before any change that matters.
	_, before := time.Unix(local-24*60*60, 0).In(loc).Zone()
	early := local - int64(before)
	if _, now := time.Unix(early, 0).In(loc).Zone(); now != before {
		// The change has happened by then. With the new offset, the clock shows the local
		// second after the change, or it has skipped it.
		late := local - int64(now)
		if _, then := time.Unix(late, 0).In(loc).Zone(); then == now {
			return late
		}
	}
	return early
}

// lastInstant is UnixAt with the second of two such seconds.
func lastInstant(local int64, loc *time.Location) int64 {
	_, after := time.Unix(local+24*60*60, 0).In(loc).Zone() // see UnixAt
	late := local - int64(after)
	if _, then := time.Unix(late, 0).In(loc).Zone(); then == after {
		return late
	}
	return UnixAt(local, loc) // a time that is skipped
}
