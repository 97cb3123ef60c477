package index

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"fever/event"
)

// A change sets the entry at one sort key, or removes it (without an entry) because the
// event gets another sort key.
type change struct {
	event.SortKey
	entry *event.Entry
}

// changes returns what the entries change, in order, at most one change a sort key, and
// puts their sort keys into the table.
func (x *Index) changes(entries []*event.Entry) []change {
	changes := make([]change, 0, len(entries))
	seen := make(map[uuid.UUID]struct{}, len(entries))
	for _, e := range slices.Backward(entries) { // the last one counts
		if _, ok := seen[e.ID]; ok {
			continue
		}
		seen[e.ID] = struct{}{}
		base := x.levels[0].tree
		old, had := x.keys.put(&e.SortKey, base.contains)
		if had {
			g, i, _ := base.find(&old)
			x.days.add(e.Provider, g.element(i), -1) // an event is of one provider for ever: its id says so
		}
		if had && old != e.SortKey {
			changes = append(changes, change{SortKey: old})
		}
		x.days.add(e.Provider, e.Summary, 1)
		if !had || classOf(old.Start, old.End) != classOf(e.Start, e.End) {
			x.lengths.add(&e.SortKey, 1)
			if had {
				x.lengths.add(&old, -1)
			}
		}
		changes = append(changes, change{e.SortKey, e})
	}
	slices.SortFunc(changes, func(a, b change) int { return a.Compare(&b.SortKey) })
	return changes
}

// merge applies the changes to a level, segment by segment.
func (x *Index) merge(l *level, changes []change) {
	var refs []eventRef
	for len(changes) > 0 {
		refs = refs[:0]
		g := l.tree.reaching(&changes[0].SortKey)
		for {
			n := len(changes) // the last segment takes all that comes after it
			var next *segment
			if g != nil {
				if next = l.tree.after(g); next != nil {
					last := g.last()
					n = until(changes, &last)
				}
				x.remove(l, g)
			}
			refs = appendMerged(refs, g, changes[:n])
			changes = changes[n:]
			if next == nil || !small(refs) {
				break
			}
			g = next // joins what has become too small to be a segment
		}
		parts(refs, even(refs), func(part []eventRef) { x.add(l, x.builder.build(part)) })
	}
}

// until returns how many of the changes are at p or before it.
func until(changes []change, p *event.SortKey) int {
	n, _ := slices.BinarySearchFunc(changes, p, func(c change, p *event.SortKey) int {
		if c.Compare(p) <= 0 {
			return -1
		}
		return +1
	})
	return n
}

// appendMerged appends the events of g, or of no segment when it is nil, with the changes.
func appendMerged(refs []eventRef, g *segment, changes []change) []eventRef {
	i, n := 0, 0
	if g != nil {
		n = len(g.times)
	}
	for k := range changes {
		c := &changes[k]
		order := -1
		for ; i < n; i++ {
			if order = g.compare(i, &c.SortKey); order >= 0 {
				break
			}
			refs = append(refs, eventRef{from: g, at: i})
		}
		if i < n && order == 0 {
			i++ // this event is replaced or removed
		}
		if c.entry != nil {
			refs = append(refs, eventRef{entry: c.entry})
		}
	}
	for ; i < n; i++ {
		refs = append(refs, eventRef{from: g, at: i})
	}
	return refs
}

// small reports whether refs should share a segment with others.
func small(refs []eventRef) bool { return len(refs) < maxEvents/4 && sizeOf(refs) < maxText/4 }

func sizeOf(refs []eventRef) (size int) {
	for i := range refs {
		size += refs[i].size()
	}
	return size
}

// even returns the size of text that cuts refs into few segments of about equal sizes.
func even(refs []eventRef) int {
	size := sizeOf(refs)
	n := (size + maxText - 1) / maxText
	if n <= 1 {
		return maxText
	}
	return min(size/n+size/n/8, maxText)
}

// parts calls yield with the refs of one segment after the other. Each has at most so many
// bytes of text, unless a single event has more.
func parts(refs []eventRef, most int, yield func([]eventRef)) {
	start, size := 0, 0
	for i := range refs {
		next := refs[i].size()
		if i > start && (size+next > most || i-start == maxEvents || !together(refs[start].interval(), refs[i].interval())) {
			yield(refs[start:i])
			start, size = i, 0
		}
		size += next
	}
	if start < len(refs) {
		yield(refs[start:])
	}
}

// buildAll makes the segments of refs, on all processors. It does not fill them: the first
// change of a full segment would split it.
func buildAll(refs []eventRef) []*segment {
	var all [][]eventRef
	parts(refs, maxText*3/4, func(part []eventRef) { all = append(all, part) })
	segments := make([]*segment, len(all))
	var wait sync.WaitGroup
	var begun atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			var b builder
			for i := int(begun.Add(1)) - 1; i < len(all); i = int(begun.Add(1)) - 1 {
				segments[i] = b.build(all[i])
				clear(all[i]) // entries are garbage from now on
			}
		})
	}
	wait.Wait()
	return segments
}
