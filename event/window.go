package event

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// A Window is what a search asks for: the events that start at From or later and end at To
// or earlier, in Unix seconds, both included. The zero value is the one second of the Unix
// epoch.
type Window struct {
	From, To int64
}

// Always is the window of all events.
var Always = Window{From: math.MinInt64, To: math.MaxInt64}

// Holds reports whether an event with this sort key is in the window.
func (w Window) Holds(p *SortKey) bool { return p.Start >= w.From && p.End <= w.To }

// ErrInstant is what [ParseInstant] wraps for text that is not a date-time of RFC 3339.
var ErrInstant = errors.New("not a date-time of RFC 3339 with an offset")

// An Instant is a point in time as exact as RFC 3339 can write it. Unlike [time.Time] it has
// any number of fractional digits, and leap seconds.
type Instant struct {
	second   int64  // Unix seconds; of a leap second, those of the second before it
	leap     bool   // a leap second: after second, before second+1
	fraction string // digits after the point, without trailing zeros
}

// ParseInstant reads a date-time exactly as RFC 3339 section 5.6 defines it.
//
// Unlike [time.Parse] with [time.RFC3339] it refuses a one-digit hour, a comma before the
// fraction, and an offset of 24 hours or with 60 minutes. It accepts "t" and "z" in lower
// case, and a leap second at the end of a month in UTC (section 5.7).
func ParseInstant(s string) (Instant, error) {
	fail := func(what string) (Instant, error) {
		return Instant{}, fmt.Errorf("%w: %s", ErrInstant, what)
	}
	const date, local = "2006-01-02", "2006-01-02T15:04:05"
	if len(s) < len(date) {
		return fail("it is too short")
	}
	year, month, day, ok := parseDate(s[0:10])
	if !ok {
		return fail("it has no date")
	}
	if !isDay(year, month, day) {
		return fail("there is no such day")
	}
	if len(s) < len(local) {
		return fail("it has no time of day with seconds")
	}
	hour, minute, second, ok := parseClock(s[11:19])
	if !ok || s[10] != 'T' && s[10] != 't' {
		return fail("it has no time of day")
	}
	if hour > 23 || minute > 59 || second > 60 {
		return fail("there is no such time of day")
	}
	rest := s[19:]
	var fraction string
	if strings.HasPrefix(rest, ".") {
		n := 1
		for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
			n++
		}
		if n == 1 {
			return fail("its fraction has no digits")
		}
		fraction, rest = strings.TrimRight(rest[1:n], "0"), rest[n:]
	}
	offset, ok := parseOffset(rest)
	if !ok {
		return fail("it has no offset like Z or +02:00")
	}
	leap := second == 60
	if leap {
		second = 59
	}
	utc := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC).Add(-offset)
	if leap && (utc.Hour() != 23 || utc.Minute() != 59 || utc.Add(time.Second).Day() != 1) {
		return fail("there is no leap second then")
	}
	return Instant{second: utc.Unix(), leap: leap, fraction: fraction}, nil
}

// parseOffset reads a time-offset: "Z", "z", or a sign and hh:mm.
func parseOffset(s string) (offset time.Duration, ok bool) {
	if s == "Z" || s == "z" {
		return 0, true
	}
	if len(s) != len("+00:00") || s[0] != '+' && s[0] != '-' || s[3] != ':' {
		return 0, false
	}
	hours, ok1 := number(s[1:3])
	minutes, ok2 := number(s[4:6])
	if !ok1 || !ok2 || hours > 23 || minutes > 59 {
		return 0, false
	}
	offset = time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if s[0] == '-' {
		offset = -offset
	}
	return offset, true
}

// Compare returns -1, 0 or +1 as i is before, equal to, or after j.
func (i Instant) Compare(j Instant) int {
	if c := cmp.Compare(i.second, j.second); c != 0 {
		return c
	}
	if i.leap != j.leap {
		if j.leap {
			return -1
		}
		return +1
	}
	return cmp.Compare(i.fraction, j.fraction) // unlike strings.Compare it lets them stay on the stack
}

// Floor returns the last whole Unix second at or before the instant.
func (i Instant) Floor() int64 { return i.second }

// Ceil returns the first whole Unix second at or after the instant.
func (i Instant) Ceil() int64 {
	if i.leap || i.fraction != "" {
		return i.second + 1
	}
	return i.second
}
