package cli

import (
	"fmt"
	"iter"
	"strings"

	"fever/event"
	"fever/explain"
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
	timeZones                    []string // what changed of them, for people
}

func (d *differences) yield(yield func(difference, error) bool) {
	for one, err := range d.all {
		out := difference{Provider: one.Provider, Before: withID(one.Before), After: withID(one.After)}
		switch {
		case err != nil:
		case one.TimeZone != "":
			out.Change, out.TimeZone = "timezone", &zoneChange{one.OldTimeZone, one.TimeZone}
			d.timeZones = append(d.timeZones, fmt.Sprintf("all times of %s count in %s, were in %s", one.Provider, one.TimeZone, one.OldTimeZone))
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
	counts := fmt.Sprintf("%d new, %d changed, %d removed", d.added, d.changed, d.removed)
	return strings.Join(append([]string{counts}, d.timeZones...), "; ")
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
		what = strings.Join(explain.Changed(&d.Before.Record, &d.After.Record), "; ")
	}
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%s", d.Change, explain.When(r.Start, r.TimeZone), cell(r.Title, 60), cell(what, 400), r.Key)
}
