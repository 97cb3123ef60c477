package provider

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"fever/provider/feed"
	"fever/provider/jsonscan"
	"fever/provider/xmlscan"
)

// Bounds of the values that are looked for in a page.
const (
	maxValue  = 8 << 10 // bytes of a text
	maxValues = 100     // elements of a list
)

// found has what a page says of the next one, by the field of [Pages] whose path leads there:
// the text of a value, or of each element of a list. null, and what is absent, has none.
type found map[string][]string

// text returns a single value, or "".
func (f found) text(field string) (string, error) {
	switch texts := f.texts(field); len(texts) {
	case 0:
		return "", nil
	case 1:
		return texts[0], nil
	}
	return "", fmt.Errorf("its %s is a list, where one value is needed", field)
}

// texts returns the values that say something. An empty text says nothing, nor does false.
func (f found) texts(field string) []string {
	return slices.DeleteFunc(slices.Clone(f[field]), func(text string) bool { return text == "" || text == "false" })
}

// flag returns a value of true or false. What is absent is false.
func (f found) flag(field string) (bool, error) {
	text, err := f.text(field)
	if err != nil {
		return false, err
	}
	switch strings.ToLower(text) {
	case "true", "1":
		return true, nil
	case "", "false", "0":
		return false, nil
	}
	return false, fmt.Errorf("its %s is %.40q, which is neither true nor false", field, text)
}

// number returns a number of rows, or nil if there is none.
func (f found) number(field string) (*int, error) {
	text, err := f.text(field)
	if text == "" || err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > math.MaxInt32 {
		return nil, fmt.Errorf("its %s is %.40q, which is not a number of rows", field, text)
	}
	return &n, nil
}

// A search looks for values in a document while its format reads it.
type search struct {
	io.ReadCloser // the body, for the format

	copy     *io.PipeWriter
	done     chan struct{} // closed when the rest is there
	said     found
	err      error
	panicked any
}

// beginSearch has the body of a document searched while it is read.
func (p *Provider) beginSearch(doc *feed.Document) *search {
	read, write := io.Pipe()
	s := &search{ReadCloser: doc.Body, copy: write, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		defer func() { s.panicked = recover() }() // a bug must end the job, and not the process
		defer func() { _ = read.Close() }()       // always nil; nobody needs the rest
		s.said, s.err = p.searcher.find(read, doc.Charset)
	}()
	return s
}

// Read reads the body, and shows what it read to the search.
func (s *search) Read(b []byte) (int, error) {
	n, err := s.ReadCloser.Read(b)
	if n > 0 {
		_, _ = s.copy.Write(b[:n]) // an error says that the search has ended
	}
	return n, err
}

// end waits for the end of the search, given the error with which the format has read. Without
// one, it reads what the format has left.
func (s *search) end(err error) (found, error) {
	if err == nil {
		_, err = io.Copy(io.Discard, s)
	}
	_ = s.copy.CloseWithError(err) // always nil; no error is io.EOF
	<-s.done
	if s.panicked != nil {
		panic(s.panicked)
	}
	if err == nil {
		err = s.err
	}
	return s.said, err
}

// A searcher knows the paths of what it looks for.
type searcher struct {
	isXML  bool
	fields []string // of Pages
	paths  []path   // of each field
}

// newSearcher returns a searcher for the paths, by the field of [Pages], or nil if there are
// none.
func newSearcher(paths map[string]string) (*searcher, error) {
	var s searcher
	for _, field := range slices.Sorted(maps.Keys(paths)) {
		text := paths[field]
		if text == "" {
			continue
		}
		p, err := parsePath(text)
		if err != nil {
			return nil, &FieldError{"pages." + field, err}
		}
		if len(s.paths) > 0 && p.isXML != s.isXML {
			return nil, refuse("pages", "one path is for JSON, and another one for XML")
		}
		s.isXML, s.fields, s.paths = p.isXML, append(s.fields, field), append(s.paths, p)
	}
	if len(s.paths) == 0 {
		return nil, nil
	}
	return &s, nil
}

// find reads a document until all is found.
func (s *searcher) find(r io.Reader, charset string) (found, error) {
	var values []any
	var err error
	if s.isXML {
		values, err = findXML(r, charset, s.paths)
	} else {
		names := make([][]string, len(s.paths))
		for i := range s.paths {
			names[i] = s.paths[i].steps
		}
		values, err = jsonscan.Find(r, names...)
	}
	if err != nil {
		return nil, fmt.Errorf("look for the next page: %w", err)
	}
	said := make(found)
	for i, field := range s.fields {
		if said[field], err = textsOf(values[i]); err != nil {
			return nil, fmt.Errorf("its %s %w", field, err)
		}
	}
	return said, nil
}

// textsOf returns the texts of a value, or of the elements of a list.
func textsOf(value any) (texts []string, err error) {
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	for _, element := range list {
		var text string
		switch v := element.(type) {
		case nil:
			continue
		case string:
			text = strings.TrimSpace(v)
		case json.Number, bool:
			text = fmt.Sprint(v)
		default:
			return nil, errors.New("is neither a value nor a list of values")
		}
		texts = append(texts, text)
		if len(text) > maxValue || len(texts) > maxValues {
			return nil, fmt.Errorf("has more than %d values, or %d bytes in one", maxValues, maxValue)
		}
	}
	return texts, nil
}

// findXML returns the first value at each path of a document of XML, nil where there is none.
func findXML(r io.Reader, charset string, paths []path) (values []any, err error) {
	// The format of the feed is the one to be strict.
	scan := xmlscan.New(r, charset, xmlscan.LeadingBlanks|xmlscan.ControlCharacters)
	defer func() { err = errors.Join(err, scan.Close()) }()
	values = make([]any, len(paths))
	fits := make([]int, len(paths))  // open elements, from the root on, that fit the path
	texts := make([]int, len(paths)) // where the text of the value begins that is being read; -1: none is
	for i := range texts {
		texts[i] = -1
	}
	reading := 0 // paths whose value is being read
	for {
		token, err := scan.Next()
		if err != nil || token == xmlscan.EndDocument {
			return values, err
		}
		if !slices.Contains(values, nil) { // what follows is for the format alone
			return values, nil
		}
		for i := range paths {
			p := &paths[i]
			if token == xmlscan.EndTag {
				if fits[i] <= scan.Depth {
					continue
				}
				fits[i] = scan.Depth
				if texts[i] >= 0 {
					values[i] = string(scan.Text[texts[i]:])
					texts[i] = -1
					reading--
				}
				continue
			}
			if fits[i] != scan.Depth-1 || scan.Depth > len(p.steps) || string(scan.Name) != p.steps[scan.Depth-1] {
				continue
			}
			fits[i]++
			switch {
			case fits[i] < len(p.steps) || values[i] != nil || !p.fits(scan.Attrs):
			case p.attr != "":
				values[i] = attribute(scan.Attrs, p.attr)
			default:
				texts[i] = len(scan.Text)
				reading++
			}
		}
		if scan.KeepText = reading > 0; !scan.KeepText {
			scan.Text = scan.Text[:0]
		}
	}
}

// fits reports whether the last element of a path may have these attributes.
func (p *path) fits(attrs []xmlscan.Attr) bool {
	return p.where == "" || slices.ContainsFunc(attrs, func(a xmlscan.Attr) bool { return string(a.Name) == p.where && string(a.Value) == p.is })
}

// attribute returns the value of an attribute, or nil.
func attribute(attrs []xmlscan.Attr, name string) any {
	for _, a := range attrs {
		if string(a.Name) == name {
			return string(a.Value)
		}
	}
	return nil
}
