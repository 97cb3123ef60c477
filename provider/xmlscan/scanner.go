// Package xmlscan scans XML 1.0: strictly, within bounds, and fast.
//
// It returns start tags and end tags, and text for a reader that asks for it. It checks
// comments and everything else as they stream by, and drops them.
package xmlscan

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"fever/provider/spool"
)

// The bounds of the scanner. A document beyond one of them is malformed.
const (
	maxTag   = 1 << 20 // bytes of a start tag
	maxText  = 1 << 20 // bytes of text that is kept
	MaxDepth = 64      // elements inside each other
	maxAttrs = 256     // attributes of one tag
)

// An Error says why a document cannot be read, and at which place.
type Error struct {
	Line     int   // from 1
	Byte     int64 // from 0, of the document as UTF-8
	Encoding bool  // the encoding is unknown or in doubt; false: not well-formed, cut short, or beyond a bound
	Text     string
}

func (e *Error) Error() string { return fmt.Sprintf("line %d (byte %d): %s", e.Line, e.Byte, e.Text) }

// A Token is what [Scanner.Next] has found.
type Token uint8

// The tokens.
const (
	StartTag    Token = iota // [Scanner.Name] and [Scanner.Attrs] describe it
	EndTag                   // of the innermost open element
	EndDocument              // the root is closed, and nothing else follows
)

// An Attr is an attribute of a start tag. Its value is normalised (XML 1.0 section 3.3.3).
// Name and value are valid until the next token.
type Attr struct {
	Name, Value []byte
}

// A Scanner reads XML 1.0 (fifth edition). It accepts only well-formed documents. Of these it
// refuses some: with an internal subset in the DOCTYPE, with two colons in a name, or beyond
// a bound.
//
// It holds one buffer, which must hold a whole start tag. Make one with [New].
type Scanner struct {
	Depth int    // open elements
	Name  []byte // of the last start tag, with its prefix; valid until the next token
	Attrs []Attr // of the last start tag

	// KeepText has the scanner add text to Text, which the reader empties. It may change
	// between two tokens. Line ends are as XML 1.0 section 2.11 has them.
	KeepText bool
	Text     []byte

	charset  string
	tolerate Tolerance
	kept     *spool.Spool // of a document that is examined before it is read

	src   io.Reader
	err   error  // of src, after buf[:end]; it stays
	buf   []byte // buf[pos:end] is ahead
	pos   int
	end   int
	ended bool  // err is io.EOF
	base  int64 // bytes of the document before buf[0]

	converted bool // the document is in another encoding than UTF-8

	counted int // lines counts the line feeds before buf[counted]
	lines   int

	names   []byte // of the open elements, one after the other
	nameEnd [MaxDepth]int

	tag     int    // where the last start tag begins in buf; valid until the next token
	scratch []byte // attribute values that differ from what is in buf
	begun   bool   // the encoding is known
	afterCR bool   // a carriage return ends what KeepText has kept
	empty   bool   // the last start tag was an empty element's: its end tag is due
	doctype bool   // seen
	root    bool   // seen
}

// New returns a scanner of r. The charset is what HTTP says of the document, or empty. Once
// r has returned an error, it must return it again. The scanner must be closed.
func New(r io.Reader, charset string, tolerate Tolerance) *Scanner {
	return &Scanner{charset: charset, tolerate: tolerate, src: r, buf: make([]byte, 64<<10)}
}

// Close removes the temporary file, if the scanner has one.
func (s *Scanner) Close() error {
	if s.kept == nil {
		return nil
	}
	return s.kept.Close()
}

// Next returns the next token. The error is an [*Error], or wraps the reader's error. Next
// must not be called after an error, or after the end of the document.
func (s *Scanner) Next() (Token, error) {
	if s.empty {
		s.empty = false
		s.close()
		return EndTag, nil
	}
	if !s.begun {
		s.begun = true
		if err := s.begin(); err != nil {
			return 0, err
		}
	}
	for {
		s.afterCR = false
		if err := s.skipText(); err != nil {
			return 0, err
		}
		if !s.has(2) {
			if s.pos == s.end && s.Depth == 0 && s.root && s.ended {
				return EndDocument, nil
			}
			return 0, s.short(s.where())
		}
		switch s.buf[s.pos+1] {
		case '/':
			return EndTag, s.closingTag()
		case '?':
			if err := s.skipInstruction(); err != nil {
				return 0, err
			}
		case '!':
			if err := s.skipDeclaration(); err != nil {
				return 0, err
			}
		default:
			return StartTag, s.openingTag()
		}
	}
}

// openingTag reads a start tag. The buffer must hold all of it, so that names and values
// need no copy.
func (s *Scanner) openingTag() error {
	if s.Depth == 0 && s.root {
		return s.malformed(0, "a second root element")
	}
	if s.Depth == MaxDepth {
		return s.malformed(0, "elements are nested more than %d deep", MaxDepth)
	}
	for {
		n, err := s.parseTag(s.buf[s.pos:s.end])
		if n > maxTag || errors.Is(err, errShort) && s.end-s.pos > maxTag {
			return s.malformed(0, "a start tag of more than 1 MiB")
		}
		if err == nil {
			s.tag = s.pos
			s.pos += n
			s.root = true
			s.names = append(s.names, s.Name...)
			s.nameEnd[s.Depth] = len(s.names)
			s.Depth++
			return nil
		}
		if !errors.Is(err, errShort) {
			return err
		}
		// Parsing starts anew with a buffer that is fuller, or twice as large. So the cost
		// stays in proportion to the length of the tag.
		if !s.more() {
			return s.short("inside a start tag")
		}
	}
}

// closingTag reads an end tag.
func (s *Scanner) closingTag() error {
	if s.Depth == 0 {
		return s.malformed(0, "an end tag where nothing is open")
	}
	open := s.open()
	if !s.has(2 + len(open) + 1) {
		return s.short("inside an end tag")
	}
	b := s.buf[s.pos+2 : s.end]
	if !bytes.HasPrefix(b, open) || b[len(open)] != '>' && class[b[len(open)]]&isSpace == 0 {
		return s.malformed(0, "an end tag that does not close <%.40s>", open)
	}
	s.pos += 2 + len(open)
	s.skipSpace()
	if !s.has(1) || s.buf[s.pos] != '>' {
		return s.unexpected("inside an end tag")
	}
	s.pos++
	s.close()
	return nil
}

// open returns the name of the innermost open element.
func (s *Scanner) open() []byte {
	start := 0
	if s.Depth > 1 {
		start = s.nameEnd[s.Depth-2]
	}
	return s.names[start:]
}

func (s *Scanner) close() {
	s.names = s.names[:len(s.names)-len(s.open())]
	s.Depth--
}

// has reports whether n bytes are ahead. It reads on if there are fewer.
func (s *Scanner) has(n int) bool {
	for s.end-s.pos < n {
		if !s.more() {
			return false
		}
	}
	return true
}

// more reads until the buffer is full, and reports whether that brought anything. It moves
// the bytes ahead to the start of the buffer, and makes the buffer larger if they fill it.
func (s *Scanner) more() bool {
	if s.err != nil {
		return false
	}
	if s.pos > 0 {
		s.Line() // before the line feeds are gone
		s.end = copy(s.buf, s.buf[s.pos:s.end])
		s.base += int64(s.pos)
		s.pos, s.counted = 0, 0
	}
	if s.end == len(s.buf) {
		s.buf = append(s.buf, make([]byte, len(s.buf))...)
	}
	before := s.end
	for idle := 0; s.end < len(s.buf) && s.err == nil; {
		n, err := s.src.Read(s.buf[s.end:])
		s.end += n
		s.err, s.ended = err, err == io.EOF
		if n > 0 {
			idle = 0
		} else if idle++; idle == 100 && err == nil {
			s.err = io.ErrNoProgress
		}
	}
	return s.end > before
}

// Offset returns the number of bytes before the next one, of the document as UTF-8.
func (s *Scanner) Offset() int64 { return s.base + int64(s.pos) }

// Line returns the line of the next byte, from 1.
func (s *Scanner) Line() int {
	if s.counted < s.pos {
		s.lines += bytes.Count(s.buf[s.counted:s.pos], []byte{'\n'})
		s.counted = s.pos
	}
	return s.lines + 1
}

// TagLine returns the line of the last start tag. It must be called before the next token.
func (s *Scanner) TagLine() int {
	return s.Line() - bytes.Count(s.buf[s.tag:s.pos], []byte{'\n'})
}

// TagOffset returns the number of bytes before the last start tag. It must be called before the next
// token. Ok is false if the document is not read as it came, but converted to UTF-8: then no offset
// counts its bytes.
func (s *Scanner) TagOffset() (offset int64, ok bool) { return s.base + int64(s.tag), !s.converted }

// malformed returns an error about what is n bytes ahead.
func (s *Scanner) malformed(n int, format string, args ...any) error {
	return s.fail(n, false, fmt.Sprintf(format, args...))
}

func (s *Scanner) fail(n int, encoding bool, text string) error {
	line := s.Line() + bytes.Count(s.buf[s.pos:s.pos+n], []byte{'\n'})
	return &Error{Line: line, Byte: s.Offset() + int64(n), Encoding: encoding, Text: text}
}

// unexpected returns the error for a next byte that must not be there, or is missing.
func (s *Scanner) unexpected(where string) error {
	if s.pos == s.end {
		return s.short(where)
	}
	return s.malformed(0, "the byte %#x where it cannot be, %s", s.buf[s.pos], where)
}

// where says for a message what contains the next byte.
func (s *Scanner) where() string {
	switch {
	case s.Depth > 0:
		return fmt.Sprintf("inside <%.40s>", s.open())
	case s.root:
		return "behind its root element"
	default:
		return "before its root element"
	}
}

// short returns the error for a document that ends too early: the reader's error, or that
// the document is cut short.
func (s *Scanner) short(where string) error {
	if s.ended {
		return s.malformed(s.end-s.pos, "the document is cut short %s", where)
	}
	if own, ok := errors.AsType[*Error](s.err); ok { // of a decoder of encodings, which does not know the place
		return s.fail(s.end-s.pos, own.Encoding, own.Text)
	}
	return fmt.Errorf("line %d (byte %d): %w", s.Line(), s.base+int64(s.end), s.err)
}
