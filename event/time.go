package event

import (
	"fmt"
	"strings"
	"time"
)

// SetTimes sets the start and the end of e from what a feed says of them, as [ParseTime] reads
// it; an empty text is no time. The event's provider is at loc.
//
// Set e.TimeZone before, if the feed names it apart from the times. Otherwise a time zone that
// ParseTime returns becomes the event's own, that of the start before that of the end. A time
// that counts in another one is an instant, and is shown in the event's.
func (e *Event) SetTimes(start, end string, loc *time.Location) error {
	if e.TimeZone != "" {
		var err error
		if loc, err = LoadLocation(e.TimeZone); err != nil {
			return err
		}
	}
	l, at, err := parseTime(start, loc)
	if e.TimeZone == "" && at != nil {
		e.TimeZone, loc = at.String(), at
	}
	if err == nil {
		e.Start, err = showAt(loc, l, at)
	}
	if err != nil {
		return fmt.Errorf("start date %w", err)
	}
	l, at, err = parseTime(end, loc)
	if e.TimeZone == "" && at != nil {
		e.TimeZone = loc.String() // where the start is, too
	}
	if err == nil {
		e.End, err = showAt(loc, l, at)
	}
	if err != nil {
		return fmt.Errorf("end date %w", err)
	}
	return nil
}

// showAt returns what the clocks at loc show when those at from show l. A nil location is loc.
func showAt(loc *time.Location, l Local, from *time.Location) (Local, error) {
	if from == nil || from == loc {
		return l, nil
	}
	return LocalAt(l.Unix(from), loc)
}

// ParseTime reads a time of an event as feeds write it: what [ParseLocal] and [Local.UnmarshalText]
// read, and more. Seconds may be missing, and a fraction of a second is cut off. A space may
// replace the T. 24:00 is 00:00 of the next day.
//
// An offset (Z, +01:00, +0100, +01) makes it an instant: the result is what the clocks at loc show
// then. The name of a time zone may follow (RFC 9557 section 4.1: "2026-03-27T20:00+01:00[Europe/Madrid]"):
// the result is what the clocks show there. Other text is refused, as is an offset that the named
// zone does not have then.
//
// The time zone is the one in which the result must count: of an instant that of loc, lest another
// zone in the provider's settings moves it. Of a local time as written it is empty.
func ParseTime(s string, loc *time.Location) (l Local, timeZone string, err error) {
	l, at, err := parseTime(s, loc)
	if err == nil && l.IsZero() {
		err = errNoTime(s)
	}
	if at != nil {
		timeZone = at.String()
	}
	return l, timeZone, err
}

// parseTime is [ParseTime] that returns the location of the time zone, nil for none, and that
// reads an empty text as no time.
func parseTime(s string, loc *time.Location) (l Local, at *time.Location, err error) {
	if s == "" {
		return Local{}, nil, nil
	}
	var rest string
	if l, rest, err = cutLocal(s); err != nil || rest == "" {
		return l, nil, err
	}
	if rest == secondMark {
		l.fold = true
		return l, nil, nil
	}
	offset, name, found := strings.Cut(rest, "[")
	if found {
		name, closed := strings.CutSuffix(name, "]")
		if !closed {
			return Local{}, nil, errNoTime(s)
		}
		if loc, err = LoadLocation(name); err != nil {
			return Local{}, nil, fmt.Errorf("%s: %w", quote(s), err)
		}
	}
	if offset == "" {
		return l, loc, nil
	}
	if len(offset) == len("+0100") {
		offset = offset[:3] + ":" + offset[3:]
	} else if len(offset) == len("+01") {
		offset += ":00"
	}
	east, ok := parseOffset(offset)
	if !ok {
		return Local{}, nil, errNoTime(s)
	}
	second := l.first() - int64(east/time.Second)
	if _, has := time.Unix(second, 0).In(loc).Zone(); found && east != 0 && time.Duration(has)*time.Second != east {
		return Local{}, nil, fmt.Errorf("%s has an offset that %s does not have then", quote(s), loc)
	}
	if l, err = LocalAt(second, loc); err != nil {
		return Local{}, nil, fmt.Errorf("%s: %w", quote(s), err)
	}
	return l, loc, nil
}

// cutLocal reads the local time at the beginning of s, and returns what follows it.
func cutLocal(s string) (l Local, rest string, err error) {
	date, rest := s[:min(len(s), len(time.DateOnly))], s[min(len(s), len(time.DateOnly)):]
	year, month, day, ok := parseDate(date)
	if !ok || rest != "" && rest[0] != 'T' && rest[0] != ' ' {
		return Local{}, "", errNoTime(s)
	}
	if rest == "" {
		l, err = makeLocal(s, year, month, day, 0, 0, 0, false)
		return l, "", err
	}
	clock := rest[1:]
	if rest = clock[min(len(clock), len("15:04")):]; strings.HasPrefix(rest, ":") {
		rest = clock[min(len(clock), len("15:04:05")):]
		clock = clock[:len(clock)-len(rest)]
	} else {
		clock = clock[:len(clock)-len(rest)] + ":00"
	}
	hour, minute, second, ok := parseClock(clock)
	fraction, digits := strings.CutPrefix(rest, ".")
	if digits {
		rest = strings.TrimLeft(fraction, "0123456789")
		fraction = fraction[:len(fraction)-len(rest)]
	}
	if !ok || digits && fraction == "" {
		return Local{}, "", errNoTime(s)
	}
	midnight := hour == 24 && minute == 0 && second == 0 && (!digits || strings.Trim(fraction, "0") == "")
	if midnight {
		hour = 0
	}
	l, err = makeLocal(s, year, month, day, hour, minute, second, true)
	if err == nil && midnight {
		if l, err = LocalAt(l.first()+24*60*60, time.UTC); err != nil {
			err = fmt.Errorf("%s: %w", quote(s), err)
		}
	}
	return l, rest, err
}
