package explain

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"fever/event"
)

// A Fact is one thing that is known of an event, for people. Both texts may hold what a provider
// wrote. The name is empty where it is that of the fact before.
type Fact struct{ Name, Value string }

// moment is RFC 3339 with the milliseconds, which is the precision of the store.
const moment = "2006-01-02T15:04:05.000Z07:00"

// listedChanges is the most changes that Facts lists.
const listedChanges = 10

// Facts returns what is known of the event but for its title. What the search finds comes first.
func (e *Event) Facts() (facts []Fact) {
	add := func(name, format string, args ...any) {
		facts = append(facts, Fact{name, fmt.Sprintf(format, args...)})
	}
	if v := e.Search; v != nil && v.Found {
		add("found", "yes: %s", v.Why)
	} else if v != nil {
		add("found", "no: %s", v.Why)
	}
	add("event", "%s, id %s", e.Key, e.ID)
	add("first seen", "%s, %s", e.FirstSeen.Format(moment), ofJob(e.FirstJob))
	add("last changed", "%s, %s", e.LastChanged.Format(moment), ofJob(e.LastJob))
	name := "changes"
	for _, c := range e.History[:min(len(e.History), listedChanges)] {
		if len(c.What) == 0 {
			break
		}
		by := ""
		if c.Job > 0 {
			by = fmt.Sprintf(", by job %d", c.Job)
		}
		add(name, "%s%s: %s", c.At.Format(moment), by, strings.Join(c.What, "; "))
		name = ""
	}
	if e.Origin != nil {
		add("read from", "%s", e.Origin)
		add("", "%s%s", e.Origin.Text, more(e.Origin.Cut))
	} else if e.NoOrigin != "" {
		add("read from", "unknown: %s", e.NoOrigin)
	}
	if e.TableRow != nil {
		add("with values of", "%s", e.TableRow)
		add("", "%s%s", e.TableRow.Text, more(e.TableRow.Cut))
	}
	if e.Current {
		add("sold now", "yes: it is in the latest snapshot of %s", e.Provider)
	} else {
		add("sold now", "no: it is not in the latest snapshot of %s, and searches find it all the same", e.Provider)
	}
	whose := "the zone of its provider"
	if e.OwnZone {
		whose = "its own zone"
	}
	add("starts", "%s in %s, %s: %s", e.Start, e.CountedIn, whose, e.StartsAt)
	if e.End.IsZero() {
		add("ends", "as it starts, since its provider gives no end: %s", e.EndsAt)
	} else {
		add("ends", "%s in %s: %s", e.End, e.CountedIn, e.EndsAt)
	}
	add("found by", "GET %s", e.FoundBy)
	switch {
	case !e.MinPrice.Known():
		add("price", "none")
	case e.MinPrice == e.MaxPrice:
		add("price", "%s", e.MinPrice)
	default:
		add("price", "%s to %s", e.MinPrice, e.MaxPrice)
	}
	for i := range e.Zones {
		add("", "%s", zone(&e.Zones[i], e.Uncounted[i]))
	}
	return facts
}

// Lines says what was found, for people, and how far the archive was searched. The texts may hold
// what a provider wrote.
func (s *Searched) Lines() (lines []string) {
	for i := range s.Sightings {
		found := &s.Sightings[i]
		line := fmt.Sprintf("%s, %s: %s", found.Started.Format(moment), found.String(), found.Fate)
		if found.Why != "" {
			line += ": " + found.Why
		}
		if found.Documents > 1 {
			line += fmt.Sprintf("; as in the documents before, back to %s (%d in all)", found.Since.Format(moment), found.Documents)
		}
		lines = append(lines, line, found.Text+more(found.Cut))
	}
	if s.Documents == 0 && s.Damaged == 0 && s.Ended != "" {
		return append(lines, "No document of the archive was searched: "+s.Ended+".")
	}
	looked := fmt.Sprintf("documents of the archive that were searched: %d", s.Documents)
	if s.Documents > 0 {
		looked += ", back to " + s.Since.Format(moment)
	}
	if s.Unreadable > 0 {
		looked += fmt.Sprintf(", of which %d could not be read to the end", s.Unreadable)
	}
	if s.Damaged > 0 {
		looked += fmt.Sprintf("; places where the archive is damaged: %d", s.Damaged)
	}
	if s.Ended != "" {
		return append(lines, looked+". Older ones were not, as "+s.Ended+".")
	}
	return append(lines, looked+". That is all that the archive has.")
}

// more marks a text that was cut.
func more(cut bool) string {
	if cut {
		return " …"
	}
	return ""
}

// zone describes a price zone, with why its price does not count, if it does not.
func zone(z *event.Zone, uncounted string) string {
	tickets := strconv.FormatInt(z.Capacity, 10)
	if z.Available {
		tickets = "left, not said how many"
	}
	counts := "it counts"
	if uncounted != "" {
		counts = "it does not count, as " + uncounted
	}
	name := cmp.Or(strings.TrimSpace(z.ID+" "+z.Name), "without a name")
	return fmt.Sprintf("zone %s: price %s, tickets %s: %s", name, cmp.Or(strings.TrimSpace(z.Price.String()+" "+z.Currency), "none"), tickets, counts)
}

// ofJob names a job that is on record.
func ofJob(id uint64) string {
	if id == 0 {
		return "of a job that is no longer on record"
	}
	return fmt.Sprintf("of job %d", id)
}
