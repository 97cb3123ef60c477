// Package event defines an event: its identity, its local times, its price zones, when it
// is valid, the order of events, and its summary as JSON.
//
// All other packages share it, so it imports none of ours. Values are immutable once
// shared: a change is a new value.
package event

import (
	"cmp"
	"crypto/sha1" //nolint:gosec // RFC 9562 makes version 5 ids with it
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Bounds of one event. They are far above what real feeds send, and keep one row from
// filling a key, a value or an answer.
const (
	MaxIDBytes   = 128     // of a base id, event id, zone id, or organizer id
	MaxTextBytes = 1 << 10 // of a title, a zone's name, or a sell date
	MaxZones     = 1 << 14 // of one event
)

// namespace is the UUID from which public ids are made. It must never change: every public
// id depends on it.
var namespace = uuid.MustParse("5f9a3c1e-7d0b-5e4a-9a55-0c6b3f1d2e84")

// A Key identifies one dated occurrence. All three parts are needed: an event id repeats
// across base events, and both ids repeat across providers.
type Key struct {
	Provider string `json:"provider"`
	BaseID   string `json:"base_id"`
	EventID  string `json:"event_id"`
}

// Bytes returns the provider, the base id and the event id, joined by zero bytes. No part of
// a valid key has a zero byte, so different keys give different bytes, and all keys of a
// provider have the prefix "provider\x00".
func (k Key) Bytes() []byte {
	return k.append(make([]byte, 0, len(k.Provider)+len(k.BaseID)+len(k.EventID)+2))
}

func (k Key) append(b []byte) []byte {
	b = append(b, k.Provider...)
	b = append(b, 0)
	b = append(b, k.BaseID...)
	b = append(b, 0)
	return append(b, k.EventID...)
}

// ParseKey is the inverse of [Key.Bytes].
func ParseKey(b []byte) (Key, error) {
	provider, ids, _ := strings.Cut(string(b), "\x00")
	base, id, _ := strings.Cut(ids, "\x00")
	if provider == "" || base == "" || id == "" || strings.Contains(id, "\x00") {
		return Key{}, fmt.Errorf("%q is not an event's key", b)
	}
	return Key{Provider: provider, BaseID: base, EventID: id}, nil
}

// ID returns the event's public id: the UUID version 5 (RFC 9562 section 5.5) of
// [Key.Bytes]. It is the same after a restart, on every replica, and in every dialect of a
// feed.
func (k Key) ID() uuid.UUID {
	// This is uuid.NewSHA1 without its four allocations.
	var room [128]byte
	sum := sha1.Sum(k.append(append(room[:0], namespace[:]...))) //nolint:gosec // the RFC says so; nothing depends on its security
	id := uuid.UUID(sum[:16])
	id[6] = id[6]&0x0f | 0x50 // version 5
	id[8] = id[8]&0x3f | 0x80 // the RFC's variant
	return id
}

// String returns the key for people: provider/base id/event id.
func (k Key) String() string { return k.Provider + "/" + k.BaseID + "/" + k.EventID }

// An Event is one dated occurrence as its provider last described it while it was sold
// online.
type Event struct {
	Key
	Title       string `json:"title"`
	OrganizerID string `json:"organizer_company_id,omitempty"` // empty when the provider gave none
	// TimeZone is the IANA name of the event's own time zone, in which its times count. Empty:
	// they count at its provider's location. The name is kept as the provider gave it, also when
	// it is that of the provider's zone: another zone in the settings must not move the event.
	TimeZone string `json:"timezone,omitempty"`
	Start    Local  `json:"start"`
	End      Local  `json:"end,omitzero"` // zero when the provider gave none
	// SellFrom and SellTo are what the provider wrote: nonsense in them (a 31st of
	// September) must not cost the event. Empty when absent.
	SellFrom string `json:"sell_from,omitempty"`
	SellTo   string `json:"sell_to,omitempty"`
	SoldOut  bool   `json:"sold_out"`
	Zones    []Zone `json:"zones"` // in the provider's order; a zone id may repeat
}

// A Zone is one price zone of an event.
type Zone struct {
	ID       string `json:"zone_id,omitempty"`
	Name     string `json:"name,omitempty"`
	Capacity int64  `json:"capacity"` // tickets left; 0 also when the provider did not say
	Price    Price  `json:"price"`    // null when the provider did not say
	Numbered bool   `json:"numbered"` // seats are numbered
	// Available says that there are tickets, and that nobody knows how many. Capacity is 0 then.
	Available bool   `json:"available,omitempty"`
	Currency  string `json:"currency,omitempty"` // of the price: a code of ISO 4217, three letters; empty when the provider did not say
}

// A Record is an event with its history.
type Record struct {
	Event
	FirstSeen   time.Time `json:"first_seen"`   // UTC, to the millisecond
	LastChanged time.Time `json:"last_changed"` // UTC, to the millisecond
	Current     bool      `json:"current"`      // in its provider's latest snapshot
}

// Validate returns why the event cannot be kept, or nil. The message is for the list of
// rejected rows: it names the field and says what is wrong with it. Whether the end is after
// the start depends on the time zone: see [Event.ValidateIn].
func (e *Event) Validate() error {
	if err := ValidProvider(e.Provider); err != nil {
		return err
	}
	if err := validID("base id", e.BaseID); err != nil {
		return err
	}
	if err := validID("event id", e.EventID); err != nil {
		return err
	}
	if e.Title == "" {
		return errors.New("no title")
	}
	if e.Start.IsZero() {
		return errors.New("no start date")
	}
	if len(e.Zones) > MaxZones {
		return fmt.Errorf("%d zones, more than %d", len(e.Zones), MaxZones)
	}
	if err := validText("organizer id", e.OrganizerID, MaxIDBytes); err != nil {
		return err
	}
	if err := validText("title", e.Title, MaxTextBytes); err != nil {
		return err
	}
	if err := validText("sell_from", e.SellFrom, MaxTextBytes); err != nil {
		return err
	}
	if err := validText("sell_to", e.SellTo, MaxTextBytes); err != nil {
		return err
	}
	if e.TimeZone != "" {
		if _, err := LoadLocation(e.TimeZone); err != nil {
			return err
		}
	}
	currency := ""
	for i := range e.Zones {
		z := &e.Zones[i]
		if err := z.validate(); err != nil {
			return fmt.Errorf("zone %d of %d: %w", i+1, len(e.Zones), err)
		}
		if z.Currency != "" && currency != "" && z.Currency != currency {
			return fmt.Errorf("zone %d of %d: its currency is %s, and that of another zone is %s", i+1, len(e.Zones), z.Currency, currency)
		}
		currency = cmp.Or(currency, z.Currency)
	}
	return nil
}

// ValidateIn is [Event.Validate] for an event whose provider is at loc. It also refuses
// an end before the start. Local times may be out of order when their instants are not: the
// clocks went back in between, or they skip the end (RFC 5545 section 3.3.5 moves it on).
func (e *Event) ValidateIn(loc *time.Location) error {
	if err := e.Validate(); err != nil {
		return err
	}
	if e.End.IsZero() || e.End.last() >= e.Start.first() {
		return nil
	}
	if start, end := e.instants(loc); end < start {
		return fmt.Errorf("ends %s, before its start %s", e.End, e.Start)
	}
	return nil
}

func (z *Zone) validate() error {
	if z.Capacity < 0 {
		return fmt.Errorf("capacity %d is negative", z.Capacity)
	}
	if z.Available && z.Capacity > 0 {
		return fmt.Errorf("available says that the number of tickets is unknown, and capacity is %d", z.Capacity)
	}
	if z.Currency != "" && !isCurrency(z.Currency) {
		return fmt.Errorf("currency %s is not a code of three letters such as EUR", quote(z.Currency))
	}
	if err := validText("id", z.ID, MaxIDBytes); err != nil {
		return err
	}
	return validText("name", z.Name, MaxTextBytes)
}

// isCurrency reports whether s has the form of a code of ISO 4217. Which codes there are changes.
func isCurrency(s string) bool {
	return len(s) == 3 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// ValidProvider returns why a provider cannot have this name, or nil. A name is 1 to 63 of
// a-z, 0-9, "-" and "_", and begins with a letter or digit. It becomes a part of keys, file
// names and metric labels.
func ValidProvider(name string) error {
	ok := name != "" && len(name) <= 63 && name[0] != '-' && name[0] != '_'
	for i := 0; ok && i < len(name); i++ {
		c := name[i]
		ok = c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_'
	}
	if !ok {
		return fmt.Errorf("provider name %q is not 1 to 63 of a-z, 0-9, - and _, starting with a letter or digit", name)
	}
	return nil
}

func validID(field, s string) error {
	if s == "" {
		return fmt.Errorf("no %s", field)
	}
	return validText(field, s, MaxIDBytes)
}

func validText(field, s string, limit int) error {
	if len(s) > limit {
		return fmt.Errorf("%s of %d bytes, more than %d", field, len(s), limit)
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' { // nearly all text is ASCII
			return validUnicode(field, s)
		}
	}
	return nil
}

func validUnicode(field, s string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("%s is not UTF-8", field)
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return fmt.Errorf("%s holds a control character", field)
	}
	return nil
}

// PriceRange returns the lowest and the highest price of the zones that still have
// tickets. Both are unknown when no ticket is available, or when the event is marked as
// sold out.
func (e *Event) PriceRange() (lowest, highest Price) {
	if e.SoldOut {
		return Price{}, Price{}
	}
	for i := range e.Zones {
		z := &e.Zones[i]
		if z.Capacity <= 0 && !z.Available || !z.Price.Known() {
			continue
		}
		if !lowest.Known() || z.Price.Compare(lowest) < 0 {
			lowest = z.Price
		}
		if !highest.Known() || z.Price.Compare(highest) > 0 {
			highest = z.Price
		}
	}
	return lowest, highest
}
