package explain

import (
	"cmp"
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

// ids writes the two ids of a key where the key alone may not tell them apart.
func ids(k event.Key) string { return fmt.Sprintf("base id %q, event id %q", k.BaseID, k.EventID) }

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
// nobody knows how many there are. Without zones nobody knows anything of tickets.
func Tickets(e *event.Event) string {
	switch {
	case e.SoldOut:
		return "sold out"
	case len(e.Zones) == 0:
		return "-"
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
	if len(all) < 2 {
		compare("zones", strconv.Itoa(len(before.Zones)), strconv.Itoa(len(after.Zones)))
	}
	if len(all) == 0 {
		all = changedZones(before.Zones, after.Zones)
	}
	if len(all) == 0 {
		compare("last changed", before.LastChanged.Format(moment), after.LastChanged.Format(moment))
	}
	return all
}

// changedZones says of the first zone that has changed what it offers, and what it did before. It is for
// changes that no other value shows: one zone got what another one lost, or a price between two others.
func changedZones(before, after []event.Zone) (all []string) {
	more := 0
	for i := range min(len(before), len(after)) {
		was, is := &before[i], &after[i]
		switch {
		case *was == *is:
		case len(all) > 0:
			more++
		case zoneName(was) != zoneName(is):
			all = append(all, fmt.Sprintf("zone %s, was zone %s", zoneName(is), zoneName(was)))
		default:
			all = append(all, fmt.Sprintf("zone %s: %s, was %s", zoneName(is), offer(is), offer(was)))
		}
	}
	if more > 0 {
		all = append(all, fmt.Sprintf("likewise other zones: %d", more))
	}
	return all
}

// zoneName names a price zone.
func zoneName(z *event.Zone) string {
	return cmp.Or(strings.TrimSpace(z.ID+" "+z.Name), "without a name")
}

// offer says what a price zone offers.
func offer(z *event.Zone) string {
	tickets := strconv.FormatInt(z.Capacity, 10)
	if z.Available {
		tickets = "left, not said how many"
	}
	seats := ""
	if z.Numbered {
		seats = ", numbered"
	}
	return fmt.Sprintf("price %s, tickets %s%s", cmp.Or(strings.TrimSpace(z.Price.String()+" "+z.Currency), "none"), tickets, seats)
}
