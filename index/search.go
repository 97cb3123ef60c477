package index

import (
	"math"
	"sort"

	"fever/event"
)

// A Query says which events a search finds. The zero value finds those of the first second of
// 1970.
type Query struct {
	event.Window

	// Overlap finds the events that touch the window: they start at To or earlier, and end
	// at From or later. Otherwise the events lie in it.
	Overlap bool
	After   *event.SortKey // only events that come after this one in the order; nil: all
	Limit   int            // at most so many events, the first ones; 0: all
}

// Search finds the events of a query, in order.
//
// No event ends before it starts. So events that lie in the window start between From and To:
// a search costs a descent and a step for each segment in that range. It looks event by event
// only at a segment where some events end after To.
//
// Events that overlap the window may also have started before it. How these are found is
// said at [level].
func (s *Snapshot) Search(q Query, res *Result) {
	res.Release()
	res.Replaced = s.Replaced
	res.Digest = 1 // a leading one, so that the number of events counts
	kept := true
	res.More = s.runs(&q, func(r Run) bool {
		g := r.segment
		res.Events += int(r.to - r.from)
		res.Size += len(r.Text())
		res.Digest = res.Digest*powers[r.to-r.from] + g.digest(int(r.from), int(r.to))
		res.last = r
		if kept = kept && len(res.runs) < maxRuns; kept {
			res.runs = append(res.runs, r)
		}
		return true
	})
	if !kept {
		clear(res.runs)
		res.runs, res.again, res.query = res.runs[:0], s, q
	}
}

// A span is a range of Unix seconds, both ends included. It is empty when from is after to.
type span struct{ from, to int64 }

func (s span) has(second int64) bool { return s.from <= second && second <= s.to }

// runs yields the events of a query, run by run, and reports whether there are more than its
// limit.
func (s *Snapshot) runs(q *Query, yield func(Run) bool) (more bool) {
	first, left := true, q.Limit
	run := func(g *segment, i, j int) bool {
		if i == j {
			return true
		}
		if q.Limit > 0 {
			if j-i > left {
				j, more = i+left, true
			}
			if left -= j - i; i == j {
				return false
			}
		}
		r := Run{g, int32(i), int32(j), first}
		first = false
		return yield(r) && !more
	}
	if !q.Overlap {
		s.levels[0].tree.runs(span{q.From, q.To}, span{math.MinInt64, q.To}, q.After, run)
		return more
	}
	for k := len(s.levels) - 1; k >= 0; k-- {
		if !s.levels[k].tree.runs(s.startsFor(k, q.Window), span{q.From, math.MaxInt64}, q.After, run) {
			break
		}
	}
	return more
}

// runs yields the events that start and end in these spans and come after a sort key, which
// may be nil. It reports whether it has yielded all of them.
func (t tree) runs(starts, ends span, after *event.SortKey, yield func(g *segment, i, j int) bool) bool {
	all := true
	t.ascend(starts, ends.from, after, func(g *segment) bool {
		i, j := g.between(starts)
		if after != nil && g.start <= after.Start {
			i = min(j, max(i, sort.Search(len(g.times), func(k int) bool { return g.compare(k, after) > 0 })))
		}
		switch {
		case g.earliest > ends.to || g.latest < ends.from: // none of it
			return true
		case g.earliest < ends.from || g.latest > ends.to:
			for k := i; k < j && all; k++ {
				if !ends.has(g.ends(k)) {
					all = yield(g, i, k)
					i = k + 1
				}
			}
		}
		all = all && yield(g, i, j)
		return all
	})
	return all
}
