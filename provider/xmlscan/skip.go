package xmlscan

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"
)

// skipText skips to the next markup, or to the end of the document.
func (s *Scanner) skipText() error {
	if s.Depth == 0 {
		s.skipSpace()
		if s.has(1) && s.buf[s.pos] != '<' {
			return s.malformed(0, "text outside of the root element, where XML has none")
		}
		return nil
	}
	for {
		i := s.pos
		for i < s.end && class[s.buf[i]]&isText != 0 {
			i++
		}
		if err := s.keep(s.buf[s.pos:i]); err != nil {
			return err
		}
		s.pos = i
		if i == s.end {
			if s.more() {
				continue
			}
			return nil
		}
		if s.buf[i] == '<' {
			return nil
		}
		if err := s.skipTextAt(); err != nil {
			return err
		}
	}
}

// skipTextAt skips one character of text that is not in the class isText.
func (s *Scanner) skipTextAt() error {
	if c := s.buf[s.pos]; c == '&' {
		complete := s.has(maxReference)
		b := s.buf[s.pos:s.end]
		r, n, ok := reference(b, s.tolerate)
		if !ok {
			n = 1
			for n < len(b) && (b[n] == '#' || class[b[n]]&isNameChar != 0) {
				n++
			}
			if n == len(b) && !complete {
				return s.short("inside a reference")
			}
			return s.unknownReference(0)
		}
		s.pos += n
		s.afterCR = false
		if s.KeepText {
			s.Text = utf8.AppendRune(s.Text, r)
		}
		return nil
	} else if c == ']' {
		if s.has(3) && string(s.buf[s.pos:s.pos+3]) == "]]>" {
			return s.malformed(0, "]]> in text")
		}
		s.pos++
		return s.keep([]byte{c})
	}
	s.has(utf8.UTFMax)
	b := s.buf[s.pos:s.end]
	if !utf8.FullRune(b) {
		return s.short("inside a character")
	}
	_, size := utf8.DecodeRune(b)
	if legal(b[:size]) < size {
		return s.illegal(0)
	}
	s.pos += size
	return s.keep(b[:size])
}

// keep keeps text of the document if the reader has asked for it.
func (s *Scanner) keep(text []byte) error {
	if !s.KeepText {
		return nil
	}
	if len(s.Text)+len(text) > maxText {
		return s.malformed(0, "more than 1 MiB of text")
	}
	for len(text) > 0 {
		if s.afterCR && text[0] == '\n' {
			text = text[1:] // the line feed is there already
		}
		line, rest, found := bytes.Cut(text, []byte{'\r'})
		s.Text, s.afterCR, text = append(s.Text, line...), found, rest
		if found {
			s.Text = append(s.Text, '\n')
		}
	}
	return nil
}

// illegal returns the error for the character n bytes ahead, which XML does not allow.
func (s *Scanner) illegal(n int) error {
	if c := s.buf[s.pos+n]; c < ' ' {
		return s.malformed(n, "the character %#x, which XML does not allow; tolerate: control-characters reads it as a space", c)
	}
	return s.malformed(n, "invalid UTF-8, or a character that XML does not allow")
}

// skipSpace skips white space, and reports whether there was any.
func (s *Scanner) skipSpace() bool {
	start := s.Offset()
	for s.has(1) {
		if s.pos = pastSpace(s.buf[:s.end], s.pos); s.pos < s.end {
			break
		}
	}
	return s.Offset() > start
}

// skipInstruction skips a processing instruction.
func (s *Scanner) skipInstruction() error {
	const where = "inside a processing instruction"
	s.pos += len("<?")
	target, err := s.skipName(where)
	if err != nil {
		return err
	}
	if strings.EqualFold(target, "xml") {
		const text = "an XML declaration that is not at the start, or is not right"
		if s.root {
			return s.malformed(0, text)
		}
		return s.malformed(0, text+"; tolerate: leading-blanks reads one behind blanks")
	}
	if !s.skipSpace() && s.has(2) && string(s.buf[s.pos:s.pos+2]) != "?>" {
		return s.malformed(0, "white space is missing %s", where)
	}
	return s.skipPast("?>", where, false)
}

// skipName skips a name and returns it.
func (s *Scanner) skipName(where string) (string, error) {
	n, err := name(s.buf[s.pos:s.end])
	for errors.Is(err, errShort) {
		if !s.more() {
			return "", s.short(where)
		}
		n, err = name(s.buf[s.pos:s.end])
	}
	if err != nil {
		return "", s.malformed(0, "%s", err)
	}
	skipped := string(s.buf[s.pos : s.pos+n])
	s.pos += n
	return skipped, nil
}

// skipDeclaration skips what begins with "<!".
func (s *Scanner) skipDeclaration() error {
	const comment, cdata, doctype = "<!--", "<![CDATA[", "<!DOCTYPE"
	complete := s.has(len(doctype))
	b := s.buf[s.pos:s.end]
	switch {
	case bytes.HasPrefix(b, []byte(comment)):
		s.pos += len(comment)
		if err := s.skipPast("--", "inside a comment", false); err != nil {
			return err
		}
		if !s.has(1) || s.buf[s.pos] != '>' {
			return s.unexpected("behind the -- inside a comment")
		}
		s.pos++
		return nil
	case bytes.HasPrefix(b, []byte(cdata)) && s.Depth > 0:
		s.pos += len(cdata)
		return s.skipPast("]]>", "inside a CDATA section", true)
	case bytes.HasPrefix(b, []byte(doctype)) && !s.root && !s.doctype:
		return s.skipDoctype()
	case !complete:
		return s.short("inside a declaration")
	default:
		return s.malformed(0, "a declaration that is not known, or not in its place")
	}
}

// skipPast skips everything through the next delim, and checks the characters before it. They
// may be text.
func (s *Scanner) skipPast(delim, where string, text bool) error {
	for {
		b := s.buf[s.pos:s.end]
		found := bytes.Index(b, []byte(delim))
		if found >= 0 {
			b = b[:found]
		} else {
			b = b[:max(0, len(b)-len(delim)+1)]
		}
		n := legal(b)
		if n < len(b) && (found >= 0 || utf8.FullRune(b[n:])) {
			return s.illegal(n)
		}
		if text {
			if err := s.keep(b[:n]); err != nil {
				return err
			}
		}
		s.pos += n
		if found >= 0 {
			s.pos += len(delim)
			return nil
		}
		if !s.more() {
			return s.short(where)
		}
	}
}
