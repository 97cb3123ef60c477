package feverup

import (
	"fmt"

	"fever/event"
	"fever/provider/feed"
)

// addZone adds a zone to the row. After a bad one the others make no difference.
func (d *decoder) addZone() {
	r := &d.row
	if r.bad != nil {
		return
	}
	var id, name, capacity, price, maxPrice, numbered []byte
	for _, a := range d.Attrs {
		switch string(a.Name) {
		case "zone_id":
			id = feed.Trim(a.Value)
		case "name":
			name = feed.Text(a.Value)
		case "capacity":
			capacity = a.Value
		case "price":
			price = a.Value
		case "max_price":
			maxPrice = a.Value
		case "numbered":
			numbered = a.Value
		}
	}
	if price == nil {
		price = maxPrice
	}
	if len(r.zones) == event.MaxZones {
		r.bad = feed.ErrZones
		return
	}
	z := event.Zone{Numbered: isTrue(numbered)}
	var err error
	switch {
	case len(id) > event.MaxIDBytes:
		err = fmt.Errorf("its id has %d bytes, more than %d", len(id), event.MaxIDBytes)
	case len(name) > event.MaxTextBytes:
		err = fmt.Errorf("its name has %d bytes, more than %d", len(name), event.MaxTextBytes)
	default:
		if capacity != nil { // otherwise it is 0
			z.Capacity, err = feed.ParseCapacity(capacity)
		}
		if err == nil {
			z.Price, err = d.parsePrice(price)
		}
	}
	if err != nil {
		r.bad = feed.ZoneError(len(r.zones), id, err)
		return
	}
	r.text = append(r.text, id...)
	ends := textEnds{id: len(r.text)}
	r.text = append(r.text, name...)
	ends.name = len(r.text)
	r.zones = append(r.zones, z)
	r.zoneEnds = append(r.zoneEnds, ends)
}

// parsePrice reads a price. If it is absent, the price is unknown.
func (d *decoder) parsePrice(value []byte) (event.Price, error) {
	if value == nil {
		return event.Price{}, nil
	}
	return d.prices.Parse(feed.Trim(value))
}
