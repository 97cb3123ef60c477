package provider

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"fever/event"
)

// A naiveFeed is a Feed without what the naive decoder does not know.
type naiveFeed struct {
	Events                  []event.Event
	Seen, Ignored, Rejected int
}

// A node is an element, by names as they are written.
type node struct {
	name     string
	attrs    map[string]string
	children []*node
}

var (
	// What encoding/xml sees in an XML declaration only when it is written like this,
	// and the versions of it that it does not know.
	looseParam   = regexp.MustCompile(`\b(version|encoding|standalone)[ ]*=[ ]*`)
	otherVersion = regexp.MustCompile(`version=(["'])1\.[0-9]+["']`)
)

// naiveDecode is the oracle of decode: it reads the document with encoding/xml into a
// tree, and takes the feed out of that with no regard to cost.
func naiveDecode(doc []byte) (*naiveFeed, error) {
	// A byte order mark is text to encoding/xml.
	doc, marked := bytes.CutPrefix(doc, []byte("\xef\xbb\xbf"))
	// It does not normalise values. White space means the same anywhere else.
	doc = bytes.ReplaceAll(doc, []byte("\r\n"), []byte(" "))
	doc = []byte(strings.NewReplacer("\r", " ", "\n", " ", "\t", " ").Replace(string(doc)))
	if end := bytes.Index(doc, []byte("?>")); end > 0 && bytes.HasPrefix(doc, []byte("<?xml ")) {
		head := looseParam.ReplaceAll(doc[:end], []byte("$1="))
		head = otherVersion.ReplaceAll(head, []byte("version=${1}1.0$1"))
		doc = append(head, doc[end:]...)
	}
	// Token checks the document, RawToken gives the names with their prefixes.
	for d := newXMLDecoder(doc, marked); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
	}
	top := &node{}
	stack := []*node{top}
	for d := newXMLDecoder(doc, marked); ; {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			n := &node{name: rawName(token.Name), attrs: make(map[string]string)}
			for _, a := range token.Attr {
				n.attrs[rawName(a.Name)] = strings.TrimSpace(a.Value)
			}
			parent := stack[len(stack)-1]
			parent.children = append(parent.children, n)
			stack = append(stack, n)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		}
	}
	if len(top.children) != 1 || top.children[0].name != "eventList" && top.children[0].name != "planList" {
		return nil, fmt.Errorf("not a feed")
	}
	return naiveRoot(top.children[0]), nil
}

func rawName(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}

func newXMLDecoder(doc []byte, marked bool) *xml.Decoder {
	d := xml.NewDecoder(bytes.NewReader(doc))
	d.CharsetReader = func(label string, r io.Reader) (io.Reader, error) {
		// Which labels mean what is not the question here.
		label = plainLabel(label)
		if marked || slices.Contains(strings.Fields("utf8 usascii ascii"), label) {
			return r, nil
		}
		if table := tableOf(label); table != nil {
			return table.NewDecoder().Reader(r), nil
		}
		return nil, fmt.Errorf("unknown encoding %q", label)
	}
	return d
}

func naiveRoot(root *node) *naiveFeed {
	feed := &naiveFeed{}
	places := make(map[event.Key]int)
	group := func(g *node) {
		if g.name != "base_event" && g.name != "base_plan" {
			return
		}
		for _, row := range g.children {
			if row.name != "event" && row.name != "plan" {
				continue
			}
			feed.Seen++
			if g.attrs["sell_mode"] != "online" {
				feed.Ignored++
				continue
			}
			e, err := naiveRow(g, row)
			if err == nil {
				err = e.Validate()
			}
			if err != nil {
				feed.Rejected++
				continue
			}
			if i, again := places[e.Key]; again {
				feed.Rejected++
				feed.Events[i] = *e
				continue
			}
			places[e.Key] = len(feed.Events)
			feed.Events = append(feed.Events, *e)
		}
	}
	for _, child := range root.children {
		group(child)
		if child.name == "output" {
			for _, g := range child.children {
				group(g)
			}
		}
	}
	return feed
}

// first returns the value of the first of the names that is there.
func (n *node) first(names ...string) string {
	for _, name := range names {
		if v, ok := n.attrs[name]; ok {
			return v
		}
	}
	return ""
}

func naiveRow(g, row *node) (*event.Event, error) {
	e := &event.Event{Title: naiveText(g.attrs["title"]), Zones: []event.Zone{}}
	e.Provider = "test"
	e.BaseID = g.first("base_event_id", "base_plan_id")
	if g.name == "base_plan" {
		e.BaseID = g.first("base_plan_id", "base_event_id")
	}
	start := row.first("event_start_date", "plan_start_date", "event_date")
	end := row.first("event_end_date", "plan_end_date")
	e.EventID = row.first("event_id", "plan_id")
	if row.name == "plan" {
		e.EventID = row.first("plan_id", "event_id")
		start = row.first("plan_start_date", "event_start_date", "event_date")
		end = row.first("plan_end_date", "event_end_date")
	}
	if err := e.Start.UnmarshalText([]byte(start)); err != nil {
		return nil, err
	}
	if err := e.End.UnmarshalText([]byte(end)); err != nil {
		return nil, err
	}
	// What cannot be kept of these is left out: try, and look whether that is valid.
	try := func(set func(*event.Event)) {
		probe := event.Event{Key: event.Key{Provider: "p", BaseID: "b", EventID: "e"}, Title: "t"}
		probe.Start, _ = event.ParseLocal("2026-01-01")
		if set(&probe); probe.Validate() == nil {
			set(e)
		}
	}
	try(func(e *event.Event) { e.OrganizerID = g.attrs["organizer_company_id"] })
	try(func(e *event.Event) { e.SellFrom = row.attrs["sell_from"] })
	try(func(e *event.Event) { e.SellTo = row.attrs["sell_to"] })
	e.SoldOut = naiveBool(row.attrs["sold_out"])
	for _, z := range row.children {
		if z.name != "zone" {
			continue
		}
		zone := event.Zone{ID: z.attrs["zone_id"], Name: naiveText(z.attrs["name"]), Numbered: naiveBool(z.attrs["numbered"])}
		var err error
		if v, ok := z.attrs["capacity"]; ok {
			if zone.Capacity, err = strconv.ParseInt(v, 10, 64); err != nil {
				return nil, err
			}
		}
		v, ok := z.attrs["price"]
		if !ok {
			v, ok = z.attrs["max_price"]
		}
		if ok {
			if zone.Price, err = event.ParsePrice(v); err != nil {
				return nil, err
			}
		}
		e.Zones = append(e.Zones, zone)
	}
	return e, nil
}

func naiveBool(v string) bool { return v == "1" || strings.EqualFold(v, "true") }

// naiveText returns a text as it is kept: with spaces for control characters.
func naiveText(text string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsControl(r) {
			r = ' '
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}
