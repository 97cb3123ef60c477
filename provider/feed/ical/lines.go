package ical

import (
	"bufio"
	"bytes"
	"io"
	"strings"

	"fever/provider/feed"
)

// maxLine bounds a content line, in bytes, after unfolding.
const maxLine = 1 << 20

// A lineReader reads content lines (RFC 5545 section 3.1). It takes LF for CRLF, as two of
// three calendars on the web end their lines so.
type lineReader struct {
	src    *bufio.Reader
	number int    // of the line last read, in the document, from 1
	lines  int    // physical lines read
	offset int64  // bytes read
	first  int64  // offset of the line last read
	buf    []byte // the line last read, if it was folded
}

func newLineReader(r io.Reader) *lineReader {
	l := &lineReader{src: bufio.NewReaderSize(r, 64<<10)}
	if start, _ := l.src.Peek(3); bytes.Equal(start, []byte("\ufeff")) {
		_, _ = l.src.Discard(3) // as they are there
		l.offset = 3
	}
	return l
}

// next returns the next line that is not empty, without its end. It is valid until the next
// call. The error is io.EOF after the last line.
func (l *lineReader) next() ([]byte, error) {
	for {
		l.number, l.first = l.lines+1, l.offset
		line, err := l.physical(nil)
		if err != nil {
			return nil, err
		}
		for {
			more, err := l.src.Peek(1)
			if len(more) == 0 || more[0] != ' ' && more[0] != '\t' {
				if err != nil && err != io.EOF { //nolint:errorlint // bufio returns it as it is
					return nil, err
				}
				break
			}
			if line, err = l.physical(line); err != nil {
				return nil, err
			}
		}
		if len(line) > 0 {
			return line, nil
		}
	}
}

// physical reads a line of the document, and appends it to the folded lines before it without
// its first byte. The result is in l.buf, unless it is the only line in sight.
func (l *lineReader) physical(before []byte) ([]byte, error) {
	folded := before != nil
	l.buf = append(l.buf[:0], before...)
	start := len(l.buf)
	for {
		part, err := l.src.ReadSlice('\n')
		l.offset += int64(len(part))
		if err == nil && len(l.buf) == start && !folded && l.src.Buffered() > 0 {
			l.lines++
			return withoutEnd(part), nil // nothing is read until the next line
		}
		l.buf = append(l.buf, part...)
		if len(l.buf) > maxLine {
			return nil, feed.Errorf(feed.KindMalformed, "line %d: it has more than %d bytes", l.number, maxLine)
		}
		if err == bufio.ErrBufferFull { //nolint:errorlint // bufio returns it as it is
			continue
		}
		if err != nil && (err != io.EOF || len(l.buf) == start) {
			return nil, err
		}
		l.lines++
		line := withoutEnd(l.buf)
		if folded {
			line = append(line[:start], line[start+1:]...)
		}
		l.buf = line
		return line, nil
	}
}

// withoutEnd returns a line without its LF, and the CRs before it.
func withoutEnd(line []byte) []byte { return bytes.TrimRight(line, "\r\n") }

// A property is a content line: a name, parameters, and a value.
type property struct {
	name   string // in upper case
	params []byte // as they are written, with the semicolon before each
	value  []byte
}

// parse takes a line apart. It reports whether the line has the form of a property.
func parse(line []byte) (p property, ok bool) {
	end := 0
	for end < len(line) && line[end] != ':' && line[end] != ';' {
		end++
	}
	if end == 0 || end == len(line) {
		return property{}, false
	}
	p.name = nameOf(line[:end])
	quoted := false
	for i := end; i < len(line); i++ {
		switch {
		case line[i] == '"':
			quoted = !quoted
		case line[i] == ':' && !quoted && !withinOffset(line, i):
			p.params, p.value = line[end:i], line[i+1:]
			return p, true
		}
	}
	return property{}, false
}

// withinOffset reports whether a colon is that of an offset in a parameter. Some write
// DTSTART;TZID=UTC+02:00:20260327T200000, without the quotes that the RFC wants.
func withinOffset(line []byte, colon int) bool {
	digit := func(i int) bool { return line[i] >= '0' && line[i] <= '9' }
	return colon > 3 && len(line) > colon+3 && (line[colon-3] == '+' || line[colon-3] == '-') && line[colon+3] == ':' &&
		digit(colon-2) && digit(colon-1) && digit(colon+1) && digit(colon+2)
}

// nameOf returns a name in upper case. It allocates nothing for the names that are read.
func nameOf(b []byte) string {
	if name, ok := known[string(b)]; ok {
		return name
	}
	return strings.ToUpper(string(b[:min(len(b), 64)]))
}

// known are the names of properties and parameters that are read, and some others that are
// frequent.
var known = func() map[string]string {
	names := make(map[string]string)
	for _, name := range []string{
		"BEGIN", "END", "UID", "DTSTART", "DTEND", "DURATION", "SUMMARY", "RRULE", "EXRULE", "RDATE", "EXDATE", "RECURRENCE-ID", "SEQUENCE",
		"LAST-MODIFIED", "DTSTAMP", "STATUS", "URL", "TZID", "X-LIC-LOCATION", "TZOFFSETFROM", "TZOFFSETTO", "X-WR-TIMEZONE", "VALUE", "RANGE",
		"DESCRIPTION", "LOCATION", "CREATED", "CLASS", "TRANSP", "GEO", "ORGANIZER", "ATTENDEE", "CATEGORIES", "ACTION", "TRIGGER", "TZNAME",
		"X-MICROSOFT-CDO-BUSYSTATUS", "X-ALT-DESC", "ATTACH", "CONTACT", "PRIORITY", "VERSION", "PRODID", "METHOD", "CALSCALE",
	} {
		names[name] = name
	}
	return names
}()

// param returns the value of a parameter, without quotes, or "". RFC 6868's escapes are of
// no interest in the parameters that are read.
func (p *property) param(name string) string {
	rest := p.params
	for len(rest) > 0 {
		rest = rest[1:] // the semicolon
		end, quoted := 0, false
		for end < len(rest) && (quoted || rest[end] != ';') {
			quoted = quoted != (rest[end] == '"')
			end++
		}
		key, value, _ := bytes.Cut(rest[:end], []byte("="))
		if nameOf(key) == name {
			return strings.Trim(string(value), "\"' ")
		}
		rest = rest[end:]
	}
	return ""
}

// text returns a text without its escapes (RFC 5545 section 3.3.11).
func text(value []byte) string {
	if bytes.IndexByte(value, '\\') < 0 {
		return string(feed.Text(value))
	}
	b := make([]byte, 0, len(value))
	for i := 0; i < len(value); i++ {
		c := value[i]
		if c == '\\' && i+1 < len(value) {
			i++
			if c = value[i]; c == 'n' || c == 'N' {
				c = ' '
			}
		}
		b = append(b, c)
	}
	return string(feed.Text(b))
}
