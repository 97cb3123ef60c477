package provider

import (
	"bytes"
	"fmt"
	"unicode"

	"fever/event"
)

// groupValues is what the occurrences of a group share.
type groupValues struct {
	online                     bool
	baseID, title, organizerID string
}

// rowValues is one occurrence while it is being read. Its text is collected in one
// buffer, and becomes one string: feeds have a million zones, each with an id and a
// name.
type rowValues struct {
	line       int
	bad        error // why it cannot be kept, when that is known before its end
	start, end event.Local
	soldOut    bool
	text       []byte // the event's id, sell_from, sell_to, and then each zone's id and name
	idEnd      int
	fromEnd    int
	toEnd      int
	zones      []event.Zone
	zoneEnds   []textEnds // of zones
}

// textEnds says where the id and the name of a zone end in rowValues.text.
type textEnds struct{ id, name int }

func (d *decoder) beginGroup(own dialect) {
	var id named
	var title, organizer, mode []byte
	for _, a := range d.attrs {
		switch string(a.name) {
		case "base_event_id":
			id[eventDialect] = a.value
		case "base_plan_id":
			id[planDialect] = a.value
		case "title":
			title = a.value
		case "organizer_company_id":
			organizer = a.value
		case "sell_mode":
			mode = a.value
		}
	}
	d.group = groupValues{online: string(trim(mode)) == "online"}
	if d.group.online {
		d.group.baseID = string(trim(id.of(own)))
		d.group.title = string(spaced(trim(title)))
		d.group.organizerID = string(optional(organizer, event.MaxIDBytes))
	}
}

func (d *decoder) beginRow(own dialect) {
	var id, start, end named
	var oldest, from, to, soldOut []byte
	for _, a := range d.attrs {
		switch string(a.name) {
		case "event_id":
			id[eventDialect] = a.value
		case "plan_id":
			id[planDialect] = a.value
		case "event_start_date":
			start[eventDialect] = a.value
		case "plan_start_date":
			start[planDialect] = a.value
		case "event_end_date":
			end[eventDialect] = a.value
		case "plan_end_date":
			end[planDialect] = a.value
		case "event_date":
			oldest = a.value
		case "sell_from":
			from = a.value
		case "sell_to":
			to = a.value
		case "sold_out":
			soldOut = a.value
		}
	}
	r := &d.row
	r.line = d.tagLine()
	r.bad = nil
	r.text = append(r.text[:0], trim(id.of(own))...)
	r.idEnd = len(r.text)
	r.text = append(r.text, optional(from, event.MaxTextBytes)...)
	r.fromEnd = len(r.text)
	r.text = append(r.text, optional(to, event.MaxTextBytes)...)
	r.toEnd = len(r.text)
	r.soldOut = isTrue(trim(soldOut))
	r.zones, r.zoneEnds = r.zones[:0], r.zoneEnds[:0]
	begin := start.of(own)
	if begin == nil {
		begin = oldest
	}
	r.start = r.local("start date", begin)
	r.end = r.local("end date", end.of(own))
}

// local reads a date. An absent one is the zero value.
func (r *rowValues) local(field string, value []byte) event.Local {
	if value = trim(value); len(value) == 0 {
		return event.Local{}
	}
	l, err := event.ParseLocal(string(value))
	if err != nil && r.bad == nil {
		r.bad = fmt.Errorf("%s %w", field, err)
	}
	return l
}

// endRow keeps the occurrence, or rejects it.
func (d *decoder) endRow() error {
	r := &d.row
	text := string(r.text)
	e := event.Event{
		Key:         event.Key{Provider: d.how.provider, BaseID: d.group.baseID, EventID: text[:r.idEnd]},
		Title:       d.group.title,
		OrganizerID: d.group.organizerID,
		Start:       r.start,
		End:         r.end,
		SellFrom:    text[r.idEnd:r.fromEnd],
		SellTo:      text[r.fromEnd:r.toEnd],
		SoldOut:     r.soldOut,
	}
	err := r.bad
	if err == nil {
		e.Zones = r.zonesOf(text)
		err = e.ValidateIn(d.how.location)
	}
	if err != nil {
		d.reject(e.BaseID, e.EventID, r.line, err.Error())
		return nil
	}
	return d.keep(e, r.line, false)
}

// zonesOf returns a copy of the zones to size, with their text out of text.
func (r *rowValues) zonesOf(text string) []event.Zone {
	zones := make([]event.Zone, len(r.zones))
	copy(zones, r.zones)
	begin := r.toEnd
	for i, end := range r.zoneEnds {
		zones[i].ID = text[begin:end.id]
		zones[i].Name = text[end.id:end.name]
		begin = end.name
	}
	return zones
}

// optional returns a value that is not worth a row: nothing when an event cannot
// hold it.
func optional(value []byte, most int) []byte {
	value = trim(value)
	if len(value) > most || bytes.ContainsFunc(value, unicode.IsControl) {
		return nil
	}
	return value
}
