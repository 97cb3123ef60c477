package xmlscan

import (
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// An evidence collects what the bytes of a document tell of its encoding: whether that is
// UTF-8, or one of one byte a character. The document is written to it.
type evidence struct {
	characters int       // beyond ASCII, in UTF-8
	others     int       // bytes beyond ASCII that are not valid UTF-8
	seen       [256]bool // which bytes beyond ASCII there are
	pending    []byte    // the beginning of what may be a character
}

// Write never fails.
func (e *evidence) Write(p []byte) (int, error) {
	n := len(p)
	if len(e.pending) > 0 {
		p = append(e.pending[:len(e.pending):len(e.pending)], p...)
	}
	e.pending = e.pending[:0]
	for i := 0; i < len(p); {
		if p[i] < utf8.RuneSelf {
			i++
			continue
		}
		if !utf8.FullRune(p[i:]) {
			e.pending = append(e.pending, p[i:]...)
			break
		}
		_, size := utf8.DecodeRune(p[i:])
		if size > 1 {
			e.characters++
		} else {
			e.others++
		}
		for _, c := range p[i : i+size] {
			e.seen[c] = true
		}
		i += size
	}
	return n, nil
}

// isUTF8 reports whether all of the document is valid UTF-8.
func (e *evidence) isUTF8() bool { return e.others == 0 && len(e.pending) == 0 }

// fits reports whether each byte of the document has a meaning in an encoding, and the same
// meaning in another one. The other one may be nil.
func (e *evidence) fits(table, other *charmap.Charmap) bool {
	for c, seen := range e.seen {
		if !seen {
			continue
		}
		r := table.DecodeByte(byte(c))
		if r == utf8.RuneError || other != nil && other.DecodeByte(byte(c)) != r {
			return false
		}
	}
	return true
}
