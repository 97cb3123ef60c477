package provider

import (
	"bytes"
	"io"
	"unicode/utf8"

	"fever/event"
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
	provider string
	roles    [maxDepth + 1]role // of the open elements, by depth
	group    groupValues
	row      rowValues
	prices   map[string]event.Price // as written: feeds repeat a few
}

// decodeXML reads eventList and planList documents. The encoding charset counts when
// the document names none.
func decodeXML(r io.Reader, provider, charset string, progress *Progress) (*Feed, error) {
	return newDecoder(r, provider, progress).decode(charset)
}

func newDecoder(r io.Reader, provider string, progress *Progress) *decoder {
	d := &decoder{
		scanner:  newScanner(r),
		gatherer: newGatherer(progress),
		provider: provider,
		prices:   make(map[string]event.Price),
	}
	d.roles[0] = document
	return d
}

func (d *decoder) decode(charset string) (*Feed, error) {
	if err := d.begin(charset); err != nil {
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
			return d.feed, nil
		}
	}
}

// enter takes note of a start tag.
func (d *decoder) enter() error {
	r, own := d.roleOf(d.roles[d.depth-1])
	if r == other && d.depth == 1 {
		return d.fault(KindDecode, 0, "not a feed: the root element is <%.40s>, neither eventList nor planList", d.name)
	}
	switch r {
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

// roleOf returns the role of the element just entered, and its dialect if it has one.
func (d *decoder) roleOf(parent role) (role, dialect) {
	switch string(d.name) {
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
