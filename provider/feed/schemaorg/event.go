package schemaorg

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"fever/event"
	"fever/provider/feed"
)

// event gives an event to the builder. In its place come its parts, or the dates of its
// schedule, if it has any.
func (d *decoder) event(n node) error {
	if n.isReference() {
		return nil
	}
	d.found = true
	if err := d.Expired(); err != nil { // a schedule may take long for its few bytes
		return err
	}
	parts := slices.DeleteFunc(n.nodes("subEvent"), node.isReference)
	if len(parts) > 0 {
		for _, part := range parts {
			part = part.inherit(n, fromWhole...)
			if part["superEvent"] == nil {
				part["superEvent"] = map[string]any(n)
			}
			if err := d.event(part); err != nil {
				return err
			}
		}
		return nil
	}
	if len(n.all("startDate"))+len(n.all("eventSchedule")) == 0 {
		if address := cmp.Or(n.text("url"), n.id()); d.leadsRow(n.baseID(), address) {
			return nil
		}
	}
	if !d.begun {
		d.At(d.offset, d.end)
		d.Row(d.line, nil)
	}
	if current, ok := n["fever:current"].(bool); ok {
		return d.published(n, current)
	}
	if n.off() {
		d.IgnoreEvent(n.baseID(), n.ownID(), d.line, "it is cancelled, or postponed without a new date")
		return nil
	}
	e := event.Event{Key: event.Key{BaseID: n.baseID()}, Title: n.title(), TimeZone: n.text("scheduleTimezone")}
	fail := func(err error) error {
		d.RejectEvent(e.Key, e.Title, d.line, err.Error())
		return nil
	}
	if e.BaseID == "" {
		return fail(errors.New("it has neither @id, nor identifier, nor url"))
	}
	e.BaseID = feed.ID([]byte(e.BaseID))
	if err := d.offers(&e, n); err != nil {
		return fail(err)
	}
	if schedules := n.nodes("eventSchedule"); len(schedules) > 0 {
		return d.schedules(e, schedules)
	}
	if err := e.SetTimes(n.text("startDate"), n.text("endDate"), d.Location); err != nil {
		return fail(err)
	}
	if e.Start.IsZero() {
		return fail(errors.New("no start date"))
	}
	id := n.ownID()
	if id == "" {
		// An event that was moved is still itself: its first date is its id.
		first := e
		for _, value := range n.all("previousStartDate") {
			earlier := event.Event{TimeZone: e.TimeZone}
			if err := earlier.SetTimes(textOf(value), "", d.Location); err == nil && d.startOf(&earlier) < d.startOf(&first) {
				first = earlier
			}
		}
		id = d.startID(&first)
	}
	e.EventID = feed.ID([]byte(id))
	return d.Keep(e, d.line)
}

// startOf returns the Unix second at which an event starts.
func (d *decoder) startOf(e *event.Event) int64 {
	if e.Start.IsZero() {
		return 0
	}
	return e.Start.Unix(d.location(e))
}

func (d *decoder) location(e *event.Event) *time.Location {
	if e.TimeZone != "" {
		if loc, err := event.LoadLocation(e.TimeZone); err == nil { // else it is not valid
			return loc
		}
	}
	return d.Location
}

// startID returns the id that an event has for its start: in UTC, or as a date.
func (d *decoder) startID(e *event.Event) string {
	if text := e.Start.String(); len(text) == len(time.DateOnly) {
		return strings.ReplaceAll(text, "-", "")
	}
	return time.Unix(d.startOf(e), 0).UTC().Format("20060102T150405Z")
}

// offers makes the zones of an event. All of them sold out make the event sold out.
func (d *decoder) offers(e *event.Event, n node) error {
	offers := n.nodes("offers")
	sellTimes(e, offers)
	for i, offer := range offers {
		if err := d.offer(e, offer, i); err != nil {
			return fmt.Errorf("offer %d of %d: %w", i+1, len(offers), err)
		}
		if len(e.Zones) > event.MaxZones {
			return feed.ErrZones
		}
	}
	if left, err := feed.ParseCapacity([]byte(firstText([]node{n}, "remainingAttendeeCapacity", "remainingUses"))); err == nil {
		limit(e, left)
	}
	e.SoldOut = e.SoldOut || len(e.Zones) > 0 && !slices.ContainsFunc(e.Zones, func(z event.Zone) bool { return z.Available || z.Capacity > 0 })
	return nil
}

// limit applies the number of tickets that an event has left to its zones. Of several zones it is
// not known how many each has.
func limit(e *event.Event, left int64) {
	switch {
	case left == 0:
		e.SoldOut = true
		for i := range e.Zones {
			e.Zones[i].Available, e.Zones[i].Capacity = false, 0
		}
	case len(e.Zones) == 1 && e.Zones[0].Available:
		e.Zones[0].Available, e.Zones[0].Capacity = false, left
	}
}

// offer makes the zones of an offer: one, or those of the lowest and the highest price.
func (d *decoder) offer(e *event.Event, offer node, i int) error {
	zone := event.Zone{
		ID: feed.ID([]byte(cmp.Or(offer.text("sku"), offer.ownID(), offer.text("name"), strconv.Itoa(i+1)))), Name: optional(offer.text("name")),
		Available: true,
	}
	if values := offer.all("availability"); len(values) > 0 {
		text := textOf(values[0])
		if object, ok := values[0].(map[string]any); ok && text == "" {
			text, _ = object["@id"].(string)
		}
		zone.Available = !slices.Contains([]string{"SoldOut", "OutOfStock", "Discontinued"}, short(text))
	}
	for _, level := range offer.all("inventoryLevel") {
		if object, ok := level.(map[string]any); ok {
			level = node(object).text("value")
		}
		if n, err := feed.ParseCapacity([]byte(textOf(level))); err == nil && zone.Available {
			zone.Available, zone.Capacity = false, n
		}
	}
	prices := offer.nodes("priceSpecification")
	prices = append([]node{offer}, prices...)
	for _, from := range prices {
		currency := strings.ToUpper(from.text("priceCurrency")) // "€" has three bytes, too
		if len(currency) == 3 && strings.Trim(currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
			zone.Currency = cmp.Or(zone.Currency, currency)
		}
	}
	low, high := firstText(prices, "lowPrice", "minPrice"), firstText(prices, "highPrice", "maxPrice")
	single := firstText(prices, "price")
	switch nested := offer.nodes("offers"); {
	case len(nested) > 0: // an AggregateOffer with its parts
		for j, part := range nested {
			if err := d.offer(e, part.inherit(offer, "priceCurrency", "availability"), j); err != nil {
				return err
			}
		}
		return nil
	case single == "" && low+high != "":
		for _, bound := range []struct{ name, price string }{{"low", low}, {"high", high}} {
			if bound.price == "" {
				continue
			}
			z := zone
			if len(z.ID)+len(bound.name) < event.MaxIDBytes {
				z.ID += "-" + bound.name
			}
			var err error
			if z.Price, err = parsePrice(bound.price); err != nil {
				return err
			}
			e.Zones = append(e.Zones, z)
		}
		return nil
	}
	var err error
	if single != "" {
		zone.Price, err = parsePrice(single)
	}
	e.Zones = append(e.Zones, zone)
	return err
}

// firstText returns the first text of one of the properties.
func firstText(nodes []node, properties ...string) string {
	for _, n := range nodes {
		for _, property := range properties {
			if text := n.text(property); text != "" {
				return text
			}
		}
	}
	return ""
}

// parsePrice reads a price: a number, or a text with a point or a comma before two digits.
func parsePrice(text string) (event.Price, error) {
	if whole, cents, ok := strings.Cut(text, ","); ok && len(cents) == 2 && strings.Trim(whole+cents, "0123456789") == "" {
		text = whole + "." + cents
	}
	return event.ParsePrice(text)
}
