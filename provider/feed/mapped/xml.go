package mapped

import (
	"errors"
	"io"
	"strings"

	"fever/provider/feed"
	"fever/provider/xmlscan"
)

// xml reads the rows of a document in XML: the elements with the names of the path, from the
// root on.
//
// A row becomes an object by one rule, whatever is in it: its attributes are members with an
// @ before their names, its text is "#text", without white space at its ends, and the member
// of each name of a child is the list of these children, also of a single one. Names have
// their prefixes as they are written.
func (d *decoder) xml(body io.Reader, charset string, tolerate xmlscan.Tolerance) error {
	s := xmlscan.New(body, charset, tolerate)
	defer func() { _ = s.Close() }() // only read from
	err := d.elements(s)
	if wrong, ok := errors.AsType[*xmlscan.Error](err); ok {
		kind := feed.KindMalformed
		if wrong.Encoding {
			kind = feed.KindDecode
		}
		return feed.Errorf(kind, "%w", err)
	}
	return err
}

// elements reads the rows in a document.
func (d *decoder) elements(s *xmlscan.Scanner) error {
	names := d.path.names()
	if len(names) == 0 {
		return feed.Errorf(feed.KindDecode, "it is XML, where rows must name the elements of the rows, such as .feed.entry[]")
	}
	on := 0 // the open elements that are on the path
	lines := make([]int, len(names))
	others := make([][]string, len(names))
	for {
		token, err := s.Next()
		switch {
		case err != nil:
			return err
		case token == xmlscan.EndDocument:
			return nil
		case token == xmlscan.EndTag:
			if s.Depth < on {
				d.miss.note(lines[on], names[on], others[on])
				on, others[on] = s.Depth, nil
			}
			continue
		case s.Depth == 1 && string(s.Name) != names[0]:
			return feed.Errorf(feed.KindDecode, "line %d (byte %d): the root element is <%.40s>, and rows begins with %.40q", s.Line(), s.Offset(), s.Name, names[0])
		case s.Depth != on+1:
			continue
		case string(s.Name) != names[on]:
			if d.rows == 0 {
				others[on] = addOther(others[on], s.Name)
			}
			continue
		}
		line := s.TagLine()
		if on+1 < len(names) {
			on++
			lines[on] = line
			continue
		}
		offset, ok := s.TagOffset()
		row, err := d.element(s)
		if err != nil {
			return err
		}
		if ok {
			d.At(offset, s.Offset())
		}
		if err := d.row(line, row); err != nil {
			return err
		}
	}
}

// maxValues bounds a row, in elements and attributes, and maxRow in bytes.
const (
	maxValues = 1 << 18
	maxRow    = 16 << 20
)

// element returns the element that was just entered as an object, after its end.
func (d *decoder) element(s *xmlscan.Scanner) (map[string]any, error) {
	type open struct {
		object map[string]any
		text   strings.Builder
	}
	s.KeepText, s.Text = true, s.Text[:0]
	defer func() { s.KeepText = false }()
	start, line, values := s.Offset(), s.TagLine(), 0
	root := attributes(s)
	stack := []*open{{object: root}}
	for {
		token, err := s.Next()
		if err != nil {
			return nil, err
		}
		inner := stack[len(stack)-1]
		inner.text.Write(s.Text)
		s.Text = s.Text[:0]
		if values += 1 + len(s.Attrs); values > maxValues || s.Offset()-start > maxRow {
			return nil, feed.Errorf(feed.KindMalformed, "line %d: a row of more than 16 MiB, or %d values", line, maxValues)
		}
		if token == xmlscan.StartTag {
			name, child := string(s.Name), &open{object: attributes(s)}
			list, _ := inner.object[name].([]any)
			inner.object[name] = append(list, child.object)
			stack = append(stack, child)
			continue
		}
		if text := strings.TrimSpace(inner.text.String()); text != "" {
			inner.object["#text"] = text
		}
		if stack = stack[:len(stack)-1]; len(stack) == 0 {
			return root, nil
		}
	}
}

// attributes returns the attributes of the element that was just entered.
func attributes(s *xmlscan.Scanner) map[string]any {
	object := make(map[string]any, len(s.Attrs))
	for _, a := range s.Attrs {
		object["@"+string(a.Name)] = string(a.Value)
	}
	return object
}
