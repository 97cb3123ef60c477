package jsonscan

import "io"

// Find reads a document to its end, and returns the value at each path, as [Scanner.Any] does.
// A path is the names of members inside each other: {"meta", "after"} is .meta.after. A value
// that is missing is nil, as null is. Of several values at one path the last counts, also of
// those in several documents one after the other.
//
// Find can watch a document while another reader reads it: give that one an [io.TeeReader] that
// writes to an [io.Pipe], and have a goroutine Find in the pipe. A pipe blocks its writer, so
// the goroutine must drain it after an error of Find:
//
//	values, err = jsonscan.Find(pipe, path)
//	_, _ = io.Copy(io.Discard, pipe)
//
// In the end close the pipe's writer, with the reader's error if there is one, and wait for
// the goroutine.
func Find(r io.Reader, paths ...[]string) ([]any, error) {
	s := New(r)
	values := make([]any, len(paths))
	all := make([]sought, len(paths))
	for i, path := range paths {
		all[i] = sought{path, &values[i]}
	}
	for s.Kind() != End {
		s.find(all)
	}
	return values, s.Err()
}

// A sought is a value to be found in another one, at a path.
type sought struct {
	path  []string
	value *any
}

// find reads the next value, and sets what is sought in it.
func (s *Scanner) find(all []sought) {
	for _, one := range all {
		if len(one.path) == 0 {
			value := s.Any()
			for _, one := range all {
				*one.value = at(value, one.path)
			}
			return
		}
	}
	if len(all) == 0 || s.Kind() != Object {
		s.Skip()
		return
	}
	for s.Enter(); s.Member(); {
		var inside []sought
		for _, one := range all {
			if string(s.Name) == one.path[0] {
				*one.value = nil // there may be one from an earlier member with this name
				inside = append(inside, sought{one.path[1:], one.value})
			}
		}
		s.find(inside)
	}
}

// at returns the value at a path in a value of [Scanner.Any], or nil.
func at(value any, path []string) any {
	for _, name := range path {
		members, _ := value.(map[string]any)
		value = members[name]
	}
	return value
}
