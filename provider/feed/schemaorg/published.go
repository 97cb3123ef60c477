package schemaorg

import (
	"fmt"

	"fever/event"
	"fever/provider/feed"
)

// published gives the builder an event that another fever has published: with the ids and values
// that it has there, some of which schema.org has no words for. These are in members that begin
// with "fever:".
func (d *decoder) published(n node, current bool) error {
	id := func(n node) string { return feed.ID([]byte(n.text("identifier"))) }
	e := event.Event{
		Key: event.Key{BaseID: id(n), EventID: id(n)}, Title: n.text("name"), TimeZone: n.text("fever:timeZone"),
		SellFrom: optional(n.text("fever:sellFrom")), SellTo: optional(n.text("fever:sellTo")),
	}
	e.SoldOut, _ = n["fever:soldOut"].(bool)
	for _, whole := range n.nodes("superEvent") {
		e.BaseID = id(whole)
	}
	for _, organizer := range n.nodes("organizer") {
		e.OrganizerID = id(organizer)
	}
	err := e.SetTimes(firstText([]node{n}, "fever:startDate", "startDate"), firstText([]node{n}, "fever:endDate", "endDate"), d.Location)
	offers := n.nodes("offers")
	if err == nil && len(offers) > event.MaxZones {
		err = feed.ErrZones
	}
	for i := 0; i < len(offers) && err == nil; i++ {
		zone := event.Zone{ID: id(offers[i]), Name: offers[i].text("name"), Currency: offers[i].text("priceCurrency"), Available: true}
		zone.Numbered, _ = offers[i]["fever:numbered"].(bool)
		if text := offers[i].text("price"); text != "" {
			zone.Price, err = event.ParsePrice(text)
		}
		for _, level := range offers[i].nodes("inventoryLevel") {
			zone.Available = false
			if err == nil {
				zone.Capacity, err = feed.ParseCapacity([]byte(level.text("value")))
			}
		}
		if err != nil {
			err = fmt.Errorf("offer %d of %d: %w", i+1, len(offers), err)
		}
		e.Zones = append(e.Zones, zone)
	}
	switch {
	case err != nil:
		d.RejectEvent(e.Key, e.Title, d.line, err.Error())
		return nil
	case !current:
		return d.KeepPast(e, d.line)
	}
	return d.Keep(e, d.line)
}
