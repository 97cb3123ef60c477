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
	"bytes"
	_ "embed" // for the revision
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"fever/provider/feed"
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
	*json.Decoder

	bounds  *bounds
	value   json.RawMessage // the value last read
	records int             // read so far
	named   bool            // a value had an id of an event
	dump    bool            // a dump has begun, and has not ended
	before  int             // the records before it began
}

// decode refuses an empty document, which a failing provider may send: [] and a dump without
// events say that nothing is on sale. It refuses a document in which no value has an id of an
// event. It notices missing lines in a dump, whose first line promises a last one. In lines
// without these two marks it cannot notice them, if the last line is whole. An array is safer,
// because it must be closed.
func decode(doc *feed.Document, b *feed.Builder) error {
	bounds, first, err := newBounds(doc.Body)
	if err != nil {
		return err
	}
	d := &decoder{Builder: b, Decoder: json.NewDecoder(bounds), bounds: bounds}
	if err := d.read(first == '['); err != nil {
		return err
	}
	switch {
	case d.dump:
		return d.malformed("the dump is cut short: the line that ends it is missing")
	case d.records > 0 && !d.named:
		return feed.Errorf(feed.KindDecode, "not a feed: no value in it has the ids of an event")
	}
	return nil
}

// A mark is the first or the last line of a dump. It has no id.
type mark struct {
	Dump   string `json:"dump"` // "begin" or "end"
	Events *int   `json:"events"`

	BaseID  json.RawMessage `json:"base_id"`
	EventID json.RawMessage `json:"event_id"`
}

// maxMark bounds a mark, in bytes. A longer value is a record.
const maxMark = 1 << 10

// readMark reads the value last read if it is a mark, and reports whether it is one.
func (d *decoder) readMark() (bool, error) {
	if len(d.value) > maxMark || !bytes.Contains(d.value, []byte(`"dump"`)) {
		return false, nil
	}
	var m mark
	if err := json.Unmarshal(d.value, &m); err != nil || m.BaseID != nil || m.EventID != nil {
		return false, nil //nolint:nilerr // it is a record, which is rejected for its own reasons
	}
	switch m.Dump {
	case "begin":
		if d.dump {
			return true, d.malformed("a dump begins here, and the one before it has not ended")
		}
		d.dump, d.before = true, d.records
		return true, nil
	case "end":
		n := d.records - d.before
		if !d.dump {
			return true, d.malformed("a dump ends here that has not begun: its first line is missing")
		}
		if m.Events == nil || *m.Events != n {
			return true, d.malformed(fmt.Sprintf("the dump has %d events, and its last line says otherwise", n))
		}
		d.dump = false
		return true, nil
	}
	return false, nil
}

// read reads the records of an array, or of lines, and checks that nothing follows them.
func (d *decoder) read(array bool) error {
	space := int64(maxRecord)
	if array {
		space = maxSpace
		if _, err := d.Token(); err != nil { // the bracket
			return d.broken(err)
		}
	}
	for d.expect(space); d.More(); d.expect(space) {
		d.expect(maxRecord)
		if err := d.Decode(&d.value); err != nil {
			return d.broken(err)
		}
		if err := d.record(); err != nil {
			return err
		}
	}
	if array {
		if _, err := d.Token(); err != nil { // the other bracket
			return d.broken(err)
		}
		d.expect(space)
	}
	_, err := d.Token()
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err == nil:
		return d.malformed("there is more behind the array")
	}
	return d.broken(err)
}

// expect allows the decoder to read n more bytes.
func (d *decoder) expect(n int64) { d.bounds.limit = d.InputOffset() + n }

// record gives the value last read to the builder.
func (d *decoder) record() error {
	if !utf8.Valid(d.value) {
		return d.malformed("the record that ends here is not UTF-8")
	}
	if is, err := d.readMark(); is {
		return err
	}
	d.records++
	line := d.line() - lineFeeds(d.value)
	r, err := parseRecord(d.value)
	d.named = d.named || r.baseID != "" || r.eventID != ""
	switch {
	case err != nil:
		d.Reject(r.baseID, r.eventID, line, err.Error())
		return nil
	case r.Current != nil && !*r.Current:
		return d.KeepPast(r.event(), line)
	}
	return d.Keep(r.event(), line)
}

// line returns the line of the next byte, from 1.
func (d *decoder) line() int {
	ahead, _ := io.ReadAll(d.Buffered()) // from memory: it never fails
	return 1 + d.bounds.lines - lineFeeds(ahead)
}

func (d *decoder) malformed(text string) error {
	return feed.Errorf(feed.KindMalformed, "line %d (byte %d): %s", d.line(), d.InputOffset(), text)
}

// broken returns the error for a document that the JSON decoder cannot read on.
func (d *decoder) broken(err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return d.malformed("what follows is not JSON: " + syntax.Error())
	}
	if failed := d.bounds.err; failed != nil && !errors.Is(failed, io.EOF) {
		return fmt.Errorf("line %d (byte %d): %w", d.line(), d.InputOffset(), failed)
	}
	return d.malformed("the document is cut short in what follows")
}
