// Package feverup reads the XML of the Fever provider: eventList, planList, and its oldest
// form. Documents that mix their names are read too, as some have been seen.
package feverup

import (
	"bytes"
	"cmp"
	_ "embed" // for the revision
	"errors"
	"slices"

	"fever/event"
	"fever/provider/feed"
	"fever/provider/xmlscan"
)

// revision is a digest of the golden files. TestGolden checks it, and -update renews it.
//
//go:embed testdata/revision
var revision string

// New returns the format. It tolerates the given violations of XML.
func New(tolerate xmlscan.Tolerance) feed.Format {
	names, _ := tolerate.MarshalText() // never fails
	return feed.Format{
		Name:     "feverup",
		Revision: revision + " " + string(names),
		Accept:   "application/xml, text/xml, */*;q=0.1",
		Decode: func(doc *feed.Document, b *feed.Builder) error {
			s := xmlscan.New(doc.Body, doc.Charset, tolerate)
			defer func() { _ = s.Close() }() // only read from
			d := &decoder{Scanner: s, Builder: b, prices: make(feed.Prices)}
			d.roles[0] = document
			d.row.zones = []event.Zone{} // never nil, as in what is stored
			err := d.decode()
			if wrong, ok := errors.AsType[*xmlscan.Error](err); ok {
				kind := feed.KindMalformed
				if wrong.Encoding {
					kind = feed.KindDecode
				}
				err = feed.Errorf(kind, "%w", err)
			}
			return err
		},
	}
}

// A role is the meaning of an element, which depends on its name and its parent's role.
type role uint8

const (
	other      role = iota // unknown: skipped with its content
	document               // the parent of the root
	root                   // eventList or planList
	output                 // contains groups, and may be missing
	group                  // base_event or base_plan: has what its occurrences share
	occurrence             // event or plan: one row
	ignored                // one that is not sold online
	zone
)

// A decoder gives the rows of a document to the builder.
type decoder struct {
	*xmlscan.Scanner
	*feed.Builder

	prefix string                     // of the root element, with the colon; empty if it has none
	roles  [xmlscan.MaxDepth + 1]role // of the open elements, by their depth
	group  groupValues
	row    rowValues
	prices feed.Prices
}

func (d *decoder) decode() error {
	for {
		token, err := d.Scanner.Next()
		if err != nil {
			return err
		}
		switch token {
		case xmlscan.StartTag:
			err = d.enter()
		case xmlscan.EndTag:
			switch d.roles[d.Depth+1] {
			case occurrence:
				err = d.endRow()
			case ignored:
				d.endIgnored()
			default:
			}
		case xmlscan.EndDocument:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// enter reads a start tag.
func (d *decoder) enter() error {
	parent := d.roles[d.Depth-1]
	r, own := roleOf(d.localName(), parent)
	if r == other && d.Depth == 1 {
		return feed.Errorf(feed.KindDecode, "line %d (byte %d): not a feed: the root element is <%.40s>, neither eventList nor planList",
			d.Line(), d.Offset(), d.Name)
	}
	switch r {
	case other:
		if parent == root || parent == output || parent == group {
			d.Unknown(d.TagLine(), "<%.40s> is not known", d.Name)
		}
	case group:
		d.beginGroup(own)
	case occurrence:
		if !d.group.online {
			d.beginIgnored(own)
			r = ignored
			break
		}
		d.beginRow(own)
	case zone:
		d.addZone()
	}
	d.roles[d.Depth] = r
	return nil
}

// localName returns the name of the element just entered. It removes the root's prefix from
// the name, and from those of its attributes. Elements and attributes with another prefix are
// unknown.
//
// Namespaces are not looked up. Feeds use a name for one thing in every namespace, and some
// use prefixes without declaring them.
func (d *decoder) localName() []byte {
	colon := bytes.IndexByte(d.Name, ':')
	if colon < 0 {
		return d.Name
	}
	prefix := d.Name[:colon+1]
	if d.Depth == 1 {
		d.prefix = string(prefix)
	}
	if string(prefix) != d.prefix || d.prefix == "xml:" || d.prefix == "xmlns:" { // reserved: Namespaces in XML 1.0 section 3
		return d.Name
	}
	// Of two attributes that get the same name the later one counts: the one without a prefix.
	slices.SortStableFunc(d.Attrs, func(a, b xmlscan.Attr) int {
		return cmp.Compare(bytes.Count(b.Name, []byte{':'}), bytes.Count(a.Name, []byte{':'}))
	})
	for i := range d.Attrs {
		d.Attrs[i].Name = bytes.TrimPrefix(d.Attrs[i].Name, prefix)
	}
	return d.Name[len(prefix):]
}

// roleOf returns the role of an element, and its dialect if it has one.
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

// A dialect is one of two sets of names. A document may use both.
type dialect uint8

const (
	eventDialect dialect = iota
	planDialect
)

// named holds the values of an attribute by the dialect of its name; nil means absent.
type named [2][]byte

// of returns the value for an element of a dialect. The name of that dialect is preferred.
func (n named) of(own dialect) []byte {
	if n[own] != nil {
		return n[own]
	}
	return n[1-own]
}
