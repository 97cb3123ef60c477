package storetest

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"fever/event"
	"fever/provider/feed"
	"fever/store"
)

// page makes a page of a feed of changes of a snapshot.
func page(snap store.Snapshot, generation uint64, items ...store.Item) store.Snapshot {
	snap.Changes = &store.Changes{Items: items, Stream: store.Stream{Generation: generation, Cursor: fmt.Appendf(nil, "after %s", snap.Taken)}}
	return snap
}

func lastPage(snap store.Snapshot) store.Snapshot {
	snap.Changes.Complete = true
	return snap
}

// item makes an item of the feed itself that makes events.
func item(id string, events ...event.Event) store.Item {
	i := store.Item{Item: feed.Item{ID: id}}
	for _, e := range events {
		i.Keys = append(i.Keys, e.Key)
	}
	return i
}

func deleted(id string) store.Item { return store.Item{Item: feed.Item{ID: id, Deleted: true}} }

func rejected(i store.Item) store.Item {
	i.Rejected = true
	return i
}

// testPages goes through what pages of a feed of changes do to the events that are current.
func testPages(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	one, two, three := Sample("a", 1, 1), Sample("a", 2, 1), Sample("a", 3, 1)
	sold := With(one, func(e *event.Event) { e.SoldOut = true })
	for _, step := range []struct {
		what              string
		snap              store.Snapshot
		current           string // ids
		gone, before, now int
		revision          store.Revision
	}{
		{"a snapshot from before", Snapshot("a", 1, three), "3", 0, 0, 1, 1},
		{"the first page", page(Snapshot("a", 2, one), 1, item("x", one)), "1 3", 0, 1, 2, 2},
		{"the end of the harvest", lastPage(page(Snapshot("a", 3, two), 1, item("y", two))), "1 2", 1, 2, 2, 3},
		{"nothing new", page(Snapshot("a", 4), 1), "1 2", 0, 2, 2, 3},
		{"other values", page(Snapshot("a", 5, sold), 1, item("x", sold)), "1 2", 0, 2, 2, 4},
		{"it cannot be read", page(Snapshot("a", 6), 1, rejected(item("x"))), "1 2", 0, 2, 2, 4},
		{"it makes one more, and a part cannot be read", page(Snapshot("a", 7, three), 1, rejected(item("x", three))), "1 2 3", 0, 2, 3, 5},
		{"it makes another one", page(Snapshot("a", 8, three), 1, item("x", three)), "2 3", 1, 3, 2, 6},
		{"another item takes that", page(Snapshot("a", 9, three), 1, item("z", three)), "2 3", 0, 2, 2, 6},
		{"the one before is deleted", page(Snapshot("a", 10), 1, deleted("x")), "2 3", 0, 2, 2, 6},
		{"nobody knows it", page(Snapshot("a", 10), 1, deleted("x"), deleted("unknown")), "2 3", 0, 2, 2, 6},
		{"it was sold before", page(Past(Snapshot("a", 11), three), 1, item("z", three)), "2", 1, 2, 1, 7},
		{"it is sold again", page(Snapshot("a", 12, three), 1, item("z", three)), "2 3", 0, 1, 2, 8},
		{"a new harvest", page(Snapshot("a", 13, one), 2, item("w", one)), "1 2 3", 0, 2, 3, 9},
		{"goes on", page(Snapshot("a", 14, two), 2, item("y", two)), "1 2 3", 0, 3, 3, 9},
		{"and ends, which deletes one of its own", lastPage(page(Snapshot("a", 15), 2, deleted("w"))), "2", 2, 3, 1, 10},
		{"a snapshot ends all that", Snapshot("a", 16, two), "2", 0, 1, 1, 10},
		{"a page of a feed that has items of other names", page(Snapshot("a", 17, three), 1, item("y", three)), "2 3", 0, 1, 2, 11},
		{"its end", lastPage(page(Snapshot("a", 18), 1)), "3", 1, 2, 1, 12},
	} {
		got := Apply(t, s, step.snap)
		if got.Gone != step.gone || got.Before != step.before || got.Current != step.now || got.Revision != step.revision {
			t.Errorf("%s: %+v", step.what, got)
		}
		var current []string
		for _, r := range Records(t, s, Everything) {
			if r.Current {
				current = append(current, r.EventID)
			}
		}
		if got := strings.Join(current, " "); got != step.current {
			t.Errorf("%s: current are %s, not %s", step.what, got, step.current)
		}
		want := store.Stream{}
		if step.snap.Changes != nil {
			want = step.snap.Changes.Stream
		}
		reopen(t, s)
		if got, err := s.Stream(t.Context(), "a"); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the stream is %+v, %v, not %+v", step.what, got, err, want)
		}
	}
}

// testTables finds rows of tables, and those that take values from them.
func testTables(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	row := func(table, id, name, parent, row string) store.Item {
		return store.Item{Table: table, Item: feed.Item{ID: id, Name: name, Parent: parent, Row: []byte(row)}}
	}
	check := func(what string, rows map[string]string, children ...string) {
		t.Helper()
		reopen(t, s)
		var names []string
		for name, want := range rows {
			if got, err := s.Row(t.Context(), "a", name); err != nil || string(got) != want {
				t.Errorf("%s: row %q is %q, %v, not %q", what, name, got, err, want)
			}
			if other, err := s.Row(t.Context(), "b", name); err != nil || other != nil {
				t.Errorf("%s: row %q of another provider is %q, %v", what, name, other, err)
			}
			names = append(names, name)
		}
		got, err := s.Children(t.Context(), "a", names)
		all := make(map[string]bool)
		for _, row := range got {
			all[string(row)] = true
		}
		if err != nil || len(got) != len(children) || len(all) != len(children) {
			t.Errorf("%s: rows with a parent are %q, %v, not %q", what, got, err, children)
		}
		for _, want := range children {
			if !all[want] {
				t.Errorf("%s: rows with a parent are %q, not %q", what, got, children)
			}
		}
	}
	check("nothing", map[string]string{"1": "", "x": ""})
	Apply(t, s, page(Snapshot("a", 1), 1, row("t", "1", "x", "", "one"), row("t", "2", "", "", "two"), row("", "1", "", "x", "child"), row("", "2", "", "1", "other")))
	check("rows", map[string]string{"1": "one", "x": "one", "2": "two", "3": ""}, "child", "other")
	Apply(t, s, page(Snapshot("a", 2), 1, row("t", "1", "y", "", "new"), row("", "2", "", "", "")))
	check("another name, and no parent", map[string]string{"1": "new", "x": "", "y": "new"}, "child")
	Apply(t, s, page(Snapshot("a", 2), 1, rejected(store.Item{Table: "t", Item: feed.Item{ID: "1"}}), rejected(item("1"))))
	check("neither can be read", map[string]string{"1": "new", "x": "", "y": "new"}, "child")
	Apply(t, s, page(Snapshot("a", 3), 1, store.Item{Table: "t", Item: feed.Item{ID: "1", Deleted: true}}))
	check("deleted", map[string]string{"1": "", "x": "", "y": "", "2": "two"}, "child")
	Apply(t, s, lastPage(page(Snapshot("a", 4), 2, row("t", "3", "x", "", "three"))))
	check("a new harvest", map[string]string{"2": "", "3": "three", "x": "three"})
	Apply(t, s, Snapshot("a", 5))
	check("a snapshot", map[string]string{"3": "", "x": ""})
}

// testPagesRefused applies pages that cannot be: nothing changes, and the job still runs.
func testPagesRefused(t *testing.T, place func(*testing.T) Place) {
	s := open(t, place)
	one, two := Sample("a", 1, 1), Sample("a", 2, 1)
	Apply(t, s, page(Snapshot("a", 1, one), 5, item("x", one)))
	job := Begin(t, s, "a")
	before := Records(t, s, Everything)
	stream := must(s.Stream(t.Context(), "a"))
	long := strings.Repeat("x", event.MaxIDBytes+1)
	other := item("x", one)
	other.Keys[0].Provider = "b"
	cursor := page(Snapshot("a", 2), 5)
	cursor.Changes.Stream.Cursor = make([]byte, store.MaxCursor+1)
	for what, test := range map[string]struct {
		snap store.Snapshot
		says string
	}{
		"no generation":            {page(Snapshot("a", 2), 0), "generation 0 of the feed, after 5"},
		"an earlier generation":    {page(Snapshot("a", 2), 4), "generation 4 of the feed, after 5"},
		"a long cursor":            {cursor, "a cursor of 65537 bytes"},
		"an event of no item":      {page(Snapshot("a", 2, one, two), 5, item("x", one)), "event a/2/2 is of no item"},
		"an item of no event":      {page(Snapshot("a", 2, one), 5, item("x", one, two)), "an item has an event that is not in it"},
		"an event of two items":    {page(Snapshot("a", 2, one), 5, item("x", one), item("y", one)), "event a/1/1 is of two items"},
		"an item twice":            {page(Snapshot("a", 2), 5, item("x"), deleted("x")), `item "x" is in it twice`},
		"an event of another":      {page(Snapshot("a", 2), 5, other), "event b/1/1 belongs to another provider"},
		"no id":                    {page(Snapshot("a", 2), 5, item("")), "it is not a text of 1 to 128 bytes"},
		"a long id":                {page(Snapshot("a", 2), 5, item(long)), "it is not a text of 1 to 128 bytes"},
		"a zero byte":              {page(Snapshot("a", 2), 5, item("a\x00b")), "it is not a text of 1 to 128 bytes"},
		"a long name":              {page(Snapshot("a", 2), 5, store.Item{Table: "t", Item: feed.Item{ID: "x", Name: long}}), "it is not a text of 1 to 128 bytes"},
		"a long parent":            {page(Snapshot("a", 2), 5, store.Item{Item: feed.Item{ID: "x", Parent: long}}), "it is not a text of 1 to 128 bytes"},
		"a long table":             {page(Snapshot("a", 2), 5, store.Item{Table: long, Item: feed.Item{ID: "x"}}), "it is not a text of at most 63 bytes"},
		"a table's events":         {page(Snapshot("a", 2, one), 5, store.Item{Table: "t", Item: item("x", one).Item}), "it is of a table, and makes events"},
		"deleted, with its events": {page(Snapshot("a", 2), 5, store.Item{Item: feed.Item{ID: "x", Deleted: true, Keys: item("x", one).Keys}}), "it is deleted, and has more than its id"},
	} {
		if _, _, err := s.Apply(t.Context(), test.snap, job); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, not %s", what, err, test.says)
		}
	}
	if after := Records(t, s, Everything); !reflect.DeepEqual(after, before) {
		t.Errorf("stored are %+v, not %+v", after, before)
	}
	if after, err := s.Stream(t.Context(), "a"); err != nil || !reflect.DeepEqual(after, stream) {
		t.Errorf("the stream is %+v, %v, not %+v", after, err, stream)
	}
}
