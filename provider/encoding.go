package provider

import (
	"bytes"
	"io"
	"regexp"
	"strings"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/transform"
)

// maxDeclaration bounds the XML declaration, in bytes.
const maxDeclaration = 1 << 10

// xmlDeclaration is XMLDecl, production 23. Its groups are the encoding's name in
// one kind of quotes and the other.
var xmlDeclaration = regexp.MustCompile(`^<\?xml` +
	`[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.[0-9]+"|'1\.[0-9]+')` +
	`(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:"([A-Za-z][-A-Za-z0-9._]*)"|'([A-Za-z][-A-Za-z0-9._]*)'))?` +
	`(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:"(?:yes|no)"|'(?:yes|no)'))?` +
	`[ \t\r\n]*\?>$`)

// begin skips a byte order mark and the XML declaration, and sees to it that what
// follows is read as UTF-8. The mark counts more than the declaration, and that more
// than charset, which may be empty; in the end it is UTF-8.
func (s *scanner) begin(charset string) error {
	s.has(len("\xef\xbb\xbf"))
	if encoding := utf16Of(s.buf[s.pos:s.end]); encoding != "" {
		return s.unknownEncoding(encoding)
	}
	marked := bytes.HasPrefix(s.buf[s.pos:s.end], []byte("\xef\xbb\xbf"))
	if marked {
		s.pos += len("\xef\xbb\xbf")
	}
	declared, err := s.skipXMLDeclaration()
	if err != nil || marked {
		return err
	}
	if declared != "" {
		charset = declared
	}
	return s.transcode(charset)
}

// skipXMLDeclaration skips the XML declaration if there is one, and returns the
// encoding that it names, or "".
func (s *scanner) skipXMLDeclaration() (string, error) {
	const open, end = "<?xml", "?>"
	if !s.has(len(open)+1) || string(s.buf[s.pos:s.pos+len(open)]) != open || class[s.buf[s.pos+len(open)]]&isSpace == 0 {
		return "", nil // an element, another processing instruction, or no XML at all
	}
	n := bytes.Index(s.buf[s.pos:s.end], []byte(end))
	for n < 0 && s.end-s.pos < maxDeclaration {
		if !s.more() {
			return "", s.short("inside the XML declaration")
		}
		n = bytes.Index(s.buf[s.pos:s.end], []byte(end))
	}
	if n < 0 || n > maxDeclaration {
		return "", s.malformed(0, "an XML declaration of more than 1 KiB")
	}
	b := s.buf[s.pos : s.pos+n+len(end)]
	parts := xmlDeclaration.FindSubmatch(b)
	if parts == nil {
		return "", s.malformed(0, "an XML declaration that is not right")
	}
	s.pos += len(b)
	return string(parts[1]) + string(parts[2]), nil
}

// transcode has what is ahead read in the encoding of the given label.
func (s *scanner) transcode(label string) error {
	name := plainLabel(label)
	switch name {
	case "", "utf8", "usascii", "ascii":
		return nil // ASCII is a part of UTF-8
	}
	table := tableOf(name)
	if table == nil {
		return s.unknownEncoding(label)
	}
	ahead := bytes.Clone(s.buf[s.pos:s.end])
	s.src = transform.NewReader(io.MultiReader(bytes.NewReader(ahead), s.src), table.NewDecoder())
	s.end, s.err, s.ended = s.pos, nil, false // the source returns its error again
	return nil
}

// plainLabel returns the letters and digits of a label, in lower case: labels differ
// in what stands between them.
func plainLabel(label string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, strings.ToLower(label))
}

// tableOf returns the encoding of one byte a character with the given plain label, or
// nil.
func tableOf(name string) *charmap.Charmap {
	switch name {
	case "iso88591", "latin1", "l1", "cp1252", "xcp1252":
		// ISO-8859-1 differs from Windows-1252 where it has control characters, which no
		// title holds: the Encoding Standard of WHATWG reads both labels like this.
		return charmap.Windows1252
	case "latin9", "l9":
		return charmap.ISO8859_15
	}
	for _, encoding := range charmap.All {
		if table, ok := encoding.(*charmap.Charmap); ok && plainLabel(table.String()) == name {
			return table
		}
	}
	return nil
}

func (s *scanner) unknownEncoding(label string) error {
	return s.fault(KindDecode, 0,
		"the encoding %.40q is not known: UTF-8, US-ASCII, and those of the families ISO-8859 and Windows-125x are", label)
}

// utf16Of returns the name of the UTF-16 that b begins with, by its byte order mark or
// by how it holds a "<", or "".
func utf16Of(b []byte) string {
	switch {
	case bytes.HasPrefix(b, []byte("\xfe\xff")), bytes.HasPrefix(b, []byte("\x00<")):
		return "UTF-16BE"
	case bytes.HasPrefix(b, []byte("\xff\xfe")), bytes.HasPrefix(b, []byte("<\x00")):
		return "UTF-16LE"
	}
	return ""
}
