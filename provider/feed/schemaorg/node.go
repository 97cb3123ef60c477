package schemaorg

import (
	"cmp"
	"encoding/json"
	"html"
	"maps"
	"net/url"
	"slices"
	"strings"

	"fever/event"
	"fever/provider/feed"
)

// maxDepth bounds how far the walk goes into values: an event is not so deep.
const maxDepth = 32

// A node is an object of JSON-LD.
type node map[string]any

// node finds the events in a value, and gives them to the builder.
func (d *decoder) node(value any, depth int) error {
	if depth > maxDepth {
		return nil
	}
	switch value := value.(type) {
	case []any:
		for _, element := range value {
			if err := d.node(element, depth+1); err != nil {
				return err
			}
		}
	case map[string]any:
		n := node(value)
		if n.isEvent() {
			return d.event(n)
		}
		if slices.Contains(n.types(), "ItemList") { // and no other list: breadcrumbs lead upwards
			return d.list(n, depth)
		}
		names := make([]string, 0, len(n))
		for name := range n {
			names = append(names, name)
		}
		slices.Sort(names) // the same order each time
		for _, name := range names {
			if err := d.node(n[name], depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// prefixes are what can be before the name of a property or type.
var prefixes = []string{"", "schema:", "http://schema.org/", "https://schema.org/"}

// short returns a name of schema.org without its prefix.
func short(name string) string {
	for _, prefix := range prefixes[1:] {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			return rest
		}
	}
	return name
}

// all returns the values of a property.
func (n node) all(property string) []any {
	for _, prefix := range prefixes {
		switch value := n[prefix+property].(type) {
		case nil:
		case []any:
			return value
		case map[string]any:
			for _, container := range []string{"@list", "@set"} {
				if values, ok := value[container].([]any); ok {
					return values
				}
			}
			return []any{value}
		default:
			return []any{value}
		}
	}
	return nil
}

// nodes returns the values of a property that are objects.
func (n node) nodes(property string) []node {
	var all []node
	for _, value := range n.all(property) {
		if object, ok := value.(map[string]any); ok {
			all = append(all, node(object))
		}
	}
	return all
}

// text returns the first value of a property as a text, or "". Of texts in several languages
// it is the one without a language, or else the first; of a map of languages the first by name.
func (n node) text(property string) string {
	values := n.all(property)
	for _, value := range values {
		if object, ok := value.(map[string]any); !ok || object["@language"] == nil {
			if text := textOf(value); text != "" {
				return text
			}
		}
	}
	for _, value := range values {
		if text := textOf(value); text != "" {
			return text
		}
	}
	return ""
}

func textOf(value any) string {
	switch value := value.(type) {
	case string:
		return strings.TrimSpace(value)
	case json.Number:
		return value.String()
	case map[string]any:
		if plain, ok := value["@value"]; ok {
			return textOf(plain)
		}
		if value["@id"] != nil || value["@type"] != nil {
			return ""
		}
		languages := make([]string, 0, len(value)) // es: ..., en: ...
		for language := range value {
			languages = append(languages, language)
		}
		slices.Sort(languages)
		for _, language := range languages {
			if text, ok := value[language].(string); ok && text != "" {
				return strings.TrimSpace(text)
			}
		}
	}
	return ""
}

func (n node) types() []string {
	value := n["@type"]
	if value == nil {
		value = n["type"] // the context of schema.org has these aliases
	}
	values, ok := value.([]any)
	if !ok {
		values = []any{value}
	}
	var all []string
	for _, value := range values {
		if text, ok := value.(string); ok {
			all = append(all, short(text))
		}
	}
	return all
}

// isEvent reports whether a node is an event: of the type or one of its subtypes, which end so
// but for a few.
func (n node) isEvent() bool {
	return slices.ContainsFunc(n.types(), func(t string) bool {
		return strings.HasSuffix(t, "Event") || t == "Festival" || t == "Hackathon" || t == "CourseInstance" || t == "EventSeries"
	})
}

// isReference reports whether a node only names one that is elsewhere.
func (n node) isReference() bool {
	for name := range n {
		if !slices.Contains([]string{"@id", "@type", "@context", "id", "type"}, name) {
			return false
		}
	}
	return true
}

// id returns the @id of a node, or "". The name of a blank node, which is another one in the next
// document, is none.
func (n node) id() string {
	for _, name := range []string{"@id", "id"} {
		if id, ok := n[name].(string); ok && id != "" && !strings.HasPrefix(id, "_:") {
			return id
		}
	}
	return ""
}

// ownID returns the @id or the identifier of a node, or "".
func (n node) ownID() string {
	if id := n.id(); id != "" {
		return id
	}
	for _, value := range n.all("identifier") {
		if property, ok := value.(map[string]any); ok && property["@value"] == nil {
			value = node(property).text("value")
		}
		if id := textOf(value); id != "" {
			return id
		}
	}
	return ""
}

// namedID returns the id of a node, or else its address, or "".
func (n node) namedID() string { return cmp.Or(n.ownID(), address(n.text("url"))) }

// baseID returns the id of what a node is an occurrence of: of the whole nearest to it that has
// one, or else its own.
func (n node) baseID() string {
	for _, parent := range n.nodes("superEvent") {
		if id := cmp.Or(parent.namedID(), parent.baseID()); id != "" {
			return id
		}
	}
	for _, value := range n.all("superEvent") {
		if _, ok := value.(map[string]any); ok {
			continue
		}
		if text := textOf(value); text != "" {
			return address(text)
		}
	}
	return n.namedID()
}

// address returns a URL without its fragment, and without the parameters that say where a
// visitor comes from.
func address(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return text
	}
	u.Fragment, u.RawFragment = "", ""
	var kept []string
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		if pair != "" && !strings.HasPrefix(pair, "utm_") {
			kept = append(kept, pair)
		}
	}
	u.RawQuery = strings.Join(kept, "&")
	return u.String()
}

// title returns the name of a node. Its character references, which some write although they
// mean nothing in JSON, are replaced once.
func (n node) title() string { return string(feed.Text([]byte(html.UnescapeString(n.text("name"))))) }

// off reports whether an event is off for now: cancelled, or postponed without a new date.
func (n node) off() bool {
	return slices.ContainsFunc(n.all("eventStatus"), func(value any) bool {
		text := textOf(value)
		if object, ok := value.(map[string]any); ok && text == "" {
			text, _ = object["@id"].(string)
		}
		return slices.Contains([]string{"EventCancelled", "EventPostponed"}, short(text))
	})
}

// inherit returns a part of something with the properties that only the whole says.
func (n node) inherit(whole node, properties ...string) node {
	part := maps.Clone(n)
	for _, property := range properties {
		if len(part.all(property)) == 0 {
			if values := whole.all(property); values != nil {
				part[property] = values
			}
		}
	}
	return part
}

// sellTimes sets when tickets are sold, from the first offer that says so.
func sellTimes(e *event.Event, offers []node) {
	for _, offer := range offers {
		e.SellFrom = cmp.Or(e.SellFrom, optional(offer.text("availabilityStarts")), optional(offer.text("validFrom")))
		e.SellTo = cmp.Or(e.SellTo, optional(offer.text("availabilityEnds")), optional(offer.text("validThrough")))
	}
}

func optional(text string) string { return string(feed.Optional([]byte(text), event.MaxTextBytes)) }
