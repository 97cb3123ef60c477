package event

import (
	"fmt"
	"strings"
	"time"
)

// SetTimes sets the start and the end of e from what a feed says of them, as [ParseTime] reads
// it; an empty text is no time. The event's provider is at loc.
//
// Set e.TimeZone before, if the feed names it apart from the times. Otherwise the time zone that
// the start names becomes the event's own. A time that names another one is an instant, and is
// shown in the event's.
func (e *Event) SetTimes(start, end string, loc *time.Location) error {
	if e.TimeZone != "" {
		var err error
		if loc, err = LoadLocation(e.TimeZone); err != nil {
			return err
		}
	}
	if l, named, err := parseTime(start, loc); err != nil {
		return fmt.Errorf("start date %w", err)
	} else if named != nil && e.TimeZone == "" {
		e.Start, e.TimeZone, loc = l, named.String(), named
	} else if e.Start, err = showAt(loc, l, named); err != nil {
		return fmt.Errorf("start date %w", err)
	}
	l, named, err := parseTime(end, loc)
	if err == nil {
		e.End, err = showAt(loc, l, named)
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
// the result is what the clocks show there, and the name is returned. Other text is refused, as is
// an offset that the named zone does not have then.
func ParseTime(s string, loc *time.Location) (l Local, timeZone string, err error) {
	l, named, err := parseTime(s, loc)
	if err == nil && l.IsZero() {
		err = errNoTime(s)
	}
	if named != nil {
		timeZone = named.String()
	}
	return l, timeZone, err
}

// parseTime is [ParseTime] that returns the location of the named time zone, or nil, and that
// reads an empty text as no time.
func parseTime(s string, loc *time.Location) (l Local, named *time.Location, err error) {
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
	rest, name, found := strings.Cut(rest, "[")
	if found {
		name, closed := strings.CutSuffix(name, "]")
		if !closed {
			return Local{}, nil, errNoTime(s)
		}
		if named, err = LoadLocation(name); err != nil {
			return Local{}, nil, fmt.Errorf("%s: %w", quote(s), err)
		}
		loc = named
	}
	if rest == "" {
		return l, named, nil
	}
	if len(rest) == len("+0100") {
		rest = rest[:3] + ":" + rest[3:]
	} else if len(rest) == len("+01") {
		rest += ":00"
	}
	offset, ok := parseOffset(rest)
	if !ok {
		return Local{}, nil, errNoTime(s)
	}
	at := l.first() - int64(offset/time.Second)
	if _, has := time.Unix(at, 0).In(loc).Zone(); named != nil && offset != 0 && time.Duration(has)*time.Second != offset {
		return Local{}, nil, fmt.Errorf("%s has an offset that %s does not have then", quote(s), named)
	}
	if l, err = LocalAt(at, loc); err != nil {
		err = fmt.Errorf("%s: %w", quote(s), err)
	}
	return l, named, err
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
