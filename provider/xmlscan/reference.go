package xmlscan

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxReference bounds a reference, in bytes. The longest that is needed is
// "&#x10FFFF;", but zeros may lead.
const maxReference = 32

// reference decodes the reference that b begins with, and returns its length. Only
// the five predefined entities and references to legal characters are known, and
// those to others that are tolerated.
func reference(b []byte, tolerate Tolerance) (r rune, n int, ok bool) {
	end := bytes.IndexByte(b[:min(len(b), maxReference)], ';')
	if end < 0 {
		return 0, 0, false
	}
	ref := string(b[1:end])
	if r, ok := entities[ref]; ok {
		return r, end + 1, true
	}
	digits, numeric := strings.CutPrefix(ref, "#")
	base := 10
	if hex, ok := strings.CutPrefix(digits, "x"); ok {
		digits, base = hex, 16
	}
	// ParseUint takes no sign, and no underscore when the base is given.
	code, err := strconv.ParseUint(digits, base, 32)
	if err == nil && code < ' ' && !legalRune(rune(code)) && tolerate&ControlCharacters != 0 {
		code = ' '
	}
	return rune(code), end + 1, numeric && err == nil && code <= utf8.MaxRune && legalRune(rune(code))
}

// entities are the predefined ones, XML 1.0 section 4.6.
var entities = map[string]rune{"amp": '&', "lt": '<', "gt": '>', "quot": '"', "apos": '\''}

// unknownReference returns the error of the reference n bytes ahead, which is none.
func (s *Scanner) unknownReference(n int) error {
	if _, _, ok := reference(s.buf[s.pos+n:s.end], ControlCharacters); ok {
		return s.malformed(n, "a reference to a character that XML does not allow; tolerate: control-characters reads it as a space")
	}
	return s.malformed(n, "a reference that is not known, or a bare &")
}
