// Package feed makes feeds of documents. A [Format] reads a [Document] and gives its rows to a
// [Builder], which makes a [Feed] of them.
//
// A feed is made whole or not at all. Formats read documents as a stream, and bound all that
// they hold: memory grows only with the events that are kept.
package feed

import "fever/event"

// MaxRejections is the most rejections that a [Feed] lists.
const MaxRejections = 100

// A Feed is what one document says. That of a snapshot has all that a provider sells now. A page of
// a feed of changes has the items that have changed, and says nothing of the others.
type Feed struct {
	// Events are those sold online. They are valid, unique by key, and in the order in which
	// their keys first appear.
	Events []event.Event
	// Past are the events that were sold online before, as in the dump of another fever. They
	// are valid and ordered like Events, and none is in both.
	Past []event.Event
	// Unchanged are the others of those sold online, of which [Document.Stored] has said that they are
	// stored with the same values. These are not held. None is in Events or Past.
	Unchanged []*Stored
	// Encoded are the events of a document that another process has decoded. Events and Past are empty
	// then. The order is that of both, first those sold online.
	Encoded []Encoded

	// Rows are the rows of the document, as its provider counts them: each may have any number
	// of occurrences. In a format that does not tell them apart there is one for each. A row on
	// a page of its own counts on the page of the listing that leads there.
	Rows       int
	Seen       int         // occurrences in the document: len(Events) + len(Past) + len(Unchanged) + len(Encoded) + Ignored + Rejected
	Ignored    int         // occurrences that are not sold online
	Rejected   int         // occurrences that cannot be kept
	Rejections []Rejection // the first MaxRejections of them; without an occurrence, what is there instead

	// Items are those of a page of a feed of changes, in its order. They are unique by id:
	// of several the last counts.
	Items []Item

	Page Page  // the place of the document
	Next *Page // where the feed goes on; nil if it ends here, which a feed of changes never does
	// UpToDate says of a page of a feed of changes that nothing comes after it yet. Next is then
	// where to ask the next time.
	UpToDate bool

	// NotModified says that the feed is the same as last time. Nothing was decoded, and no
	// events are here.
	NotModified bool
	// Validators are those of the document.
	Validators Validators

	Bytes      int64 // read of the document, after decompression; received, if it is not modified
	HTTPStatus int   // of the response; 0 if the document was not fetched
}

// A Stored is an event of a provider's latest snapshot as a store has it: by its key, and by a
// digest of its values.
type Stored struct {
	event.Key

	Digest [16]byte
}

// An Encoded event is one of [Feed.Events] or, with Past, of [Feed.Past], with its values as stores
// encode them.
type Encoded struct {
	Stored

	Values []byte
	Past   bool
}

// An Item is what a feed of changes lists: the provider tells it again, by its id, whenever it has
// changed.
type Item struct {
	ID string // 1 to [event.MaxIDBytes] bytes, unique in its feed or table
	// Keys are those of the events that it makes, in Feed.Events and Feed.Past. No two items of a
	// feed have the same one. Those that it made before and makes no longer are not current.
	Keys []event.Key
	// Deleted says that it is no longer there. It has nothing else then.
	Deleted bool
	// Rejected says that it, or a part of it, could not be read. The events that it made before
	// and that are not in Keys stay as they were.
	Rejected bool

	Name   string // of a row of a table: what rows call it, beside its ID; empty: nothing else
	Parent string // the name or the ID of the row of a table that it takes values from; empty: of none
	// Row is the item as it came. It is kept of rows of tables, and of rows with a Parent, which
	// are decoded again when that one changes, also if they are Rejected. It is nil of others.
	Row []byte
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
