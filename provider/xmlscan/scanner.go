// Package xmlscan scans XML 1.0 strictly, within bounds, and fast.
//
// It gives start tags and end tags alone. Text, comments and the rest are checked and
// dropped as they stream by.
package xmlscan

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"fever/provider/spool"
)

// The bounds of the scanner. A document that is beyond one of them counts as
// malformed.
const (
	maxTag   = 1 << 20 // bytes of a start tag
	MaxDepth = 64      // elements inside each other
	maxAttrs = 256     // attributes of one tag
)

// An Error says what keeps a document from being read, and where.
type Error struct {
	Line     int   // from 1
	Byte     int64 // from 0, of the document as UTF-8
	Encoding bool  // its encoding is not known; otherwise it is not well-formed, cut short, or beyond a bound
	Text     string
}

func (e *Error) Error() string { return fmt.Sprintf("line %d (byte %d): %s", e.Line, e.Byte, e.Text) }

// A Token is what the scanner found.
type Token uint8

// The tokens.
const (
	StartTag    Token = iota // [Scanner.Name] and [Scanner.Attrs] describe it
	EndTag                   // of the innermost open element
	EndDocument              // the root is closed, and nothing else follows
)

// An Attr is an attribute of a start tag. Its value is normalised (XML 1.0 section
// 3.3.3). Both are valid up to the next token.
type Attr struct {
	Name, Value []byte
}

// A Scanner reads XML 1.0 (fifth edition). It accepts well-formed documents, and not all
// of them: a DOCTYPE has no internal subset, a name has at most one colon, and everything
// is bounded.
//
// It holds one buffer, in which a start tag must fit. Make one with [New].
type Scanner struct {
	Depth int    // open elements
	Name  []byte // of the last start tag, with its prefix; valid up to the next token
	Attrs []Attr // of the last start tag

	charset  string
	tolerate Tolerance
	kept     *spool.Spool // of a document that is looked at before it is read

	src   io.Reader
	err   error  // of src, met behind buf[end]; sticky
	buf   []byte // buf[pos:end] is ahead
	pos   int
	end   int
	ended bool  // err is io.EOF
	base  int64 // bytes of the document before buf[0]

	counted int // line feeds before buf[counted] are in lines
	lines   int

	names   []byte // of the open elements, one after the other
	nameEnd [MaxDepth]int

	tag     int    // where the last start tag begins in buf, up to the next token
	scratch []byte // attribute values that are not in buf as they are
	begun   bool   // the encoding is known
	empty   bool   // the last start tag was an empty element's: its end tag is due
	doctype bool   // seen
	root    bool   // seen
}

// New returns a scanner of r, for which HTTP names the charset, or none. Once r has
// returned an error it must go on returning it. The scanner must be closed.
func New(r io.Reader, charset string, tolerate Tolerance) *Scanner {
	return &Scanner{charset: charset, tolerate: tolerate, src: r, buf: make([]byte, 64<<10)}
}

// Close removes the temporary file that a scanner may have.
func (s *Scanner) Close() error {
	if s.kept == nil {
		return nil
	}
	return s.kept.Close()
}

// Next returns the next token. Its error is an [*Error], or wraps the reader's. It must not
// be called after an error, or after the document's end.
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

// openingTag reads a start tag. All of it has to be in the buffer at once, so that
// names and values need no copy.
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
		// Each time there is a buffer more to parse, or twice as much: the cost of
		// starting anew stays in proportion.
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

// has reports whether n bytes are ahead, after reading on if need be.
func (s *Scanner) has(n int) bool {
	for s.end-s.pos < n {
		if !s.more() {
			return false
		}
	}
	return true
}

// more reads on until the buffer is full, and reports whether that brought anything.
// What is ahead moves to its start, and it grows when that leaves no room.
func (s *Scanner) more() bool {
	if s.err != nil {
		return false
	}
	if s.pos > 0 {
		s.Line() // while the line feeds are there to be counted
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

// TagLine returns the line of the last start tag. It is valid up to the next token.
func (s *Scanner) TagLine() int {
	return s.Line() - bytes.Count(s.buf[s.tag:s.pos], []byte{'\n'})
}

// malformed returns an error about what is n bytes ahead.
func (s *Scanner) malformed(n int, format string, args ...any) error {
	return s.fail(n, false, fmt.Sprintf(format, args...))
}

func (s *Scanner) fail(n int, encoding bool, text string) error {
	line := s.Line() + bytes.Count(s.buf[s.pos:s.pos+n], []byte{'\n'})
	return &Error{Line: line, Byte: s.Offset() + int64(n), Encoding: encoding, Text: text}
}

// unexpected returns the error of a next byte that cannot be there, or is missing.
func (s *Scanner) unexpected(where string) error {
	if s.pos == s.end {
		return s.short(where)
	}
	return s.malformed(0, "the byte %#x where it cannot be, %s", s.buf[s.pos], where)
}

// where says for a message what the next byte is in.
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

// short returns the error of a reader that has no more. Without another one the document
// is cut short.
func (s *Scanner) short(where string) error {
	if s.ended {
		return s.malformed(s.end-s.pos, "the document is cut short %s", where)
	}
	if own, ok := errors.AsType[*Error](s.err); ok { // of a reader of ours, which does not know the place
		return s.fail(s.end-s.pos, own.Encoding, own.Text)
	}
	return fmt.Errorf("line %d (byte %d): %w", s.Line(), s.base+int64(s.end), s.err)
}
