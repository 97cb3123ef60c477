package ical

import (
	"strings"
	"time"

	"fever/event"
	"fever/provider/feed"
)

// published is what another fever says of an event beyond iCalendar's properties.
type published struct {
	baseID, eventID string
	zone            string
	start, end      *string // local times, where DTSTART and DTEND cannot say them; of an end, empty for none
	past            bool    // no longer sold
}

// property reads a property whose name begins with X-FEVER-.
func (p *published) property(name string, value []byte) {
	text := text(value)
	switch strings.TrimPrefix(name, prefix) {
	case "BASE-ID":
		p.baseID = feed.ID([]byte(text))
	case "EVENT-ID":
		p.eventID = feed.ID([]byte(text))
	case "TZID":
		p.zone = text
	case "START":
		p.start = &text
	case "END":
		p.end = &text
	case "CURRENT":
		p.past = strings.EqualFold(text, "FALSE")
	}
}

const prefix = "X-FEVER-"

// amend gives an event what another fever says of it. The event's times without a zone of their
// own are shown at loc.
func (p *published) amend(e *event.Event, loc *time.Location) error {
	if p.baseID != "" && p.eventID != "" {
		e.BaseID, e.EventID = p.baseID, p.eventID
	}
	if p.zone != "" {
		if e.TimeZone != "" {
			var err error
			if loc, err = event.LoadLocation(e.TimeZone); err != nil {
				return err
			}
		}
		own, err := event.LoadLocation(p.zone)
		if err != nil {
			return err
		}
		e.TimeZone = p.zone
		for _, l := range []*event.Local{&e.Start, &e.End} {
			if len(l.String()) > len(time.DateOnly) { // a date is the same everywhere
				if *l, err = event.LocalAt(l.Unix(loc), own); err != nil {
					return err
				}
			}
		}
	}
	for _, given := range []struct {
		text *string
		into *event.Local
	}{{p.start, &e.Start}, {p.end, &e.End}} {
		if given.text != nil {
			if err := given.into.UnmarshalText([]byte(*given.text)); err != nil {
				return err
			}
		}
	}
	return nil
}
