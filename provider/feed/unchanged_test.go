package feed

import (
	"cmp"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"fever/event"
)

// TestUnchanged makes feeds of random rows on random pages, of which some events are stored with
// the same values. They are the feeds that are made without that knowledge, but for the values of these.
func TestUnchanged(t *testing.T) {
	t.Parallel()
	type row struct {
		id, title string
		past      bool
	}
	drawRow := rapid.Custom(func(t *rapid.T) row {
		return row{
			rapid.SampledFrom([]string{"1", "2", "3", ""}).Draw(t, "id"), // without an id it is rejected
			rapid.SampledFrom([]string{"a", "b"}).Draw(t, "title"), rapid.IntRange(0, 3).Draw(t, "past") == 0,
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		stored := rapid.MapOf(rapid.SampledFrom([]string{"1", "2", "3"}), rapid.SampledFrom([]string{"a", "b"})).Draw(t, "stored")
		pages := rapid.SliceOfN(rapid.SliceOfN(drawRow, 0, 6), 1, 3).Draw(t, "pages")
		find := func(e *event.Event) *Stored {
			if title, ok := stored[e.EventID]; !ok || title != e.Title {
				return nil
			}
			return &Stored{Key: e.Key}
		}
		zones := []event.Zone{{}} // all events use the same memory
		feedOf := func(find func(*event.Event) *Stored) *Feed {
			var all Pages
			var last *Feed
			for number, rows := range pages {
				b := newBuilder("test", time.UTC, new(Progress), nil)
				b.stored = find
				for line, r := range rows {
					e := valid("1", r.id)
					e.Title, e.Zones = r.title, zones
					zones[0].Capacity = int64(r.title[0])
					if err := b.keep(e, line+1, r.past); err != nil {
						t.Fatal(err)
					}
				}
				last = b.whole()
				last.Page.Number = number + 1
				if len(pages) > 1 {
					if err := all.Add(last); err != nil {
						t.Fatal(err)
					}
				}
			}
			if len(pages) > 1 {
				last = all.Feed()
			}
			return last
		}
		want, got := feedOf(nil), feedOf(find)
		var unchanged []*Stored
		want.Events = slices.DeleteFunc(want.Events, func(e event.Event) bool {
			same := find(&e)
			if same != nil {
				unchanged = append(unchanged, same)
			}
			return same != nil
		})
		for _, f := range []*Feed{want, got} { // a row that has been among the others has another place
			slices.SortFunc(f.Events, func(a, b event.Event) int { return cmp.Compare(a.EventID, b.EventID) })
			slices.SortFunc(f.Past, func(a, b event.Event) int { return cmp.Compare(a.EventID, b.EventID) })
		}
		for _, u := range [][]*Stored{unchanged, got.Unchanged} {
			slices.SortFunc(u, func(a, b *Stored) int { return cmp.Compare(a.EventID, b.EventID) })
		}
		if !slices.EqualFunc(got.Unchanged, unchanged, func(a, b *Stored) bool { return *a == *b }) {
			t.Fatalf("unchanged are %v, not %v", got.Unchanged, unchanged)
		}
		got.Unchanged = nil
		if len(got.Events) == 0 && len(want.Events) == 0 {
			got.Events, want.Events = nil, nil
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v\nnot\n%+v", got, want)
		}
	})
}
