package xmlscan

import (
	"bytes"
	"errors"
	"slices"
	"unicode/utf8"
)

// parseTag parses the start tag at the start of b, the bytes ahead. It returns the length of
// the tag, or errShort.
func (s *Scanner) parseTag(b []byte) (int, error) {
	n, err := name(b[1:])
	if err != nil {
		return 0, s.orShort(1, err)
	}
	s.Name, s.scratch, s.empty = b[1:1+n], s.scratch[:0], false
	attrs := s.Attrs[:0]
	i := 1 + n
	var seen uint64
	for {
		before := i
		if i = pastSpace(b, i); i == len(b) {
			return 0, errShort
		}
		if b[i] == '>' {
			s.Attrs = attrs
			return i + 1, nil
		}
		if b[i] == '/' {
			if i+1 == len(b) {
				return 0, errShort
			}
			if b[i+1] != '>' {
				return 0, s.malformed(i, "a slash in a start tag that is not its end")
			}
			s.Attrs, s.empty = attrs, true
			return i + 2, nil
		}
		if i == before {
			return 0, s.malformed(i, "white space is missing in a start tag")
		}
		if len(attrs) == maxAttrs {
			return 0, s.malformed(i, "a start tag with more than %d attributes", maxAttrs)
		}
		attrs = append(attrs, Attr{})
		a := &attrs[len(attrs)-1]
		end, err := s.parseAttr(a, b, i)
		if err != nil {
			return 0, err
		}
		// Most names differ in their length, or in their first or last byte. If the bit is
		// new, the name is new.
		bit := uint64(1) << ((uint(len(a.Name))*7 + uint(a.Name[0]) + uint(a.Name[len(a.Name)-1])*3) % 64)
		if seen&bit != 0 && slices.ContainsFunc(attrs[:len(attrs)-1], func(b Attr) bool { return bytes.Equal(a.Name, b.Name) }) {
			return 0, s.malformed(i, "the attribute %.40s is there twice", a.Name)
		}
		seen |= bit
		i = end
	}
}

// parseAttr sets a to the attribute at b[i], and returns the index after it.
func (s *Scanner) parseAttr(a *Attr, b []byte, i int) (int, error) {
	n, err := name(b[i:])
	if err != nil {
		return 0, s.orShort(i, err)
	}
	a.Name = b[i : i+n]
	if i = pastSpace(b, i+n); i == len(b) {
		return 0, errShort
	}
	if b[i] != '=' {
		return 0, s.malformed(i, "the attribute %.40s has no value", a.Name)
	}
	if i = pastSpace(b, i+1); i == len(b) {
		return 0, errShort
	}
	if b[i] != '"' && b[i] != '\'' {
		return 0, s.malformed(i, "the value of %.40s is not in quotes", a.Name)
	}
	end, plain, err := s.value(b, i)
	if err != nil {
		return 0, err
	}
	a.Value = b[i+1 : end]
	if !plain {
		a.Value, err = s.normalise(a.Value, i+1)
	}
	return end + 1, err
}

// value returns the index of the quote that ends the value whose first quote is b[i]. A plain
// value needs no [Scanner.normalise].
func (s *Scanner) value(b []byte, i int) (end int, plain bool, err error) {
	quote, start := b[i], i+1
	plain, ascii := true, true
	for i = start; ; i++ {
		for i < len(b) && class[b[i]]&isValue != 0 {
			i++
		}
		if i == len(b) {
			return 0, false, errShort
		}
		switch c := b[i]; {
		case c == quote:
			if !ascii {
				if n := legal(b[start:i]); n < i-start {
					return 0, false, s.illegal(start + n)
				}
			}
			return i, plain, nil
		case c == '"' || c == '\'':
		case c == '&' || class[c]&isSpace != 0:
			plain = false
		case c >= utf8.RuneSelf:
			ascii = false
		case c == '<':
			return 0, false, s.malformed(i, "a < inside an attribute's value")
		default:
			return 0, false, s.illegal(i)
		}
	}
}

// normalise returns the value, which begins at bytes ahead. It replaces references, and puts
// a space in the place of each line end and other white space.
func (s *Scanner) normalise(value []byte, at int) ([]byte, error) {
	start := len(s.scratch)
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case c == '&':
			r, n, ok := reference(value[i:], s.tolerate)
			if !ok {
				return nil, s.unknownReference(at + i)
			}
			s.scratch = utf8.AppendRune(s.scratch, r)
			i += n - 1
		case c == '\r' && i+1 < len(value) && value[i+1] == '\n':
			// The line feed stands for both.
		case class[c]&isSpace != 0:
			s.scratch = append(s.scratch, ' ')
		default:
			s.scratch = append(s.scratch, c)
		}
	}
	return s.scratch[start:], nil
}

// orShort adds the place to an error of [name], n bytes ahead. It returns errShort as it is.
func (s *Scanner) orShort(n int, err error) error {
	if errors.Is(err, errShort) {
		return err
	}
	return s.malformed(n, "%s", err)
}

// pastSpace returns the index of the first byte from b[i] on that is not white space.
func pastSpace(b []byte, i int) int {
	for i < len(b) && class[b[i]]&isSpace != 0 {
		i++
	}
	return i
}
