package storetest

import (
	"bytes"
	"cmp"
	"maps"
	"reflect"
	"slices"

	"pgregory.net/rapid"

	"fever/event"
	"fever/provider/feed"
	"fever/store"
)

// An itemID tells an item of a provider.
type itemID struct{ table, id string }

// A modelItem is what the model knows of one.
type modelItem struct {
	generation   uint64
	keys         map[event.Key]bool
	name, parent string
	row          []byte
}

// dropStream forgets how far a provider's feed of changes was taken, and its items.
func (m *Model) dropStream(provider string) {
	delete(m.streams, provider)
	delete(m.items, provider)
	maps.DeleteFunc(m.owners, func(k event.Key, _ string) bool { return k.Provider == provider })
}

// applyPage returns which events are current after a page of a feed of changes, given those
// before it.
func (m *Model) applyPage(snap store.Snapshot, was map[event.Key]bool) map[event.Key]bool {
	is, items, generation := maps.Clone(was), m.items[snap.Provider], snap.Changes.Stream.Generation
	if items == nil {
		items = make(map[itemID]*modelItem)
		m.items[snap.Provider] = items
	}
	m.streams[snap.Provider] = snap.Changes.Stream
	owner := make(map[event.Key]string)
	for _, i := range snap.Changes.Items {
		id := itemID{i.Table, i.ID}
		now := &modelItem{generation, make(map[event.Key]bool), i.Name, i.Parent, i.Row}
		for _, key := range i.Keys {
			now.keys[key], owner[key] = true, i.ID
		}
		if before := items[id]; before != nil {
			if i.Again {
				now.generation = before.generation
			}
			if i.Rejected && i.Row == nil {
				now.name, now.parent, now.row = before.name, before.parent, before.row
			}
			for key := range before.keys {
				if i.Rejected {
					now.keys[key] = true
				} else if !now.keys[key] && m.owners[key] == i.ID {
					delete(is, key)
				}
			}
		}
		if items[id] = now; i.Deleted {
			delete(items, id)
		}
	}
	for i := range snap.Past {
		delete(is, snap.Past[i].Key)
	}
	for i := range snap.Events {
		key := snap.Events[i].Key
		is[key], m.owners[key] = true, owner[key]
	}
	if snap.Changes.Complete {
		maps.DeleteFunc(items, func(_ itemID, i *modelItem) bool { return i.generation < generation })
		maps.DeleteFunc(is, func(key event.Key, _ bool) bool { return items[itemID{"", m.owners[key]}] == nil })
	}
	maps.DeleteFunc(m.owners, func(k event.Key, _ string) bool { return k.Provider == snap.Provider && !is[k] })
	return is
}

// drawSnapshot draws one, or a page of a feed of changes.
func (m *Model) drawSnapshot(t *rapid.T) store.Snapshot {
	snap := drawSnapshot(t)
	if rapid.IntRange(0, 2).Draw(t, "page") == 0 {
		return snap
	}
	c := &store.Changes{Complete: rapid.IntRange(0, 3).Draw(t, "complete") == 0}
	c.Stream.Generation = max(1, m.streams[snap.Provider].Generation+uint64(rapid.IntRange(0, 3).Draw(t, "generation"))/3)
	c.Stream.Cursor = rapid.SliceOfN(rapid.Byte(), 0, 4).Draw(t, "cursor")
	if len(c.Stream.Cursor) == 0 {
		c.Stream.Cursor = nil
	}
	name := rapid.SampledFrom([]string{"", "", "x", "y", "1"})
	row := func() []byte {
		if row := rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(t, "row"); len(row) > 0 {
			return row
		}
		return nil
	}
	events := slices.Concat(snap.Events, snap.Past)
	for _, id := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"1", "2", "3", "4", "5"}), 0, 5, rapid.ID).Draw(t, "items") {
		i := store.Item{Item: feed.Item{ID: id}}
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			i.Deleted = true
		case 1:
			i.Rejected, i.Parent, i.Row = true, name.Draw(t, "parent"), row()
		case 2:
			i.Parent, i.Row = name.Draw(t, "parent"), row()
		}
		i.Again = !c.Complete && rapid.Bool().Draw(t, "again")
		if !i.Deleted {
			n := rapid.IntRange(0, len(events)).Draw(t, "its events")
			for _, e := range events[:n] {
				i.Keys = append(i.Keys, e.Key)
			}
			events = events[n:]
		}
		c.Items = append(c.Items, i)
	}
	for _, id := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"1", "2", "x"}), 0, 3, rapid.ID).Draw(t, "rows") {
		i := store.Item{Table: rapid.SampledFrom([]string{"t", "u"}).Draw(t, "table"), Item: feed.Item{ID: id}}
		if i.Deleted = rapid.IntRange(0, 3).Draw(t, "deleted") == 0; !i.Deleted {
			i.Name, i.Row = name.Draw(t, "name"), row()
		}
		c.Items = append(c.Items, i)
	}
	if len(events) > 0 {
		i := store.Item{Item: feed.Item{ID: "rest"}}
		for _, e := range events {
			i.Keys = append(i.Keys, e.Key)
		}
		c.Items = append(c.Items, i)
	}
	snap.Changes = c
	return snap
}

// checkItems compares how far feeds of changes were taken, and what names find.
func (m *Model) checkItems(t *rapid.T, s *opened) {
	t.Helper()
	for _, provider := range providers {
		if got, err := s.Stream(t.Context(), provider); err != nil || !reflect.DeepEqual(got, m.streams[provider]) {
			t.Fatalf("the changes of %s were taken to %+v, %v, not %+v", provider, got, err, m.streams[provider])
		}
		ids := slices.SortedFunc(maps.Keys(m.items[provider]), func(a, b itemID) int {
			return cmp.Or(cmp.Compare(a.table, b.table), cmp.Compare(a.id, b.id))
		})
		var names []string
		var children [][]byte
		for _, name := range []string{"x", "y", "1", "2", "rest"} {
			var row []byte
			found := false
			for _, id := range ids {
				i := m.items[provider][id]
				switch {
				case id.table == "" && i.parent == name:
					children = append(children, i.row)
				case id.table != "" && (i.name == name || id.id == name) && !found:
					row, found = i.row, true
				}
			}
			if got, err := s.Row(t.Context(), provider, name); err != nil || !bytes.Equal(got, row) {
				t.Fatalf("row %q of %s is %q, %v, not %q", name, provider, got, err, row)
			}
			names = append(names, name)
		}
		if got, err := s.Children(t.Context(), provider, names); err != nil || !reflect.DeepEqual(got, children) {
			t.Fatalf("the rows of %s with a parent are %q, %v, not %q", provider, got, err, children)
		}
	}
}
