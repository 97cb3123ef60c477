package jsonscan

import (
	"unicode/utf16"
	"unicode/utf8"
)

// text reads a string, or a name. The next byte is its first quote.
func (s *Scanner) text() []byte {
	buf, begin := s.buf, s.pos+1
	i := begin
	for class[buf[i]]&isPlain != 0 {
		i++
	}
	if buf[i] != '"' || i-begin > MaxString {
		return s.anyText()
	}
	s.pos = i + 1
	return buf[begin:i]
}

// anyText is text without the short cut for plain ASCII.
func (s *Scanner) anyText() []byte {
	for {
		ahead := s.buf[s.pos+1 : s.end]
		n, wrong := s.parseText(ahead)
		switch {
		case n > MaxString:
			s.fail("a string of more than %d MiB", MaxString>>20)
		case wrong == "":
			s.pos += 1 + n + 1
			if len(s.scratch) > 0 {
				return s.scratch
			}
			return ahead[:n]
		case wrong != short:
			s.pos += 1 + n
			s.fail("%s", wrong)
		case s.more():
			// Parsing starts anew with a buffer that is fuller, or twice as large. So the cost
			// stays in proportion to the length of the string.
			continue
		default:
			s.pos = s.end
			s.unexpected("the end of a string")
		}
		return nil
	}
}

// short says that a string goes on behind the bytes that are in the buffer.
const short = "short"

// parseText returns the length of the string at the start of b, up to its last quote. If it has
// escapes, its text is in scratch; otherwise that is empty. If something is wrong with it, the
// length is that up to there.
func (s *Scanner) parseText(b []byte) (n int, wrong string) {
	s.scratch = s.scratch[:0]
	copied := 0 // of b, to scratch
	for n < len(b) {
		c := b[n]
		switch {
		case class[c]&isPlain != 0:
			n++
		case c == '"':
			if copied > 0 {
				s.scratch = append(s.scratch, b[copied:n]...)
			}
			return n, ""
		case c == '\\':
			r, size, wrong := unescape(b[n:])
			if wrong != "" {
				return n + size, wrong
			}
			if r < 0 {
				s.HalfPair = true
				r = utf8.RuneError
			}
			s.scratch = utf8.AppendRune(append(s.scratch, b[copied:n]...), r)
			n += size
			copied = n
		case c < ' ':
			return n, "this is not JSON: a control character in a string"
		default:
			r, size := utf8.DecodeRune(b[n:])
			if r == utf8.RuneError && size == 1 {
				if !utf8.FullRune(b[n:]) {
					return n, short
				}
				return n, "a string is not UTF-8"
			}
			n += size
		}
	}
	return n, short
}

// escapes has the characters that escapes of one letter mean.
var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unescape decodes the escape at the start of b, and returns its length. The character is
// negative if it is half of a surrogate pair. If the escape is wrong, the length is that up
// to there.
func unescape(b []byte) (r rune, n int, wrong string) {
	switch {
	case len(b) < 2:
		return 0, 0, short
	case b[1] != 'u':
		if c := escapes[b[1]]; c != 0 {
			return rune(c), 2, ""
		}
		return 0, 0, "this is not JSON: an unknown escape in a string"
	}
	r, n, wrong = hexadecimal(b)
	if wrong != "" || !utf16.IsSurrogate(r) {
		return r, n, wrong
	}
	pair := b[n:]
	if len(pair) == 0 || len(pair) == 1 && pair[0] == '\\' {
		return 0, 0, short
	}
	if pair[0] != '\\' || pair[1] != 'u' {
		return -1, n, ""
	}
	low, m, wrong := hexadecimal(pair)
	if wrong == short {
		return 0, 0, short
	}
	if both := utf16.DecodeRune(r, low); wrong == "" && both != utf8.RuneError {
		return both, n + m, ""
	}
	return -1, n, ""
}

// hexadecimal decodes the escape \uXXXX at the start of b.
func hexadecimal(b []byte) (r rune, n int, wrong string) {
	for n = len(`\u`); n < len(`\uXXXX`); n++ {
		if n == len(b) {
			return 0, 0, short
		}
		switch c := b[n]; {
		case class[c]&isDigit != 0:
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, n, "this is not JSON: an escape that is not \\u and four hexadecimal digits"
		}
	}
	return r, n, ""
}
