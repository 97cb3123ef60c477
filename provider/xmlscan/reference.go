package xmlscan

import (
	"bytes"
	"strconv"
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
	switch ref := string(b[1:end]); ref {
	case "amp":
		r = '&'
	case "lt":
		r = '<'
	case "gt":
		r = '>'
	case "quot":
		r = '"'
	case "apos":
		r = '\''
	default:
		if len(ref) < 2 || ref[0] != '#' {
			return 0, 0, false
		}
		digits, base := ref[1:], 10
		if digits[0] == 'x' {
			digits, base = digits[1:], 16
		}
		// ParseUint takes no sign, and no underscore when the base is given.
		code, err := strconv.ParseUint(digits, base, 32)
		if err == nil && code < ' ' && !legalRune(rune(code)) && tolerate&ControlCharacters != 0 {
			code = ' '
		}
		if err != nil || code > 0x10ffff || !legalRune(rune(code)) {
			return 0, 0, false
		}
		r = rune(code)
	}
	return r, end + 1, true
}

// unknownReference returns the error of the reference n bytes ahead, which is none.
func (s *Scanner) unknownReference(n int) error {
	if _, _, ok := reference(s.buf[s.pos+n:s.end], ControlCharacters); ok {
		return s.malformed(n, "a reference to a character that XML does not allow; tolerate: control-characters reads it as a space")
	}
	return s.malformed(n, "a reference that is not known, or a bare &")
}
