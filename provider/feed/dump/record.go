package dump

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"fever/event"
	"fever/provider/feed"
)

// The known keys of a record, and of a zone.
var (
	recordKeys = []string{
		"base_id", "event_id", "title", "organizer_company_id", "timezone", "start", "end", "sell_from", "sell_to", "sold_out", "zones", "current",
	}
	zoneKeys = []string{"zone_id", "name", "capacity", "price", "numbered", "available", "currency"}
)

// A record is the part of an event.Record that is read. Times are text here, so that a bad
// one does not hide the ids.
type record struct {
	BaseID      scalar   `json:"base_id"`
	EventID     scalar   `json:"event_id"`
	Title       string   `json:"title"`
	OrganizerID scalar   `json:"organizer_company_id"`
	TimeZone    string   `json:"timezone"`
	Start       string   `json:"start"`
	End         string   `json:"end"`
	SellFrom    scalar   `json:"sell_from"`
	SellTo      scalar   `json:"sell_to"`
	SoldOut     bool     `json:"sold_out"`
	Zones       zoneList `json:"zones"`
	Current     *bool    `json:"current"`

	baseID, eventID string
	start, end      event.Local
}

// A zone is the part of an event.Zone that is read.
type zone struct {
	ID       scalar `json:"zone_id"`
	Name     string `json:"name"`
	Capacity scalar `json:"capacity"`
	Price    scalar `json:"price"`
	Numbered bool   `json:"numbered"`

	Available bool   `json:"available"`
	Currency  string `json:"currency"`
}

// parseRecord reads a record. The error is the reason to reject it. Even then the record
// holds what could be read.
func parseRecord(value []byte) (*record, error) {
	r := &record{Zones: zoneList{zones: []event.Zone{}}}
	if value[0] != '{' {
		return r, errors.New("it is not a JSON object")
	}
	halved := hasHalfPair(value)
	value, ambiguous := inKnownCase(value, recordKeys)
	err := json.Unmarshal(value, r)
	// The ids come first, because other reasons are told with them.
	var idErr, eventErr error
	r.baseID, idErr = r.BaseID.id("base_id")
	r.eventID, eventErr = r.EventID.id("event_id")
	switch {
	case halved:
		return r, errors.New("half of a surrogate pair is in it, which is no character")
	case ambiguous != nil:
		return r, ambiguous
	case idErr != nil:
		return r, idErr
	case eventErr != nil:
		return r, eventErr
	case err != nil:
		return r, inWords(err)
	case r.Zones.err != nil:
		return r, r.Zones.err
	}
	if err := r.start.UnmarshalText(feed.Trim([]byte(r.Start))); err != nil {
		return r, fmt.Errorf("start date %w", err)
	}
	if err := r.end.UnmarshalText(feed.Trim([]byte(r.End))); err != nil {
		return r, fmt.Errorf("end date %w", err)
	}
	return r, nil
}

// escape matches an escape in a text, or both of a surrogate pair. Its group matches one half.
var escape = regexp.MustCompile(`(?s)\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F])|.)`)

// hasHalfPair reports whether valid JSON has half of a surrogate pair as an escape. Package
// json reads each half as U+FFFD, so that two ids could become one.
func hasHalfPair(value []byte) bool {
	for {
		at := escape.FindSubmatchIndex(value)
		if at == nil || at[2] >= 0 {
			return at != nil
		}
		value = value[at[1]:]
	}
}

func (r *record) event() event.Event {
	return event.Event{
		Key:         event.Key{BaseID: r.baseID, EventID: r.eventID},
		Title:       string(feed.Text([]byte(r.Title))),
		OrganizerID: r.OrganizerID.aside(event.MaxIDBytes),
		TimeZone:    string(feed.Trim([]byte(r.TimeZone))),
		Start:       r.start,
		End:         r.end,
		SellFrom:    r.SellFrom.aside(event.MaxTextBytes),
		SellTo:      r.SellTo.aside(event.MaxTextBytes),
		SoldOut:     r.SoldOut,
		Zones:       r.Zones.zones,
	}
}

// A zoneList holds the zones of a record, at most as many as an event can have, or the reason
// why they cannot be read. UnmarshalJSON does not return that, because it would end the record.
type zoneList struct {
	zones []event.Zone
	err   error
}

func (z *zoneList) UnmarshalJSON(b []byte) error {
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
	otherKeys := hasOtherKeys(b)
	d := json.NewDecoder(bytes.NewReader(b))
	_, err := d.Token()
	for err == nil && d.More() {
		if len(zones) == event.MaxZones {
			return nil, feed.ErrZones
		}
		var z zone
		if otherKeys {
			var value json.RawMessage
			if err = d.Decode(&value); err == nil {
				value, err = inKnownCase(value, zoneKeys)
				err = errors.Join(err, json.Unmarshal(value, &z))
			}
		} else {
			err = d.Decode(&z)
		}
		kept, id, err := z.zone(err)
		if err != nil {
			return nil, feed.ZoneError(len(zones), []byte(id), err)
		}
		zones = append(zones, kept)
	}
	return zones, err
}

// zone returns the zone, and its id even with an error. The argument is the error of reading.
func (z *zone) zone(err error) (kept event.Zone, id string, _ error) {
	id, idErr := z.ID.id("zone_id")
	switch {
	case idErr != nil:
		return kept, id, idErr
	case err != nil:
		return kept, id, inWords(err)
	}
	kept = event.Zone{
		ID: id, Name: string(feed.Text([]byte(z.Name))), Numbered: z.Numbered,
		Available: z.Available, Currency: string(feed.Trim([]byte(z.Currency))),
	}
	if kept.Capacity, err = z.Capacity.capacity(); err != nil {
		return kept, id, err
	}
	kept.Price, err = z.Price.price()
	return kept, id, err
}

// inWords rewrites an error of package json without the names of Go types.
func inWords(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if wrong.Field == "" {
			return fmt.Errorf("it is a JSON %.40s, which it cannot be", wrong.Value)
		}
		return fmt.Errorf("%.40s is a JSON %.40s, which it cannot be", wrong.Field, wrong.Value)
	}
	return err
}

// inKnownCase returns an object that has only the known keys, in their known case. Nearly all
// objects have no key in another case, and are returned unchanged. Package json would accept a
// key in any case, and use the last one. Here the key in the known case counts. Without it there
// must be only one other: the error names two.
func inKnownCase(value []byte, known []string) ([]byte, error) {
	if value[0] != '{' || !hasOtherKeys(value) {
		return value, nil
	}
	all := make(map[string]json.RawMessage) // by the keys as written
	d := json.NewDecoder(bytes.NewReader(value))
	_, err := d.Token() // the brace
	for err == nil && d.More() {
		var token json.Token
		var of json.RawMessage
		if token, err = d.Token(); err == nil {
			err = d.Decode(&of)
		}
		key, _ := token.(string) // a key is a string
		if slices.ContainsFunc(known, func(name string) bool { return strings.EqualFold(name, key) }) {
			all[key] = of
		}
	}
	found := make(map[string]json.RawMessage, len(known))
	for _, name := range known {
		var written []string
		for key := range all {
			if strings.EqualFold(name, key) {
				written = append(written, key)
			}
		}
		switch of, exact := all[name]; {
		case exact:
			found[name] = of
		case len(written) == 1:
			found[name] = all[written[0]]
		case len(written) > 1:
			slices.Sort(written)
			err = fmt.Errorf("both %.40q and %.40q are there", written[0], written[1])
		}
	}
	value, marshalErr := json.Marshal(found)
	return value, errors.Join(err, marshalErr)
}

// hasOtherKeys reports whether a key in valid JSON has capital letters, escapes, or characters
// beyond ASCII, which no known key has.
func hasOtherKeys(value []byte) bool {
	for i := 0; i < len(value); i++ {
		if value[i] != '"' {
			continue
		}
		other := false
		for i++; value[i] != '"'; i++ {
			if c := value[i]; c == '\\' {
				other = true
				i++
			} else if c >= 'A' && c <= 'Z' || c >= 0x80 {
				other = true
			}
		}
		if other && bytes.HasPrefix(bytes.TrimLeft(value[i+1:], " \t\r\n"), []byte{':'}) {
			return true
		}
	}
	return false
}
