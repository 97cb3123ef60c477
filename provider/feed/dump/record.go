package dump

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"fever/event"
	"fever/provider/feed"
	"fever/provider/jsonscan"
)

// The members of a record, by their index in recordNames.
const (
	atBaseID = iota
	atEventID
	atTitle
	atTimeZone
	atOrganizerID
	atStart
	atEnd
	atSellFrom
	atSellTo
	atSoldOut
	atZones
	atCurrent
	recordMembers // how many there are
)

var recordNames = []string{
	atBaseID: "base_id", atEventID: "event_id", atTitle: "title", atTimeZone: "timezone", atOrganizerID: "organizer_company_id", atStart: "start", atEnd: "end",
	atSellFrom: "sell_from", atSellTo: "sell_to", atSoldOut: "sold_out", atZones: "zones", atCurrent: "current",
}

// The members of a zone, by their index in zoneNames.
const (
	atZoneID = iota
	atName
	atCapacity
	atPrice
	atNumbered
	atAvailable
	atCurrency
)

var zoneNames = []string{atZoneID: "zone_id", atName: "name", atCapacity: "capacity", atPrice: "price", atNumbered: "numbered", atAvailable: "available", atCurrency: "currency"}

// The members of a mark, by their index behind those of a record; and what a dump has of an
// event besides.
const (
	markDump = recordMembers + iota
	markEvents
)

var otherNames = []string{"dump", "events", "id", "provider", "first_seen", "last_changed"}

// A Reader reads records.
type Reader struct {
	scanner  *jsonscan.Scanner
	members  *members // of a record
	inZone   *members
	location *time.Location // times may be instants, which are shown here; nil: they are as fever dump writes them
	prices   feed.Prices
	err      error // the first reason to reject the record, or its zone, that is being read

	// The texts of a record are collected in one buffer, which becomes one string: feeds have a
	// million zones, each with an id and a name.
	text      []byte
	zones     []event.Zone
	zoneTexts []zoneTexts // of zones
}

// zoneTexts are the texts of a zone.
type zoneTexts struct{ id, name, currency span }

func newReader(s *jsonscan.Scanner, strict bool, others []string) *Reader {
	return &Reader{
		scanner: s, members: newMembers(strict, recordNames, others), inZone: newMembers(strict, zoneNames, nil),
		prices: make(feed.Prices), zones: []event.Zone{},
	}
}

// A record is what was read of one.
type record struct {
	event.Event
	current bool
	err     error // the reason to reject it; even then the event has the ids that could be read

	mark   string // "begin" or "end" if it is a mark, and no record
	events string // of the mark, as written
}

// read reads the next value as a record. If the scanner has an error, the record means nothing.
func (r *Reader) read() record {
	s := r.scanner
	s.Begin()
	defer s.End()
	r.text, r.zones, r.zoneTexts, r.err = r.text[:0], r.zones[:0], r.zoneTexts[:0], nil
	if s.Kind() != jsonscan.Object {
		s.Skip()
		return record{err: errors.New("it is not a JSON object")}
	}
	got := record{current: true}
	var texts [markEvents + 1]span
	r.members.enter(s)
	for i, ok := s.MemberOf(r.members.Names); ok; i, ok = s.MemberOf(r.members.Names) {
		if i < 0 {
			i = r.members.unknown(s)
		}
		switch i {
		case atBaseID, atEventID:
			texts[i] = r.id(recordNames[i])
		case atTitle:
			texts[i] = r.string(recordNames[i], feed.Text)
		case atTimeZone, atStart, atEnd:
			texts[i] = r.string(recordNames[i], feed.Trim)
		case atOrganizerID:
			texts[i] = r.aside(event.MaxIDBytes)
		case atSellFrom, atSellTo:
			texts[i] = r.aside(event.MaxTextBytes)
		case atSoldOut:
			got.SoldOut = r.bool(recordNames[i], false)
		case atCurrent:
			got.current = r.bool(recordNames[i], true)
		case atZones:
			r.readZones()
		case markDump, markEvents:
			texts[i] = r.aside(event.MaxIDBytes)
		default:
			s.Skip()
		}
	}
	text := string(r.text)
	of := func(s span) string { return text[s.from:s.to] }
	if !r.members.has(atBaseID) && !r.members.has(atEventID) {
		got.mark, got.events = of(texts[markDump]), of(texts[markEvents])
	}
	got.BaseID, got.EventID = of(texts[atBaseID]), of(texts[atEventID])
	got.Title, got.OrganizerID = of(texts[atTitle]), of(texts[atOrganizerID])
	got.TimeZone = of(texts[atTimeZone])
	got.SellFrom, got.SellTo = of(texts[atSellFrom]), of(texts[atSellTo])
	got.Zones = r.takeZones()
	for i, texts := range r.zoneTexts {
		z := &got.Zones[i]
		z.ID, z.Name, z.Currency = of(texts.id), of(texts.name), of(texts.currency)
	}
	if start, end := of(texts[atStart]), of(texts[atEnd]); r.location != nil {
		r.note(got.SetTimes(start, end, r.location))
	} else {
		got.Start, got.End = r.local("start date", start), r.local("end date", end)
	}
	var half error
	if s.HalfPair {
		half = errors.New("half of a surrogate pair is in it, which is no character")
	}
	got.err = cmp.Or(half, r.members.wrong(), r.err)
	return got
}

// takeZones returns the zones read. Events of a feed often have as many as the one before, so
// the next slice has room for that many, and is not copied then. A larger slice is copied: a few
// zones must not keep the memory of many.
func (r *Reader) takeZones() []event.Zone {
	zones := r.zones
	r.zones = make([]event.Zone, 0, len(zones))
	if len(zones) < cap(zones) {
		return slices.Clone(zones)
	}
	return zones
}

// local reads a date. Without one it returns the zero value.
func (r *Reader) local(field, text string) (l event.Local) {
	if err := l.UnmarshalText([]byte(text)); err != nil {
		r.reject("%s %w", field, err)
	}
	return l
}

// readZones reads the zones of a record.
func (r *Reader) readZones() {
	s := r.scanner
	r.zones, r.zoneTexts = r.zones[:0], r.zoneTexts[:0]
	switch kind := s.Kind(); kind {
	case jsonscan.Array:
		for s.Enter(); s.Element(); {
			if len(r.zones) == event.MaxZones {
				r.note(feed.ErrZones)
			}
			if r.err != nil { // the others make no difference
				s.Skip()
				continue
			}
			r.readZone()
		}
	case jsonscan.Null:
		s.Skip()
	default:
		s.Skip()
		r.reject("zones is not a JSON array")
	}
}

// readZone reads a zone of a record that has no error.
func (r *Reader) readZone() {
	s := r.scanner
	if kind := s.Kind(); kind != jsonscan.Object {
		s.Skip()
		r.err = feed.ZoneError(len(r.zones), nil, fmt.Errorf("it is a JSON %s, which it cannot be", kind))
		return
	}
	r.zones, r.zoneTexts = append(r.zones, event.Zone{}), append(r.zoneTexts, zoneTexts{})
	at := len(r.zones) - 1
	z, texts := &r.zones[at], &r.zoneTexts[at]
	r.inZone.enter(s)
	for i, ok := s.MemberOf(r.inZone.Names); ok; i, ok = s.MemberOf(r.inZone.Names) {
		if i < 0 {
			i = r.inZone.unknown(s)
		}
		switch i {
		case atZoneID:
			texts.id = r.id(zoneNames[i])
		case atName:
			texts.name = r.string(zoneNames[i], feed.Text)
		case atCapacity:
			z.Capacity = r.capacity()
		case atPrice:
			z.Price = r.price()
		case atNumbered:
			z.Numbered = r.bool(zoneNames[i], false)
		case atAvailable:
			z.Available = r.bool(zoneNames[i], false)
		case atCurrency:
			texts.currency = r.string(zoneNames[i], feed.Trim)
		default:
			s.Skip()
		}
	}
	if err := cmp.Or(r.inZone.wrong(), r.err); err != nil {
		r.err = feed.ZoneError(at, r.text[texts.id.from:texts.id.to], err)
	}
}
