// Package feed turns a provider's documents into feeds: a [Format] reads a [Document] and
// gives its rows to a [Builder], which makes a [Feed] of them.
//
// A feed is made whole or not at all. Formats read as documents stream by, with bounds on
// all that they hold: memory grows with the events that are kept, and with nothing else.
package feed

import (
	"net/url"

	"fever/event"
)

// MaxRejections is the number of rejections that a [Feed] lists.
const MaxRejections = 100

// A Feed is one document of a provider: what it sells now.
type Feed struct {
	// Events are those sold online, valid, unique by key, in the order in which
	// their keys first appear.
	Events []event.Event
	// Past are those that were sold online before, as the dump of another fever knows
	// them; likewise, and none of them is in Events.
	Past []event.Event

	Seen       int         // occurrences in the document: len(Events) + len(Past) + Ignored + Rejected
	Ignored    int         // occurrences that are not sold online
	Rejected   int         // occurrences that cannot be kept
	Rejections []Rejection // why, for the first MaxRejections of them; in a document without an occurrence, what it has instead

	Next *url.URL // where the feed goes on, in another document; nil when this one is all of it

	// NotModified is set when the provider said, or the digest showed, that the feed
	// is the one that last came: nothing was decoded, and there are no events here.
	NotModified bool
	// Validators are of this answer, also when it modified nothing: they count from now on.
	// Zero when the feed was not fetched.
	Validators Validators

	Bytes      int64 // read of the document, after decompression; as received if not decoded
	HTTPStatus int   // of the last answer; 0 when there was none
}

// A Rejection says why one occurrence of a feed was not kept. The ids are as the
// provider wrote them, shortened to [event.MaxIDBytes]; either may be empty.
type Rejection struct {
	BaseID  string `json:"base_id"`
	EventID string `json:"event_id"`
	Line    int    `json:"line"` // of the document, from 1; 0 when unknown
	Reason  string `json:"reason"`
}

// Validators are what the next answer of a provider is compared with, to recognise that
// nothing has changed. The zero value recognises nothing.
type Validators struct {
	ETag         string   // of the answer, as received; empty when it had none that can be sent back
	LastModified string   // the same
	Digest       [32]byte // SHA-256 of its body as received and of what that is encoded with; zero when unknown
	Source       string   // a digest of what was asked of whom, and of the format: with another, these say nothing
}
