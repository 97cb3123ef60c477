// Package feed makes feeds of documents. A [Format] reads a [Document] and gives its rows to a
// [Builder], which makes a [Feed] of them.
//
// A feed is made whole or not at all. Formats read documents as a stream, and bound all that
// they hold: memory grows only with the events that are kept.
package feed

import "fever/event"

// MaxRejections is the most rejections that a [Feed] lists.
const MaxRejections = 100

// A Feed is what a provider sells now, according to one document.
type Feed struct {
	// Events are those sold online. They are valid, unique by key, and in the order in which
	// their keys first appear.
	Events []event.Event
	// Past are the events that were sold online before, as in the dump of another fever. They
	// are valid and ordered like Events, and none is in both.
	Past []event.Event

	// Rows are the rows of the document, as its provider counts them: each may have any number
	// of occurrences. In a format that does not tell them apart there is one for each.
	Rows       int
	Seen       int         // occurrences in the document: len(Events) + len(Past) + Ignored + Rejected
	Ignored    int         // occurrences that are not sold online
	Rejected   int         // occurrences that cannot be kept
	Rejections []Rejection // the first MaxRejections of them; without an occurrence, what is there instead

	Page Page  // the place of the document
	Next *Page // where the feed goes on; nil if it ends here

	// NotModified says that the feed is the same as last time. Nothing was decoded, and no
	// events are here.
	NotModified bool
	// Validators are those of the document.
	Validators Validators

	Bytes      int64 // read of the document, after decompression; received, if it is not modified
	HTTPStatus int   // of the response; 0 if the document was not fetched
}

// A Rejection says why an occurrence was not kept. The ids are those that the provider wrote,
// cut to [event.MaxIDBytes]. Either may be empty.
type Rejection struct {
	BaseID  string `json:"base_id"`
	EventID string `json:"event_id"`
	Line    int    `json:"line"` // of the document, from 1; 0 if unknown
	Reason  string `json:"reason"`
}

// Validators recognise that a provider's next document is the same. The zero value recognises
// nothing.
type Validators struct {
	ETag         string   // of the response, as received; empty if it had none that can be sent back
	LastModified string   // likewise
	Digest       [32]byte // SHA-256 of the charset and the body as received; zero if unknown
	Source       string   // a digest of the request and the format; the others are worth nothing under another one
}
