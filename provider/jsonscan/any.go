package jsonscan

import "encoding/json"

// The bounds of what Any makes: a value can have three bytes in the document, and needs
// twenty times as many in memory.
const (
	maxValues    = 1 << 18 // values in one value
	maxNames     = 1 << 10 // member names that are remembered
	maxNameBytes = 64      // of one of these
)

// Any reads the next value and returns it as package json does: a map[string]any, []any,
// string, bool, nil, or a [json.Number] exactly as written. Of several members with one name
// the last counts. Any sets Row, as it reads a row: a value of more than [MaxRow] bytes, or
// with more than 2^18 values in it, is refused.
func (s *Scanner) Any() any {
	s.Begin()
	s.values = maxValues
	v := s.value()
	s.End()
	if s.err != nil {
		return nil
	}
	return v
}

func (s *Scanner) value() any {
	if s.values--; s.values < 0 {
		s.fail("more than %d values in one", maxValues)
	}
	switch s.Kind() {
	case Object:
		members := make(map[string]any)
		for s.Enter(); s.Member(); {
			name := s.intern()
			members[name] = s.value()
		}
		return members
	case Array:
		elements := []any{}
		for s.Enter(); s.Element(); {
			elements = append(elements, s.value())
		}
		return elements
	default:
	}
	switch kind, text := s.Scalar(); kind {
	case String:
		return string(text)
	case Number:
		return json.Number(text)
	case True, False:
		return kind == True
	default:
		return nil
	}
}

// intern returns Name as a string. Rows repeat the same few names.
func (s *Scanner) intern() string {
	if name, known := s.names[string(s.Name)]; known {
		return name
	}
	name := string(s.Name)
	if len(name) <= maxNameBytes {
		if len(s.names) == maxNames {
			clear(s.names)
		}
		if s.names == nil {
			s.names = make(map[string]string)
		}
		s.names[name] = name
	}
	return name
}
