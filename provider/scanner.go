package provider

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"fever/provider/feed"
)

// The bounds of the scanner. A document that is beyond one of them counts as
// malformed.
const (
	maxTag   = 1 << 20 // bytes of a start tag
	maxDepth = 64      // elements inside each other
	maxAttrs = 256     // attributes of one tag
)

// A token is what the scanner found.
type token uint8

const (
	startTag    token = iota // scanner.name and scanner.attrs describe it
	endTag                   // of the innermost open element
	endDocument              // after the root was closed, and nothing else followed
)

// An attr is an attribute of a start tag. Its value is normalised as XML 1.0 section
// 3.3.3 says. Both are valid up to the next token.
type attr struct {
	name, value []byte
}

// A scanner reads XML 1.0 (fifth edition) and gives start tags and end tags alone:
// text, comments and the rest are checked and dropped as they stream by. What it
// accepts is well-formed, and more narrow than that: a DOCTYPE has no internal subset,
// names have at most one colon, and all is bounded.
//
// It holds one buffer, in which a start tag must fit. An error of its reader comes
// out as it is.
type scanner struct {
	tolerate Tolerance
	spool    spool // of a document that is looked at before it is read

	src   io.Reader
	err   error  // of src, met behind buf[end]; sticky
	buf   []byte // buf[pos:end] is ahead
	pos   int
	end   int
	ended bool  // err is io.EOF
	base  int64 // bytes of the document before buf[0]

	counted int // line feeds before buf[counted] are in lines
	lines   int

	depth   int    // elements that are open
	names   []byte // their names, one after the other
	nameEnd [maxDepth]int

	tag     int // where the last start tag begins in buf, up to the next token
	name    []byte
	attrs   []attr
	scratch []byte // attribute values that are not in buf as they are
	empty   bool   // the last start tag was an empty element's: its end tag is due
	doctype bool   // seen
	root    bool   // seen
}

// newScanner returns a scanner of r, which has to return an error again when it is
// asked again. It is to be closed.
func newScanner(r io.Reader, tolerate Tolerance) *scanner {
	return &scanner{tolerate: tolerate, src: r, buf: make([]byte, 64<<10)}
}

// closeSpool gives back what the scanner holds of the document outside of memory.
func (s *scanner) closeSpool() { s.spool.close() }

// next returns the next token.
func (s *scanner) next() (token, error) {
	if s.empty {
		s.empty = false
		s.close()
		return endTag, nil
	}
	for {
		if err := s.skipText(); err != nil {
			return 0, err
		}
		if !s.has(2) {
			if s.pos == s.end && s.depth == 0 && s.root && s.ended {
				return endDocument, nil
			}
			return 0, s.short(s.where())
		}
		switch s.buf[s.pos+1] {
		case '/':
			return endTag, s.closingTag()
		case '?':
			if err := s.skipInstruction(); err != nil {
				return 0, err
			}
		case '!':
			if err := s.skipDeclaration(); err != nil {
				return 0, err
			}
		default:
			return startTag, s.openingTag()
		}
	}
}

// openingTag reads a start tag. All of it has to be in the buffer at once, so that
// names and values need no copy.
func (s *scanner) openingTag() error {
	if s.depth == 0 && s.root {
		return s.malformed(0, "a second root element")
	}
	if s.depth == maxDepth {
		return s.malformed(0, "elements are nested more than %d deep", maxDepth)
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
			s.names = append(s.names, s.name...)
			s.nameEnd[s.depth] = len(s.names)
			s.depth++
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
func (s *scanner) closingTag() error {
	if s.depth == 0 {
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
func (s *scanner) open() []byte {
	start := 0
	if s.depth > 1 {
		start = s.nameEnd[s.depth-2]
	}
	return s.names[start:]
}

func (s *scanner) close() {
	s.names = s.names[:len(s.names)-len(s.open())]
	s.depth--
}

// has reports whether n bytes are ahead, after reading on if need be.
func (s *scanner) has(n int) bool {
	for s.end-s.pos < n {
		if !s.more() {
			return false
		}
	}
	return true
}

// more reads on until the buffer is full, and reports whether that brought anything.
// What is ahead moves to its start, and it grows when that leaves no room.
func (s *scanner) more() bool {
	if s.err != nil {
		return false
	}
	if s.pos > 0 {
		s.line() // while the line feeds are there to be counted
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

// offset returns the place of the next byte in the document.
func (s *scanner) offset() int64 { return s.base + int64(s.pos) }

// line returns the line of the next byte, from 1.
func (s *scanner) line() int {
	if s.counted < s.pos {
		s.lines += bytes.Count(s.buf[s.counted:s.pos], []byte{'\n'})
		s.counted = s.pos
	}
	return s.lines + 1
}

// tagLine returns the line of the last start tag. It is valid up to the next token.
func (s *scanner) tagLine() int {
	return s.line() - bytes.Count(s.buf[s.tag:s.pos], []byte{'\n'})
}

// malformed returns an error about what is n bytes ahead. Places are those in the
// document as UTF-8.
func (s *scanner) malformed(n int, format string, args ...any) error {
	return s.fault(feed.KindMalformed, n, format, args...)
}

func (s *scanner) fault(kind feed.Kind, n int, format string, args ...any) error {
	line := s.line() + bytes.Count(s.buf[s.pos:s.pos+n], []byte{'\n'})
	return &fault{kind, fmt.Sprintf("line %d (byte %d): ", line, s.offset()+int64(n)) + fmt.Sprintf(format, args...)}
}

// unexpected returns the error of a next byte that cannot be there, or is missing.
func (s *scanner) unexpected(where string) error {
	if s.pos == s.end {
		return s.short(where)
	}
	return s.malformed(0, "the byte %#x where it cannot be, %s", s.buf[s.pos], where)
}

// where says for a message what the next byte is in.
func (s *scanner) where() string {
	switch {
	case s.depth > 0:
		return fmt.Sprintf("inside <%.40s>", s.open())
	case s.root:
		return "behind its root element"
	default:
		return "before its root element"
	}
}

// short returns the error of a reader that has no more, which is that of a document
// cut short when it is no other.
func (s *scanner) short(where string) error {
	if s.ended {
		return s.malformed(s.end-s.pos, "the document is cut short %s", where)
	}
	return fmt.Errorf("line %d (byte %d): %w", s.line(), s.base+int64(s.end), s.err)
}
