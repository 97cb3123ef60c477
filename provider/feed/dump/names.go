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

	exact  uint64     // a bit for each known name that the object has, by index
	others [][]string // by index, the names that it has in another case
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
	m.exact, m.err = 0, nil
	clear(m.others)
	s.Enter()
}

// next reads the name of the next member, and reports whether there is one. It returns the index
// of the name, or another number if the value does not count.
func (m *members) next(s *jsonscan.Scanner) (i int, ok bool) {
	i, ok = s.MemberOf(m.Names)
	switch {
	case !ok:
		return -1, false
	case i >= 0:
		m.exact |= 1 << i
		return i, true
	case m.strict:
		if m.err == nil {
			m.err = fmt.Errorf("the member %.40q is not known: known are %s", s.Name, strings.Join(m.known, ", "))
		}
		return -1, true
	}
	i = slices.IndexFunc(m.known, func(name string) bool { return strings.EqualFold(name, string(s.Name)) })
	if i < 0 || m.exact&(1<<i) != 0 {
		return -1, true
	}
	if !slices.Contains(m.others[i], string(s.Name)) {
		m.others[i] = append(m.others[i], string(s.Name))
	}
	if len(m.others[i]) > 1 {
		return -1, true
	}
	return i, true
}

// has reports whether the object has the member with the known name.
func (m *members) has(i int) bool { return m.exact&(1<<i) != 0 || len(m.others[i]) > 0 }

// wrong returns why an object cannot be read because of its names, or nil. It has ended.
func (m *members) wrong() error {
	for i, names := range m.others {
		if len(names) > 1 && m.exact&(1<<i) == 0 {
			slices.Sort(names)
			return fmt.Errorf("both %.40q and %.40q are there", names[0], names[1])
		}
	}
	return m.err
}
