// Package mapped reads documents of any shape: a program in the configuration makes records
// of their rows, in the form of fever dump. Rows are in JSON, XML or CSV.
//
// Rows are read as a stream. Each row alone goes through the program, which is one of jq
// (github.com/itchyny/gojq) with some functions of fever: docs/mapping.md describes them.
package mapped

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	_ "embed" // for the revision
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"

	"fever/event"
	"fever/provider/feed"
	"fever/provider/feed/dump"
	"fever/provider/jsonscan"
	"fever/provider/xmlscan"
)

// A Mapping says how to make events of the rows of a document.
type Mapping struct {
	Rows     string // where they are: see [path]; empty: the elements of an array, the values of NDJSON
	To       string // the program
	CSV      *CSV   // nil: the document is JSON or XML
	Changes  bool   `json:",omitempty"` // documents are pages of a feed of changes
	Tolerate xmlscan.Tolerance
}

// revision is a digest of the golden files. TestGolden checks it, and -update renews it.
//
//go:embed testdata/revision
var revision string

// New returns the format. The error is an [*Error] of the program.
func New(m Mapping) (feed.Format, error) {
	rows, err := m.path()
	if err != nil {
		return feed.Format{}, err
	}
	if _, err := compile(m.To); err != nil {
		return feed.Format{}, err
	}
	described, err := json.Marshal(m)
	if err != nil {
		return feed.Format{}, err
	}
	accept := "application/json, application/x-ndjson, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.1"
	if m.CSV != nil {
		accept = "text/csv, text/plain;q=0.9, */*;q=0.1"
	}
	return feed.Format{
		Name: "map", Revision: fmt.Sprintf("%s %x", revision, sha256.Sum256(described)), Accept: accept, Reads: reads(m.To), Changes: m.Changes,
		Decode: func(doc *feed.Document, b *feed.Builder) error {
			p, err := compile(m.To)
			if err != nil {
				return err // New has compiled it
			}
			d := &decoder{Builder: b, program: p, path: rows, reader: dump.NewReader(), changes: m.Changes}
			if b.Traced() {
				d.ids = compileIDs(m.To)
			}
			return d.decode(doc, m)
		},
	}, nil
}

// A decoder gives the records of a document to the builder.
type decoder struct {
	*feed.Builder

	program *program
	ids     *ids // nil: nobody traces, or it cannot be made
	path    path
	reader  *dump.Reader
	miss    miss
	rows    int  // so far
	changes bool // each record is an item of a feed of changes
}

// decode reads a document. The first character tells XML from JSON, which cannot be confused.
func (d *decoder) decode(doc *feed.Document, m Mapping) error {
	if m.CSV != nil {
		return d.csv(doc, m.CSV)
	}
	body := bufio.NewReaderSize(doc.Body, 4<<10)
	first, err := begin(body)
	if err != nil {
		return err
	}
	if first == '<' {
		err = d.xml(body, doc.Charset, m.Tolerate)
	} else {
		err = d.json(body, first)
	}
	if err == nil && d.rows == 0 && d.miss.text != "" {
		d.Unknown(d.miss.line, "rows: %s selects nothing: %s", m.Rows, d.miss.text)
	}
	return err
}

// begin returns the first character of a document that says what it is, and leaves it unread.
func begin(body *bufio.Reader) (byte, error) {
	for n := 64; ; n *= 2 {
		ahead, err := body.Peek(min(n, body.Size()))
		text := bytes.TrimLeft(ahead, "\x00\t\n\r \xef\xbb\xbf\xfe\xff")
		switch {
		case len(text) > 0:
			return text[0], nil
		case err != nil && !errors.Is(err, io.EOF):
			return 0, fmt.Errorf("line 1: %w", err)
		case err != nil || n >= body.Size():
			return 0, nil //nolint:nilerr // json says what is wrong
		}
	}
}

// row makes events of a row. A row of which the program makes no record is ignored: that is
// how a program selects rows. One record that cannot be kept costs no other record.
func (d *decoder) row(line int, row any) error {
	if err := d.Expired(); err != nil { // a program may take long for the few bytes of a row
		return fmt.Errorf("line %d: %w", line, err)
	}
	d.rows++
	d.Row(line, row)
	records, err := d.program.run(row)
	switch {
	case err != nil:
		d.Reject("", "", line, d.program.inProgram(err.Error()))
		d.without(row)
		return nil // the next row may be right
	case len(records) == 0:
		d.Ignore(line)
		d.without(row)
		return nil
	}
	for _, text := range records {
		if err := d.record(text, line); err != nil {
			return err
		}
	}
	return nil
}

// without says which events the row would have made, for those who trace.
func (d *decoder) without(row any) {
	for _, key := range d.ids.of(d, row) {
		d.Without(key.BaseID, key.EventID, "the map makes no event of it")
	}
}

// record keeps the event of a record, or rejects it. In a feed of changes it is an item, which one
// that is not current and has nothing but ids deletes.
func (d *decoder) record(text []byte, line int) error {
	e, current, err := d.reader.Read(text, d.Location)
	if d.changes {
		id := itemID(e.Key)
		if err == nil && !current && feed.ValidItemID(id) && e.Title == "" && e.Start.IsZero() && e.End.IsZero() && len(e.Zones) == 0 {
			return d.Delete(id, line)
		}
		if err := d.Item(feed.Item{ID: id}); err != nil {
			return err
		}
	}
	switch {
	case err != nil:
		d.RejectEvent(e.Key, e.Title, line, d.program.inProgram(err.Error()))
		return nil // the next record may be right
	case current:
		return d.Keep(e, line)
	}
	return d.KeepPast(e, line)
}

// itemID returns the id of the item of an event: both ids, the first without a slash; "" if one is
// missing.
func itemID(key event.Key) string {
	if key.BaseID == "" || key.EventID == "" {
		return ""
	}
	return url.PathEscape(key.BaseID) + "/" + key.EventID
}

// json reads the rows of a document in JSON, which begins with the first character.
func (d *decoder) json(body io.Reader, first byte) error {
	s := jsonscan.New(body)
	values := 0
	for ; s.Kind() != jsonscan.End; values++ {
		p := d.path
		if p == nil && s.Kind() == jsonscan.Array {
			p = path{{each: true}}
		}
		if err := d.walk(s, p); err != nil {
			return err
		}
	}
	err := s.Err()
	if wrong, ok := errors.AsType[*jsonscan.Error](err); ok {
		hint := ""
		if first != '{' && first != '[' && wrong.Line == 1 {
			hint = "; if it is CSV, set map.csv"
		}
		return feed.Errorf(feed.KindMalformed, "%w%s", wrong, hint)
	}
	if err == nil && values == 0 {
		return feed.Errorf(feed.KindMalformed, "line %d (byte %d): the document is empty", s.Line(), s.Offset())
	}
	return err
}

// walk reads the rows in the next value.
func (d *decoder) walk(s *jsonscan.Scanner, p path) error {
	kind, line := s.Kind(), s.Line()
	switch {
	case len(p) == 0:
		offset := s.Offset()
		row := s.Any()
		d.At(offset, s.Offset())
		if s.Err() != nil {
			return nil //nolint:nilerr // json returns it
		}
		return d.jsonRow(s, line, row)
	case p[0].each && kind == jsonscan.Array:
		s.Enter()
		for s.Element() {
			if err := d.walk(s, p[1:]); err != nil {
				return err
			}
		}
	case p[0].each && kind == jsonscan.Object:
		s.Enter()
		for s.Member() {
			if err := d.walk(s, p[1:]); err != nil {
				return err
			}
		}
	case p[0].each:
		s.Skip()
		d.miss.note(line, "[]", nil)
	case kind == jsonscan.Object:
		return d.walkObject(s, p, line)
	default:
		s.Skip()
		d.miss.note(line, p[0].name, nil)
	}
	return nil
}

// walkObject reads the rows in the member of an object that the path names.
func (d *decoder) walkObject(s *jsonscan.Scanner, p path, line int) error {
	var others []string
	found := false
	s.Enter()
	for s.Member() {
		if string(s.Name) == p[0].name {
			found = true
			if err := d.walk(s, p[1:]); err != nil {
				return err
			}
			continue
		}
		if d.rows == 0 && d.miss.text == "" {
			others = addOther(others, s.Name)
		}
		s.Skip()
	}
	if !found {
		d.miss.note(line, p[0].name, others)
	}
	return nil
}

// jsonRow is [decoder.row] for a row that is JSON.
func (d *decoder) jsonRow(s *jsonscan.Scanner, line int, row any) error {
	reason := ""
	switch {
	case s.HalfPair:
		reason = "half of a surrogate pair is in it, which is no character"
	case mayBeLong(s.Row) && longNumber(row):
		reason = fmt.Sprintf("a number in it has more than %d digits", maxDigits)
	default:
		return d.row(line, row)
	}
	d.rows++
	d.Row(line, row)
	d.Reject("", "", line, reason)
	return nil
}

// mayBeLong reports whether a row may have a number of more than maxDigits bytes. One that is
// so long has one of the bytes that it looks at.
func mayBeLong(row []byte) bool {
	inNumber := func(i int) bool {
		return i >= 0 && i < len(row) && bytes.IndexByte([]byte("0123456789.+-eE"), row[i]) >= 0
	}
	for i := maxDigits; i < len(row); i += maxDigits {
		from, to := i, i
		for inNumber(from - 1) {
			from--
		}
		for inNumber(to) {
			to++
		}
		if to-from > maxDigits {
			return true
		}
	}
	return false
}

// longNumber reports whether a value has a number that is too long to compute with: the time
// that takes grows with the square of the length.
func longNumber(v any) bool {
	switch v := v.(type) {
	case json.Number:
		return len(v) > maxDigits
	case []any:
		for _, element := range v {
			if longNumber(element) {
				return true
			}
		}
	case map[string]any:
		for _, element := range v {
			if longNumber(element) {
				return true
			}
		}
	}
	return false
}

// path returns the path to the rows.
func (m *Mapping) path() (path, error) {
	if m.Rows == "" {
		return nil, nil
	}
	return parsePath(m.Rows)
}
