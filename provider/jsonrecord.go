package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"fever/event"
)

// A jsonRecord is what is read of an event.Record. Times are text here: what is wrong
// with them must not hide the ids.
type jsonRecord struct {
	BaseID      string    `json:"base_id"`
	EventID     string    `json:"event_id"`
	Title       string    `json:"title"`
	OrganizerID jsonAside `json:"organizer_company_id"`
	Start       string    `json:"start"`
	End         string    `json:"end"`
	SellFrom    jsonAside `json:"sell_from"`
	SellTo      jsonAside `json:"sell_to"`
	SoldOut     bool      `json:"sold_out"`
	Zones       jsonZones `json:"zones"`

	start, end event.Local
}

// parseRecord reads a record. Beside an error, which says why it cannot be kept, the
// record holds what could be read.
func parseRecord(value []byte) (*jsonRecord, error) {
	r := &jsonRecord{Zones: jsonZones{zones: []event.Zone{}}}
	if value[0] != '{' {
		return r, errors.New("it is not a JSON object")
	}
	if err := json.Unmarshal(value, r); err != nil {
		return r, inWords(err)
	}
	if r.Zones.err != nil {
		return r, r.Zones.err
	}
	if err := r.start.UnmarshalText([]byte(r.Start)); err != nil {
		return r, fmt.Errorf("start date %w", err)
	}
	if err := r.end.UnmarshalText([]byte(r.End)); err != nil {
		return r, fmt.Errorf("end date %w", err)
	}
	return r, nil
}

func (r *jsonRecord) event(provider string) event.Event {
	return event.Event{
		Key:         event.Key{Provider: provider, BaseID: r.BaseID, EventID: r.EventID},
		Title:       string(spaced([]byte(r.Title))),
		OrganizerID: string(optional([]byte(r.OrganizerID), event.MaxIDBytes)),
		Start:       r.start,
		End:         r.end,
		SellFrom:    string(optional([]byte(r.SellFrom), event.MaxTextBytes)),
		SellTo:      string(optional([]byte(r.SellTo), event.MaxTextBytes)),
		SoldOut:     r.SoldOut,
		Zones:       r.Zones.zones,
	}
}

// A jsonAside is a text that is not worth a row: it is empty when it is no text.
type jsonAside string

func (a *jsonAside) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err == nil {
		*a = jsonAside(text)
	}
	return nil
}

// A jsonZones holds the zones of a record, no more than an event can have, or why they
// cannot be read: returned from UnmarshalJSON, that would end the record there.
type jsonZones struct {
	zones []event.Zone
	err   error
}

func (z *jsonZones) UnmarshalJSON(b []byte) error {
	z.zones, z.err = parseZones(b)
	return nil
}

func parseZones(b []byte) ([]event.Zone, error) {
	zones := []event.Zone{}
	if string(b) == "null" {
		return zones, nil
	}
	if b[0] != '[' {
		return nil, errors.New("zones is not a JSON array")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	_, err := d.Token()
	for err == nil && d.More() {
		if len(zones) == event.MaxZones {
			return nil, fmt.Errorf("more than %d zones", event.MaxZones)
		}
		var zone event.Zone
		if err = d.Decode(&zone); err != nil {
			return nil, fmt.Errorf("zone %d (id %q): %w", len(zones)+1, shorten(zone.ID), inWords(err))
		}
		zone.Name = string(spaced([]byte(zone.Name)))
		zones = append(zones, zone)
	}
	return zones, err
}

// inWords returns an error of package json about a type without the names of types.
func inWords(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%.40s is a JSON %.40s, which it cannot be", wrong.Field, wrong.Value)
	}
	return err
}
