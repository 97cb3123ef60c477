package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"

	"fever/event"
)

// maxValue bounds a stored value: an event at all of its limits stays below it.
const maxValue = 32 << 20

// sumBytes is the length of the checksum that ends a value.
const sumBytes = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A Value is what a store keeps under an event's key.
type Value struct {
	Revision    Revision // that changed it last; 0: from before revisions were counted
	FirstSeen   int64    // Unix milliseconds; so is the next
	LastChanged int64
	Event       []byte // as [Encoder.Encode] returns it: other bytes are a changed event
}

// value is a [Value] as it is encoded, of which E decodes the event.
type value[E part] struct {
	_           struct{} `cbor:",toarray"`
	Revision    Revision
	FirstSeen   int64
	LastChanged int64
	Event       E
}

// oldValue is a value without a revision.
type oldValue[E part] struct {
	_           struct{} `cbor:",toarray"`
	FirstSeen   int64
	LastChanged int64
	Event       E
}

type part interface {
	eventFields | entryFields | cbor.RawMessage
}

// oldHead is the byte that an [oldValue] begins with: an array of three elements.
const oldHead = 0x83

func decodeValue[E part](key, b []byte) (v value[E], err error) {
	if b, err = unwrap(key, b); err != nil {
		return v, err
	}
	if len(b) == 0 || b[0] != oldHead {
		err = decoding.Unmarshal(b, &v)
		return v, err
	}
	var old oldValue[E]
	err = decoding.Unmarshal(b, &old)
	return value[E]{FirstSeen: old.FirstSeen, LastChanged: old.LastChanged, Event: old.Event}, err
}

// DecodeValue is the inverse of [Value.Encode]. The value shares no memory with b.
func DecodeValue(key, b []byte) (Value, error) {
	v, err := decodeValue[cbor.RawMessage](key, b)
	return Value{Revision: v.Revision, FirstSeen: v.FirstSeen, LastChanged: v.LastChanged, Event: v.Event}, err
}

// Encode returns what to store under the key.
func (v *Value) Encode(key []byte) ([]byte, error) {
	if v.Revision == 0 {
		return seal(key, &oldValue[cbor.RawMessage]{FirstSeen: v.FirstSeen, LastChanged: v.LastChanged, Event: v.Event}, len(v.Event))
	}
	return seal(key, &value[cbor.RawMessage]{Revision: v.Revision, FirstSeen: v.FirstSeen, LastChanged: v.LastChanged, Event: v.Event}, len(v.Event))
}

// VerifyValue is [Verify] of a [Value], and returns its revision.
func VerifyValue(key, b []byte) (r Revision, err error) {
	if b, err = unwrap(key, b); err != nil {
		return 0, err
	}
	if len(b) > 1 && b[0] != oldHead {
		_, err = decoding.UnmarshalFirst(b[1:], &r)
	}
	return r, err
}

// eventFields is an event without its key, which the bucket's key holds.
type eventFields struct {
	_         struct{} `cbor:",toarray"`
	Title     string
	Organizer string
	Start     string // as event.Local writes it; so is End. The event's time zone follows, if it has one: see zoned
	End       string
	SellFrom  string
	SellTo    string
	SoldOut   bool
	Lowest    string // of the price range, as event.Price writes it; so is Highest
	Highest   string
	Zones     []byte // []zoneFields as CBOR, and perhaps []zoneExtras: loading an entry passes over them in one step
}

type zoneFields struct {
	_        struct{} `cbor:",toarray"`
	ID       string
	Name     string
	Capacity int64
	Price    string
	Numbered bool
}

// zoneExtras are what only some zones have. They follow the zones of an event, as many as these
// are, if one of them has any.
type zoneExtras struct {
	_         struct{} `cbor:",toarray"`
	Available bool
	Currency  string
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

// skipped is a field of any type that decoding passes over.
type skipped struct{}

// UnmarshalCBOR implements [cbor.Unmarshaler].
func (*skipped) UnmarshalCBOR([]byte) error { return nil }

// The modes of the encoding: RFC 8949 section 4.2.1, and nothing accepted that it
// would not write, as far as a decoder can tell.
var (
	encoding = must(encodingOptions().UserBufferEncMode())
	decoding = must(cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		IndefLength:      cbor.IndefLengthForbidden,
		TagsMd:           cbor.TagsForbidden,
		MaxNestedLevels:  4,
		MaxArrayElements: event.MaxZones,
		MaxMapPairs:      16,
	}.DecMode())
)

// encodingOptions are such that an empty list is never null.
func encodingOptions() cbor.EncOptions {
	options := cbor.CoreDetEncOptions()
	options.NilContainers = cbor.NilContainerAsEmpty
	return options
}

// must is for options that are constants.
func must[M any](mode M, err error) M {
	if err != nil {
		panic(err)
	}
	return mode
}

// An Encoder encodes events one after the other in buffers that it keeps. The zero value is ready.
type Encoder struct{ zones, event []byte }

// Encode returns the event's part of a [Value]: eventFields in the encoding of all that is
// stored. It is written by hand, since each event of each feed is encoded to be compared. The bytes
// are good until the next call.
func (c *Encoder) Encode(e *event.Event) []byte {
	extra := false
	z := appendHead(c.zones[:0], arrayHead, len(e.Zones))
	for i := range e.Zones {
		zone := &e.Zones[i]
		z = appendText(appendText(append(z, arrayHead|5), zone.ID), zone.Name)
		z = appendBool(appendPrice(appendInt(z, zone.Capacity), zone.Price), zone.Numbered)
		extra = extra || zone.Available || zone.Currency != ""
	}
	if extra {
		z = appendHead(z, arrayHead, len(e.Zones))
		for i := range e.Zones {
			z = appendText(appendBool(append(z, arrayHead|2), e.Zones[i].Available), e.Zones[i].Currency)
		}
	}
	lowest, highest := e.PriceRange()
	b := appendText(appendText(append(c.event[:0], arrayHead|10), e.Title), e.OrganizerID)
	b = appendText(appendText(b, zoned(e.Start, e.TimeZone)), e.End.String())
	b = appendBool(appendText(appendText(b, e.SellFrom), e.SellTo), e.SoldOut)
	b = appendPrice(appendPrice(b, lowest), highest)
	b = append(appendHead(b, bytesHead, len(z)), z...)
	c.zones, c.event = z, b
	return b
}

// The first bytes of CBOR items, without what they say of a length or a number (RFC 8949
// section 3.1).
const (
	unsignedHead = 0 << 5
	negativeHead = 1 << 5
	bytesHead    = 2 << 5
	textHead     = 3 << 5
	arrayHead    = 4 << 5
	headMask     = 7 << 5
	falseByte    = 7<<5 | 20
	trueByte     = 7<<5 | 21
)

// appendHead appends the head of an item with its length or its number, in the shortest form.
func appendHead[N int | int64](b []byte, head byte, n N) []byte {
	switch {
	case n < 24:
		return append(b, head|byte(n))
	case n <= math.MaxUint8:
		return append(b, head|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, head|25), uint16(n))
	case int64(n) <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, head|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, head|27), uint64(n))
}

func appendInt(b []byte, n int64) []byte {
	if n < 0 {
		return appendHead(b, negativeHead, -1-n)
	}
	return appendHead(b, unsignedHead, n)
}

func appendText[T string | []byte](b []byte, text T) []byte {
	return append(appendHead(b, textHead, len(text)), text...)
}

func appendBool(b []byte, is bool) []byte {
	if is {
		return append(b, trueByte)
	}
	return append(b, falseByte)
}

// appendPrice appends what [event.Price.String] returns.
func appendPrice(b []byte, p event.Price) []byte {
	if !p.Known() {
		return appendText(b, "")
	}
	var room [32]byte
	return appendText(b, p.AppendJSON(room[:0]))
}

// Marshal returns v in the encoding of all that is stored.
func Marshal(v any) ([]byte, error) { return encoding.Marshal(v) }

// Unmarshal is the inverse of [Marshal].
func Unmarshal(b []byte, v any) error { return decoding.Unmarshal(b, v) }

// Seal returns what to store under key: v as CBOR, and a checksum of the two.
func Seal(key []byte, v any) ([]byte, error) { return seal(key, v, 0) }

// beside is room for what a [Value] has beside its event, and for the checksum, in bytes.
const beside = 64

// seal is [Seal] of what is large for a member of that size.
func seal(key []byte, v any, size int) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(size + beside)
	if err := encoding.MarshalToBuffer(v, &b); err != nil {
		return nil, err
	}
	return binary.BigEndian.AppendUint32(b.Bytes(), checksum(key, b.Bytes())), nil
}

// Unseal is the inverse of [Seal]. What it leaves in v shares no memory with b.
func Unseal(key, b []byte, v any) error {
	b, err := unwrap(key, b)
	if err != nil {
		return err
	}
	return decoding.Unmarshal(b, v)
}

// Verify compares the checksum of what was sealed, and decodes nothing.
func Verify(key, b []byte) error {
	_, err := unwrap(key, b)
	return err
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

// DecodeRecord decodes everything of a stored event but whether it is current, which its
// value does not say.
func DecodeRecord(key, b []byte) (r event.Record, err error) {
	v, err := decodeValue[eventFields](key, b)
	if err != nil {
		return r, err
	}
	if r.Key, err = event.ParseKey(key); err != nil {
		return r, err
	}
	r.FirstSeen = time.UnixMilli(v.FirstSeen).UTC()
	r.LastChanged = time.UnixMilli(v.LastChanged).UTC()
	err = v.Event.decode(&r.Event)
	return r, err
}

// DecodeEvent decodes what [Encoder.Encode] returned for the event with a key.
func DecodeEvent(key event.Key, encoded []byte) (event.Event, error) {
	e := event.Event{Key: key}
	var f eventFields
	err := decoding.Unmarshal(encoded, &f)
	if err == nil {
		err = f.decode(&e)
	}
	return e, err
}

// decode sets all of an event but its key.
func (f *eventFields) decode(e *event.Event) (err error) {
	var err1, err2 error
	e.Start, e.TimeZone, err1 = parseZoned(f.Start)
	e.End, err2 = parseLocal(f.End)
	if err := cmp.Or(err1, err2); err != nil {
		return err
	}
	e.Title, e.OrganizerID, e.SellFrom, e.SellTo, e.SoldOut = f.Title, f.Organizer, f.SellFrom, f.SellTo, f.SoldOut
	if e.Zones, err = decodeZones(f.Zones); err != nil {
		return fmt.Errorf("zones: %w", err)
	}
	return nil
}

func decodeZones(b []byte) ([]event.Zone, error) {
	var fields []zoneFields
	b, err := decoding.UnmarshalFirst(b, &fields)
	if err != nil {
		return nil, err
	}
	extras := make([]zoneExtras, len(fields))
	if len(b) > 0 {
		if err := decoding.Unmarshal(b, &extras); err != nil {
			return nil, err
		}
		if len(extras) != len(fields) {
			return nil, errNotOurs
		}
	}
	zones := make([]event.Zone, len(fields))
	for i, z := range fields {
		price, err := parsePrice(z.Price)
		if err != nil {
			return nil, fmt.Errorf("%d: %w", i+1, err)
		}
		zones[i] = event.Zone{
			ID: z.ID, Name: z.Name, Capacity: z.Capacity, Price: price, Numbered: z.Numbered,
			Available: extras[i].Available, Currency: extras[i].Currency,
		}
	}
	return zones, nil
}

// DecodeEntry decodes what [event.Summarize] needs, and passes over the rest.
func DecodeEntry(key, b []byte) (e event.Event, lowest, highest event.Price, err error) {
	v, err := decodeValue[entryFields](key, b)
	if err != nil {
		return e, lowest, highest, err
	}
	c := Columns{Title: v.Event.Title, Start: v.Event.Start, End: v.Event.End, Lowest: v.Event.Lowest, Highest: v.Event.Highest}
	return c.Entry(key)
}

// CheckRecord is [DecodeRecord] that accepts nothing that would not be encoded: it encodes
// the record again. The same bytes mean that the encoding is the deterministic one, and
// that the price range is that of the zones. It returns the record's revision too.
func (c *Encoder) CheckRecord(key, b []byte) (event.Record, Revision, error) {
	r, err := DecodeRecord(key, b)
	if err == nil {
		err = r.Validate()
	}
	if err != nil {
		return r, 0, err
	}
	v := Value{FirstSeen: r.FirstSeen.UnixMilli(), LastChanged: r.LastChanged.UnixMilli()}
	if v.Revision, err = VerifyValue(key, b); err != nil {
		return r, 0, err
	}
	v.Event = c.Encode(&r.Event)
	again, err := v.Encode(key)
	if err == nil && !bytes.Equal(again, b) {
		err = errNotOurs
	}
	return r, v.Revision, err
}

// zoned returns a local time as text and, if there is a time zone, a space and its name.
func zoned(l event.Local, timeZone string) string {
	if timeZone == "" {
		return l.String()
	}
	return l.String() + " " + timeZone
}

// parseZoned is the inverse of zoned.
func parseZoned(s string) (l event.Local, timeZone string, err error) {
	s, timeZone, _ = strings.Cut(s, " ")
	l, err = parseLocal(s)
	return l, timeZone, err
}

// parseLocal reads what [event.Local.String] writes.
func parseLocal(s string) (l event.Local, err error) {
	err = l.UnmarshalText([]byte(s))
	return l, err
}

// parsePrice reads what [event.Price.String] writes.
func parsePrice(s string) (p event.Price, err error) {
	if s != "" {
		p, err = event.ParsePrice(s)
	}
	return p, err
}
