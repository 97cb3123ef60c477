package feed

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"fever/event"
)

// decodeItems returns a page of what is given to the builder.
func decodeItems(t *testing.T, rows func(b *Builder) error) (*Feed, error) {
	t.Helper()
	format := Format{Changes: true, Decode: func(_ *Document, b *Builder) error { return rows(b) }}
	return Decode(&Document{Body: io.NopCloser(strings.NewReader("")), Op: "read", MaxEvents: 8}, format, "test", time.UTC)
}

// describe writes the items of a page in short, and then the event ids of its current and its
// past events.
func describe(f *Feed) string {
	var b strings.Builder
	for _, item := range f.Items {
		b.WriteString(item.ID)
		for _, key := range item.Keys {
			b.WriteString("," + key.EventID)
		}
		if item.Deleted {
			b.WriteString(" deleted")
		}
		if item.Rejected {
			b.WriteString(" rejected")
		}
		b.WriteString("; ")
	}
	for _, events := range [][]event.Event{f.Events, f.Past} {
		b.WriteString("|")
		for i := range events {
			fmt.Fprintf(&b, " %s=%s", events[i].EventID, events[i].Title)
		}
	}
	return b.String()
}

// Each event has one item, and of an item that comes again the last state counts.
func TestItems(t *testing.T) {
	t.Parallel()
	type step = func(b *Builder) error
	item := func(id string) step { return func(b *Builder) error { return b.Item(Item{ID: id}) } }
	remove := func(id string) step { return func(b *Builder) error { return b.Delete(id, 1) } }
	keep := func(id, title string) step {
		return func(b *Builder) error {
			e := valid("base", id)
			e.Title = title
			return b.Keep(e, 1)
		}
	}
	past := func(id string) step { return func(b *Builder) error { return b.KeepPast(valid("base", id), 1) } }
	reject := func(b *Builder) error { b.Reject("base", "x", 1, "why"); return nil }
	ignore := func(b *Builder) error { b.Ignore(1); return nil }
	row := func(b *Builder) error { b.Row(1, nil); return nil }
	invalid := func(b *Builder) error { return b.Keep(valid("base", ""), 1) }
	for name, test := range map[string]struct {
		steps []step
		want  string
	}{
		"none":                      {nil, "||"},
		"some":                      {[]step{item("a"), keep("1", "t"), past("2"), item("b"), keep("3", "t"), remove("c")}, "a,1,2; b,3; c deleted; | 1=t 3=t| 2=t"},
		"ignored":                   {[]step{item("a"), ignore}, "a; ||"},
		"rejected":                  {[]step{item("a"), reject}, "a rejected; ||"},
		"a part is rejected":        {[]step{item("a"), keep("1", "t"), invalid}, "a,1 rejected; | 1=t|"},
		"no text":                   {[]step{item("a\x00"), invalid, remove("\n"), item("b")}, "b; ||"},
		"no item":                   {[]step{item("a"), keep("1", "t"), item(""), invalid}, "a,1; | 1=t|"},
		"a row that is no item":     {[]step{item("a"), keep("1", "t"), row, reject}, "a,1; | 1=t|"},
		"again":                     {[]step{item("a"), keep("1", "t"), keep("2", "t"), item("b"), item("a"), keep("2", "new"), keep("3", "t")}, "b; a,2,3; | 2=new 3=t|"},
		"again, past":               {[]step{item("a"), keep("1", "t"), item("a"), past("1")}, "a,1; || 1=t"},
		"again, no longer past":     {[]step{item("a"), past("1"), item("a"), keep("1", "t")}, "a,1; | 1=t|"},
		"again, rejected":           {[]step{item("a"), keep("1", "t"), past("2"), item("a"), reject}, "a,1,2 rejected; | 1=t| 2=t"},
		"again, rejected in part":   {[]step{item("a"), keep("1", "t"), item("a"), keep("1", "new"), reject}, "a,1 rejected; | 1=new|"},
		"again, ignored":            {[]step{item("a"), keep("1", "t"), item("a"), ignore}, "a; ||"},
		"deleted later":             {[]step{item("a"), keep("1", "t"), remove("a")}, "a deleted; ||"},
		"deleted before":            {[]step{remove("a"), item("a"), keep("1", "t")}, "a,1; | 1=t|"},
		"another item's event":      {[]step{item("a"), keep("1", "t"), keep("2", "t"), item("b"), keep("1", "new")}, "a,2; b,1; | 1=new 2=t|"},
		"taken, and the taker gone": {[]step{item("a"), keep("1", "t"), item("b"), keep("1", "new"), remove("b")}, "a; b deleted; ||"},
		"taken, and the owner gone": {[]step{item("a"), keep("1", "t"), item("b"), keep("1", "new"), remove("a")}, "b,1; a deleted; | 1=new|"},
		"a long id":                 {[]step{item(strings.Repeat("x", 200))}, ID([]byte(strings.Repeat("x", 200))) + "; ||"},
	} {
		got, err := decodeItems(t, func(b *Builder) (err error) {
			for _, step := range test.steps {
				err = errors.Join(err, step(b))
			}
			return err
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if again := strings.HasPrefix(name, "again"); again && len(got.Rejections) > 0 && !strings.Contains(name, "rejected") {
			t.Errorf("%s: an item that came again was rejected: %+v", name, got.Rejections)
		}
		if text := describe(got); text != test.want {
			t.Errorf("%s: %q, want %q", name, text, test.want)
		}
		if got.Seen != len(got.Events)+len(got.Past)+got.Ignored+got.Rejected {
			t.Errorf("%s: %d seen, %d events, %d past, %d ignored, %d rejected", name, got.Seen, len(got.Events), len(got.Past), got.Ignored, got.Rejected)
		}
	}
}

// What a page holds of its items is bounded.
func TestItemBounds(t *testing.T) {
	t.Parallel()
	n := 0
	_, err := decodeItems(t, func(b *Builder) error {
		for {
			if err := b.Delete(fmt.Sprint(n), 1); err != nil {
				return err
			}
			n++
		}
	})
	if failure, ok := errors.AsType[*Error](err); !ok || failure.Kind != KindTooLarge || n != 8 {
		t.Errorf("after %d items: %v", n, err)
	}
	row := make([]byte, maxRowBytes/2)
	_, err = decodeItems(t, func(b *Builder) error {
		if err := errors.Join(b.Item(Item{ID: "1", Row: row}), b.Item(Item{ID: "2", Row: row})); err != nil {
			t.Errorf("at the bound: %v", err)
		}
		return b.Item(Item{ID: "3", Row: row[:1]})
	})
	if failure, ok := errors.AsType[*Error](err); !ok || failure.Kind != KindTooLarge {
		t.Errorf("past the bound: %v", err)
	}
}

// An item makes so many events, and no more.
func TestItemEvents(t *testing.T) {
	t.Parallel()
	format := Format{Decode: func(_ *Document, b *Builder) error {
		err := b.Item(Item{ID: "a"})
		for n := range maxItemEvents + 2 {
			err = errors.Join(err, b.Keep(valid("1", fmt.Sprint(n)), 1))
		}
		return err
	}}
	got, err := Decode(&Document{Body: io.NopCloser(strings.NewReader("")), Op: "read"}, format, "test", time.UTC)
	if err != nil || len(got.Items) != 1 || len(got.Items[0].Keys) != maxItemEvents || got.Rejected != 2 || !got.Items[0].Rejected || got.Seen != maxItemEvents+2 {
		t.Errorf("%v, %d items, %d seen, %d rejected", err, len(got.Items), got.Seen, got.Rejected)
	}
}
