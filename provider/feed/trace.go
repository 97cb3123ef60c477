package feed

import (
	"fmt"
	"slices"

	"fever/event"
)

// A Row is what became of a row of a document, for people who integrate a provider. Without
// events and rejections the row was ignored. An event may still be replaced by one of a later
// row with the same key.
type Row struct {
	Line       int           // in the document, from 1; 0 if unknown
	Offset     int64         // bytes of the document before the row
	Length     int64         // of the row, in bytes; 0: it is unknown, and so is Offset
	Value      any           // the row as a mapping program reads it; nil in other formats
	Events     []event.Event // kept
	Past       int           // of Events, those that were sold before and are not now
	Rejections []Rejection   // of the row, or of some of its events
	Titles     []string      // of the events of Rejections, in their order; an empty one is unknown
	Deleted    []string      // ids of items of a feed of changes that it says are no longer there
	Notes      []string      // what was read in spite of a doubt

	Ignored []Ignored // of what was ignored, or left out by the row itself, if the format reads the ids

	// Item is the id of the item of a feed of changes. Name and Parent are those of [Item].
	Item, Name, Parent string
}

// An Ignored is something of a row that was ignored or left out, with the ids that the provider wrote. Without an
// event id it is all with that base id.
type Ignored struct {
	BaseID, EventID string
	Why             string // for people: "it is cancelled"
}

// maxNotes bounds the notes of a row.
const maxNotes = 10

// Row begins a row that may make any number of events: what is kept, ignored and rejected
// until the next call is of this row. A format in which each row makes one event need not
// call it. The value must not change later. Seen is not counted here.
func (b *Builder) Row(line int, value any) {
	b.feed.Rows++
	b.endItem()
	if b.trace != nil {
		b.endRow()
		b.row = b.traced(line, value)
	}
}

// Note says of the row that [Builder.Row] has begun that something in it was read in spite of a
// doubt. It is for those who trace.
func (b *Builder) Note(format string, args ...any) {
	if b.row == nil || len(b.row.Notes) == maxNotes {
		return
	}
	if text := fmt.Sprintf(format, args...); !slices.Contains(b.row.Notes, text) {
		b.row.Notes = append(b.row.Notes, text)
	}
}

// Traced reports whether somebody traces.
func (b *Builder) Traced() bool { return b.trace != nil }

// Without says of the row that [Builder.Row] has begun that it leaves out the event with these ids, and
// why, for people. It is not counted, and for those who trace.
func (b *Builder) Without(baseID, eventID, why string) {
	if b.row != nil {
		b.row.Ignored = append(b.row.Ignored, Ignored{baseID, eventID, why})
	}
}

// At says where in the document the row is that [Builder.Row] begins next. In a format without such
// rows it is what is kept or rejected next. The end is the offset of the byte behind it.
func (b *Builder) At(offset, end int64) { b.offset, b.end = offset, end }

// traced returns a row at the place that At has said.
func (b *Builder) traced(line int, value any) *Row {
	row := &Row{Line: line, Value: value, Offset: b.offset, Length: b.end - b.offset}
	b.offset, b.end = 0, 0
	return row
}

// IgnoreEvent is [Builder.Ignore] where the ids were read. Without an event id all with that base id
// are ignored. Why is for people: "it is cancelled".
func (b *Builder) IgnoreEvent(baseID, eventID string, line int, why string) {
	b.see()
	b.feed.Ignored++
	b.note(line, func(r *Row) { r.Ignored = append(r.Ignored, Ignored{baseID, eventID, why}) })
}

// note changes the row under way. Without one, the line is a row of its own.
func (b *Builder) note(line int, change func(*Row)) {
	switch {
	case b.trace == nil:
	case b.row != nil:
		change(b.row)
	default:
		row := b.traced(line, nil)
		change(row)
		b.trace(row)
	}
}

// endRow traces the row that Row has begun, if there is one.
func (b *Builder) endRow() {
	if b.row != nil {
		b.trace(b.row)
		b.row = nil
	}
}
