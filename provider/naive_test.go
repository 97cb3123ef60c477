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
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	unicode16 "golang.org/x/text/encoding/unicode"

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

// naiveDecode is the oracle of decode: it reads the document with encoding/xml into a
// tree, and takes the feed out of that with no regard to cost.
func naiveDecode(doc []byte, charset string) (*naiveFeed, error) {
	doc, err := naiveUTF8(doc, charset)
	if err != nil {
		return nil, err
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
			return nil, err
		}
	}
	top := &node{}
	stack := []*node{top}
	var prefix string // of the root
	for d := newXMLDecoder(doc); ; {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			if len(stack) == 1 {
				prefix = token.Name.Space
			}
			n := &node{name: rawName(token.Name), attrs: make(map[string]string)}
			ours := token.Name.Space != "" && token.Name.Space == prefix && prefix != "xml" && prefix != "xmlns"
			if ours {
				n.name = token.Name.Local
			}
			for _, prefixed := range []bool{true, false} {
				for _, a := range token.Attr {
					if name := rawName(a.Name); a.Name.Space == "" != prefixed {
						if ours && a.Name.Space == prefix {
							name = a.Name.Local
						}
						n.attrs[name] = strings.TrimSpace(a.Value)
					}
				}
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

// newXMLDecoder is for documents in UTF-8, whatever they declare.
func newXMLDecoder(doc []byte) *xml.Decoder {
	d := xml.NewDecoder(bytes.NewReader(doc))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	return d
}

func naiveRoot(root *node) *naiveFeed {
	snapshot := &naiveFeed{}
	places := make(map[event.Key]int)
	group := func(g *node) {
		if g.name != "base_event" && g.name != "base_plan" {
			return
		}
		for _, row := range g.children {
			if row.name != "event" && row.name != "plan" {
				continue
			}
			snapshot.Seen++
			if g.attrs["sell_mode"] != "online" {
				snapshot.Ignored++
				continue
			}
			e, err := naiveRow(g, row)
			if err == nil {
				err = e.ValidateIn(time.UTC)
			}
			if err != nil {
				snapshot.Rejected++
				continue
			}
			if i, again := places[e.Key]; again {
				snapshot.Rejected++
				snapshot.Events[i] = *e
				continue
			}
			places[e.Key] = len(snapshot.Events)
			snapshot.Events = append(snapshot.Events, *e)
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
	return snapshot
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
