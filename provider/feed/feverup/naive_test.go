package feverup

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode"

	"fever/event"
	"fever/provider/xmlscan"
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

// naiveDecode is the oracle of decode: it reads the document into a tree, and takes the feed
// out of that with no regard to cost. The scanner has an oracle of its own.
func naiveDecode(doc []byte, charset string) (*naiveFeed, error) {
	s := xmlscan.New(bytes.NewReader(doc), charset, 0)
	defer func() { _ = s.Close() }() // only read from
	top := &node{}
	stack := []*node{top}
	var prefix string // of the root
	for {
		token, err := s.Next()
		if err != nil {
			return nil, err
		}
		switch token {
		case xmlscan.StartTag:
			space, local, found := strings.Cut(string(s.Name), ":")
			if len(stack) == 1 && found {
				prefix = space
			}
			n := &node{name: string(s.Name), attrs: make(map[string]string)}
			ours := found && space == prefix && prefix != "xml" && prefix != "xmlns"
			if ours {
				n.name = local
			}
			for _, prefixed := range []bool{true, false} {
				for _, a := range s.Attrs {
					space, local, found := strings.Cut(string(a.Name), ":")
					if found != prefixed {
						continue
					}
					name := string(a.Name)
					if ours && found && space == prefix {
						name = local
					}
					n.attrs[name] = strings.TrimSpace(string(a.Value))
				}
			}
			parent := stack[len(stack)-1]
			parent.children = append(parent.children, n)
			stack = append(stack, n)
		case xmlscan.EndTag:
			stack = stack[:len(stack)-1]
		case xmlscan.EndDocument:
			if root := top.children[0]; root.name == "eventList" || root.name == "planList" {
				return naiveRoot(root), nil
			}
			return nil, errors.New("not a feed")
		}
	}
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
