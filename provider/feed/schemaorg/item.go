package schemaorg

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"fever/provider/feed"
)

// A Reader gives the events of nodes to a builder, by the rules of the format. It is for formats
// whose rows have such a node each.
type Reader struct{ d decoder }

// NewReader returns a reader for a document that was asked for at a time: schedules are expanded
// from its month on.
func NewReader(b *feed.Builder, began time.Time) *Reader {
	r := &Reader{decoder{Builder: b, begun: true}}
	r.d.from, r.d.to = feed.Window(began)
	return r
}

// fromWhole are the properties that a part takes from its whole.
var fromWhole = []string{"name", "offers", "eventStatus", "scheduleTimezone"}

// Event gives the events of a node to the builder, as of the row that it has begun. What the node
// lacks is taken from its whole, which may be nil, and from those that it has in itself. A node
// that has no id gets the given one.
//
// OpenActive's names are known, too: the superEvent of a Slot is its facilityUse, and the parts of
// that are in event. A series or a facility without dates has its parts elsewhere. It is ignored.
func (r *Reader) Event(data, whole map[string]any, id string, line int) error {
	r.d.line = line
	n := node(maps.Clone(data))
	if n.ownID() == "" {
		n["identifier"] = id
	}
	for property, other := range map[string]string{"superEvent": "facilityUse", "subEvent": "event"} {
		if values := n.all(other); len(n.all(property)) == 0 && values != nil {
			n[property] = values
		}
	}
	n = n.inheritAll(whole)
	for own := n.whole(); own != nil; own = own.whole() {
		n = n.inheritAll(own)
	}
	series := func(t string) bool { return strings.HasSuffix(t, "Series") || strings.HasSuffix(t, "FacilityUse") }
	if n.text("startDate") == "" && n.nodes("subEvent") == nil && n.nodes("eventSchedule") == nil && slices.ContainsFunc(n.types(), series) {
		r.d.IgnoreEvent(n.baseID(), n.ownID(), line, "it has no dates: it is a series or a facility, whose parts have them")
		return nil
	}
	if elsewhere := Reference(n, "superEvent"); elsewhere != "" && whole == nil && n.title() == "" && n.nodes("subEvent") == nil && !n.off() {
		property := "superEvent"
		if len(node(data).all(property)) == 0 {
			property = "facilityUse"
		}
		r.d.Reject(n.baseID(), n.ownID(), line, fmt.Sprintf("no title: its %s %.100q is not read, as no table is called %[1]s", property, elsewhere))
		return nil
	}
	return r.d.event(n)
}

// inheritAll is inherit for all that a part takes from its whole. The dates of a part count in
// the time zone of the whole's schedule.
func (n node) inheritAll(whole node) node {
	part := n.inherit(whole, fromWhole...)
	for _, schedule := range whole.nodes("eventSchedule") {
		part = part.inherit(schedule, "scheduleTimezone")
	}
	return part
}

// whole returns what a node is a part of, if that is in the node.
func (n node) whole() node {
	for _, whole := range n.nodes("superEvent") {
		if !whole.isReference() {
			return whole
		}
	}
	return nil
}

// ID returns the @id or the identifier of a node, or "".
func ID(data map[string]any) string { return node(data).ownID() }

// Reference returns the id of the node elsewhere to which a property of a node refers, or "".
func Reference(data map[string]any, property string) string {
	for _, value := range node(data).all(property) {
		object, ok := value.(map[string]any)
		if ok && !node(object).isReference() {
			return ""
		}
		if id := textOf(value); !ok && id != "" {
			return id
		}
		if id := ID(object); id != "" {
			return id
		}
	}
	return ""
}
