package mapped

import (
	"github.com/itchyny/gojq"
)

// unnamed are functions that read members whose names are not in the program.
var unnamed = map[string]bool{
	"from_entries": true, "getpath": true, "keys": true, "map_values": true, "paths": true, "pick": true, "recurse": true,
	"to_entries": true, "tojson": true, "tostring": true, "walk": true, "with_entries": true, "JOIN": true, "INDEX": true,
}

// reads returns whether a program can read members with a name. It returns nil if it cannot be
// known. A name counts also where it is a text in the program, such as in has("name").
func reads(text string) func(name string) bool {
	query, err := gojq.Parse(text)
	if err != nil {
		return nil
	}
	names := make(map[string]bool)
	known := true
	index := func(i *gojq.Index) {
		if i == nil || i.IsSlice {
			return
		}
		if name, ok := memberName(i); ok {
			names[name] = true
		} else if i.Start == nil || i.Start.Term == nil || i.Start.Term.Type != gojq.TermTypeNumber {
			known = false // .[$x]
		}
	}
	visit(query, func(q *gojq.Query) {
		for _, pattern := range q.Patterns {
			patternNames(pattern, names)
		}
	}, func(t *gojq.Term) {
		index(t.Index)
		for _, suffix := range t.SuffixList {
			index(suffix.Index)
		}
		switch t.Type {
		case gojq.TermTypeRecurse, gojq.TermTypeFormat:
			known = false
		case gojq.TermTypeFunc:
			known = known && !unnamed[t.Func.Name]
		case gojq.TermTypeString:
			names[t.Str.Str] = true
		case gojq.TermTypeReduce:
			for _, pattern := range t.Reduce.Patterns {
				patternNames(pattern, names)
			}
		case gojq.TermTypeForeach:
			for _, pattern := range t.Foreach.Patterns {
				patternNames(pattern, names)
			}
		case gojq.TermTypeObject:
			for _, kv := range t.Object.KeyVals {
				if kv.Val == nil && kv.KeyString != nil {
					names[kv.KeyString.Str] = true
				} else if kv.Val == nil {
					names[kv.Key] = true // {name} is {name: .name}
				}
			}
		}
	})
	if !known {
		return nil
	}
	return func(name string) bool { return names[name] }
}

// patternNames adds the names of members that a pattern takes apart: . as {name: $x, $y}.
func patternNames(p *gojq.Pattern, names map[string]bool) {
	if p == nil {
		return
	}
	for _, element := range p.Array {
		patternNames(element, names)
	}
	for _, kv := range p.Object {
		switch {
		case kv.KeyString != nil:
			names[kv.KeyString.Str] = true
		case kv.Key != "" && kv.Key[0] == '$':
			names[kv.Key[1:]] = true
		default:
			names[kv.Key] = true
		}
		patternNames(kv.Val, names)
	}
}
