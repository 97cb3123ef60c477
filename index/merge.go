package index

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"fever/event"
)

// A change is what happens at one place: an entry comes, or stays with other values, or
// (without an entry) the event that stands there leaves, as it moves elsewhere.
type change struct {
	event.Place
	entry *event.Entry
}

// changes returns what the entries change, in order of places, each at most once, and
// takes note of where their events stand from now on.
func (x *Index) changes(entries []*event.Entry) []change {
	changes := make([]change, 0, len(entries))
	seen := make(map[uuid.UUID]struct{}, len(entries))
	for _, e := range slices.Backward(entries) { // the last one counts
		if _, ok := seen[e.ID]; ok {
			continue
		}
		seen[e.ID] = struct{}{}
		old, known := x.spans.move(&e.Place, x.tree.holds)
		if known {
			g, i, _ := x.tree.find(&old)
			x.days.add(e.Provider, g.unit(i), -1) // an event is of one provider for ever: its id says so
		}
		if known && old != e.Place {
			changes = append(changes, change{Place: old})
		}
		x.days.add(e.Provider, e.Summary, 1)
		changes = append(changes, change{e.Place, e})
	}
	slices.SortFunc(changes, func(a, b change) int { return a.Compare(&b.Place) })
	return changes
}

// merge brings the changes into the tree, segment by segment.
func (x *Index) merge(changes []change) {
	var units []unit
	for len(changes) > 0 {
		units = units[:0]
		g := x.tree.reaching(&changes[0].Place)
		for {
			n := len(changes) // the last segment takes what comes after it
			var next *segment
			if g != nil {
				if next = x.tree.after(g); next != nil {
					last := g.last()
					n = until(changes, &last)
				}
				x.remove(g)
			}
			units = appendMerged(units, g, changes[:n])
			changes = changes[n:]
			if next == nil || !small(units) {
				break
			}
			g = next // to be written together with what has become too small alone
		}
		parts(units, even(units), func(part []unit) { x.add(x.builder.build(part)) })
	}
}

// until returns the number of changes up to p, itself included.
func until(changes []change, p *event.Place) int {
	n, _ := slices.BinarySearchFunc(changes, p, func(c change, p *event.Place) int {
		if c.Compare(p) <= 0 {
			return -1
		}
		return +1
	})
	return n
}

// appendMerged appends the events of g, or of no segment, with the changes made.
func appendMerged(units []unit, g *segment, changes []change) []unit {
	i, n := 0, 0
	if g != nil {
		n = len(g.times)
	}
	for k := range changes {
		c := &changes[k]
		order := -1
		for ; i < n; i++ {
			if order = g.compare(i, &c.Place); order >= 0 {
				break
			}
			units = append(units, unit{from: g, at: i})
		}
		if i < n && order == 0 {
			i++ // what stands there is replaced, or leaves
		}
		if c.entry != nil {
			units = append(units, unit{entry: c.entry})
		}
	}
	for ; i < n; i++ {
		units = append(units, unit{from: g, at: i})
	}
	return units
}

// small reports whether units are better off with others in one segment.
func small(units []unit) bool { return len(units) < maxEvents/4 && sizeOf(units) < maxText/4 }

func sizeOf(units []unit) (size int) {
	for i := range units {
		size += units[i].size()
	}
	return size
}

// even returns a size of text that cuts units into a few segments of about equal sizes.
func even(units []unit) int {
	size := sizeOf(units)
	n := (size + maxText - 1) / maxText
	if n <= 1 {
		return maxText
	}
	return min(size/n+size/n/8, maxText)
}

// parts calls yield with the units of one segment after the other, which have at most so
// many bytes of text each, unless a single event has more.
func parts(units []unit, most int, yield func([]unit)) {
	start, size := 0, 0
	for i := range units {
		next := units[i].size()
		if i > start && (size+next > most || i-start == maxEvents || !together(units[start].span(), units[i].span())) {
			yield(units[start:i])
			start, size = i, 0
		}
		size += next
	}
	if start < len(units) {
		yield(units[start:])
	}
}

// buildAll makes the segments of entries that are in order, on all processors. They are
// not filled: the first change of a full one would split it.
func buildAll(entries []*event.Entry) []*segment {
	units := make([]unit, len(entries))
	for i, e := range entries {
		units[i].entry = e
	}
	var all [][]unit
	parts(units, maxText*3/4, func(part []unit) { all = append(all, part) })
	segments := make([]*segment, len(all))
	var wait sync.WaitGroup
	var begun atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			var b builder
			for i := int(begun.Add(1)) - 1; i < len(all); i = int(begun.Add(1)) - 1 {
				segments[i] = b.build(all[i])
				clear(all[i]) // the entries are garbage from now on
			}
		})
	}
	wait.Wait()
	return segments
}
