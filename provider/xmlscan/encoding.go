package xmlscan

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/transform"

	"fever/provider/spool"
)

// xmlDeclaration is XMLDecl, production 23. Its groups are the encoding's name in
// one kind of quotes and the other.
var xmlDeclaration = regexp.MustCompile(`^<\?xml` +
	`[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.[0-9]+"|'1\.[0-9]+')` +
	`(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:"([A-Za-z][-A-Za-z0-9._]*)"|'([A-Za-z][-A-Za-z0-9._]*)'))?` +
	`(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:"(?:yes|no)"|'(?:yes|no)'))?` +
	`[ \t\r\n]*\?>`)

// begin skips a byte order mark and the XML declaration, and has the rest read as UTF-8. A
// mark, or the form of UTF-16, leaves no doubt. Otherwise HTTP's charset counts first, and
// then the declaration (RFC 7303 section 3.2), unless the bytes contradict them.
func (s *Scanner) begin() error {
	const mark = "\xef\xbb\xbf"
	if !s.has(4) && !s.ended {
		return s.short("at its start")
	}
	ahead := s.buf[s.pos:s.end]
	order, markSize := utf16Of(ahead)
	certain := true
	switch {
	case isUTF32(ahead):
		return s.unknownEncoding("UTF-32")
	case bytes.HasPrefix(ahead, []byte(mark)):
		s.pos += len(mark)
	case order != nil:
		s.pos += markSize
		s.converted = true
		s.reread(func(r io.Reader) io.Reader { return transform.NewReader(r, utf16Decoder{order: order}) })
	default:
		certain = false
	}
	if s.tolerate&ControlCharacters != 0 {
		s.reread(func(r io.Reader) io.Reader { return blanker{r} })
	}
	if s.tolerate&LeadingBlanks != 0 {
		s.skipSpace()
	}
	declared, err := s.skipXMLDeclaration()
	if err != nil || certain {
		return err
	}
	return s.transcode(declared)
}

// reread has the scanner read the bytes ahead, and all behind them, through another reader.
func (s *Scanner) reread(through func(io.Reader) io.Reader) {
	ahead := bytes.Clone(s.buf[s.pos:s.end])
	s.src = through(io.MultiReader(bytes.NewReader(ahead), s.src))
	s.end, s.err, s.ended = s.pos, nil, false // src returns its error again
}

// skipXMLDeclaration skips the XML declaration if there is one, and returns the
// encoding that it names, or "".
func (s *Scanner) skipXMLDeclaration() (string, error) {
	const open = "<?xml"
	if !s.has(len(open)+1) || string(s.buf[s.pos:s.pos+len(open)]) != open || class[s.buf[s.pos+len(open)]]&isSpace == 0 {
		return "", nil // an element, a processing instruction, or no XML at all
	}
	parts, err := s.match(xmlDeclaration, "?>", "the XML declaration")
	if err != nil {
		return "", err
	}
	s.pos += len(parts[0])
	return string(parts[1]) + string(parts[2]), nil
}

// maxDeclaration bounds an XML declaration and a DOCTYPE, in bytes.
const maxDeclaration = 1 << 10

// match returns the match of a production at the bytes ahead, and of its groups. A document
// without the end of the production is cut short.
func (s *Scanner) match(production *regexp.Regexp, end, name string) ([][]byte, error) {
	for {
		ahead := s.buf[s.pos:min(s.end, s.pos+maxDeclaration)]
		parts := production.FindSubmatch(ahead)
		switch {
		case parts != nil:
			return parts, nil
		case len(ahead) < maxDeclaration && s.more():
		case len(ahead) < maxDeclaration && !bytes.Contains(ahead, []byte(end)):
			return nil, s.short("inside " + name)
		default:
			return nil, s.malformed(0, "%s is not right, or has more than 1 KiB", name)
		}
	}
}

// transcode has the bytes ahead read in their encoding. HTTP's charset and the XML
// declaration may each name one.
//
// Both are often wrong. Servers send one charset with everything, and programs convert a
// document without its declaration. But bytes are not valid UTF-8 by chance. So if either
// names an encoding of one byte a character, transcode examines the whole document first.
// It refuses a document in doubt, because wrong letters in a title would be stored for ever.
func (s *Scanner) transcode(declared string) error {
	label, other := s.charset, declared
	if meansNothing(label) {
		label, other = other, ""
	}
	if meansNothing(label) {
		return nil
	}
	table, known := encodingOf(label)
	if !known {
		return s.unknownEncoding(label)
	}
	otherTable, _ := encodingOf(other)
	if table == nil && otherTable == nil {
		return nil // UTF-8, which the scanner checks
	}
	var e evidence
	var err error
	s.kept, err = spool.Fill(io.TeeReader(io.MultiReader(bytes.NewReader(bytes.Clone(s.buf[s.pos:s.end])), s.src), &e))
	if err != nil {
		return fmt.Errorf("line %d: %w", s.Line(), err)
	}
	isUTF8, whole := e.isUTF8(), s.kept.Whole()
	if !whole { // there is no room for the rest, which is examined while it is read
		isUTF8 = e.others == 0 && e.characters > 0
	}
	s.reread(func(io.Reader) io.Reader { return s.kept })
	if isUTF8 {
		return nil
	}
	if table == nil {
		table, otherTable = otherTable, nil
	}
	doubt := func() string {
		if e.characters <= e.others && e.fits(table, otherTable) {
			return ""
		}
		return fmt.Sprintf("the encoding is in doubt: HTTP says %.40q and the XML declaration %.40q, "+
			"and %d characters beyond ASCII are UTF-8 while %d bytes are not", s.charset, declared, e.characters, e.others)
	}
	s.converted = true
	s.reread(func(r io.Reader) io.Reader { return transform.NewReader(r, table.NewDecoder()) })
	if !whole {
		s.src = &judged{s.src, doubt}
	}
	if text := doubt(); text != "" {
		return s.fail(0, true, text)
	}
	return nil
}

// A judged reader fails at its end if the encoding is in doubt by then.
type judged struct {
	io.Reader
	doubt func() string
}

func (j *judged) Read(p []byte) (int, error) {
	n, err := j.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		if text := j.doubt(); text != "" {
			err = &Error{Encoding: true, Text: text}
		}
	}
	return n, err
}

// UTF8 returns a reader of a text that is not XML, as UTF-8 without a byte order mark. Such a
// mark tells the encoding; without one the label does, and without that it is UTF-8. Bytes
// that are not UTF-8 are left to the caller. Mark is the number of bytes of the mark, or -1 if the text is
// converted, so that places in it are not those in r.
func UTF8(r io.Reader, label string) (text io.Reader, mark int, err error) {
	start := make([]byte, 4)
	n, err := io.ReadFull(r, start)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, 0, err
	}
	start = start[:n]
	whole := func(rest []byte) io.Reader {
		if err != nil { // r has ended
			return bytes.NewReader(rest)
		}
		return io.MultiReader(bytes.NewReader(rest), r)
	}
	order, skipped := utf16Of(start)
	switch rest, marked := bytes.CutPrefix(start, []byte("\xef\xbb\xbf")); {
	case marked:
		return whole(rest), len(start) - len(rest), nil
	case order != nil:
		return transform.NewReader(whole(start[skipped:]), utf16Decoder{order: order}), -1, nil
	case meansNothing(label):
		return whole(start), 0, nil
	}
	table, known := encodingOf(label)
	switch {
	case !known:
		return nil, 0, unknownEncoding(label)
	case table == nil:
		return whole(start), 0, nil
	}
	return transform.NewReader(whole(start), table.NewDecoder()), -1, nil
}

// Text returns a text as UTF-8. One that is not is taken to be in the encoding of a label, such as
// that of an HTTP header: many servers send one with all that they have, whatever that is in.
// With an unknown label the text stays as it is.
func Text(text []byte, label string) []byte {
	if label == "" || utf8.Valid(text) {
		return text
	}
	decoded, _, err := UTF8(bytes.NewReader(text), label)
	if err != nil {
		return text
	}
	text, _ = io.ReadAll(decoded) // of memory
	return text
}

// KnownEncoding returns an error for a label of an encoding that [UTF8] does not know.
func KnownEncoding(label string) error {
	if _, known := encodingOf(label); !known && !meansNothing(label) {
		return unknownEncoding(label)
	}
	return nil
}

// meansNothing reports whether a label can be ignored in a document that is not in UTF-16.
// Programs declare UTF-16 for a text in memory, and then convert it.
func meansNothing(label string) bool {
	return label == "" || strings.HasPrefix(plainLabel(label), "utf16")
}

// encodingOf returns the encoding with the given label, and whether it is known: one of one
// byte a character, or nil for UTF-8 and its subset US-ASCII.
func encodingOf(label string) (table *charmap.Charmap, known bool) {
	name := plainLabel(label)
	switch name {
	case "utf8", "usascii", "ascii":
		return nil, true
	}
	table = tableOf(name)
	return table, table != nil
}

// plainLabel returns the letters and digits of a label, in lower case. Labels for the same
// encoding differ in their other characters.
func plainLabel(label string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, strings.ToLower(label))
}

// tableOf returns the encoding of one byte a character with the given plain label, or nil.
func tableOf(name string) *charmap.Charmap {
	switch name {
	case "iso88591", "latin1", "l1", "cp1252", "xcp1252":
		// The Encoding Standard of WHATWG reads both labels as Windows-1252. It differs from
		// ISO-8859-1 only where that has control characters, which no title holds.
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

func (s *Scanner) unknownEncoding(label string) error {
	return s.fail(0, true, unknownEncoding(label).Text)
}

func unknownEncoding(label string) *Error {
	return &Error{Line: 1, Encoding: true, Text: fmt.Sprintf(
		"the encoding %.40q is not known: UTF-8, UTF-16, US-ASCII, and those of the families ISO-8859 and Windows-125x are", label)}
}
