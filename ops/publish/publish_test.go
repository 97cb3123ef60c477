package publish

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"fever/event"
	"fever/provider/feed"
	"fever/provider/feed/ical"
	"fever/provider/feed/schemaorg"
)

// write writes a document with some events of a provider in Madrid.
func write(t rapid.TB, f form, records ...event.Record) string {
	t.Helper()
	b := f.begin(nil)
	for i := range records {
		var err error
		if b, err = f.event(b, &records[i], madrid); err != nil {
			t.Fatal(err)
		}
	}
	return string(f.end(b))
}

// documents are the forms of a window, with the format that reads each, and what is lost in it.
var documents = map[string]struct {
	form   func(event.Window) form
	format feed.Format
	keeps  func(event.Record) event.Record
}{
	"iCalendar": {newCalendar, ical.New(), func(r event.Record) event.Record {
		kept := event.Event{Key: r.Key, Title: r.Title, TimeZone: r.TimeZone, Start: r.Start, End: r.End}
		return event.Record{Event: kept, Current: r.Current}
	}},
	"JSON-LD": {newGraph, schemaorg.New(), func(r event.Record) event.Record { return r }},
}

// TestReadBack has fever read what it publishes: the same ids, and the same values.
func TestReadBack(t *testing.T) {
	t.Parallel()
	for name, doc := range documents {
		for what, r := range nights {
			t.Run(name+"/"+what, func(t *testing.T) {
				t.Parallel()
				for _, window := range []event.Window{event.Always, {From: r.Start.Unix(madrid), To: r.Start.Unix(madrid) + 100}} {
					text := write(t, doc.form(window), r)
					got := recordsOf(decode(t, doc.format, text))
					if want := []event.Record{doc.keeps(readBack(r))}; !reflect.DeepEqual(got, want) {
						t.Errorf("%+v, not\n%+v:\n%s", got, want, text)
					}
					// A search has the same answer.
					at, published := event.NewEntry(&r.Event, madrid), event.NewEntry(&got[0].Event, nil)
					if at.SortKey != published.SortKey {
						t.Errorf("%+v, not %+v:\n%s", published.SortKey, at.SortKey, text)
					}
				}
			})
		}
	}
}

// TestReadBackAny does the same with any events.
func TestReadBackAny(t *testing.T) {
	t.Parallel()
	for name, doc := range documents {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				r := anyRecord.Draw(t, "record")
				text := write(t, doc.form(event.Always), r)
				got := recordsOf(decode(t, doc.format, text))
				if want := []event.Record{doc.keeps(readBack(r))}; !reflect.DeepEqual(got, want) {
					t.Errorf("%+v, not\n%+v:\n%s", got, want, text)
				}
			})
		})
	}
}
