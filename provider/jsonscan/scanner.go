// Package jsonscan scans JSON (RFC 8259): strictly, within bounds, and fast.
//
// It reads a document as a stream, whatever its size: one value, or several values one after
// the other (NDJSON). The encoding is UTF-8, and a byte order mark is skipped (section 8.1).
// A reader walks to the values that it wants, and skips the others, which are checked
// all the same:
//
//	s := jsonscan.New(r)
//	for s.Kind() != jsonscan.End { // one value after the other
//		if s.Kind() != jsonscan.Object {
//			s.Skip()
//			continue
//		}
//		s.Enter()
//		for s.Member() {
//			switch string(s.Name) {
//			case "events":
//				...
//			default:
//				s.Skip()
//			}
//		}
//	}
//	return s.Err()
//
// An error stays: after it no method reads anything, every loop ends, and Err returns it.
package jsonscan

import (
	"bytes"
	"fmt"
	"io"
	"unicode/utf8"
)

// The bounds of the scanner. A document beyond one of them is refused.
const (
	MaxDepth  = 100      // arrays and objects inside each other
	MaxString = 1 << 20  // bytes of a string or a number, as written
	MaxRow    = 16 << 20 // bytes of a row: see [Scanner.Begin]
)

// window is the first size of the buffer, in bytes.
const window = 64 << 10

// An Error says why a document cannot be read, and at which place.
type Error struct {
	Line int   // from 1
	Byte int64 // from 0
	Text string
}

func (e *Error) Error() string { return fmt.Sprintf("line %d (byte %d): %s", e.Line, e.Byte, e.Text) }

// A Kind is what a value is.
type Kind uint8

// The kinds of values.
const (
	End    Kind = iota // no value: the end of the document, or an error
	Object             // its members are read with [Scanner.Enter] and [Scanner.Member]
	Array              // its elements are read with [Scanner.Enter] and [Scanner.Element]
	String
	Number
	True
	False
	Null
)

// String returns the kind in a word: "bool" for both [True] and [False], "" for [End].
func (k Kind) String() string {
	return [...]string{"", "object", "array", "string", "number", "bool", "bool", "null"}[k]
}

// A Scanner reads JSON (RFC 8259). Make one with [New].
//
// It holds one buffer, which must hold a whole string, and a whole row. Half of a surrogate
// pair, as an escape, is valid JSON (section 8.2) and no character. It is read as U+FFFD,
// and HalfPair says that there was one.
type Scanner struct {
	Name     []byte // of the last member; valid until the next read
	Row      []byte // the text of the last row, or of the last [Scanner.Any]; valid until the next read
	HalfPair bool   // a string or a name had half of a surrogate pair since the last Begin or Any

	src   io.Reader
	ended error  // of src, after buf[:end]; it stays
	eof   bool   // ended is io.EOF
	err   error  // why nothing more is read
	buf   []byte // buf[pos:end] is ahead; buf[end] is zero, so that no loop runs beyond it
	pos   int
	end   int
	base  int64 // bytes of the document before buf[0]
	row   int   // where the row begins in buf; -1 outside of one

	counted int // lines counts the line feeds before buf[counted]
	lines   int

	depth   int
	first   bool              // nothing of the innermost array or object has been read
	scratch []byte            // the text of a string with escapes
	names   map[string]string // of members: see intern
	values  int               // how many Any may still make
}

// New returns a scanner of r. Once r has returned an error, it must return it again.
func New(r io.Reader) *Scanner {
	s := &Scanner{buf: make([]byte, window+1)}
	s.Reset(r)
	return s
}

// Reset has the scanner read another document.
func (s *Scanner) Reset(r io.Reader) {
	*s = Scanner{src: r, buf: s.buf, row: -1, scratch: s.scratch[:0], names: s.names}
	s.buf[0] = 0
	const mark = "\xef\xbb\xbf"
	for s.end < len(mark) && s.more() {
	}
	if bytes.HasPrefix(s.buf[:s.end], []byte(mark)) {
		s.pos = len(mark)
	}
}

// Err returns the error that ended the scan, or nil. It is an [*Error], or wraps the
// reader's error.
func (s *Scanner) Err() error { return s.err }

// Offset returns the number of bytes before the next one.
func (s *Scanner) Offset() int64 { return s.base + int64(s.pos) }

// Line returns the line of the next byte, from 1. After [Scanner.Kind] that is the line on
// which the next value begins.
func (s *Scanner) Line() int {
	if s.counted < s.pos {
		s.lines += bytes.Count(s.buf[s.counted:s.pos], []byte{'\n'})
		s.counted = s.pos
	}
	return s.lines + 1
}

// Begin begins a row with the next value. Until [Scanner.End] the scanner holds all that it
// reads; a row of more than [MaxRow] bytes is refused.
func (s *Scanner) Begin() {
	s.Kind()
	s.row, s.HalfPair = s.pos, false
}

// End ends the row, and sets Row.
func (s *Scanner) End() {
	if s.pos-s.row > MaxRow {
		s.fail("a row of more than %d MiB", MaxRow>>20)
	}
	s.Row = s.buf[s.row:s.pos]
	s.row = -1
}

// more reads until the buffer is full, and reports whether that brought anything. It moves
// the bytes from the row or else from pos on to the start of the buffer, and makes the buffer
// larger if they fill it. Positions in the buffer change.
func (s *Scanner) more() bool {
	if s.ended != nil || s.err != nil {
		return false
	}
	from := s.pos
	if s.row >= 0 {
		from = s.row
		if s.end-s.row > MaxRow {
			s.fail("a row of more than %d MiB", MaxRow>>20)
			return false
		}
		s.row = 0
	}
	if from > 0 {
		s.Line() // before the line feeds are gone
		s.end = copy(s.buf, s.buf[from:s.end])
		s.base += int64(from)
		s.pos -= from
		s.counted -= from
	}
	if s.end == len(s.buf)-1 {
		s.buf = append(s.buf, make([]byte, s.end)...)
	}
	before := s.end
	for idle := 0; s.end < len(s.buf)-1 && s.ended == nil; {
		n, err := s.src.Read(s.buf[s.end : len(s.buf)-1])
		s.end += n
		s.ended, s.eof = err, err == io.EOF
		if n > 0 {
			idle = 0
		} else if idle++; idle == 100 && err == nil {
			s.ended = io.ErrNoProgress
		}
	}
	s.buf[s.end] = 0
	return s.end > before
}

// fail ends the scan with an error about the next byte. It leaves nothing ahead, so that
// only reading on, in more, has to ask for the error.
func (s *Scanner) fail(format string, args ...any) {
	if s.err == nil {
		s.stop(&Error{Line: s.Line(), Byte: s.Offset(), Text: fmt.Sprintf(format, args...)})
	}
}

func (s *Scanner) stop(err error) {
	s.Line()
	s.err = err
	s.base += int64(s.pos)
	s.pos, s.end, s.counted, s.row = 0, 0, 0, min(s.row, 0)
	s.buf[0] = 0
}

// unexpected fails because of the next byte, which must not be there, or is missing.
func (s *Scanner) unexpected(expected string) {
	switch c := s.buf[s.pos]; {
	case s.err != nil:
	case s.pos == s.end && s.eof:
		s.fail("the document is cut short where %s is expected", expected)
	case s.pos == s.end:
		s.stop(fmt.Errorf("line %d (byte %d): %w", s.Line(), s.Offset(), s.ended))
	case c < utf8.RuneSelf:
		s.fail("this is not JSON: the character %q, where %s is expected", c, expected)
	default:
		s.fail("this is not JSON: the byte %#x, where %s is expected", c, expected)
	}
}
