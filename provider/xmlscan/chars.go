package xmlscan

import "unicode/utf8"

// The classes of ASCII characters in XML 1.0 (fifth edition), and those that the inner
// loops of the scanner skip. Bytes from 0x80 on are in no class, so they stop these loops.
const (
	isSpace     = 1 << iota // S, production 3
	isNameStart             // NameStartChar, production 4, without the colon
	isNameChar              // NameChar, production 4a, without the colon
	isLegal                 // Char, production 2
	isText                  // ordinary in text: the scanner skips it
	isValue                 // ordinary in an attribute's value: it needs no change
)

var class = func() (table [256]uint8) {
	for c := range utf8.RuneSelf {
		var bits uint8
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			bits = isSpace | isLegal | isText
		case c < ' ':
			continue
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
			bits = isNameStart | isNameChar | isLegal | isText | isValue
		case c >= '0' && c <= '9', c == '-', c == '.':
			bits = isNameChar | isLegal | isText | isValue
		default:
			bits = isLegal | isText | isValue
		}
		switch c {
		case ' ':
			bits |= isValue
		case '<', '&':
			bits &^= isText | isValue
		case ']':
			bits &^= isText
		case '"', '\'':
			bits &^= isValue
		}
		table[c] = bits
	}
	return table
}()

// legalRune reports whether r is a Char, production 2.
func legalRune(r rune) bool {
	switch {
	case r < ' ':
		return r == '\t' || r == '\n' || r == '\r'
	case r < 0xd800:
		return true
	default:
		return r >= 0xe000 && r <= 0xfffd || r >= 0x10000 && r <= utf8.MaxRune
	}
}

// legal returns the length of the longest prefix of b that has only whole, legal characters.
func legal(b []byte) int {
	for i := 0; i < len(b); {
		if class[b[i]]&isLegal != 0 {
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size <= 1 || !legalRune(r) {
			return i
		}
		i += size
	}
	return len(b)
}

// isNameStartRune reports whether r is a NameStartChar, without the colon.
func isNameStartRune(r rune) bool {
	return r < utf8.RuneSelf && class[r]&isNameStart != 0 ||
		r >= 0xc0 && r <= 0x2ff && r != 0xd7 && r != 0xf7 ||
		r >= 0x370 && r <= 0x1fff && r != 0x37e ||
		r == 0x200c || r == 0x200d ||
		r >= 0x2070 && r <= 0x218f ||
		r >= 0x2c00 && r <= 0x2fef ||
		r >= 0x3001 && r <= 0xd7ff ||
		r >= 0xf900 && r <= 0xfdcf ||
		r >= 0xfdf0 && r <= 0xfffd ||
		r >= 0x10000 && r <= 0xeffff
}

// isNameRune reports whether r is a NameChar, without the colon.
func isNameRune(r rune) bool {
	return r < utf8.RuneSelf && class[r]&isNameChar != 0 || isNameStartRune(r) ||
		r == 0xb7 || r >= 0x300 && r <= 0x36f || r == 0x203f || r == 0x2040
}
