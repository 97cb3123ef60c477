package store

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"

	"fever/event"
	"fever/provider/feed"
)

// Changes make a snapshot one page of a feed of changes: what the page does not list stays as
// it is.
//
// The store remembers the items, and which events each makes. The events of an item that is
// listed are those of the snapshot; those that it made before and makes no longer are not
// current, unless another item has listed them since. So are those of an item that is deleted.
// An item that is rejected keeps the events that it made and, unless it has a Row, what takes
// values from it, and what it takes values from.
type Changes struct {
	Items  []Item // unique by table and id; each event of the snapshot is one of an item's Keys
	Stream Stream // as it is with this page

	// Complete says that the harvest of the generation has reached the end of the feed. What
	// it has not listed is no longer there: items of earlier generations are removed, and the
	// events that no other item has listed since are not current.
	Complete bool

	// GoesOn says that the job which brought the page runs on, and brings others. Its record
	// counts what all its pages have changed, also when it fails later or is interrupted.
	GoesOn bool
}

// An Item is a row of a feed of changes or, if it is of a table, a row that others take values
// from.
type Item struct {
	Table string // name of the table; empty: the item is of the feed itself
	// Again says that the page does not list the item: its row was decoded again, since the row
	// that it takes values from has changed. So it stays of the generation that listed it.
	Again bool
	feed.Item
}

// A Stream says how far a provider's feed of changes was taken. The zero value is that of a
// provider that has none. So is that of one whose latest snapshot is a whole one, or that was
// forgotten or renamed: the next page belongs to a new harvest.
type Stream struct {
	// Generation counts the harvests of the whole feed, from 1. Pages list items for one of
	// them. It never goes back.
	Generation uint64
	Cursor     []byte // where the feed goes on, in the words of whoever reads it; at most MaxCursor bytes
}

// MaxCursor bounds [Stream.Cursor], in bytes.
const MaxCursor = 64 << 10

// maxTable bounds the name of a table, in bytes.
const maxTable = 63

// maxItemKeys bounds the events of an item.
const maxItemKeys = event.MaxZones

// A StoredItem is what a store keeps of an item, under the key of [ItemKey].
type StoredItem struct {
	Generation uint64      // that listed it last
	Keys       []event.Key // of its events, in order
	Name       string      // as in [feed.Item]; so are the next two
	Parent     string
	Row        []byte
}

// itemFields is a [StoredItem] as it is encoded.
type itemFields struct {
	_          struct{} `cbor:",toarray"`
	Generation uint64
	Keys       []itemKeyFields
	Name       string
	Parent     string
	Row        cbor.ByteString
}

// itemKeyFields is the key of an event of an item, which is of the same provider.
type itemKeyFields struct {
	_       struct{} `cbor:",toarray"`
	BaseID  string
	EventID string
}

// ItemKey returns the key that an item is stored under. Keys of a provider's items follow each
// other, and begin with those of the feed itself.
func ItemKey(provider, table, id string) []byte {
	return slices.Concat([]byte(provider), []byte{0}, []byte(table), []byte{0}, []byte(id))
}

// ParseItemKey is the inverse of [ItemKey].
func ParseItemKey(key []byte) (provider, table, id string, err error) {
	parts := strings.Split(string(key), "\x00")
	if len(parts) != 3 {
		return "", "", "", errNotOurs
	}
	return parts[0], parts[1], parts[2], errors.Join(event.ValidProvider(parts[0]), validTable(parts[1]), validItemID(parts[2]))
}

// ItemNames returns the keys by which an item is found, given its own key: the row of a table by
// its id and its name, and a row of the feed by its parent. Each is the provider, the name, the
// table and the id, joined by zero bytes.
func (i *StoredItem) ItemNames(key []byte) (names [][]byte) {
	provider, table, id, err := ParseItemKey(key)
	if err != nil {
		return nil
	}
	all := []string{i.Parent}
	if table != "" {
		all = []string{id, i.Name}
	}
	for n, name := range all {
		if name != "" && !slices.Contains(all[:n], name) {
			names = append(names, slices.Concat(NamePrefix(provider, name), []byte(table), []byte{0}, []byte(id)))
		}
	}
	return names
}

// NamePrefix returns what the keys of [StoredItem.ItemNames] begin with for a name.
func NamePrefix(provider, name string) []byte {
	return slices.Concat([]byte(provider), []byte{0}, []byte(name), []byte{0})
}

// Encode returns what to store under the item's key.
func (i *StoredItem) Encode(key []byte) ([]byte, error) {
	f := itemFields{Generation: i.Generation, Keys: []itemKeyFields{}, Name: i.Name, Parent: i.Parent, Row: cbor.ByteString(i.Row)}
	for _, k := range i.Keys {
		f.Keys = append(f.Keys, itemKeyFields{BaseID: k.BaseID, EventID: k.EventID})
	}
	return Seal(key, &f)
}

// DecodeItem is the inverse of [StoredItem.Encode], and accepts nothing that this does not
// return.
func DecodeItem(key, b []byte) (i StoredItem, err error) {
	var f itemFields
	if err := Unseal(key, b, &f); err != nil {
		return i, err
	}
	provider, _, _, err := ParseItemKey(key)
	if err != nil {
		return i, err
	}
	i = StoredItem{Generation: f.Generation, Name: f.Name, Parent: f.Parent}
	if len(f.Row) > 0 {
		i.Row = []byte(f.Row)
	}
	for _, k := range f.Keys {
		i.Keys = append(i.Keys, event.Key{Provider: provider, BaseID: k.BaseID, EventID: k.EventID})
	}
	again, err := i.Encode(key)
	if err == nil && (!bytes.Equal(again, b) || i.Generation == 0 || !slices.IsSortedFunc(i.Keys, compareKeys)) {
		err = errNotOurs
	}
	return i, err
}

func compareKeys(a, b event.Key) int { return bytes.Compare(a.Bytes(), b.Bytes()) }

// Listed returns what to store of an item that a page lists, given what was stored of it, nil for
// nothing, and the generation. Gone are the events that it makes no longer.
func (i *Item) Listed(before *StoredItem, generation uint64) (now StoredItem, gone []event.Key) {
	now = StoredItem{Generation: generation, Keys: slices.Clone(i.Keys), Name: i.Name, Parent: i.Parent, Row: i.Row}
	if before == nil {
		slices.SortFunc(now.Keys, compareKeys)
		return now, nil
	}
	if i.Again {
		now.Generation = before.Generation
	}
	if i.Rejected && len(i.Row) == 0 {
		now.Name, now.Parent, now.Row = before.Name, before.Parent, before.Row
	}
	makes := make(map[event.Key]bool, len(i.Keys))
	for _, key := range i.Keys {
		makes[key] = true
	}
	for _, key := range before.Keys {
		switch {
		case makes[key]:
		case i.Rejected && len(now.Keys) < maxItemKeys:
			now.Keys = append(now.Keys, key)
		default:
			gone = append(gone, key)
		}
	}
	slices.SortFunc(now.Keys, compareKeys)
	return now, gone
}

// ValidateChanges says what keeps the page of a feed of changes from being stored, given the
// stream that is stored.
func (s *Snapshot) ValidateChanges(stored Stream) error {
	c := s.Changes
	switch {
	case c.Stream.Generation == 0 || c.Stream.Generation < stored.Generation:
		return fmt.Errorf("generation %d of the feed, after %d", c.Stream.Generation, stored.Generation)
	case len(c.Stream.Cursor) > MaxCursor:
		return fmt.Errorf("a cursor of %d bytes, where at most %d are kept", len(c.Stream.Cursor), MaxCursor)
	}
	type id struct{ table, id string }
	items := make(map[id]bool, len(c.Items))
	owned := make(map[event.Key]bool, len(s.Events)+len(s.Past))
	for n := range c.Items {
		i := &c.Items[n]
		if err := i.validate(s.Provider); err != nil {
			return fmt.Errorf("item %q: %w", i.ID, err)
		}
		if items[id{i.Table, i.ID}] {
			return fmt.Errorf("item %q is in it twice", i.ID)
		}
		if i.Again && c.Complete {
			return fmt.Errorf("item %q is decoded again by the page that completes the harvest", i.ID)
		}
		items[id{i.Table, i.ID}] = true
		for _, key := range i.Keys {
			if owned[key] {
				return fmt.Errorf("event %s is of two items", key)
			}
			owned[key] = true
		}
	}
	found := 0
	for _, events := range [][]event.Event{s.Events, s.Past} {
		for n := range events {
			if !owned[events[n].Key] {
				return fmt.Errorf("event %s is of no item", events[n].Key)
			}
			found++
		}
	}
	if found != len(owned) {
		return errors.New("an item has an event that is not in it")
	}
	return nil
}

func (i *Item) validate(provider string) error {
	err := errors.Join(validTable(i.Table), validItemID(i.ID))
	for _, name := range []string{i.Name, i.Parent} {
		if name != "" {
			err = errors.Join(err, validItemID(name))
		}
	}
	switch {
	case err != nil:
		return err
	case i.Deleted && (i.Rejected || len(i.Keys) > 0 || i.Name != "" || i.Parent != "" || len(i.Row) > 0):
		return errors.New("it is deleted, and has more than its id")
	case i.Table != "" && (len(i.Keys) > 0 || i.Parent != ""):
		return errors.New("it is of a table, and makes events or has a parent")
	case len(i.Keys) > maxItemKeys:
		return fmt.Errorf("it makes %d events, more than %d", len(i.Keys), maxItemKeys)
	case len(i.Row) > maxValue/2:
		return fmt.Errorf("a row of %d bytes", len(i.Row))
	}
	for _, key := range i.Keys {
		if key.Provider != provider {
			return fmt.Errorf("event %s belongs to another provider", key)
		}
	}
	return nil
}

func validTable(name string) error {
	if len(name) > maxTable || !utf8.ValidString(name) || strings.Contains(name, "\x00") {
		return fmt.Errorf("table %.80q: it is not a text of at most %d bytes", name, maxTable)
	}
	return nil
}

func validItemID(id string) error {
	if len(id) == 0 || len(id) > event.MaxIDBytes || !utf8.ValidString(id) || strings.Contains(id, "\x00") {
		return fmt.Errorf("id or name %.150q: it is not a text of 1 to %d bytes", id, event.MaxIDBytes)
	}
	return nil
}
