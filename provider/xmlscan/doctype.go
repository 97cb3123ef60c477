package xmlscan

import "strings"

// skipDoctype skips a document type declaration, production 28. What an internal
// subset may define, entities above all, is not worth its dangers: it is refused.
func (s *Scanner) skipDoctype() error {
	const where = "inside a DOCTYPE"
	s.doctype = true
	s.pos += len("<!DOCTYPE")
	if !s.skipSpace() {
		return s.unexpected(where)
	}
	if _, err := s.skipName(where); err != nil {
		return err
	}
	if s.skipSpace() && s.has(1) && s.buf[s.pos] != '>' && s.buf[s.pos] != '[' {
		if err := s.skipExternalID(where); err != nil {
			return err
		}
		s.skipSpace()
	}
	if s.has(1) && s.buf[s.pos] == '[' {
		return s.malformed(0, "a DOCTYPE with an internal subset, which is refused since it can define entities")
	}
	if !s.has(1) || s.buf[s.pos] != '>' {
		return s.unexpected(where)
	}
	s.pos++
	return nil
}

// skipExternalID skips an ExternalID, production 75.
func (s *Scanner) skipExternalID(where string) error {
	if !s.has(len("SYSTEM")) {
		return s.short(where)
	}
	keyword := string(s.buf[s.pos : s.pos+len("SYSTEM")])
	if keyword != "SYSTEM" && keyword != "PUBLIC" {
		return s.unexpected(where)
	}
	s.pos += len(keyword)
	if keyword == "PUBLIC" {
		if err := s.skipPublicID(where); err != nil {
			return err
		}
	}
	if !s.skipSpace() || !s.has(1) || s.buf[s.pos] != '"' && s.buf[s.pos] != '\'' {
		return s.unexpected(where)
	}
	quote := string(s.buf[s.pos : s.pos+1])
	s.pos++
	return s.skipPast(quote, where)
}

// skipPublicID skips white space and a PubidLiteral, production 12.
func (s *Scanner) skipPublicID(where string) error {
	if !s.skipSpace() || !s.has(1) || s.buf[s.pos] != '"' && s.buf[s.pos] != '\'' {
		return s.unexpected(where)
	}
	quote := s.buf[s.pos]
	for s.pos++; s.has(1); s.pos++ {
		c := s.buf[s.pos]
		if c == quote {
			s.pos++
			return nil
		}
		alphanumeric := class[c]&isNameChar != 0
		if !alphanumeric && !strings.ContainsRune(" \r\n-'()+,./:=?;!*#@$_%", rune(c)) {
			break
		}
	}
	return s.unexpected(where)
}
