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
	Value      any           // the row as a mapping program reads it; nil in other formats
	Events     []event.Event // kept
	Past       int           // of Events, those that were sold before and are not now
	Rejections []Rejection   // of the row, or of some of its events
	Deleted    []string      // ids of items of a feed of changes that it says are no longer there
	Notes      []string      // what was read in spite of a doubt
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
		b.row = &Row{Line: line, Value: value}
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

// note changes the row under way. Without one, the line is a row of its own.
func (b *Builder) note(line int, change func(*Row)) {
	switch {
	case b.trace == nil:
	case b.row != nil:
		change(b.row)
	default:
		row := &Row{Line: line}
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
