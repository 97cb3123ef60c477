package feed

import (
	"slices"
	"strings"
	"unicode"

	"fever/event"
)

// Item begins an item of a feed of changes, of the row that [Builder.Row] has begun: what is kept
// and rejected until the next item or row is of this item. Its ID, Name and Parent may have any
// length. An item with the same ID as an earlier one takes its place: the events of that one are
// dropped, unless this one is rejected. Item returns an error if the feed is too large.
//
// Without an ID, or with one that [ValidItemID] refuses, it is none: what follows is of no item, and
// must be rejected.
func (b *Builder) Item(item Item) error {
	b.endItem()
	if !ValidItemID(item.ID) {
		return nil
	}
	b.rowBytes += len(item.Row)
	if len(b.feed.Items) == b.most || b.rowBytes > maxRowBytes {
		return Errorf(KindTooLarge, "the page has more than %d items, or %d MiB of rows to keep", b.most, maxRowBytes>>20)
	}
	item.ID, item.Name, item.Parent = ID([]byte(item.ID)), ID([]byte(item.Name)), ID([]byte(item.Parent))
	b.item = len(b.feed.Items)
	b.feed.Items = append(b.feed.Items, item)
	if b.row != nil {
		b.row.Item, b.row.Name, b.row.Parent = item.ID, item.Name, item.Parent
	}
	return nil
}

// ValidItemID reports whether an item can have an ID, a Name or a Parent, before a long one is
// shortened: a text without control characters.
func ValidItemID(id string) bool { return id != "" && !strings.ContainsFunc(id, unicode.IsControl) }

// maxItemEvents bounds the events of an item.
const maxItemEvents = event.MaxZones

// Delete is [Builder.Item] for an item that is no longer there. The line is that in the document.
func (b *Builder) Delete(id string, line int) error {
	err := b.Item(Item{ID: id, Deleted: true})
	b.note(line, func(r *Row) { r.Deleted = append(r.Deleted, id) })
	return err
}

// endItem ends the item that Item has begun, if there is one, and puts it in the place of an
// earlier one with the same id.
func (b *Builder) endItem() {
	if b.item < 0 {
		return
	}
	item := &b.feed.Items[b.item]
	if earlier, again := b.items[item.ID]; again {
		before := &b.feed.Items[earlier]
		for _, key := range before.Keys {
			switch position := b.rows[key]; {
			case position.item != earlier: // another item has it now
			case item.Rejected:
				position.item = b.item
				b.rows[key] = position
				item.Keys = append(item.Keys, key)
			default:
				delete(b.rows, key)
				b.feed.Seen--
			}
		}
		*before = Item{}
	}
	b.items[item.ID] = b.item
	b.item = -1
}

// isNewer reports whether the item that Item has begun is a newer state of an earlier one.
func (b *Builder) isNewer(earlier int) bool {
	return b.item >= 0 && earlier >= 0 && earlier != b.item && b.feed.Items[earlier].ID == b.feed.Items[b.item].ID
}

// wholeItems leaves out the items that have come again, and of each the keys that a later one has.
func (b *Builder) wholeItems() {
	for i := range b.feed.Items {
		item := &b.feed.Items[i]
		item.Keys = slices.DeleteFunc(item.Keys, func(key event.Key) bool {
			position, ok := b.rows[key]
			return !ok || position.item != i
		})
	}
	b.feed.Items = slices.DeleteFunc(b.feed.Items, func(item Item) bool { return item.ID == "" })
}
