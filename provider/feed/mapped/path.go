package mapped

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/itchyny/gojq"
)

// maxPath bounds a path, in names and brackets.
const maxPath = 32

// A path says where the rows of a document are: .data.items[], ."@graph"[]. It is a small
// part of jq, so that rows can be read as a stream.
type path []step

// A step is a member with a name, or each element of an array and each member of an object.
type step struct {
	name string
	each bool
}

// parsePath reads a path. The error is an [*Error].
func parsePath(text string) (path, error) {
	query, err := gojq.Parse(text)
	if cause, ok := errors.AsType[*gojq.ParseError](err); ok {
		wrong := syntaxError(text, cause)
		wrong.InRows = true
		return nil, wrong
	}
	if err != nil || query.Term == nil || query.Meta != nil || len(query.Imports)+len(query.FuncDefs) > 0 {
		return nil, notPath(text)
	}
	p := path{}
	add := func(index *gojq.Index) bool {
		name, ok := memberName(index)
		p = append(p, step{name: name})
		return ok
	}
	plain := query.Term.Type == gojq.TermTypeIdentity || query.Term.Type == gojq.TermTypeIndex && add(query.Term.Index)
	for _, suffix := range query.Term.SuffixList {
		if suffix.Iter {
			p = append(p, step{each: true})
		} else {
			plain = plain && add(suffix.Index)
		}
	}
	if !plain || len(p) > maxPath {
		return nil, notPath(text)
	}
	return p, nil
}

// memberName returns the name of the member that an index is about, and whether it is known.
func memberName(index *gojq.Index) (string, bool) {
	switch {
	case index == nil || index.IsSlice:
		return "", false
	case index.Start != nil:
		return literal(index.Start)
	case index.Str != nil:
		return index.Str.Str, index.Str.Queries == nil
	}
	return index.Name, true
}

func notPath(text string) error {
	wrong := at(text, 0, `it is not a plain path such as .data.items[] or ."@graph"[]`)
	wrong.InRows = true
	return wrong
}

// names returns the names in a path.
func (p path) names() []string {
	var all []string
	for _, s := range p {
		if !s.each {
			all = append(all, s.name)
		}
	}
	return all
}

// A miss notes what is in a document in the place of rows: the first place at which the path
// goes no further.
type miss struct {
	line int
	text string
}

// note notes an object or element that has none of a name, but other members.
func (m *miss) note(line int, name string, others []string) {
	if m.text != "" {
		return
	}
	m.line = line
	m.text = fmt.Sprintf("there is no %.40q", name)
	if len(others) > 0 {
		m.text += "; there is " + strings.Join(others, ", ")
	}
}

// maxOthers bounds the names that a miss lists.
const maxOthers = 12

// addOther adds a name to those that a miss lists.
func addOther(others []string, name []byte) []string {
	text := fmt.Sprintf("%.40q", name)
	if len(others) < maxOthers && !slices.Contains(others, text) {
		others = append(others, text)
	}
	return others
}
