// Package dump reads what fever dump writes: one record a line, or an array of records.
//
// White space may differ. The encoding is UTF-8, whatever HTTP says (RFC 8259 sections 8.1
// and 11).
//
// Each record is an event of the provider that is configured here, whatever provider it
// names. So a feed should be the dump of one provider: events of several providers with equal
// ids replace each other. A record that is not current is an event of the past.
package dump

import (
	_ "embed" // for the revision
	"errors"
	"fmt"
	"strconv"

	"fever/provider/feed"
	"fever/provider/jsonscan"
)

// revision is a digest of the golden files. TestGolden checks it, and -update renews it.
//
//go:embed testdata/revision
var revision string

// New returns the format.
func New() feed.Format {
	return feed.Format{Name: "fever", Revision: revision, Accept: "application/x-ndjson, application/json, */*;q=0.1", Decode: decode}
}

// A decoder gives the records of a document to the builder.
type decoder struct {
	*feed.Builder
	*Reader
	*jsonscan.Scanner

	records int  // read so far
	named   bool // a value had an id of an event
	dump    bool // a dump has begun, and has not ended
	before  int  // the records before it began
}

// decode refuses an empty document, which a failing provider may send: [] and a dump without
// events say that nothing is on sale. It refuses a document in which no value has an id of an
// event. It notices missing lines in a dump, whose first line promises a last one. In lines
// without these two marks it cannot notice them, if the last line is whole. An array is safer,
// because it must be closed.
func decode(doc *feed.Document, b *feed.Builder) error {
	s := jsonscan.New(doc.Body)
	d := &decoder{Builder: b, Scanner: s, Reader: newReader(s, false, otherNames)}
	if s.Kind() == jsonscan.End && s.Err() == nil {
		return feed.Errorf(feed.KindMalformed, "the document is empty; one with no events is written as []")
	}
	if err := d.decode(); err != nil {
		return err
	}
	if wrong, ok := errors.AsType[*jsonscan.Error](s.Err()); ok {
		return feed.Errorf(feed.KindMalformed, "%w", wrong)
	}
	switch {
	case s.Err() != nil:
		return s.Err()
	case d.dump:
		return d.malformed("the dump is cut short: the line that ends it is missing")
	case d.records > 0 && !d.named:
		return feed.Errorf(feed.KindDecode, "not a feed: no value in it has the ids of an event")
	}
	return nil
}

// decode reads the records of an array, or of lines, up to the end or an error of the scanner.
func (d *decoder) decode() error {
	if d.Kind() != jsonscan.Array {
		for d.Kind() != jsonscan.End {
			if err := d.record(); err != nil {
				return err
			}
		}
		return nil
	}
	for d.Enter(); d.Element(); {
		if err := d.record(); err != nil {
			return err
		}
	}
	if d.Kind() != jsonscan.End {
		return d.malformed("there is more behind the array")
	}
	return nil
}

// record reads a record and gives it to the builder.
func (d *decoder) record() error {
	d.Kind()
	line, offset := d.Line(), d.Offset()
	r := d.read()
	d.At(offset, d.Offset())
	switch {
	case d.Err() != nil:
		return nil //nolint:nilerr // decode returns the error of the scanner
	case r.mark == "begin" || r.mark == "end":
		return d.mark(r)
	}
	d.records++
	d.named = d.named || r.BaseID != "" || r.EventID != ""
	switch {
	case r.err != nil:
		d.RejectEvent(r.Key, r.Title, line, r.err.Error())
		return nil //nolint:nilerr // the next record may be right
	case !r.current:
		return d.KeepPast(r.Event, line)
	}
	return d.Keep(r.Event, line)
}

// mark checks the first or the last line of a dump.
func (d *decoder) mark(r record) error {
	n := d.records - d.before
	switch {
	case r.mark == "begin" && d.dump:
		return d.malformed("a dump begins here, and the one before it has not ended")
	case r.mark == "begin":
		d.before = d.records
	case !d.dump:
		return d.malformed("a dump ends here that has not begun: its first line is missing")
	case r.events != strconv.Itoa(n):
		return d.malformed(fmt.Sprintf("the dump has %d events, and its last line says otherwise", n))
	}
	d.dump = r.mark == "begin"
	return nil
}

func (d *decoder) malformed(text string) error {
	return feed.Errorf(feed.KindMalformed, "line %d (byte %d): %s", d.Line(), d.Offset(), text)
}
