package jsonscan

import (
	"io"
	"slices"
)

// Find returns the value at each path in a document, as [Scanner.Any] does. A path is the names
// of members inside each other: {"meta", "after"} is .meta.after. A value that is missing is
// nil, as null is. Of several values at one path the first that is not null counts, also of
// those in several documents one after the other. Find reads no further than it must.
//
// Find can watch a document while another reader reads it: give that one an [io.TeeReader] that
// writes to an [io.Pipe], and have a goroutine Find in the pipe. A pipe blocks its writer, so
// the goroutine must close it, or drain it, when Find has returned. In the end close the pipe's
// writer, with the reader's error if there is one, and wait for the goroutine.
func Find(r io.Reader, paths ...[]string) ([]any, error) {
	s := New(r)
	values := make([]any, len(paths))
	all := make([]sought, len(paths))
	for i, path := range paths {
		all[i] = sought{path, &values[i]}
	}
	f := finder{s, all}
	for f.misses() && s.Kind() != End {
		f.find(all)
	}
	return values, s.Err()
}

// A sought is a value to be found in another one, at a path.
type sought struct {
	path  []string
	value *any
}

// A finder looks for values in a document.
type finder struct {
	*Scanner

	all []sought
}

// misses reports whether a value was not found yet.
func (f *finder) misses() bool {
	return slices.ContainsFunc(f.all, func(one sought) bool { return *one.value == nil })
}

// find reads the next value, and sets what is sought in it. It stops within it when all values
// are found.
func (f *finder) find(inside []sought) {
	for _, one := range inside {
		if len(one.path) == 0 {
			value := f.Any()
			for _, one := range inside {
				*one.value = at(value, one.path)
			}
			return
		}
	}
	if len(inside) == 0 || f.Kind() != Object {
		f.Skip()
		return
	}
	for f.Enter(); f.misses() && f.Member(); {
		var within []sought
		for _, one := range inside {
			if string(f.Name) == one.path[0] && *one.value == nil {
				within = append(within, sought{one.path[1:], one.value})
			}
		}
		f.find(within)
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
