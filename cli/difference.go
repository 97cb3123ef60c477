package cli

import (
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"fever/event"
	"fever/replay"
)

// A difference is one of an event, or of a provider's time zone, as it is printed.
type difference struct {
	Change   string      `json:"change"` // new, changed, removed or timezone
	Provider string      `json:"provider"`
	Before   *dumped     `json:"before,omitempty"`
	After    *dumped     `json:"after,omitempty"`
	TimeZone *zoneChange `json:"timezone,omitempty"`
}

type zoneChange struct {
	Before string `json:"before"`
	After  string `json:"after"`
}

// A differences counts what it has yielded.
type differences struct {
	all                          iter.Seq2[replay.Difference, error]
	added, changed, removed, any int
}

func (d *differences) yield(yield func(difference, error) bool) {
	for one, err := range d.all {
		out := difference{Provider: one.Provider, Before: withID(one.Before), After: withID(one.After)}
		switch {
		case err != nil:
		case one.TimeZone != "":
			out.Change, out.TimeZone = "timezone", &zoneChange{one.OldTimeZone, one.TimeZone}
		case one.Before == nil:
			out.Change = "new"
			d.added++
		case one.After == nil:
			out.Change = "removed"
			d.removed++
		default:
			out.Change = "changed"
			d.changed++
		}
		d.any++
		if !yield(out, err) {
			return
		}
	}
}

func (d *differences) String() string {
	return fmt.Sprintf("%d new, %d changed, %d removed", d.added, d.changed, d.removed)
}

func withID(r *event.Record) *dumped {
	if r == nil {
		return nil
	}
	return &dumped{r.ID(), *r}
}

var differenceForms = forms[difference]{
	none:    "No differences.",
	columns: "CHANGE\tSTART\tTITLE\tWHAT\tEVENT",
	row:     differenceRow,
}

func differenceRow(d difference) string {
	if d.TimeZone != nil {
		return fmt.Sprintf("%s\t-\t-\tlocal times count in %s, was %s\t%s", d.Change, d.TimeZone.After, d.TimeZone.Before, d.Provider)
	}
	r := d.After
	if r == nil {
		r = d.Before
	}
	what := "-"
	if d.Before != nil && d.After != nil {
		what = strings.Join(changedValues(d.Before, d.After), "; ")
	}
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%s", d.Change, when(r.Start, r.TimeZone), cell(r.Title, 60), cell(what, 400), r.Key)
}

// changedValues says which values of an event have changed, each with what it was.
func changedValues(before, after *dumped) (all []string) {
	compare := func(name, was, is string) {
		if was != is {
			all = append(all, fmt.Sprintf("%s %s, was %s", name, is, was))
		}
	}
	values := func(r *dumped) []string {
		return []string{
			strconv.Quote(r.Title), when(r.Start, r.TimeZone), when(r.End, r.TimeZone), prices(&r.Event), tickets(&r.Event),
			strconv.Quote(r.OrganizerID), strconv.Quote(r.SellFrom), strconv.Quote(r.SellTo), yes(r.SoldOut), yes(r.Current),
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
		compare("last changed", before.LastChanged.Format(millis), after.LastChanged.Format(millis))
	}
	if fmt.Sprint(before.Zones) != fmt.Sprint(after.Zones) && len(all) < 2 {
		compare("zones", strconv.Itoa(len(before.Zones)), strconv.Itoa(len(after.Zones)))
	}
	return all
}
