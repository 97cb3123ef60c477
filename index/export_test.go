package index

import (
	"bytes"
	"slices"

	"fever/event"
)

const (
	Radix   = radix
	MaxText = maxText
)

// Find returns the entries of a search's answer.
func (s *Snapshot) Find(w event.Window) []*event.Entry {
	var a Result
	s.Search(w, &a)
	var found []*event.Entry
	for r := range a.Runs {
		for i := r.from; i < r.to; i++ {
			found = append(found, &event.Entry{SortKey: r.segment.key(int(i)), Summary: bytes.Clone(r.segment.element(int(i))[1:])})
		}
	}
	return slices.Clip(found)
}

// Recount returns the segments of a snapshot, and computes its statistics anew.
func (s *Snapshot) Recount() (segments map[any]bool, stats Stats) {
	segments, stats.Version, stats.Work, stats.Replaced = make(map[any]bool), s.Version, s.Work, s.Replaced
	s.tree.b.Ascend(func(i item) bool {
		segments[i.segment] = true
		stats.count(i.segment, +1)
		return true
	})
	return segments, stats
}

// Largest returns the size of the largest text of a segment with several events.
func (s *Snapshot) Largest() (size int) {
	s.tree.b.Ascend(func(i item) bool {
		if len(i.segment.times) > 1 {
			size = max(size, len(i.segment.text))
		}
		return true
	})
	return size
}
