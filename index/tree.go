package index

import (
	"sort"

	"github.com/google/btree"
	"github.com/google/uuid"

	"fever/event"
)

// degree of the btree: its nodes have 31 to 63 segments. A million events have some 17,000
// segments, and a batch that changes a few of these copies only their nodes.
const degree = 32

// tree has the segments in order. Only this file uses google/btree, whose generic form is
// final, so that it can be replaced here.
//
// Reads may run beside each other and beside writes to a clone, says its documentation;
// clone itself counts as a write.
type tree struct {
	b     *btree.BTreeG[item]
	bound *segment // with one event, to search for its sort key; nil in a clone, which nobody writes to
}

// An item is a segment in the order of last events, so that one descent finds the first
// segment that reaches a start. It has a copy of that event's start, so that a descent reads
// the nodes alone: each segment would be a cache miss.
type item struct {
	start   int64
	latest  int64    // of the segment
	segment *segment // nil in the bound of a scan, which comes before all segments with this start
}

func itemOf(g *segment) item { return item{g.lastStart(), g.latest, g} }

func (a item) before(b item) bool {
	switch {
	case a.start != b.start:
		return a.start < b.start
	case a.segment == nil || b.segment == nil:
		return b.segment != nil
	default:
		k := b.segment.last()
		return a.segment.compare(len(a.segment.times)-1, &k) < 0
	}
}

func newTree() tree {
	return tree{btree.NewG(degree, item.before), newBound()}
}

func newBound() *segment { return &segment{times: make([]times, 1), ids: make([]uuid.UUID, 1)} }

// set makes the sort key of the only event k.
func (g *segment) set(k *event.SortKey) { g.start, g.latest, g.ids[0] = k.Start, k.End, k.ID }

func (t tree) clone() tree { return tree{b: t.b.Clone()} }

func (t tree) add(g *segment) { t.b.ReplaceOrInsert(itemOf(g)) }

func (t tree) remove(g *segment) { t.b.Delete(itemOf(g)) }

// ascend yields the segments with events that start in the given span and come after a sort
// key, which may be nil, in order. It leaves out those of which all events end before the second
// reach, without a look at them.
func (t tree) ascend(starts span, reach int64, after *event.SortKey, yield func(*segment) bool) {
	if starts.from > starts.to || after != nil && after.Start > starts.to {
		return
	}
	first := item{start: starts.from}
	if after != nil && after.Start >= starts.from {
		bound := newBound()
		bound.set(after)
		first = itemOf(bound)
	}
	t.b.AscendGreaterOrEqual(first, func(i item) bool {
		return (i.latest < reach || yield(i.segment)) && i.start <= starts.to
	})
}

// reaching returns the first segment whose last event is at k or after it, or else the last
// segment. It returns nil when there is none.
func (t tree) reaching(k *event.SortKey) *segment {
	var found *segment
	t.bound.set(k)
	t.b.AscendGreaterOrEqual(itemOf(t.bound), func(i item) bool {
		found = i.segment
		return false
	})
	if found == nil {
		last, _ := t.b.Max()
		return last.segment
	}
	return found
}

// contains reports whether there is an event with the sort key k.
func (t tree) contains(k event.SortKey) bool {
	_, _, found := t.find(&k)
	return found
}

// find returns the segment that has the event with the sort key k, and which of its events
// that is.
func (t tree) find(k *event.SortKey) (g *segment, i int, found bool) {
	if g = t.reaching(k); g == nil {
		return nil, 0, false
	}
	i, found = sort.Find(len(g.times), func(i int) int { return -g.compare(i, k) })
	return g, i, found
}

// segments returns all segments, in order.
func (t tree) segments() []*segment {
	all := make([]*segment, 0, t.b.Len())
	t.b.Ascend(func(i item) bool {
		all = append(all, i.segment)
		return true
	})
	return all
}

// after returns the segment after g, or nil.
func (t tree) after(g *segment) *segment {
	var next *segment
	t.b.AscendGreaterOrEqual(itemOf(g), func(i item) bool {
		next = i.segment
		return next == g
	})
	if next == g {
		return nil
	}
	return next
}
