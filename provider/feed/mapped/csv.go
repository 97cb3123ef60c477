package mapped

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"fever/provider/feed"
	"fever/provider/xmlscan"
)

// A CSV says how a document in CSV (RFC 4180) is written.
type CSV struct {
	Separator rune   // between fields
	Charset   string // the encoding; empty: UTF-8, and of a field that is not, what HTTP says
	Header    bool   // the first row has the names of the columns; without names a row is an array
}

const (
	maxLine    = 1 << 20 // bytes of a row
	maxColumns = 1 << 10
)

// csv reads the rows of a document in CSV. A row with another number of fields than the
// header, or the first row, is rejected.
//
// A document that was cut between two rows cannot be told from a whole one.
func (d *decoder) csv(doc *feed.Document, c *CSV) error {
	body, mark, err := xmlscan.UTF8(doc.Body, c.Charset)
	if wrong, ok := errors.AsType[*xmlscan.Error](err); ok {
		return feed.Errorf(feed.KindDecode, "%w", wrong)
	} else if err != nil {
		return fmt.Errorf("line 1: %w", err)
	}
	limited := &limited{Reader: body}
	r := csv.NewReader(limited)
	r.Comma, r.FieldsPerRecord, r.ReuseRecord = c.Separator, -1, true
	var columns []string
	width := 0
	var broken error // of a quote; the document is cut short if nothing follows
	for n := 0; ; n++ {
		limited.left = maxLine
		begin := r.InputOffset()
		fields, err := r.Read()
		if mark >= 0 { // with the end of the line, and empty lines before it
			d.At(int64(mark)+begin, int64(mark)+r.InputOffset())
		}
		syntax, isSyntax := errors.AsType[*csv.ParseError](err)
		switch {
		case errors.Is(err, io.EOF) && broken != nil:
			return feed.Errorf(feed.KindMalformed, "%w: the document is cut short, or a quote is not closed", broken)
		case errors.Is(err, io.EOF) && n == 0:
			return feed.Errorf(feed.KindMalformed, "line 1 (byte 0): the document is empty")
		case errors.Is(err, io.EOF):
			return nil
		case isSyntax && n > 0:
			if broken = nil; errors.Is(err, csv.ErrQuote) {
				broken = fmt.Errorf("line %d: %w", syntax.StartLine, syntax.Err)
			}
			d.rejectRow(syntax.StartLine, syntax.Err.Error())
			continue
		case isSyntax:
			return feed.Errorf(feed.KindMalformed, "line %d: %w", syntax.Line, syntax.Err)
		case err != nil:
			return d.unreadable(err, n)
		}
		broken = nil
		line, _ := r.FieldPos(0)
		for i, field := range fields {
			if utf8.ValidString(field) {
				continue
			}
			if fields[i] = string(xmlscan.Text([]byte(field), doc.Charset)); !utf8.ValidString(fields[i]) {
				return feed.Errorf(feed.KindDecode, "line %d: the field %d is not UTF-8; csv.charset says which encoding it is", line, i+1)
			}
		}
		if n == 0 {
			width = len(fields)
			if columns, err = header(fields, c.Header, line); err != nil {
				return err
			}
			if c.Header {
				continue
			}
		}
		if len(fields) != width {
			d.rejectRow(line, fmt.Sprintf("it has %d fields, where %d are needed", len(fields), width))
			continue
		}
		if err := d.row(line, rowOf(columns, fields)); err != nil {
			return err
		}
	}
}

// header checks the first row, and returns the names of the columns if it has them.
func header(fields []string, named bool, line int) ([]string, error) {
	if first := strings.TrimSpace(fields[0]); strings.HasPrefix(first, "<") {
		return nil, feed.Errorf(feed.KindDecode, "line %d: it begins with %.20q, and is HTML or XML", line, first)
	}
	if len(fields) > maxColumns {
		return nil, feed.Errorf(feed.KindMalformed, "line %d: more than %d columns", line, maxColumns)
	}
	if !named {
		return nil, nil
	}
	columns := make([]string, len(fields))
	seen := make(map[string]bool)
	for i, field := range fields {
		columns[i] = strings.TrimSpace(field)
		if seen[columns[i]] && columns[i] != "" {
			return nil, feed.Errorf(feed.KindDecode, "line %d: two columns have the name %.40q; with header: false a program tells them by number", line, columns[i])
		}
		seen[columns[i]] = true
	}
	return columns, nil
}

// rowOf returns a row as an object by column, or as an array if the columns have no names.
func rowOf(columns, fields []string) any {
	if columns == nil {
		array := make([]any, len(fields))
		for i, field := range fields {
			array[i] = field
		}
		return array
	}
	object := make(map[string]any, len(fields))
	for i, field := range fields {
		if columns[i] != "" {
			object[columns[i]] = field
		}
	}
	return object
}

// rejectRow rejects a row that cannot be given to the program.
func (d *decoder) rejectRow(line int, reason string) {
	d.rows++
	d.Row(line, nil)
	d.Reject("", "", line, reason)
}

// unreadable returns the error of a document that cannot be read behind its nth row.
func (d *decoder) unreadable(err error, n int) error {
	if wrong, ok := errors.AsType[*xmlscan.Error](err); ok { // of a decoder of encodings
		return feed.Errorf(feed.KindMalformed, "row %d: %s", n+1, wrong.Text)
	}
	return fmt.Errorf("row %d: %w", n+1, err)
}

// A limited reader fails when a row has more bytes than are left. A quote that is not closed
// makes a row of all that follows.
type limited struct {
	io.Reader
	left int
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left < 0 {
		return 0, feed.Errorf(feed.KindMalformed, "a row of more than 1 MiB, or a quote is not closed")
	}
	n, err := l.Reader.Read(p)
	l.left -= n
	return n, err
}
