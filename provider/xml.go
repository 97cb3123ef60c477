package provider

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"fever/event"
	"fever/provider/feed"
)

// A role is what an element is to a feed, by its name and the place it stands at.
type role uint8

const (
	other      role = iota // unknown: skipped with all that it contains
	document               // what the root stands in
	root                   // eventList or planList
	output                 // wraps groups, or does not
	group                  // base_event or base_plan: what its occurrences share
	occurrence             // event or plan: one row
	zone
)

// A decoder turns the tags of one document into a Feed.
type decoder struct {
	*scanner
	*gatherer
	how    decoding
	prefix string             // of the root element, with its colon; empty when it has none
	roles  [maxDepth + 1]role // of the open elements, by depth
	group  groupValues
	row    rowValues
	prices map[string]event.Price // as written: feeds repeat a few
}

// decodeXML reads eventList and planList documents.
func decodeXML(r io.Reader, how decoding) (*feed.Feed, error) {
	d := newDecoder(r, how)
	defer d.closeSpool()
	return d.decode()
}

func newDecoder(r io.Reader, how decoding) *decoder {
	d := &decoder{
		scanner:  newScanner(r, how.tolerate),
		gatherer: newGatherer(how.progress),
		how:      how,
		prices:   make(map[string]event.Price),
	}
	d.roles[0] = document
	return d
}

func (d *decoder) decode() (*feed.Feed, error) {
	if err := d.begin(d.how.charset); err != nil {
		return nil, err
	}
	for {
		token, err := d.next()
		if err != nil {
			return nil, err
		}
		switch token {
		case startTag:
			if err := d.enter(); err != nil {
				return nil, err
			}
		case endTag:
			if d.roles[d.depth+1] == occurrence {
				if err := d.endRow(); err != nil {
					return nil, err
				}
			}
		case endDocument:
			return d.whole(), nil
		}
	}
}

// enter takes note of a start tag.
func (d *decoder) enter() error {
	r, own := roleOf(d.localName(), d.roles[d.depth-1])
	if r == other && d.depth == 1 {
		return d.fault(feed.KindDecode, 0, "not a feed: the root element is <%.40s>, neither eventList nor planList", d.name)
	}
	switch r {
	case other:
		if parent := d.roles[d.depth-1]; d.feed.Seen == 0 && (parent == root || parent == output || parent == group) {
			d.misplaced(d.tagLine(), fmt.Sprintf("<%.40s> is not known", d.name))
		}
	case group:
		d.beginGroup(own)
	case occurrence:
		d.see()
		if !d.group.online {
			d.feed.Ignored++
			r = other
			break
		}
		d.beginRow(own)
	case zone:
		d.addZone()
	}
	d.roles[d.depth] = r
	return nil
}

// localName returns the name of the element just entered, without its prefix if that is
// the root's. Attributes with that prefix lose it, too: an attribute with another one is
// something else's, as is an element.
//
// Prefixes are not looked up: feeds mean one thing by a name, whatever namespace they put
// it in, and some put none.
func (d *decoder) localName() []byte {
	colon := bytes.IndexByte(d.name, ':')
	if colon < 0 {
		return d.name
	}
	prefix := d.name[:colon+1]
	if d.depth == 1 {
		d.prefix = string(prefix)
	}
	if string(prefix) != d.prefix || d.prefix == "xml:" || d.prefix == "xmlns:" { // reserved: Namespaces in XML 1.0 section 3
		return d.name
	}
	// Of two attributes that come to the same name the later counts: that without a prefix.
	slices.SortStableFunc(d.attrs, func(a, b attr) int {
		return cmp.Compare(bytes.Count(b.name, []byte{':'}), bytes.Count(a.name, []byte{':'}))
	})
	for i := range d.attrs {
		d.attrs[i].name = bytes.TrimPrefix(d.attrs[i].name, prefix)
	}
	return d.name[len(prefix):]
}

// roleOf returns the role of an element just entered, and its dialect if it has one.
func roleOf(name []byte, parent role) (role, dialect) {
	switch string(name) {
	case "zone":
		if parent == occurrence {
			return zone, 0
		}
	case "event":
		if parent == group {
			return occurrence, eventDialect
		}
	case "plan":
		if parent == group {
			return occurrence, planDialect
		}
	case "base_event":
		if parent == root || parent == output {
			return group, eventDialect
		}
	case "base_plan":
		if parent == root || parent == output {
			return group, planDialect
		}
	case "output":
		if parent == root {
			return output, 0
		}
	case "eventList", "planList":
		if parent == document {
			return root, 0
		}
	}
	return other, 0
}

// A dialect is one of the two sets of names. Either may be used anywhere.
type dialect uint8

const (
	eventDialect dialect = iota
	planDialect
)

// named holds the values that an attribute has under its names in the two dialects;
// nil is absent.
type named [2][]byte

// of returns the value for an element of the given dialect, whose own name wins.
func (n named) of(own dialect) []byte {
	if n[own] != nil {
		return n[own]
	}
	return n[1-own]
}

// isTrue reads an xs:boolean. What is none is false: it is not worth a row.
func isTrue(value []byte) bool {
	return string(value) == "1" || bytes.EqualFold(value, []byte("true"))
}

// trim returns the value without white space at its ends. Most have none.
func trim(value []byte) []byte {
	n := len(value)
	if n == 0 || isPlain(value[0]) && isPlain(value[n-1]) {
		return value
	}
	return bytes.TrimSpace(value)
}

func isPlain(c byte) bool { return c > ' ' && c < utf8.RuneSelf }
