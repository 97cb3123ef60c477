package index

import (
	"sort"

	"github.com/google/btree"
	"github.com/google/uuid"

	"fever/event"
)

// degree of the btree: nodes of 31 to 63 segments. A million events are some 17,000 of
// these, and a batch that changes a few copies no more than that.
const degree = 32

// tree holds segments in order. It is the only user of google/btree, whose generic form
// is final: should it ever have to be replaced, this file is the place.
//
// Concurrency, from its documentation: reads may run beside each other, and beside
// writes to a clone. clone itself counts as a write.
type tree struct {
	b     *btree.BTreeG[item]
	bound *segment // with one place, to find others by; nil in a clone, which is not written to
}

// An item is a segment by its last event, so that one descent finds the first segment
// that reaches a start. It carries that event's start, so that a descent touches the
// nodes alone: each segment looked at would be a cache miss.
type item struct {
	start   int64
	segment *segment // nil in the bound of a scan, which comes before every segment that ends its starts then
}

func (a item) before(b item) bool {
	switch {
	case a.start != b.start:
		return a.start < b.start
	case a.segment == nil || b.segment == nil:
		return b.segment != nil
	default:
		p := b.segment.last()
		return a.segment.compare(len(a.segment.times)-1, &p) < 0
	}
}

func newTree() tree {
	return tree{btree.NewG(degree, item.before), &segment{times: make([]times, 1), ids: make([]uuid.UUID, 1)}}
}

func (t tree) clone() tree { return tree{b: t.b.Clone()} }

func (t tree) add(g *segment) { t.b.ReplaceOrInsert(item{g.lastStart(), g}) }

func (t tree) remove(g *segment) { t.b.Delete(item{g.lastStart(), g}) }

// ascend calls yield with the segments whose last event starts at first or later, in
// order, until it returns false.
func (t tree) ascend(first int64, yield func(*segment) bool) {
	t.b.AscendGreaterOrEqual(item{start: first}, func(i item) bool { return yield(i.segment) })
}

// reaching returns the first segment whose last event stands at p or after it, or else
// the last segment. It is nil when there is none.
func (t tree) reaching(p *event.Place) *segment {
	var found *segment
	t.bound.start, t.bound.latest, t.bound.ids[0] = p.Start, p.End, p.ID
	t.b.AscendGreaterOrEqual(item{p.Start, t.bound}, func(i item) bool {
		found = i.segment
		return false
	})
	if found == nil {
		last, _ := t.b.Max()
		return last.segment
	}
	return found
}

// holds reports whether an event stands at p.
func (t tree) holds(p event.Place) bool {
	_, _, found := t.find(&p)
	return found
}

// find returns the segment that has an event at p, and which of its events that is.
func (t tree) find(p *event.Place) (g *segment, i int, found bool) {
	if g = t.reaching(p); g == nil {
		return nil, 0, false
	}
	i, found = sort.Find(len(g.times), func(i int) int { return -g.compare(i, p) })
	return g, i, found
}

// after returns the segment after g, or nil.
func (t tree) after(g *segment) *segment {
	var next *segment
	t.b.AscendGreaterOrEqual(item{g.lastStart(), g}, func(i item) bool {
		next = i.segment
		return next == g
	})
	if next == g {
		return nil
	}
	return next
}
