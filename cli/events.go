package cli

import (
	"encoding/json"
	"fmt"
	"iter"
	"strconv"

	"github.com/google/uuid"

	"fever/event"
	"fever/explain"
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
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", explain.When(r.Start, r.TimeZone), explain.When(r.End, r.TimeZone), explain.Prices(&r.Event), explain.Tickets(&r.Event),
		explain.Yes(r.Current), cell(r.Title, event.MaxTextBytes), r.Key, r.ID)
}
