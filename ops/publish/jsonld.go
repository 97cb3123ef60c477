package publish

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"fever/event"
)

// A node is an event of schema.org, as JSON-LD. What schema.org has no word for, and what its
// words cannot say exactly, is in members that begin with "fever:". They need no context: such a
// name is an IRI by itself, and readers that do not know it pass over it. Package
// [fever/provider/feed/schemaorg] reads them.
type node struct {
	Context     string      `json:"@context,omitempty"`
	Type        string      `json:"@type"`
	ID          string      `json:"@id"`        // the public id
	Identifier  string      `json:"identifier"` // the provider's event id
	Whole       *identified `json:"superEvent,omitempty"`
	Name        string      `json:"name"`
	StartDate   string      `json:"startDate"`
	EndDate     string      `json:"endDate,omitempty"`
	Duration    string      `json:"duration,omitempty"`
	EventStatus string      `json:"eventStatus"`
	Organizer   *identified `json:"organizer,omitempty"`
	Offers      []offer     `json:"offers,omitempty"`

	Current  bool   `json:"fever:current"`
	SoldOut  bool   `json:"fever:soldOut"`
	TimeZone string `json:"fever:timeZone"`
	// Start and End are the local times where startDate and endDate read as others, such as
	// those that the clocks skip.
	Start    string `json:"fever:startDate,omitempty"`
	End      string `json:"fever:endDate,omitempty"`
	SellFrom string `json:"fever:sellFrom,omitempty"` // as the provider wrote it; so is the next
	SellTo   string `json:"fever:sellTo,omitempty"`
}

// An identified node says no more of itself than the id that a provider gave it.
type identified struct {
	Type       string `json:"@type"`
	Identifier string `json:"identifier"`
}

// An offer is a zone of tickets.
type offer struct {
	Type          string      `json:"@type"`
	Identifier    string      `json:"identifier,omitempty"`
	Name          string      `json:"name,omitempty"`
	Price         event.Price `json:"price,omitzero"`
	Currency      string      `json:"priceCurrency,omitempty"`
	Availability  string      `json:"availability"`
	Inventory     *quantity   `json:"inventoryLevel,omitempty"` // nil: there are tickets, and nobody knows how many
	AvailableFrom string      `json:"validFrom,omitempty"`
	AvailableTo   string      `json:"validThrough,omitempty"`
	Numbered      bool        `json:"fever:numbered,omitempty"`
}

type quantity struct {
	Type  string `json:"@type"`
	Value int64  `json:"value"`
}

// nodeOf returns the node of an event whose provider is at loc.
func nodeOf(r *event.Record, loc *time.Location) (*node, error) {
	t, err := timesOf(&r.Event, loc)
	if err != nil {
		return nil, err
	}
	n := &node{
		Type: "Event", ID: r.ID().URN(), Identifier: r.EventID, Name: r.Title,
		StartDate: t.text(r.Start, t.start), EndDate: t.text(r.End, t.end), EventStatus: "https://schema.org/EventScheduled",
		Current: r.Current, SoldOut: r.SoldOut, TimeZone: t.loc.String(), SellFrom: r.SellFrom, SellTo: r.SellTo,
	}
	if r.BaseID != r.EventID {
		n.Whole = &identified{"EventSeries", r.BaseID}
	}
	if r.OrganizerID != "" {
		n.Organizer = &identified{"Organization", r.OrganizerID}
	}
	if isTimed(r.Start) && isTimed(r.End) {
		n.Duration = duration(t.end - t.start)
	}
	if t.shown(r.Start, t.start) != r.Start {
		n.Start = r.Start.String()
	}
	if t.shown(r.End, t.end) != r.End {
		n.End = r.End.String()
	}
	from, to := t.sellTime(r.SellFrom), t.sellTime(r.SellTo)
	for i := range r.Zones {
		z := &r.Zones[i]
		o := offer{
			Type: "Offer", Identifier: z.ID, Name: z.Name, Price: z.Price, Currency: z.Currency, Numbered: z.Numbered,
			Availability: "https://schema.org/InStock", AvailableFrom: from, AvailableTo: to,
		}
		if !z.Available {
			o.Inventory = &quantity{"QuantitativeValue", z.Capacity}
		}
		switch {
		case !r.Current:
			o.Availability = "https://schema.org/Discontinued"
		case r.SoldOut, z.Capacity == 0 && !z.Available:
			o.Availability = "https://schema.org/SoldOut"
		}
		n.Offers = append(n.Offers, o)
	}
	return n, nil
}

// duration returns a duration of ISO 8601 in hours, minutes and seconds.
func duration(seconds int64) string {
	if seconds == 0 {
		return "PT0S"
	}
	text := "PT"
	for _, part := range []struct {
		n    int64
		unit string
	}{{seconds / 3600, "H"}, {seconds / 60 % 60, "M"}, {seconds % 60, "S"}} {
		if part.n != 0 {
			text += fmt.Sprint(part.n) + part.unit
		}
	}
	return text
}

// appendJSON appends v as JSON.
func appendJSON(b []byte, v any) ([]byte, error) {
	buffer := bytes.NewBuffer(b)
	encoder := json.NewEncoder(buffer)
	encoder.SetEscapeHTML(false) // no browser takes it for HTML
	err := encoder.Encode(v)
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n")), err
}

const schemaOrg = "https://schema.org"

// A graph is a document of JSON-LD with all events.
type graph struct{ separator string }

func newGraph(event.Window) form { return &graph{separator: "\n"} }

func (g *graph) begin(b []byte) []byte {
	return append(b, `{"@context":"`+schemaOrg+`","@graph":[`...)
}

func (g *graph) event(b []byte, r *event.Record, loc *time.Location) ([]byte, error) {
	n, err := nodeOf(r, loc)
	if err != nil {
		return b, err
	}
	b = append(b, g.separator...)
	g.separator = ",\n"
	return appendJSON(b, n)
}

func (g *graph) end(b []byte) []byte { return append(b, "\n]}\n"...) }

// times are those of an event as they are published: as instants, with the zone in which people
// see them.
type times struct {
	loc        *time.Location
	start, end int64 // Unix seconds, as in a search
}

func timesOf(e *event.Event, loc *time.Location) (times, error) {
	if e.TimeZone != "" {
		var err error
		if loc, err = event.LoadLocation(e.TimeZone); err != nil {
			return times{}, err
		}
	}
	entry := event.NewEntry(e, loc)
	return times{loc, writable(entry.Start), writable(entry.End)}, nil
}

// The forms write years in four digits. These are the first and the last second, in Unix seconds,
// whose year has four anywhere, and on the days beside it.
var firstYear, lastYear = time.Date(0, 1, 3, 0, 0, 0, 0, time.UTC).Unix(), time.Date(9999, 12, 29, 23, 59, 59, 0, time.UTC).Unix()

// writable returns the nearest second that can be written. Some providers write 9999-12-31 for an
// end that nobody knows.
func writable(at int64) int64 { return min(max(at, firstYear), lastYear) }

// isTimed reports whether a local time is more than a date.
func isTimed(l event.Local) bool { return len(l.String()) > len(time.DateOnly) }

// text returns a local time with its offset. A date stays one.
func (t *times) text(l event.Local, at int64) string {
	if !isTimed(l) {
		return l.String()
	}
	return withOffset(time.Unix(at, 0).In(t.loc))
}

// withOffset writes a time as RFC 3339 does, which has no seconds in offsets.
func withOffset(at time.Time) string {
	if _, offset := at.Zone(); offset%60 != 0 {
		at = at.UTC()
	}
	return at.Format(time.RFC3339)
}

// shown returns what a reader of the instant takes a local time for.
func (t *times) shown(l event.Local, at int64) event.Local {
	if !isTimed(l) {
		return l
	}
	l, _ = event.LocalAt(at, t.loc) // of a local time, which has a year that can be written
	return l
}

// sellTime returns when tickets are sold, if the provider wrote a time: it may be any text.
func (t *times) sellTime(text string) string {
	text = strings.TrimSpace(text)
	l, zone, err := event.ParseTime(text, t.loc)
	if err != nil {
		return ""
	}
	loc := t.loc
	if zone != "" {
		if loc, err = event.LoadLocation(zone); err != nil {
			return ""
		}
	}
	return (&times{loc: loc}).text(l, writable(l.Unix(loc)))
}
