package feed

import (
	"cmp"
	"errors"
	"io"
	"net/url"
	"sync/atomic"
	"time"

	"fever/event"
)

// A Document is what a provider sent or a file contains, to be decoded. Whoever gets it must
// close its Body.
type Document struct {
	// Body is the decompressed document, within the limits of size and time. It is never nil.
	// A failed read returns an [*Error] with its kind, and returns it again.
	Body io.ReadCloser

	Op          string          // how it was got, for errors: "fetch from example.com"
	URL         *url.URL        // where it came from, after redirects; nil if it was not fetched
	Page        Page            // where the provider was asked for it
	Links       []string        // the Link fields of the HTTP header (RFC 8288)
	ContentType string          // the media type in the HTTP header, without parameters; empty if there is none
	Charset     string          // the encoding in the HTTP header; empty if there is none
	HTTPStatus  int             // of the response; 0 if it was not fetched
	Expired     func() error    // says why not to read on, such as a time limit that has passed; nil: nothing ends it
	Done        <-chan struct{} // closed when Expired has something to say; nil: nobody closes it
	Progress    *Progress       // counts the rows; nil counts nothing
	MaxEvents   int             // of the feed, and four times as many zones; 0 means what a feed may hold
	Trace       func(*Row)      // gets each row when it has ended; nil: nobody traces

	// Stored returns what is stored of an event if it has the same values, and else nil. It must not
	// keep the event. The result shares no memory with it. Stored is nil if nothing is known.
	Stored func(*event.Event) *Stored
	// Latest are all that Stored may return, for another process that decodes the document.
	Latest []*Stored

	// Table is the name of the table that the document is a page of: see [Format]. It is empty
	// if the document is of the feed itself.
	Table string
	// Parent returns the row of a table by its name or its id, or nil if there is none. It is nil
	// in a provider without tables.
	Parent func(name string) (row []byte, err error)
	// Follow is told of the other documents that this one leads to, by their addresses as they
	// are written. If row is true a row of this document is there, and else it is any link of an
	// HTML page. Follow reports whether the document is read as a part of the feed. Its error is
	// the reason to reject the row. It is nil if the feed has no such documents.
	Follow func(address string, row bool) (bool, error)

	// NotModified says that the document is the same as last time: the provider said so, or
	// its digest is the same. Its body is empty.
	NotModified bool
	// Beyond says that there is no such page: the feed ended with the one before. The body is
	// empty.
	Beyond bool
	// Validators are those of this response, also of one that is not modified. They are zero
	// if the document was not fetched.
	Validators Validators
	Bytes      int64 // received, before decompression; 0 if it was not fetched
}

// A Format is one way to write feeds.
type Format struct {
	Name string // as configurations name it
	// Revision differs between versions of Decode that make different feeds of a document. It
	// is part of [Validators.Source], so that feeds that have not changed are decoded again.
	Revision string
	Accept   string // value of the Accept header
	// Monthly says that a document is another feed in another month (UTC), as rules are expanded
	// from the month of Document.Page.Began on.
	Monthly bool
	// Paged says that documents say themselves where the feed goes on: Decode calls
	// [Builder.Next].
	Paged bool
	// Changes says that documents are pages of a feed of changes: a page lists what has changed,
	// as [Feed.Items], and says nothing of the rest. Some rows may have values that are in the row
	// of another feed, which is a table of this one: then Document.Table says what a page is of,
	// and Document.Parent finds rows.
	Changes bool
	// Again makes a page of rows that [Item.Row] had, to decode them again when the row that they
	// take values from has changed. It is nil in a format without tables.
	Again func(rows [][]byte) io.Reader
	// Follows says that Decode tells Document.Follow where rows are.
	Follows bool
	// Decode gives the rows of a document to the builder. It depends on the document alone, and
	// on the month if the format is Monthly.
	// Its error is one of [Errorf], or wraps the error of the body.
	Decode func(*Document, *Builder) error
	// Reads reports whether Decode reads members of rows with a name. It is for people who look
	// for what a mapping misses. It is nil if this cannot be known.
	Reads func(name string) bool
}

// InWindow says for people when the times in a [Window] are.
const InWindow = "between the month before the feed was fetched and 17 months after it"

// Window returns the window in which a [Format] that is Monthly expands rules, as wall-clock
// times in Unix seconds: from the first day of last month on, until 18 months after this one.
// So what is just over is still there, and the months that people plan are.
func Window(began time.Time) (from, to int64) {
	year, month, _ := began.UTC().Date()
	return time.Date(year, month-1, 1, 0, 0, 0, 0, time.UTC).Unix(), time.Date(year, month+18, 1, 0, 0, 0, 0, time.UTC).Unix() - 1
}

// Decode makes a feed of a document in the format f. The provider's local times count in the
// location. Decode does not close the body. The error is nil or an [*Error].
func Decode(doc *Document, f Format, provider string, location *time.Location) (*Feed, error) {
	if doc.NotModified || doc.Beyond {
		return &Feed{Page: doc.Page, NotModified: doc.NotModified, Validators: doc.Validators, Bytes: doc.Bytes, HTTPStatus: doc.HTTPStatus}, nil
	}
	b := newBuilder(provider, location, cmp.Or(doc.Progress, new(Progress)), doc.Trace)
	b.most, b.expired, b.stored = cmp.Or(doc.MaxEvents, b.most), doc.Expired, doc.Stored
	counted := *doc
	body := &counter{ReadCloser: doc.Body}
	counted.Body = body
	if err := f.Decode(&counted, b); err != nil {
		b.endRow()
		failure := &Error{Provider: provider, Kind: KindInternal, Op: doc.Op, Err: err, HTTPStatus: doc.HTTPStatus, Bytes: body.n}
		if cause, ok := errors.AsType[*Error](err); ok {
			failure.Kind, failure.Whole = cause.Kind, cause.Whole
		}
		return nil, failure
	}
	got := b.whole()
	got.Page, got.Validators, got.Bytes, got.HTTPStatus = doc.Page, doc.Validators, body.n, doc.HTTPStatus
	return got, nil
}

// A counter counts the bytes read through it.
type counter struct {
	io.ReadCloser
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n += int64(n)
	return n, err
}

// A Progress counts what a fetch has read so far. Its fields may be read at any time, and only
// grow. The zero value is ready to use, for one fetch.
type Progress struct {
	// Bytes are those received, or those that came out of the decompression if these are more.
	Bytes atomic.Int64
	Rows  atomic.Int64 // occurrences seen; in the end Feed.Seen
}
