package event

import (
	"fmt"
	"time"
)

// A Local is a wall-clock time at the provider's place, as it wrote it: a date,
// with or without a time of day, and no offset. The zero value is no time at all.
type Local struct {
	year                 int16
	month, day           uint8
	hour, minute, second uint8
	clock                bool // there is a time of day
}

// ParseLocal reads "2021-06-30T21:00:00" or "2021-06-30". It refuses days and
// times that do not exist, and everything else that ISO 8601 might allow.
func ParseLocal(s string) (Local, error) {
	var l Local
	if len(s) != len(time.DateOnly) && len(s) != len("2006-01-02T15:04:05") {
		return Local{}, localError(s, "is not a date and time like 2021-06-30T21:00:00")
	}
	year, ok1 := number(s[0:4])
	month, ok2 := number(s[5:7])
	day, ok3 := number(s[8:10])
	if !ok1 || !ok2 || !ok3 || s[4] != '-' || s[7] != '-' {
		return Local{}, localError(s, "is not a date and time like 2021-06-30T21:00:00")
	}
	if day < 1 || day > daysIn(year, month) {
		return Local{}, localError(s, "names a day that does not exist")
	}
	l.year, l.month, l.day = int16(year), uint8(month), uint8(day)
	if len(s) == len(time.DateOnly) {
		return l, nil
	}
	hour, ok1 := number(s[11:13])
	minute, ok2 := number(s[14:16])
	second, ok3 := number(s[17:19])
	if !ok1 || !ok2 || !ok3 || s[10] != 'T' || s[13] != ':' || s[16] != ':' {
		return Local{}, localError(s, "is not a date and time like 2021-06-30T21:00:00")
	}
	if hour > 23 || minute > 59 || second > 59 {
		return Local{}, localError(s, "names a time of day that does not exist")
	}
	l.hour, l.minute, l.second, l.clock = uint8(hour), uint8(minute), uint8(second), true
	return l, nil
}

func localError(s, what string) error { return fmt.Errorf("%s %s", quote(s), what) }

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

// daysIn returns the number of days in a month, 0 when there is no such month.
func daysIn(year, month int) int {
	switch month {
	case 1, 3, 5, 7, 8, 10, 12:
		return 31
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 0
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

// String returns what [ParseLocal] reads, or "" for the zero value.
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
	return b, nil
}

// MarshalText returns what [Local.String] returns. The error is always nil.
func (l Local) MarshalText() ([]byte, error) { return l.AppendText(nil) }

// UnmarshalText accepts what [ParseLocal] accepts, and nothing for the zero value.
func (l *Local) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*l = Local{}
		return nil
	}
	m, err := ParseLocal(string(text))
	if err != nil {
		return err
	}
	*l = m
	return nil
}

// first and last return the first and the last second that l can mean, on a clock
// without daylight saving: a date alone means any time of its day.
func (l Local) first() int64 {
	return time.Date(int(l.year), time.Month(l.month), int(l.day), int(l.hour), int(l.minute), int(l.second), 0, time.UTC).Unix()
}

func (l Local) last() int64 {
	if !l.clock {
		l.hour, l.minute, l.second = 23, 59, 59
	}
	return l.first()
}

// starts and ends return the Unix seconds that an event in loc starts and ends at.
func (l Local) starts(loc *time.Location) int64 { return instant(l.first(), loc) }

func (l Local) ends(loc *time.Location) int64 {
	if l.clock {
		return instant(l.first(), loc)
	}
	// Where clocks go back at midnight, the last second of the day comes twice.
	return instant(l.last()+1, loc) - 1
}

// endsAgain is ends, with the second of two instants for a time that is shown twice.
func (l Local) endsAgain(loc *time.Location) int64 {
	if !l.clock {
		return l.ends(loc) // its last second is the second one already
	}
	local := l.first()
	_, after := time.Unix(local+24*60*60, 0).In(loc).Zone() // see instant
	late := local - int64(after)
	if _, then := time.Unix(late, 0).In(loc).Zone(); then == after {
		return late
	}
	return instant(local, loc) // a time that is skipped
}

// instant returns the Unix second at which a clock in loc shows the local second,
// given as if it were UTC. A second that the clock shows twice means the first one,
// and one that it skips is counted on with the offset from before the gap (RFC 5545
// section 3.3.5).
func instant(local int64, loc *time.Location) int64 {
	// Offsets are within a day of UTC, and no zone changes twice within two days: what
	// is in force a day earlier is the offset from before any change that matters.
	_, before := time.Unix(local-24*60*60, 0).In(loc).Zone()
	early := local - int64(before)
	if _, now := time.Unix(early, 0).In(loc).Zone(); now != before {
		// The change has happened by then. With the new offset the clock shows the
		// wanted second after the change, or it skipped it.
		late := local - int64(now)
		if _, then := time.Unix(late, 0).In(loc).Zone(); then == now {
			return late
		}
	}
	return early
}
