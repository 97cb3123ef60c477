package xmlscan

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	unicode16 "golang.org/x/text/encoding/unicode"
)

var (
	// What encoding/xml sees in an XML declaration only when it is written like this,
	// and the versions of it that it does not know.
	looseParam   = regexp.MustCompile(`\b(version|encoding|standalone)[ ]*=[ ]*`)
	otherVersion = regexp.MustCompile(`version=(["'])1\.[0-9]+["']`)
)

// naiveUTF8 returns the document in UTF-8, or an error when its encoding is not known, or
// in doubt. What is no character in it is as invalid in what it returns.
func naiveUTF8(doc []byte, charset string) ([]byte, error) {
	if doc, marked := bytes.CutPrefix(doc, []byte("\xef\xbb\xbf")); marked {
		return doc, nil
	}
	for _, form := range []struct {
		start string
		order unicode16.Endianness
		wide  bool
	}{
		{"\x00\x00\xfe\xff", unicode16.BigEndian, true},
		{"\xff\xfe\x00\x00", unicode16.LittleEndian, true},
		{"\xfe\xff", unicode16.BigEndian, false},
		{"\xff\xfe", unicode16.LittleEndian, false},
	} {
		if bytes.HasPrefix(doc, []byte(form.start)) {
			if form.wide {
				return nil, errors.New("UTF-32")
			}
			return naiveUTF16(doc[2:], form.order)
		}
	}
	if len(doc) >= 4 && (string(doc[:4]) == "\x00\x00\x00<" || string(doc[:4]) == "<\x00\x00\x00") {
		return nil, errors.New("UTF-32")
	}
	if len(doc) > 1 && doc[0] == 0 && doc[1] != 0 {
		return naiveUTF16(doc, unicode16.BigEndian)
	}
	if len(doc) > 1 && doc[0] != 0 && doc[1] == 0 {
		return naiveUTF16(doc, unicode16.LittleEndian)
	}
	labels := []string{charset, ""}
	if parts := xmlDeclaration.FindSubmatch(doc[:bytes.Index(doc, []byte("?>"))+2]); bytes.Contains(doc, []byte("?>")) && parts != nil {
		labels[1] = string(parts[1]) + string(parts[2])
	}
	var tables []*charmap.Charmap // of the labels that say something
	for _, label := range labels {
		switch label = plainLabel(label); {
		case label == "" || strings.HasPrefix(label, "utf16"):
		case label == "utf8" || label == "usascii" || label == "ascii":
			tables = append(tables, nil)
		case tableOf(label) != nil:
			tables = append(tables, tableOf(label))
		case len(tables) == 0:
			return nil, fmt.Errorf("unknown encoding %q", label)
		}
	}
	tables = slices.DeleteFunc(tables, func(t *charmap.Charmap) bool { return t == nil })
	if len(tables) == 0 || utf8.Valid(doc) {
		return doc, nil
	}
	texts := make([]string, len(tables))
	for i, table := range tables {
		text, err := table.NewDecoder().Bytes(doc)
		if err != nil {
			return nil, err
		}
		texts[i] = string(text)
	}
	odd, even := 0, 0
	for rest := doc; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if size == 1 && r == utf8.RuneError {
			odd++
		} else if size > 1 {
			even++
		}
		rest = rest[size:]
	}
	if even > odd || strings.Contains(texts[0], "\ufffd") || slices.Max(texts) != slices.Min(texts) {
		return nil, errors.New("in doubt")
	}
	return []byte(texts[0]), nil
}

// naiveUTF16 is strict about what the decoder of x/text replaces.
func naiveUTF16(doc []byte, order unicode16.Endianness) ([]byte, error) {
	text, err := unicode16.UTF16(order, unicode16.IgnoreBOM).NewDecoder().Bytes(doc)
	if err != nil {
		return nil, err
	}
	again, err := unicode16.UTF16(order, unicode16.IgnoreBOM).NewEncoder().Bytes(text)
	if err == nil && !bytes.Equal(again, doc) {
		err = errors.New("not UTF-16")
	}
	return text, err
}

// naiveScan is the oracle of scan: it reads the document with encoding/xml.
func naiveScan(doc []byte, charset string) (string, error) {
	doc, err := naiveUTF8(doc, charset)
	if err != nil {
		return "", err
	}
	// It does not normalise values. White space means the same anywhere else.
	doc = bytes.ReplaceAll(doc, []byte("\r\n"), []byte(" "))
	doc = []byte(strings.NewReplacer("\r", " ", "\n", " ", "\t", " ").Replace(string(doc)))
	if end := bytes.Index(doc, []byte("?>")); end > 0 && bytes.HasPrefix(doc, []byte("<?xml ")) {
		head := looseParam.ReplaceAll(doc[:end], []byte("$1="))
		head = otherVersion.ReplaceAll(head, []byte("version=${1}1.0$1"))
		doc = append(head, doc[end:]...)
	}
	// Token checks the document, RawToken gives the names with their prefixes.
	for d := newXMLDecoder(doc); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return "", err
		}
	}
	var b strings.Builder
	for d := newXMLDecoder(doc); ; {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return b.String(), nil
		} else if err != nil {
			return "", err
		}
		switch token := token.(type) {
		case xml.StartElement:
			b.WriteString("<" + rawName(token.Name))
			for _, a := range token.Attr {
				fmt.Fprintf(&b, " %s=%s", rawName(a.Name), `"`+a.Value+`"`)
			}
			b.WriteString(">")
		case xml.EndElement:
			b.WriteString("</>")
		}
	}
}

func rawName(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}

// newXMLDecoder is for documents in UTF-8, whatever they declare.
func newXMLDecoder(doc []byte) *xml.Decoder {
	d := xml.NewDecoder(bytes.NewReader(doc))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	return d
}
