package feed

import (
	"cmp"
	"errors"
	"io"
	"net/url"
	"sync/atomic"
	"time"
)

// A Document is what a provider sent, or what a file has, on its way to be decoded. Who
// got it closes its Body.
type Document struct {
	// Body is the document without compression, within the limits of size and time. It is
	// never nil. Its errors are each an [*Error] that says what kind of failure it is, and
	// come again when it is read again.
	Body io.ReadCloser

	Op          string    // how it was got, for errors: "fetch from example.com"
	URL         *url.URL  // where it was got from, behind redirects; nil when it was not fetched
	ContentType string    // the media type that HTTP names, without parameters; may be empty
	Charset     string    // the encoding that HTTP names; may be empty
	HTTPStatus  int       // of the answer; 0 when it was not fetched
	Progress    *Progress // counts the rows; nil counts nothing

	// NotModified is set when the provider said, or the digest showed, that the document is
	// the one that last came. It has no body then.
	NotModified bool
	// Validators are of this answer, also when it modified nothing: they count from now on.
	// Zero when it was not fetched.
	Validators Validators
	Bytes      int64 // received of a document that is not modified
}

// A Format is how a feed is written.
type Format struct {
	Name string // in configurations
	// Revision changes with what Decode makes of documents, so that a feed that has not
	// changed since is read again. It is part of [Validators.Source].
	Revision string
	Accept   string // value of the Accept header
	// Decode gives the rows of a document to the builder. It depends on the document, and on
	// nothing else. Its error is made by [Errorf], or wraps that of the body.
	Decode func(*Document, *Builder) error
}

// Decode makes a feed of a document in the given format, of a provider whose local times
// count in the location. It leaves the body open. The error is nil or an [*Error].
func Decode(doc *Document, f Format, provider string, location *time.Location) (*Feed, error) {
	if doc.NotModified {
		return &Feed{NotModified: true, Validators: doc.Validators, Bytes: doc.Bytes, HTTPStatus: doc.HTTPStatus}, nil
	}
	b := newBuilder(provider, location, cmp.Or(doc.Progress, new(Progress)))
	counted := *doc
	body := &counter{ReadCloser: doc.Body}
	counted.Body = body
	if err := f.Decode(&counted, b); err != nil {
		failure := &Error{Provider: provider, Kind: KindInternal, Op: doc.Op, Err: err, HTTPStatus: doc.HTTPStatus, Bytes: body.n}
		if cause, ok := errors.AsType[*Error](err); ok {
			failure.Kind = cause.Kind
		}
		return nil, failure
	}
	got := b.whole()
	got.Validators, got.Bytes, got.HTTPStatus = doc.Validators, body.n, doc.HTTPStatus
	return got, nil
}

// A counter counts the bytes that are read.
type counter struct {
	io.ReadCloser
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n += int64(n)
	return n, err
}

// A Progress counts what one fetch has read so far. Its fields may be read at any time,
// and only grow. The zero value is ready for use, by one fetch.
type Progress struct {
	// Bytes are those of the document: as many as were received or, when there are more
	// of them, came out of the decompression.
	Bytes atomic.Int64
	Rows  atomic.Int64 // occurrences seen: Feed.Seen in the end
}
