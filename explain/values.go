package explain

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"fever/event"
)

// This file writes values of events for people.

// When writes a local time, with the name of the time zone if the event has one of its own.
func When(l event.Local, timeZone string) string {
	if l.IsZero() {
		return "-"
	}
	return strings.TrimSuffix(strings.Replace(l.String(), "T", " ", 1)+" "+timeZone, " ")
}

// Prices writes the price range, with the currency if the event has one.
func Prices(e *event.Event) string {
	lowest, highest := e.PriceRange()
	if !lowest.Known() {
		return "-"
	}
	text := lowest.String()
	if lowest != highest {
		text += " to " + highest.String()
	}
	for i := range e.Zones {
		if c := e.Zones[i].Currency; c != "" {
			return text + " " + c // the zones have no other
		}
	}
	return text
}

// Tickets returns the number of tickets left in all zones. Zones that are available add a plus:
// nobody knows how many there are.
func Tickets(e *event.Event) string {
	if e.SoldOut {
		return "sold out"
	}
	n, more := left(e)
	if more {
		return strconv.FormatInt(n, 10) + "+"
	}
	return strconv.FormatInt(n, 10)
}

// left returns the number of tickets in all zones, and whether there are more, nobody knows how many.
func left(e *event.Event) (n int64, more bool) {
	for i := range e.Zones {
		n += min(e.Zones[i].Capacity, math.MaxInt64-n) // a provider's capacities have no bound
		more = more || e.Zones[i].Available
	}
	return n, more
}

// Yes writes a truth.
func Yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// Changed says which values of an event have changed, each with what it was.
func Changed(before, after *event.Record) (all []string) {
	compare := func(name, was, is string) {
		if was != is {
			all = append(all, fmt.Sprintf("%s %s, was %s", name, is, was))
		}
	}
	values := func(r *event.Record) []string {
		return []string{
			strconv.Quote(r.Title), When(r.Start, r.TimeZone), When(r.End, r.TimeZone), Prices(&r.Event), Tickets(&r.Event),
			strconv.Quote(r.OrganizerID), strconv.Quote(r.SellFrom), strconv.Quote(r.SellTo), Yes(r.SoldOut), Yes(r.Current),
			r.FirstSeen.Format(time.RFC3339Nano),
		}
	}
	was, is := values(before), values(after)
	for i, name := range []string{
		"title", "start", "end", "prices", "tickets", "organizer", "sell from", "sell to", "sold out", "current", "first seen",
	} {
		compare(name, was[i], is[i])
	}
	if len(all) == 0 {
		compare("last changed", before.LastChanged.Format(moment), after.LastChanged.Format(moment))
	}
	if fmt.Sprint(before.Zones) != fmt.Sprint(after.Zones) && len(all) < 2 {
		compare("zones", strconv.Itoa(len(before.Zones)), strconv.Itoa(len(after.Zones)))
	}
	return all
}
