package provider

import (
	"errors"
	"fmt"
	"strconv"

	"fever/event"
)

// The bounds of what a decoder remembers of prices.
const (
	maxPrices     = 1 << 12
	maxPriceBytes = 32 // of one, as written
)

// addZone adds a zone to the row. After a bad one the rest do not matter.
func (d *decoder) addZone() {
	r := &d.row
	if r.bad != nil {
		return
	}
	var id, name, capacity, price, maxPrice, numbered []byte
	for _, a := range d.attrs {
		switch string(a.name) {
		case "zone_id":
			id = trim(a.value)
		case "name":
			name = spaced(trim(a.value))
		case "capacity":
			capacity = a.value
		case "price":
			price = a.value
		case "max_price":
			maxPrice = a.value
		case "numbered":
			numbered = trim(a.value)
		}
	}
	if price == nil {
		price = maxPrice
	}
	z := event.Zone{Numbered: isTrue(numbered)}
	var err error
	switch {
	case len(r.zones) == event.MaxZones:
		r.bad = fmt.Errorf("more than %d zones", event.MaxZones)
		return
	case len(id) > event.MaxIDBytes:
		err = fmt.Errorf("its id has %d bytes, more than %d", len(id), event.MaxIDBytes)
	case len(name) > event.MaxTextBytes:
		err = fmt.Errorf("its name has %d bytes, more than %d", len(name), event.MaxTextBytes)
	default:
		if z.Capacity, err = parseCapacity(capacity); err == nil {
			z.Price, err = d.parsePrice(price)
		}
	}
	if err != nil {
		r.bad = fmt.Errorf("zone %d (id %q): %w", len(r.zones)+1, shorten(string(id)), err)
		return
	}
	r.text = append(r.text, id...)
	ends := textEnds{id: len(r.text)}
	r.text = append(r.text, name...)
	ends.name = len(r.text)
	r.zones = append(r.zones, z)
	r.zoneEnds = append(r.zoneEnds, ends)
}

// parseCapacity reads a capacity. An absent one is 0.
func parseCapacity(value []byte) (int64, error) {
	if value == nil {
		return 0, nil
	}
	value = trim(value)
	n, err := strconv.ParseInt(string(value), 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("capacity %.40q is out of range", value)
	case err != nil:
		return 0, fmt.Errorf("capacity %.40q is not a whole number", value)
	case n < 0:
		return 0, fmt.Errorf("capacity %d is negative", n)
	}
	return n, nil
}

// parsePrice reads a price. An absent one is unknown.
func (d *decoder) parsePrice(value []byte) (event.Price, error) {
	if value == nil {
		return event.Price{}, nil
	}
	value = trim(value)
	if p, ok := d.prices[string(value)]; ok {
		return p, nil
	}
	text := string(value)
	p, err := event.ParsePrice(text)
	if err != nil || len(text) > maxPriceBytes {
		return p, err
	}
	if len(d.prices) == maxPrices {
		clear(d.prices)
	}
	d.prices[text] = p
	return p, nil
}
