package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"fever/event"
	"fever/store"
)

// Stream returns how far the provider's feed of changes was taken.
func (s *Store) Stream(ctx context.Context, provider string) (stream store.Stream, err error) {
	if err := ctx.Err(); err != nil {
		return stream, err
	}
	err = s.view(func(tx *bbolt.Tx) error {
		p, err := readProvider(tx, provider)
		stream = p.Stream
		return err
	})
	if err != nil {
		return store.Stream{}, fmt.Errorf("read how far the changes of %s were taken: %w", provider, err)
	}
	return stream, nil
}

// Row returns the row of a table of the provider, by its id or its name, or nil if no table has
// one. If several have, it is that of the table that is first by name, and then of the first id.
func (s *Store) Row(ctx context.Context, provider, name string) (row []byte, err error) {
	err = s.named(ctx, provider, name, func(table string, i *store.StoredItem) bool {
		if table != "" {
			row = i.Row
		}
		return table == ""
	})
	if err != nil {
		return nil, fmt.Errorf("look for a row %q of %s: %w", name, provider, err)
	}
	return row, nil
}

// Children returns the rows of the items of the provider's feed whose Parent is one of the names.
func (s *Store) Children(ctx context.Context, provider string, names []string) (rows [][]byte, err error) {
	for _, name := range names {
		err := s.named(ctx, provider, name, func(table string, i *store.StoredItem) bool {
			if table == "" {
				rows = append(rows, i.Row)
			}
			return table == "" // these come first
		})
		if err != nil {
			return nil, fmt.Errorf("look for the rows of %s that need %q: %w", provider, name, err)
		}
	}
	return rows, nil
}

// named yields the items that a name finds, those of the feed itself first, until yield returns
// false.
func (s *Store) named(ctx context.Context, provider, name string, yield func(table string, i *store.StoredItem) bool) error {
	return s.view(func(tx *bbolt.Tx) error {
		items, prefix := tx.Bucket(itemsBucket), store.NamePrefix(provider, name)
		if items == nil { // in an older format
			return nil
		}
		cursor := tx.Bucket(namesBucket).Cursor()
		for k, _ := cursor.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = cursor.Next() {
			if err := ctx.Err(); err != nil {
				return err
			}
			table, id, ok := bytes.Cut(k[len(prefix):], []byte{0})
			if !ok {
				return damaged(s.path, fmt.Sprintf("name %q: not as fever writes it", k))
			}
			item, err := readItem(items, store.ItemKey(provider, string(table), string(id)))
			switch {
			case err != nil:
				return err
			case item == nil:
				return damaged(s.path, fmt.Sprintf("name %q: no such item", k))
			case !yield(string(table), item):
				return nil
			}
		}
		return nil
	})
}

// readItem returns what is stored of an item, or nil for nothing.
func readItem(items *bbolt.Bucket, key []byte) (*store.StoredItem, error) {
	b := items.Get(key)
	if b == nil {
		return nil, nil //nolint:nilnil // nothing is there
	}
	item, err := store.DecodeItem(key, b)
	if err != nil {
		return nil, damaged(items.Tx().DB().Path(), fmt.Sprintf("item %q: %v", key, err))
	}
	return &item, nil
}

// itemChanges is what a page of a feed of changes does to the items.
type itemChanges struct {
	puts    []pair   // values of items
	removed [][]byte // keys of items
	named   [][]byte // keys to enter in names
	unnamed [][]byte // and to remove from it
}

// put has an item become what now is, or be removed if that is nil.
func (c *itemChanges) put(key []byte, before, now *store.StoredItem, stored []byte) error {
	var old, names [][]byte
	if before != nil {
		old = before.ItemNames(key)
	}
	if now == nil {
		c.removed = append(c.removed, key)
	} else {
		names = now.ItemNames(key)
		b, err := now.Encode(key)
		if err != nil {
			return err
		}
		if !bytes.Equal(b, stored) {
			c.puts = append(c.puts, pair{key, b})
		}
	}
	c.named = append(c.named, without(names, old)...)
	c.unnamed = append(c.unnamed, without(old, names)...)
	return nil
}

// without returns those of a few keys that are not among the others.
func without(keys, others [][]byte) (rest [][]byte) {
next:
	for _, key := range keys {
		for _, other := range others {
			if bytes.Equal(key, other) {
				continue next
			}
		}
		rest = append(rest, key)
	}
	return rest
}

func (c *itemChanges) write(tx *bbolt.Tx) error {
	items, names := tx.Bucket(itemsBucket), tx.Bucket(namesBucket)
	err := errors.Join(deleteAll(items, c.removed), deleteAll(names, c.unnamed))
	for _, p := range c.puts {
		err = errors.Join(err, items.Put(p.key, p.value))
	}
	for _, key := range c.named {
		err = errors.Join(err, names.Put(key, nil))
	}
	return err
}

// comparePage finds what a page of a feed of changes changes beside the values of its events:
// items, and which events are current. Each current event has the id of its item as its value in
// the bucket of those, so that an item which lists an event takes it from the one before.
func (c *changes) comparePage(ctx context.Context, tx *bbolt.Tx, snap store.Snapshot) error {
	items, current := tx.Bucket(itemsBucket), tx.Bucket(currentBucket)
	listed := make(map[string]bool) // keys of items
	owner := make(map[event.Key]string)
	var gone []event.Key
	for n := range snap.Changes.Items {
		if n%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		i := &snap.Changes.Items[n]
		key := store.ItemKey(snap.Provider, i.Table, i.ID)
		listed[string(key)] = true
		before, err := readItem(items, key)
		switch {
		case err != nil:
			return err
		case i.Deleted && before == nil:
			continue
		}
		var now *store.StoredItem
		went := []event.Key(nil)
		if i.Deleted {
			went = before.Keys
		} else {
			now = new(store.StoredItem)
			*now, went = i.Listed(before, snap.Changes.Stream.Generation)
		}
		if err := c.items.put(key, before, now, items.Get(key)); err != nil {
			return fmt.Errorf("item %q: %w", i.ID, err)
		}
		for _, key := range i.Keys {
			owner[key] = i.ID
		}
		for _, key := range went {
			if string(current.Get(key.Bytes())) == i.ID {
				gone = append(gone, key)
			}
		}
	}
	leaving := make(map[string]bool)
	leave := func(key []byte) {
		if !leaving[string(key)] {
			leaving[string(key)] = true
			c.went = append(c.went, bytes.Clone(key))
		}
	}
	for _, key := range gone {
		if _, again := owner[key]; !again { // else an item of this page has it
			leave(key.Bytes())
		}
	}
	for n := range snap.Past {
		if key := snap.Past[n].Bytes(); current.Get(key) != nil {
			leave(key)
		}
	}
	for n := range snap.Events {
		key, id := snap.Events[n].Bytes(), []byte(owner[snap.Events[n].Key])
		switch was := current.Get(key); {
		case was == nil:
			c.came = append(c.came, key)
			fallthrough
		case !bytes.Equal(was, id):
			c.marks = append(c.marks, pair{key, id})
		}
	}
	if snap.Changes.Complete {
		if err := c.sweep(ctx, tx, snap, listed, owner, leave); err != nil {
			return err
		}
	}
	c.applied.Gone = len(c.went)
	c.applied.Current = c.applied.Before + len(c.came) - len(c.went)
	return nil
}

// sweep removes what the harvest of a whole generation did not list: items, and current events
// that none of the others has.
func (c *changes) sweep(ctx context.Context, tx *bbolt.Tx, snap store.Snapshot, listed map[string]bool, owner map[event.Key]string, leave func(key []byte)) error {
	items, n := tx.Bucket(itemsBucket), 0
	stays := make(map[string]bool) // items
	for key, value := range under(items, snap.Provider) {
		if n++; n%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if listed[string(key)] {
			stays[string(key)] = true // or has left with its events
			continue
		}
		item, err := store.DecodeItem(key, value)
		if err != nil {
			return damaged(tx.DB().Path(), fmt.Sprintf("item %q: %v", key, err))
		}
		if item.Generation == snap.Changes.Stream.Generation {
			stays[string(key)] = true
		} else if err := c.items.put(bytes.Clone(key), &item, nil, nil); err != nil {
			return err
		}
	}
	for k, id := range under(tx.Bucket(currentBucket), snap.Provider) {
		if n++; n%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		key, err := event.ParseKey(k)
		if err != nil {
			return damaged(tx.DB().Path(), fmt.Sprintf("event %q: it is current, and nobody's", k))
		}
		if _, again := owner[key]; !again && !stays[string(store.ItemKey(snap.Provider, "", string(id)))] {
			leave(k)
		}
	}
	return nil
}

// dropItems removes all items of a provider, and the names of them. What is current then is so
// for no item.
func dropItems(tx *bbolt.Tx, provider string) error {
	var err error
	for _, name := range [][]byte{itemsBucket, namesBucket} {
		var keys [][]byte
		for k := range under(tx.Bucket(name), provider) {
			keys = append(keys, bytes.Clone(k))
		}
		err = errors.Join(err, deleteAll(tx.Bucket(name), keys))
	}
	current := tx.Bucket(currentBucket)
	var owned [][]byte
	for k, mark := range under(current, provider) {
		if ownerOf(mark) != "" {
			owned = append(owned, bytes.Clone(k))
		}
	}
	for _, key := range owned {
		err = errors.Join(err, current.Put(key, nil))
	}
	return err
}
