package index

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"fever/event"
)

const (
	Radix   = radix
	MaxText = maxText
)

// Find returns the entries of a search's answer.
func (s *Snapshot) Find(q Query) []*event.Entry {
	var a Result
	s.Search(q, &a)
	var found []*event.Entry
	for r := range a.Runs {
		for i := r.from; i < r.to; i++ {
			found = append(found, &event.Entry{SortKey: r.segment.key(int(i)), Summary: bytes.Clone(r.segment.element(int(i))[1:])})
		}
	}
	return slices.Clip(found)
}

// Recount returns the segments of a snapshot's base, and computes its statistics anew.
func (s *Snapshot) Recount() (segments map[any]bool, stats Stats) {
	segments, stats.Version, stats.Work, stats.Replaced = make(map[any]bool), s.Version, s.Work, s.Replaced
	for k := range s.levels {
		for _, g := range s.levels[k].tree.segments() {
			segments[g] = segments[g] || k == 0
			stats.count(&s.levels[k], g, +1)
		}
	}
	maps.DeleteFunc(segments, func(_ any, base bool) bool { return !base })
	return segments, stats
}

// Largest returns the size of the largest text of a segment with several events.
func (s *Snapshot) Largest() (size int) {
	for _, l := range s.levels {
		for _, g := range l.tree.segments() {
			if len(g.times) > 1 {
				size = max(size, len(g.text))
			}
		}
	}
	return size
}

// Levels returns how many events each level has, the base first. It panics when a level has
// another event than those of the level below that are long enough.
func (s *Snapshot) Levels() (sizes []int) {
	var below []event.SortKey
	for k, l := range s.levels {
		var keys []event.SortKey
		for _, g := range l.tree.segments() {
			for i := range g.times {
				keys = append(keys, g.key(i))
			}
		}
		if k > 0 {
			below = slices.DeleteFunc(below, func(k event.SortKey) bool { return classOf(k.Start, k.End) <= l.above })
			if !slices.Equal(below, keys) {
				panic(fmt.Sprintf("level %d has %d events, want %d", k, len(keys), len(below)))
			}
		}
		below = keys
		sizes = append(sizes, len(keys))
	}
	return sizes
}
