// Package schemaorg reads events that are described with schema.org: as JSON-LD in JSON, one
// value or one a line, and in the script blocks of an HTML page.
//
// It is a plain walk through the values, and fetches nothing: no context is resolved. Names of
// properties and types may be short (startDate), with a prefix (schema:startDate) or whole
// (http://schema.org/startDate); values may be plain or typed.
package schemaorg

import (
	"bufio"
	"bytes"
	_ "embed" // for the revision
	"errors"
	"fmt"
	"io"
	"mime"
	"net/url"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
	"golang.org/x/net/html/charset"

	"fever/provider/feed"
	"fever/provider/jsonscan"
)

// revision is a digest of the golden files. TestGolden checks it, and -update renews it.
//
//go:embed testdata/revision
var revision string

// New returns the format.
func New() feed.Format {
	return feed.Format{
		Name: "schema-org", Revision: revision, Accept: "application/ld+json, application/json;q=0.9, text/html;q=0.8, */*;q=0.1",
		Monthly: true, Follows: true, Decode: decode,
	}
}

// A decoder gives the events of a document to the builder.
type decoder struct {
	*feed.Builder

	follow func(address string, row bool) (bool, error) // see [feed.Document]
	base   *url.URL                                     // to which the addresses of a page are relative, if that says so; else nil
	found  bool                                         // an event was seen, or the address of one
	read   int                                          // values, and blocks of a page
	from   int64
	to     int64
	html   bool // the document is a page
	line   int  // of the value that is read
	offset int64
	end    int64 // of the byte behind it; 0: neither is known
	events int   // that schedules have given
	begun  bool  // the row of the events has begun

	addresses int // that were seen in lists, and not followed
}

// decode reads a document. Its first character tells HTML from JSON.
func decode(doc *feed.Document, b *feed.Builder) error {
	d := &decoder{Builder: b, follow: doc.Follow}
	d.from, d.to = feed.Window(doc.Page.Began)
	body := bufio.NewReaderSize(doc.Body, 4<<10)
	first, err := body.Peek(4 << 10) // templates leave many empty lines before a page
	if len(first) == 0 && err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("line 1: %w", err)
	}
	if bytes.HasPrefix(bytes.TrimLeft(first, "\t\n\r \xef\xbb\xbf"), []byte("<")) {
		d.html = true
		err = d.page(body, doc.Charset)
	} else {
		err = d.json(jsonscan.New(body), 0)
	}
	switch {
	case err != nil || d.found:
		return err
	case doc.Page.Number > 1 && doc.Page.Link == "" && d.read > 0: // an empty page, which ends many feeds
		return nil
	case d.follow != nil:
		return feed.Errorf(feed.KindDecode, "no schema.org Event in it, and no link to follow")
	case d.addresses > 0:
		return feed.Errorf(feed.KindDecode, "no schema.org Event in it, but the addresses of %d: `follow: link` reads them", d.addresses)
	}
	return feed.Errorf(feed.KindDecode, "no schema.org Event in it")
}

// json reads values until the end of the text. The lines are those after the given number.
func (d *decoder) json(s *jsonscan.Scanner, before int) error {
	values := 0
	for ; s.Kind() != jsonscan.End; values++ {
		if s.Kind() != jsonscan.Array {
			if err := d.value(s, before); err != nil {
				return err
			}
			continue
		}
		for s.Enter(); s.Element(); {
			if err := d.value(s, before); err != nil {
				return err
			}
		}
	}
	err := s.Err()
	if wrong, ok := errors.AsType[*jsonscan.Error](err); ok {
		return feed.Errorf(feed.KindMalformed, "%w", wrong)
	}
	if err == nil && values == 0 {
		return feed.Errorf(feed.KindMalformed, "the document is empty")
	}
	if err == nil {
		d.read += values
	}
	return err
}

// value reads one value. The nodes of a graph are read one after the other, because it can be
// large; the other members of the object then come last.
func (d *decoder) value(s *jsonscan.Scanner, before int) error {
	kind := s.Kind()
	d.line = before + s.Line()
	if kind != jsonscan.Object {
		return d.node(s.Any(), 0)
	}
	line, offset := d.line, s.Offset()
	rest := make(map[string]any)
	for s.Enter(); s.Member(); {
		name := string(s.Name)
		if name != "@graph" || s.Kind() != jsonscan.Array {
			rest[name] = s.Any()
			continue
		}
		for s.Enter(); s.Element(); {
			s.Kind()
			d.line = before + s.Line()
			offset := s.Offset()
			one := s.Any()
			d.place(s, offset)
			if err := d.node(one, 0); err != nil {
				return err
			}
		}
	}
	if s.Err() != nil {
		return nil //nolint:nilerr // json returns it
	}
	d.line = line
	d.place(s, offset)
	return d.node(rest, 0)
}

// place says where what comes next is, from an offset up to the next byte. In an HTML page the scanner
// reads a block of it, whose offset is not known.
func (d *decoder) place(s *jsonscan.Scanner, offset int64) {
	if !d.html {
		d.offset, d.end = offset, s.Offset()
	}
}

// maxBlock bounds a script block of a page, in bytes.
const maxBlock = 16 << 20

// page reads the script blocks of an HTML page. One that cannot be read is rejected, and the
// others count; if none can be, the page is malformed.
func (d *decoder) page(body io.Reader, label string) error {
	contentType := ""
	if label != "" {
		contentType = mime.FormatMediaType("text/html", map[string]string{"charset": label})
	}
	text, err := charset.NewReader(body, contentType)
	if err != nil {
		return fmt.Errorf("line 1: %w", err)
	}
	z := html.NewTokenizer(text)
	z.SetMaxBuf(maxBlock)
	line := 1
	var broken error
	scanner := jsonscan.New(strings.NewReader("")) // one for all blocks: its buffer is large
	for {
		kind := z.Next()
		raw := bytes.Count(z.Raw(), []byte{'\n'})
		switch kind {
		case html.ErrorToken:
			return d.endOfPage(z.Err(), line, broken)
		case html.StartTagToken, html.SelfClosingTagToken:
			if !d.isBlock(z) || kind == html.SelfClosingTagToken {
				break
			}
			line += raw
			if z.Next() != html.TextToken {
				raw = bytes.Count(z.Raw(), []byte{'\n'})
				break
			}
			block := bytes.Clone(z.Raw())
			raw = bytes.Count(block, []byte{'\n'})
			if len(bytes.TrimSpace(block)) == 0 {
				break // nothing was put into the template
			}
			scanner.Reset(bytes.NewReader(withoutComment(block)))
			err := d.json(scanner, line-1)
			if failure, ok := errors.AsType[*feed.Error](err); ok && failure.Kind == feed.KindMalformed {
				d.Row(line, nil)
				d.Reject("", "", line, "a block of JSON-LD that is not JSON: "+failure.Err.Error())
				broken = err
			} else if err != nil {
				return err
			}
		default:
		}
		line += raw
	}
}

// endOfPage returns what is wrong with a page as a whole.
func (d *decoder) endOfPage(err error, line int, broken error) error {
	switch {
	case errors.Is(err, html.ErrBufferExceeded):
		return feed.Errorf(feed.KindMalformed, "line %d: more than %d MiB in one element", line, maxBlock>>20)
	case !errors.Is(err, io.EOF):
		return err
	case broken != nil && d.read == 0:
		return feed.Errorf(feed.KindMalformed, "no block of JSON-LD in the page can be read; the last one: %w", broken)
	}
	return nil
}

// isBlock reports whether the start tag is that of a script with JSON-LD. It follows the tag if
// that is a link.
func (d *decoder) isBlock(z *html.Tokenizer) bool {
	name, more := z.TagName()
	switch atom.Lookup(name) {
	case atom.Script:
		kind, _, _ := strings.Cut(attribute(z, more, "type"), ";")
		return strings.EqualFold(strings.TrimSpace(kind), "application/ld+json")
	case atom.Base:
		if u, err := url.Parse(strings.TrimSpace(attribute(z, more, "href"))); err == nil && d.base == nil {
			d.base = u
		}
	case atom.A:
		_, _ = d.leads(attribute(z, more, "href"), false) // without an error of a row
	}
	return false
}

// attribute returns the value of an attribute of a tag, or "". More is that of the tag's name.
func attribute(z *html.Tokenizer, more bool, name string) string {
	for more {
		var key, value []byte
		key, value, more = z.TagAttr()
		if string(key) == name {
			return string(value)
		}
	}
	return ""
}

// withoutComment returns a block without the comment of HTML or CDATA that old templates put
// around it.
func withoutComment(block []byte) []byte {
	text := bytes.TrimSpace(block)
	for _, around := range [][2]string{{"<!--", "-->"}, {"//<![CDATA[", "//]]>"}, {"<![CDATA[", "]]>"}, {"/*<![CDATA[*/", "/*]]>*/"}, {"/* <![CDATA[ */", "/* ]]> */"}} {
		if bytes.HasPrefix(text, []byte(around[0])) && bytes.HasSuffix(text, []byte(around[1])) {
			return text[len(around[0]) : len(text)-len(around[1])]
		}
	}
	return block
}
