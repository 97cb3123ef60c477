package jsonscan

// Names are the member names that a reader of one kind of object knows. They also remember in
// which order the members came the last time, and expect the next object to have the same:
// to compare a few bytes is faster than to scan a name and to look for it.
type Names struct {
	// Seen has a bit for each name that the object has had so far, by index; those from 64 on have none.
	Seen uint64

	names []expected
	after []expected // after[1+i] came behind the name i the last time, and after[0] first
	last  int        // the index in after for the next member
}

// An expected is a name that may come next.
type expected struct {
	i       int    // its index
	written string // as nearly all objects have it: ,"name": or, if it comes first, "name":
}

// NewNames returns the names. They must have no character that is escaped in JSON.
func NewNames(names ...string) *Names {
	n := &Names{after: make([]expected, len(names)+1)}
	for i, name := range names {
		n.names = append(n.names, expected{i, `,"` + name + `":`})
		n.expect(i)
	}
	return n
}

// expect has the name i come behind the last one, and makes it the last one.
func (n *Names) expect(i int) {
	next := n.names[i]
	if n.last == 0 {
		next.written = next.written[1:]
	}
	n.after[n.last] = next
	n.last = i + 1
}

// MemberOf is [Scanner.Member] for known names. It returns the index of the name, or -1 for
// another one, which is then in Name.
func (s *Scanner) MemberOf(n *Names) (i int, ok bool) {
	if s.first {
		n.last, n.Seen = 0, 0
	}
	next := &n.after[n.last]
	if end := s.pos + len(next.written); end <= s.end && string(s.buf[s.pos:end]) == next.written && end > s.pos {
		s.pos, s.first = end, false
		n.last = next.i + 1
		n.Seen |= 1 << next.i
		return next.i, true
	}
	if !s.Member() {
		return -1, false
	}
	for i, name := range n.names {
		if string(s.Name) == name.written[len(`,"`):len(name.written)-len(`":`)] {
			n.expect(i)
			n.Seen |= 1 << i
			return i, true
		}
	}
	return -1, true
}
