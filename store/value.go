package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/fxamacker/cbor/v2"

	"fever/event"
)

// maxValue bounds a stored value: an event at all of its limits stays below it.
const maxValue = 32 << 20

// sumBytes is the length of the checksum that ends a value.
const sumBytes = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// value is what stands in the bucket of events: E is the event's own part, either
// as fields or as the bytes that say whether it changed.
type value[E eventFields | entryFields | startFields | cbor.RawMessage] struct {
	_           struct{} `cbor:",toarray"`
	FirstSeen   int64    // Unix milliseconds
	LastChanged int64    // Unix milliseconds
	Event       E
}

// eventFields is an event without its key, which the bucket's key holds.
type eventFields struct {
	_         struct{} `cbor:",toarray"`
	Title     string
	Organizer string
	Start     string // as event.Local writes it; so is End
	End       string
	SellFrom  string
	SellTo    string
	SoldOut   bool
	Lowest    string // of the price range, as event.Price writes it; so is Highest
	Highest   string
	Zones     []byte // []zoneFields as CBOR: loading an entry passes over it in one step
}

type zoneFields struct {
	_        struct{} `cbor:",toarray"`
	ID       string
	Name     string
	Capacity int64
	Price    string
	Numbered bool
}

// entryFields are eventFields of which only those are decoded that an entry needs.
type entryFields struct {
	_         struct{} `cbor:",toarray"`
	Title     string
	Organizer skipped
	Start     string
	End       string
	SellFrom  skipped
	SellTo    skipped
	SoldOut   skipped
	Lowest    string
	Highest   string
	Zones     skipped
}

// startFields are eventFields of which only the start is decoded.
type startFields struct {
	_         struct{} `cbor:",toarray"`
	Title     skipped
	Organizer skipped
	Start     string
	End       skipped
	SellFrom  skipped
	SellTo    skipped
	SoldOut   skipped
	Lowest    skipped
	Highest   skipped
	Zones     skipped
}

// skipped is a field of any type that decoding passes over.
type skipped struct{}

// UnmarshalCBOR implements [cbor.Unmarshaler].
func (*skipped) UnmarshalCBOR([]byte) error { return nil }

// The modes of the encoding: RFC 8949 section 4.2.1, and nothing accepted that it
// would not write, as far as a decoder can tell.
var (
	encoding = must(cbor.CoreDetEncOptions().UserBufferEncMode())
	decoding = must(cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		IndefLength:      cbor.IndefLengthForbidden,
		TagsMd:           cbor.TagsForbidden,
		MaxNestedLevels:  4,
		MaxArrayElements: event.MaxZones,
		MaxMapPairs:      16,
	}.DecMode())
)

// must is for options that are constants.
func must[M any](mode M, err error) M {
	if err != nil {
		panic(err)
	}
	return mode
}

// An encoder encodes events one after the other in buffers that it keeps.
type encoder struct {
	fields []zoneFields
	zones  bytes.Buffer
	event  bytes.Buffer
}

// encode returns the event's part of a value. The bytes are good until the next call.
func (c *encoder) encode(e *event.Event) ([]byte, error) {
	if c.fields = c.fields[:0]; c.fields == nil {
		c.fields = []zoneFields{} // nil would be encoded as null
	}
	for i := range e.Zones {
		z := &e.Zones[i]
		c.fields = append(c.fields, zoneFields{ID: z.ID, Name: z.Name, Capacity: z.Capacity, Price: z.Price.String(), Numbered: z.Numbered})
	}
	c.zones.Reset()
	if err := encoding.MarshalToBuffer(c.fields, &c.zones); err != nil {
		return nil, err
	}
	lowest, highest := e.PriceRange()
	c.event.Reset()
	err := encoding.MarshalToBuffer(&eventFields{
		Title:     e.Title,
		Organizer: e.OrganizerID,
		Start:     e.Start.String(),
		End:       e.End.String(),
		SellFrom:  e.SellFrom,
		SellTo:    e.SellTo,
		SoldOut:   e.SoldOut,
		Lowest:    lowest.String(),
		Highest:   highest.String(),
		Zones:     c.zones.Bytes(),
	}, &c.event)
	return c.event.Bytes(), err
}

// seal returns what to store under key: v as CBOR and, since bbolt has no checksums
// of its own, a checksum.
func seal(key []byte, v any) ([]byte, error) {
	b, err := encoding.Marshal(v)
	if err != nil {
		return nil, err
	}
	return binary.BigEndian.AppendUint32(b, checksum(key, b)), nil
}

// unseal is the inverse of seal. What it leaves in v shares no memory with b.
func unseal(key, b []byte, v any) error {
	b, err := unwrap(key, b)
	if err != nil {
		return err
	}
	return decoding.Unmarshal(b, v)
}

// unwrap verifies the checksum of a value and returns its CBOR.
func unwrap(key, b []byte) ([]byte, error) {
	if len(b) < sumBytes || len(b) > maxValue {
		return nil, fmt.Errorf("a value of %d bytes", len(b))
	}
	b, sum := b[:len(b)-sumBytes], b[len(b)-sumBytes:]
	if checksum(key, b) != binary.BigEndian.Uint32(sum) {
		return nil, errors.New("the checksum does not match")
	}
	return b, nil
}

// checksum covers the key too, so that a value under another's key is found out.
func checksum(key, b []byte) uint32 {
	return crc32.Update(crc32.Update(0, castagnoli, key), castagnoli, b)
}

// decodeRecord decodes everything of a stored event. Whether it is current does not
// stand in its value.
func decodeRecord(key, b []byte) (r event.Record, err error) {
	var v value[eventFields]
	if err := unseal(key, b, &v); err != nil {
		return r, err
	}
	var err1, err2, err3 error
	r.Key, err1 = event.ParseKey(key)
	r.Start, err2 = parseLocal(v.Event.Start)
	r.End, err3 = parseLocal(v.Event.End)
	if err := cmp.Or(err1, err2, err3); err != nil {
		return r, err
	}
	r.Title, r.OrganizerID = v.Event.Title, v.Event.Organizer
	r.SellFrom, r.SellTo, r.SoldOut = v.Event.SellFrom, v.Event.SellTo, v.Event.SoldOut
	r.FirstSeen = time.UnixMilli(v.FirstSeen).UTC()
	r.LastChanged = time.UnixMilli(v.LastChanged).UTC()
	var zones []zoneFields
	if err := decoding.Unmarshal(v.Event.Zones, &zones); err != nil {
		return r, fmt.Errorf("zones: %w", err)
	}
	r.Zones = make([]event.Zone, len(zones))
	for i, z := range zones {
		price, err := parsePrice(z.Price)
		if err != nil {
			return r, fmt.Errorf("zone %d: %w", i+1, err)
		}
		r.Zones[i] = event.Zone{ID: z.ID, Name: z.Name, Capacity: z.Capacity, Price: price, Numbered: z.Numbered}
	}
	return r, nil
}

// decodeEntry decodes what [event.Summarize] needs, and passes over the rest.
func decodeEntry(key, b []byte) (e event.Event, lowest, highest event.Price, err error) {
	var v value[entryFields]
	if err := unseal(key, b, &v); err != nil {
		return e, lowest, highest, err
	}
	var err1, err2, err3, err4, err5 error
	e.Key, err1 = event.ParseKey(key)
	e.Title = v.Event.Title
	e.Start, err2 = parseLocal(v.Event.Start)
	e.End, err3 = parseLocal(v.Event.End)
	lowest, err4 = parsePrice(v.Event.Lowest)
	highest, err5 = parsePrice(v.Event.Highest)
	return e, lowest, highest, cmp.Or(err1, err2, err3, err4, err5)
}

// parseLocal reads what [event.Local.String] writes.
func parseLocal(s string) (l event.Local, err error) {
	if s != "" {
		l, err = event.ParseLocal(s)
	}
	return l, err
}

// parsePrice reads what [event.Price.String] writes.
func parsePrice(s string) (p event.Price, err error) {
	if s != "" {
		p, err = event.ParsePrice(s)
	}
	return p, err
}
