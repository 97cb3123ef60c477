package archive

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"fever/provider/feed"
)

// maxHead bounds a head in JSON, in bytes.
const maxHead = 512 << 10

// A Head is what is known of a document beside its body. It has no secret of ours: of the request
// there is the host alone.
type Head struct {
	Job      uint64    `json:"job"`               // that got it
	Started  time.Time `json:"started"`           // when that job began
	Imported bool      `json:"imported,omitzero"` // somebody gave it by hand
	Attempt  int       `json:"attempt"`           // of the job, from 1
	Failure  feed.Kind `json:"failure,omitzero"`  // why no feed was made of it; empty: one was
	// GoneBefore says that nobody sent this: a person had the events forgotten that were gone and had
	// ended before this time. Empty: it is a document.
	GoneBefore string `json:"gone_before,omitzero"`

	Page       int       `json:"page"`                // its number
	Table      string    `json:"table,omitzero"`      // that it is a page of: see [feed.Document]
	Generation uint64    `json:"generation,omitzero"` // of the harvest of a feed of changes
	Began      time.Time `json:"began"`               // when its feed was asked for, or the page of a feed of changes
	Taken      time.Time `json:"taken,omitzero"`      // of a feed of changes, by the clock of the store: as of when the page counts
	Public     bool      `json:"public,omitzero"`
	Beyond     bool      `json:"beyond,omitzero"` // there is no such page

	// What [feed.Document] has of the answer.
	Op           string   `json:"op"`
	HTTPStatus   int      `json:"http_status,omitzero"`
	ContentType  string   `json:"content_type,omitzero"`
	Charset      string   `json:"charset,omitzero"`
	Links        []string `json:"links,omitempty"`
	ETag         string   `json:"etag,omitzero"` // this and the next three: see [feed.Validators]
	LastModified string   `json:"last_modified,omitzero"`
	Digest       []byte   `json:"digest,omitempty"`
	Source       string   `json:"source,omitzero"`
	Received     int64    `json:"received,omitzero"` // bytes, before decompression

	Size   int64  `json:"size"`   // of the body, in bytes
	SHA256 []byte `json:"sha256"` // of the body
}

// HeadOf returns what is kept of a document, but for the job.
func HeadOf(doc *feed.Document) Head {
	v := &doc.Validators
	head := Head{
		Page: doc.Page.Number, Table: doc.Table, Began: doc.Page.Began, Public: doc.Page.Public, Beyond: doc.Beyond,
		Op: doc.Op, HTTPStatus: doc.HTTPStatus, ContentType: doc.ContentType, Charset: doc.Charset, Links: doc.Links,
		ETag: v.ETag, LastModified: v.LastModified, Source: v.Source, Received: doc.Bytes,
	}
	if v.Digest != [32]byte{} {
		head.Digest = v.Digest[:]
	}
	return head
}

// At returns as of when it counts what the document brought: the page of a feed of changes by itself, and any
// other document with its job. It is to the millisecond, as events have it.
func (h *Head) At() time.Time {
	at := h.Started
	if h.Generation > 0 {
		at = h.Taken
	}
	return at.Truncate(time.Millisecond)
}

// An Outcome says what became of documents.
type Outcome struct {
	At time.Time `json:"at"` // when the job ended, or had committed them
	// Failure is why they were not committed. It is empty if they were.
	Failure feed.Kind `json:"failure,omitzero"`
}

// Known reports whether it is known.
func (o *Outcome) Known() bool { return !o.At.IsZero() }

func readOutcome(content []byte, o *Outcome) error {
	if err := json.Unmarshal(content, o); err != nil {
		*o = Outcome{}
		return fmt.Errorf("an outcome: %w: %w", errDamaged, err)
	}
	return nil
}

// Feed returns the document as it was got, for a page of a feed that is asked for again. Closing
// the body of the result closes that of the document.
func (d *Document) Feed(page feed.Page, body io.ReadCloser) *feed.Document {
	page.Number, page.Began, page.Public = d.Page, d.Began, d.Public
	v := feed.Validators{ETag: d.ETag, LastModified: d.LastModified, Source: d.Source}
	copy(v.Digest[:], d.Digest)
	return &feed.Document{
		Body: body, Op: d.Op, URL: page.URL, Page: page, Links: d.Links, ContentType: d.ContentType, Charset: d.Charset,
		HTTPStatus: d.HTTPStatus, Table: d.Table, Beyond: d.Beyond, Validators: v, Bytes: d.Received,
	}
}
