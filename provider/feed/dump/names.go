package dump

import (
	"fmt"
	"slices"
	"strings"

	"fever/provider/jsonscan"
)

// members reads the names of the members of one kind of object.
//
// The known names are in lower case. A name in another case counts if its object lacks the known
// one, and has only one such name: two are an error. Where names are strict, none may be in
// another case, or unknown.
type members struct {
	*jsonscan.Names
	known  []string
	strict bool

	odd    bool       // it has a name in another case
	others [][]string // those, by the index of the known name
	err    error      // the first unknown name, if they are strict
}

// newMembers returns the members with the known names. The ignored names are known and mean
// nothing.
func newMembers(strict bool, known, ignored []string) *members {
	return &members{
		Names: jsonscan.NewNames(slices.Concat(known, ignored)...), known: known, strict: strict,
		others: make([][]string, len(known)),
	}
}

// enter enters an object.
func (m *members) enter(s *jsonscan.Scanner) {
	if m.odd {
		clear(m.others)
	}
	m.odd, m.err = false, nil
	s.Enter()
}

// unknown returns the index of the known name that a name has in another case, or -1 if its value
// does not count.
func (m *members) unknown(s *jsonscan.Scanner) int {
	if m.strict {
		if m.err == nil {
			m.err = fmt.Errorf("the member %.40q is not known: known are %s", s.Name, strings.Join(m.known, ", "))
		}
		return -1
	}
	i := slices.IndexFunc(m.known, func(name string) bool { return strings.EqualFold(name, string(s.Name)) })
	if i < 0 || m.Seen&(1<<i) != 0 {
		return -1
	}
	m.odd = true
	if !slices.Contains(m.others[i], string(s.Name)) {
		m.others[i] = append(m.others[i], string(s.Name))
	}
	if len(m.others[i]) > 1 {
		return -1
	}
	return i
}

// has reports whether the object has the member with the known name.
func (m *members) has(i int) bool { return m.Seen&(1<<i) != 0 || len(m.others[i]) > 0 }

// wrong returns why an object cannot be read because of its names, or nil. It has ended.
func (m *members) wrong() error {
	if !m.odd {
		return m.err
	}
	for i, names := range m.others {
		if len(names) > 1 && m.Seen&(1<<i) == 0 {
			slices.Sort(names)
			return fmt.Errorf("both %.40q and %.40q are there", names[0], names[1])
		}
	}
	return m.err
}
