package feed

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// Each row is traced once, when it has ended, with all that became of it.
func TestTrace(t *testing.T) {
	t.Parallel()
	broken := errors.New("cut short")
	format := Format{Decode: func(_ *Document, b *Builder) error {
		b.At(10, 15)
		b.Ignore(1)
		b.Reject("1", "a\x1bb", 2, "why")
		err := b.Keep(valid("1", "1"), 3)
		b.Row(4, "many")
		err = errors.Join(err, b.Keep(valid("1", "2"), 4), b.KeepPast(valid("1", "3"), 4), b.Keep(valid("", "4"), 4))
		b.At(20, 21)
		b.Row(5, "none")
		err = errors.Join(err, b.Item(Item{ID: "i", Name: "n", Parent: "p"}))
		b.IgnoreEvent("1", "", 5, "off")
		b.Row(6, "under way")
		return errors.Join(err, b.Keep(valid("1", "1"), 6), broken)
	}}
	var got []string
	doc := Document{Body: io.NopCloser(strings.NewReader("")), Op: "read", Trace: func(r *Row) {
		row := fmt.Sprintf("%d %v", r.Line, r.Value)
		if r.Length > 0 {
			row += fmt.Sprintf(" %d+%d", r.Offset, r.Length)
		}
		for _, ignored := range r.Ignored {
			row += fmt.Sprintf(" ignored %+v", ignored)
		}
		if r.Item != "" {
			row += fmt.Sprintf(" item %s, %s of %s", r.Item, r.Name, r.Parent)
		}
		if r.Past > 0 {
			row += fmt.Sprintf(" %d past:", r.Past)
		}
		for _, e := range r.Events {
			row += " " + e.String()
		}
		for _, rejected := range r.Rejections {
			row += fmt.Sprintf(" %+v", rejected)
		}
		got = append(got, row)
	}}
	if _, err := Decode(&doc, format, "test", time.UTC); !errors.Is(err, broken) {
		t.Error(err)
	}
	want := []string{
		"1 <nil> 10+5",
		"2 <nil> {BaseID:1 EventID:a b Line:2 Reason:why}",
		"3 <nil> test/1/1",
		"4 many 1 past: test/1/2 test/1/3 {BaseID: EventID:4 Line:4 Reason:no base id}",
		"5 none 20+1 ignored {BaseID:1 EventID: Why:off} item i, n of p",
		"6 under way test/1/1",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Rows cost nothing while nobody traces. It counts allocations, and so does not run in parallel.
func TestUntraced(t *testing.T) {
	b := newBuilder("test", time.UTC, new(Progress), nil)
	e, row := valid("1", "1"), any("row")
	if err := b.Keep(e, 1); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		b.Row(1, row)
		b.Ignore(1)
	}); n != 0 {
		t.Errorf("%v allocations a row", n)
	}
}
