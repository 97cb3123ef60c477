package feverup

import (
	"bytes"
	"fmt"

	"fever/event"
	"fever/provider/feed"
)

// groupValues are the values that the occurrences of a group share.
type groupValues struct {
	online                     bool
	baseID, title, organizerID string
}

// rowValues are the values of an occurrence while it is read. Its texts are collected in one buffer,
// which becomes two strings: feeds have a million zones, each with an id and a name. Most
// occurrences have zones with the same texts as the one before, and share the string of these.
type rowValues struct {
	line       int
	offset     int64 // if it is placed
	placed     bool
	bad        error // the reason to reject it, if one is known before its end
	start, end event.Local
	soldOut    bool
	text       []byte // the event's id, sell_from and sell_to, and then each zone's id and name
	idEnd      int
	fromEnd    int
	toEnd      int
	zones      []event.Zone
	zoneEnds   []textEnds // of zones
	zoneText   string     // the ids and names of the zones of the row before
}

// textEnds are the ends of the id and the name of a zone in rowValues.text.
type textEnds struct{ id, name int }

func (d *decoder) beginGroup(own dialect) {
	var id named
	var title, organizer, mode []byte
	for _, a := range d.Attrs {
		switch string(a.Name) {
		case "base_event_id":
			id[eventDialect] = a.Value
		case "base_plan_id":
			id[planDialect] = a.Value
		case "title":
			title = a.Value
		case "organizer_company_id":
			organizer = a.Value
		case "sell_mode":
			mode = a.Value
		}
	}
	d.group = groupValues{online: string(feed.Trim(mode)) == "online", baseID: string(feed.Trim(id.of(own)))}
	if d.group.online {
		d.group.title = string(feed.Text(title))
		d.group.organizerID = string(feed.Optional(organizer, event.MaxIDBytes))
	}
}

func (d *decoder) beginRow(own dialect) {
	var id, start, end named
	var oldest, from, to, soldOut []byte
	for _, a := range d.Attrs {
		switch string(a.Name) {
		case "event_id":
			id[eventDialect] = a.Value
		case "plan_id":
			id[planDialect] = a.Value
		case "event_start_date":
			start[eventDialect] = a.Value
		case "plan_start_date":
			start[planDialect] = a.Value
		case "event_end_date":
			end[eventDialect] = a.Value
		case "plan_end_date":
			end[planDialect] = a.Value
		case "event_date":
			oldest = a.Value
		case "sell_from":
			from = a.Value
		case "sell_to":
			to = a.Value
		case "sold_out":
			soldOut = a.Value
		}
	}
	r := &d.row
	d.place()
	r.bad = nil
	r.text = append(r.text[:0], feed.Trim(id.of(own))...)
	r.idEnd = len(r.text)
	r.text = append(r.text, feed.Optional(from, event.MaxTextBytes)...)
	r.fromEnd = len(r.text)
	r.text = append(r.text, feed.Optional(to, event.MaxTextBytes)...)
	r.toEnd = len(r.text)
	r.soldOut = isTrue(soldOut)
	r.zones, r.zoneEnds = r.zones[:0], r.zoneEnds[:0]
	begin := start.of(own)
	if begin == nil {
		begin = oldest
	}
	r.start = r.local("start date", begin)
	r.end = r.local("end date", end.of(own))
}

// place notes where the row begins.
func (d *decoder) place() {
	d.row.line = d.TagLine()
	d.row.offset, d.row.placed = d.TagOffset()
}

// beginIgnored begins the occurrence of a group that is not sold online.
func (d *decoder) beginIgnored(own dialect) {
	var id named
	for _, a := range d.Attrs {
		switch string(a.Name) {
		case "event_id":
			id[eventDialect] = a.Value
		case "plan_id":
			id[planDialect] = a.Value
		}
	}
	d.place()
	d.row.text = append(d.row.text[:0], feed.Trim(id.of(own))...)
}

func (d *decoder) endIgnored() {
	d.endsAt()
	d.IgnoreEvent(d.group.baseID, string(d.row.text), d.row.line, "it is not sold online")
}

// endsAt says where the row was that ends here.
func (d *decoder) endsAt() {
	if d.row.placed {
		d.At(d.row.offset, d.Offset())
	}
}

// local reads a date. If it is absent, local returns the zero value.
func (r *rowValues) local(field string, value []byte) event.Local {
	if value = feed.Trim(value); len(value) == 0 {
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
	d.endsAt()
	text := string(r.text[:r.toEnd])
	if r.bad != nil {
		d.RejectEvent(event.Key{BaseID: d.group.baseID, EventID: text[:r.idEnd]}, d.group.title, r.line, r.bad.Error())
		return nil //nolint:nilerr // the next row may be right
	}
	return d.Keep(event.Event{
		Key:         event.Key{BaseID: d.group.baseID, EventID: text[:r.idEnd]},
		Title:       d.group.title,
		OrganizerID: d.group.organizerID,
		Start:       r.start,
		End:         r.end,
		SellFrom:    text[r.idEnd:r.fromEnd],
		SellTo:      text[r.fromEnd:r.toEnd],
		SoldOut:     r.soldOut,
		Zones:       r.zonesWithTexts(),
	}, r.line)
}

// zonesWithTexts returns the zones, with their texts as parts of one string. Their memory is used
// again.
func (r *rowValues) zonesWithTexts() []event.Zone {
	if all := r.text[r.toEnd:]; string(all) != r.zoneText {
		r.zoneText = string(all)
	}
	begin := 0
	for i, end := range r.zoneEnds {
		id, name := end.id-r.toEnd, end.name-r.toEnd
		r.zones[i].ID, r.zones[i].Name = r.zoneText[begin:id], r.zoneText[id:name]
		begin = name
	}
	return r.zones
}

// isTrue reads an xs:boolean. Anything else is false, and no reason to reject a row.
func isTrue(value []byte) bool {
	value = feed.Trim(value)
	return string(value) == "1" || bytes.EqualFold(value, []byte("true"))
}
