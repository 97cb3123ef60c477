// Package ical reads iCalendar files (RFC 5545): each VEVENT is an event, and each instance of
// one that repeats, within a window of time.
//
// It reads what is on the web, which is often not what the RFC says, wherever it is clear what
// is meant. Where it is not clear, the event is rejected: its time is never guessed.
package ical

import (
	_ "embed" // for the revision

	"fever/provider/feed"
)

// revision is a digest of the golden files. TestGolden checks it, and -update renews it.
//
//go:embed testdata/revision
var revision string

// New returns the format.
func New() feed.Format {
	return feed.Format{Name: "ical", Revision: revision, Accept: "text/calendar, */*;q=0.1", Monthly: true, Decode: decode}
}

// decode makes events of a document. The month in which the document was asked for moves the
// window.
func decode(doc *feed.Document, b *feed.Builder) error {
	r := reader{lineReader: newLineReader(doc.Body), charset: doc.Charset}
	if err := r.read(); err != nil {
		return err
	}
	c := converter{Builder: b, resolver: newResolver(b.Location, r.calendars, b.Expired)}
	c.from, c.to = feed.Window(doc.Page.Began)
	return c.convert(r.events)
}
