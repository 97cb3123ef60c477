package dump

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

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
	zoneMembers // how many there are
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
	scanner *jsonscan.Scanner
	members *members // of a record
	inZone  *members
	prices  feed.Prices

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
	r.text, r.zones, r.zoneTexts = r.text[:0], r.zones[:0], r.zoneTexts[:0]
	if s.Kind() != jsonscan.Object {
		s.Skip()
		return record{err: errors.New("it is not a JSON object")}
	}
	got := record{current: true}
	var texts [markEvents + 1]span
	var errs [recordMembers]error
	r.members.enter(s)
	for i, ok := r.members.next(s); ok; i, ok = r.members.next(s) {
		switch i {
		case atBaseID, atEventID:
			texts[i], errs[i] = r.id(recordNames[i])
		case atTitle:
			texts[i], errs[i] = r.string(recordNames[i], feed.Text)
		case atTimeZone, atStart, atEnd:
			texts[i], errs[i] = r.string(recordNames[i], feed.Trim)
		case atOrganizerID:
			texts[i] = r.aside(event.MaxIDBytes)
		case atSellFrom, atSellTo:
			texts[i] = r.aside(event.MaxTextBytes)
		case atSoldOut:
			got.SoldOut, errs[i] = r.bool(recordNames[i], false)
		case atCurrent:
			got.current, errs[i] = r.bool(recordNames[i], true)
		case atZones:
			errs[i] = r.readZones()
		case markDump, markEvents:
			texts[i], _ = r.id("")
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
	got.Zones = slices.Clone(r.zones)
	for i, texts := range r.zoneTexts {
		z := &got.Zones[i]
		z.ID, z.Name, z.Currency = of(texts.id), of(texts.name), of(texts.currency)
	}
	var half, startErr, endErr error
	if s.HalfPair {
		half = errors.New("half of a surrogate pair is in it, which is no character")
	}
	got.Start, startErr = parseLocal("start date", of(texts[atStart]))
	got.End, endErr = parseLocal("end date", of(texts[atEnd]))
	got.err = cmp.Or(half, r.members.wrong(), cmp.Or(errs[:]...), startErr, endErr)
	return got
}

// parseLocal reads a date. Without one it returns the zero value.
func parseLocal(field, text string) (l event.Local, err error) {
	if text == "" {
		return l, nil
	}
	if err = l.UnmarshalText([]byte(text)); err != nil {
		return l, fmt.Errorf("%s %w", field, err)
	}
	return l, nil
}

// readZones reads the zones of a record. The error is the reason to reject it.
func (r *Reader) readZones() (err error) {
	s := r.scanner
	r.zones, r.zoneTexts = r.zones[:0], r.zoneTexts[:0]
	switch s.Kind() {
	case jsonscan.Array:
	case jsonscan.Null:
		s.Skip()
		return nil
	default:
		s.Skip()
		return errors.New("zones is not a JSON array")
	}
	for s.Enter(); s.Element(); {
		if err == nil && len(r.zones) == event.MaxZones {
			err = feed.ErrZones
		}
		if err != nil { // the others make no difference
			s.Skip()
			continue
		}
		err = r.readZone()
	}
	return err
}

func (r *Reader) readZone() error {
	s := r.scanner
	var z event.Zone
	var texts zoneTexts
	var errs [zoneMembers]error
	if kind := s.Kind(); kind != jsonscan.Object {
		s.Skip()
		return feed.ZoneError(len(r.zones), nil, fmt.Errorf("it is a JSON %s, which it cannot be", kind))
	}
	r.inZone.enter(s)
	for i, ok := r.inZone.next(s); ok; i, ok = r.inZone.next(s) {
		switch i {
		case atZoneID:
			texts.id, errs[i] = r.id(zoneNames[i])
		case atName:
			texts.name, errs[i] = r.string(zoneNames[i], feed.Text)
		case atCapacity:
			z.Capacity, errs[i] = r.capacity()
		case atPrice:
			z.Price, errs[i] = r.price()
		case atNumbered:
			z.Numbered, errs[i] = r.bool(zoneNames[i], false)
		case atAvailable:
			z.Available, errs[i] = r.bool(zoneNames[i], false)
		case atCurrency:
			texts.currency, errs[i] = r.string(zoneNames[i], feed.Trim)
		default:
			s.Skip()
		}
	}
	if err := cmp.Or(r.inZone.wrong(), cmp.Or(errs[:]...)); err != nil {
		return feed.ZoneError(len(r.zones), r.text[texts.id.from:texts.id.to], err)
	}
	r.zones = append(r.zones, z)
	r.zoneTexts = append(r.zoneTexts, texts)
	return nil
}
