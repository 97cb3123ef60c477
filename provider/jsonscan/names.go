package jsonscan

// Names are the member names that a reader of one kind of object knows. They also remember in
// which order the members came the last time, and expect the next object to have the same:
// to compare a few bytes is faster than to scan a name and to look for it.
type Names struct {
	quoted []string // the names in quotes
	after  []int    // after[1+i] came behind the name i the last time, and after[0] first; -1: unknown
	last   int      // the index in after for the next member
}

// NewNames returns the names. They must have no character that is escaped in JSON.
func NewNames(names ...string) *Names {
	n := &Names{after: make([]int, len(names)+1)}
	for i, name := range names {
		n.quoted = append(n.quoted, `"`+name+`"`)
		n.after[i] = i
	}
	n.after[len(names)] = -1
	return n
}

// MemberOf is [Scanner.Member] for known names. It returns the index of the name, or -1 for
// another one, which is then in Name.
func (s *Scanner) MemberOf(n *Names) (i int, ok bool) {
	if s.first {
		n.last = 0
	}
	if !s.next('}') {
		return -1, false
	}
	s.peek()
	if i = n.after[n.last]; i >= 0 {
		end := s.pos + len(n.quoted[i])
		if end < s.end && s.buf[end] == ':' && string(s.buf[s.pos:end]) == n.quoted[i] {
			s.pos = end + 1
			n.last = i + 1
			return i, true
		}
	}
	if !s.name() {
		return -1, false
	}
	for i, quoted := range n.quoted {
		if string(s.Name) == quoted[1:len(quoted)-1] {
			n.after[n.last] = i
			n.last = i + 1
			return i, true
		}
	}
	return -1, true
}
