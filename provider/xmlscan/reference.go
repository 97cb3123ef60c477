package xmlscan

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxReference bounds a reference, in bytes. "&#x10FFFF;" is the longest one without
// leading zeros.
const maxReference = 32

// reference decodes the reference at the start of b, and returns its length. It knows the
// five predefined entities, references to legal characters, and those that are tolerated.
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
	// ParseUint accepts no sign, and with a base no underscore.
	code, err := strconv.ParseUint(digits, base, 32)
	if err == nil && code < ' ' && !legalRune(rune(code)) && tolerate&ControlCharacters != 0 {
		code = ' '
	}
	return rune(code), end + 1, numeric && err == nil && code <= utf8.MaxRune && legalRune(rune(code))
}

// entities are the predefined ones (XML 1.0 section 4.6).
var entities = map[string]rune{"amp": '&', "lt": '<', "gt": '>', "quot": '"', "apos": '\''}

// unknownReference returns the error for an & n bytes ahead that begins no known reference.
func (s *Scanner) unknownReference(n int) error {
	if _, _, ok := reference(s.buf[s.pos+n:s.end], ControlCharacters); ok {
		return s.malformed(n, "a reference to a character that XML does not allow; tolerate: control-characters reads it as a space")
	}
	return s.malformed(n, "a reference that is not known, or a bare &")
}
