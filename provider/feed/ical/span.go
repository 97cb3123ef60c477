package ical

import (
	"errors"
	"fmt"
	"time"

	"fever/event"
	"fever/provider/rrule"
)

// A span says when an event is, and each instance of it.
type span struct {
	zone   *zone
	floats bool  // the zone is not written
	dates  bool  // it has dates, and no times
	start  int64 // wall clock
	end    ending
}

// An ending says when an instance ends. The zero value says nothing.
type ending struct {
	known bool
	date  bool     // it is a date, some days after that of the start
	lasts duration // from the start on
}

// span resolves the times of an event. Its error is the reason to reject it.
func (c *converter) span(e *vevent) (*span, error) {
	if e.problem != "" {
		return nil, errors.New(e.problem)
	}
	if e.start == nil {
		return nil, errors.New("it has no DTSTART")
	}
	s := &span{start: e.start.wall, dates: e.start.form == rrule.Date}
	var err error
	if s.zone, err = c.zoneOf(e.calendar, e.start); err != nil {
		return nil, err
	}
	s.floats = e.start.form == rrule.Local && e.start.tzid == ""
	if s.end, err = c.ending(e.calendar, s, e.end, e.duration); err != nil {
		return nil, err
	}
	return s, nil
}

// zoneOf returns the zone of a moment. A date is one in the zone of floating times.
func (c *converter) zoneOf(cal *calendar, m *moment) (*zone, error) {
	switch {
	case m.form == rrule.UTC:
		return utc, nil
	case m.tzid != "":
		z, err := c.zone(cal, m.tzid)
		if z == c.provider {
			c.doubts = append(c.doubts, fmt.Sprintf("time zone %.60q is an abbreviation or an offset: the provider's zone counts", m.tzid))
		}
		return z, err
	}
	return c.floating(cal), nil
}

// ending resolves DTEND or DURATION.
func (c *converter) ending(cal *calendar, s *span, end *moment, text string) (ending, error) {
	switch {
	case end != nil:
		z, err := c.zoneOf(cal, end)
		if err != nil {
			return ending{}, err
		}
		at := end.wall
		if s.dates && end.form == rrule.UTC {
			at = c.floating(cal).wall(at)
		}
		if s.dates || end.form == rrule.Date {
			// The end is exclusive (RFC 5545 section 3.6.1). Many write that of one day as the start.
			days := (dateOf(at-1) - dateOf(s.start)) / secondsADay
			return ending{known: true, date: true, lasts: duration{days: max(days, 0)}}, nil
		}
		// Other instances last for the same seconds (RFC 5545 section 3.8.5.3).
		seconds := z.instant(at) - s.zone.instant(s.start)
		if seconds < 0 {
			return ending{}, errors.New("DTEND is before DTSTART")
		}
		return ending{known: true, lasts: duration{seconds: seconds}}, nil
	case text != "":
		d, err := parseDuration(text)
		if err != nil {
			return ending{}, err
		}
		if s.dates {
			days := d.days + (d.seconds+secondsADay-1)/secondsADay
			return ending{known: true, date: true, lasts: duration{days: max(days-1, 0)}}, nil
		}
		return ending{known: true, lasts: d}, nil
	case s.dates:
		return ending{known: true, date: true}, nil // one day
	}
	return ending{}, nil
}

// dateOf returns the beginning of the day of a wall-clock time.
func dateOf(wall int64) int64 { return wall - (wall%secondsADay+secondsADay)%secondsADay }

// set gives an event the times of the instance that starts at wall.
func (c *converter) set(e *event.Event, s *span, wall int64, end ending) (err error) {
	if e.TimeZone = s.zone.name; e.TimeZone == "" && s.zone != c.provider && !s.dates {
		e.TimeZone = c.provider.iana.String() // an instant stays where it is if the provider's zone is corrected
	}
	later := end.lasts.days * secondsADay
	if end.date {
		e.End = date(dateOf(wall) + later)
	}
	if s.dates {
		e.Start = date(wall)
		return nil
	}
	instant := s.zone.instant(wall)
	if end.known && !end.date {
		last := instant
		if later > 0 {
			last = s.zone.instant(wall + later)
		}
		e.End, err = c.shown(s.zone, last+end.lasts.seconds)
	}
	if err == nil {
		e.Start, err = c.shown(s.zone, instant)
	}
	if s.zone.own != nil && s.zone.iana != nil && instant != event.UnixAt(wall, s.zone.iana) {
		c.Note("the VTIMEZONE of %s has another offset then than the IANA zone: the VTIMEZONE counts", s.zone.name)
	}
	return err
}

func date(wall int64) event.Local {
	l, _ := event.ParseLocal(time.Unix(wall, 0).UTC().Format(time.DateOnly)) // of a year with four digits
	return l
}

// shown returns what people see on a clock at an instant: in the zone of the event if it has a
// name, or else in that of the provider.
func (c *converter) shown(z *zone, instant int64) (event.Local, error) {
	if z.name == "" {
		return event.LocalAt(instant, c.provider.iana)
	}
	return event.LocalAt(instant, z.iana)
}

// id returns the event id of the instance with this original start: in UTC, a date, or
// without a zone if it has none.
func (s *span) id(wall int64) string {
	switch {
	case s.dates:
		return idOf(wall, rrule.Date)
	case s.floats:
		return idOf(wall, rrule.Local)
	}
	return idOf(s.zone.instant(wall), rrule.UTC)
}

func idOf(wall int64, form rrule.Form) string {
	b := time.Unix(wall, 0).UTC().AppendFormat(make([]byte, 0, len(time.RFC3339)), time.RFC3339) // fast, unlike other layouts
	b = append(append(append(append(b[:4], b[5:7]...), b[8:13]...), b[14:16]...), b[17:]...)     // without - and :
	switch form {
	case rrule.Date:
		b = b[:8]
	case rrule.Local:
		b = b[:15]
	default:
	}
	return string(b)
}
