package cli

import (
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"fever/event"
)

// millis is RFC 3339 with the milliseconds, which is the precision of the store.
const millis = "2006-01-02T15:04:05.000Z07:00"

// A dumped record is a record with its public id.
type dumped struct {
	ID uuid.UUID `json:"id"`
	event.Record
}

// withIDs adds the public ids to the records.
func withIDs(all iter.Seq2[event.Record, error]) iter.Seq2[dumped, error] {
	return func(yield func(dumped, error) bool) {
		for r, err := range all {
			if !yield(dumped{r.ID(), r}, err) {
				return
			}
		}
	}
}

var eventForms = forms[dumped]{
	none:    "No events.",
	columns: "START\tEND\tPRICES\tTICKETS\tCURRENT\tTITLE\tEVENT\tID",
	row:     eventRow,
	fields: []string{
		"id", "provider", "base_id", "event_id", "title", "organizer_company_id", "start", "end", "sell_from", "sell_to",
		"sold_out", "min_price", "max_price", "zones", "first_seen", "last_changed", "current", "timezone",
	},
	record: eventRecord,
	marked: true,
}

func eventRecord(r dumped) ([]string, error) {
	zones, err := json.Marshal(r.Zones)
	if err != nil {
		return nil, err
	}
	lowest, highest := r.PriceRange()
	return []string{
		r.ID.String(), r.Provider, r.BaseID, r.EventID, r.Title, r.OrganizerID, r.Start.String(), r.End.String(), r.SellFrom, r.SellTo,
		strconv.FormatBool(r.SoldOut), lowest.String(), highest.String(), string(zones),
		r.FirstSeen.Format(millis), r.LastChanged.Format(millis), strconv.FormatBool(r.Current), r.TimeZone,
	}, nil
}

func eventRow(r dumped) string {
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", when(r.Start, r.TimeZone), when(r.End, r.TimeZone), prices(&r.Event), tickets(&r.Event),
		yes(r.Current), cell(r.Title, event.MaxTextBytes), r.Key, r.ID)
}

// when writes a local time, with the name of the time zone if the event has one of its own.
func when(l event.Local, timeZone string) string {
	if l.IsZero() {
		return "-"
	}
	return strings.TrimSuffix(strings.Replace(l.String(), "T", " ", 1)+" "+timeZone, " ")
}

// prices writes the price range, with the currency if the event has one.
func prices(e *event.Event) string {
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

// tickets returns the number of tickets left in all zones. Zones that are available add a plus:
// nobody knows how many there are.
func tickets(e *event.Event) string {
	if e.SoldOut {
		return "sold out"
	}
	var n int64
	plus := ""
	for i := range e.Zones {
		n += min(e.Zones[i].Capacity, math.MaxInt64-n) // a provider's capacities have no bound
		if e.Zones[i].Available {
			plus = "+"
		}
	}
	return strconv.FormatInt(n, 10) + plus
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
