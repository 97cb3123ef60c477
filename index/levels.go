package index

import (
	"math"
	"math/bits"
	"slices"

	"fever/event"
)

// sparse is how many times as many events a level has as the next one, at least. All levels
// above the base together have at most a 31st of its events; and of the events that a search
// looks at in a level to find those that reach the window, at least one in 64 does, on average.
const sparse = 32

// A level has the events that take longer than some time, once more, in segments of their own.
// The base, which is the first level, has all events, and each level has some of the one below.
//
// An event that starts before a window and reaches into it takes longer than from its start to
// the window. So the farther from the window, the higher a level has all of these, among
// few others: one level has those that start less than an hour before, the next those of the
// days before that, and so on. The events of an answer are together in every level, as they
// are in the base, and the levels follow each other in the order of an answer.
type level struct {
	above int // the events of higher classes: see lengths. -1 at the base: all
	tree  tree
}

// lengths has the number of events by the class of their length. Class 0 is the length 0,
// and class c has lengths from 2^(c-1) to 2^c-1 seconds.
type lengths struct {
	events [65]int
	drift  int // how many were added and taken since the levels were chosen
}

func classOf(start, end int64) int { return bits.Len64(seconds(start, end)) }

func (l *lengths) add(k *event.SortKey, n int) {
	l.events[classOf(k.Start, k.End)] += n
	l.drift++
}

// longest returns the class of the longest event.
func (l *lengths) longest() int {
	c := len(l.events) - 1
	for c > 0 && l.events[c] == 0 {
		c--
	}
	return c
}

// choose returns above for the levels over the base. Each has as many events as it may.
func (l *lengths) choose(all int) (above []int) {
	l.drift = 0
	for {
		c, n := len(l.events)-1, 0 // n events are of a class above c
		for c > 0 && (n+l.events[c])*sparse <= all {
			n += l.events[c]
			c--
		}
		if n == 0 {
			return above
		}
		above, all = append(above, c), n
	}
}

// startsFor returns when events start that overlap w and are to be taken from level k.
func (s *Snapshot) startsFor(k int, w event.Window) span {
	reach := s.longest
	if k+1 < len(s.levels) {
		reach = s.levels[k+1].above
	}
	starts := span{before(w.From, reach), w.To}
	if k > 0 {
		end := before(w.From, s.levels[k].above)
		if end == math.MinInt64 {
			return span{0, -1}
		}
		starts.to = min(w.To, end-1)
	}
	return starts
}

// before returns the second that is before the given one by the greatest length of a class.
func before(second int64, class int) int64 {
	length := uint64(1)<<class - 1
	if length >= seconds(math.MinInt64, second) {
		return math.MinInt64
	}
	return second - int64(length)
}

// relevel chooses the levels anew when enough lengths have changed, and builds those over the
// base when they are others than before. It reports whether it has.
func (x *Index) relevel() bool {
	if x.lengths.drift*sparse <= x.stats.Events {
		return false
	}
	above := x.lengths.choose(x.stats.Events)
	if slices.EqualFunc(x.levels[1:], above, func(l level, c int) bool { return l.above == c }) {
		return false
	}
	for i := range x.levels[1:] {
		l := &x.levels[1:][i]
		for _, g := range l.tree.segments() {
			x.remove(l, g)
		}
	}
	x.levels = x.levels[:1:1]
	for _, c := range above {
		var refs []eventRef
		for _, g := range x.levels[len(x.levels)-1].tree.segments() {
			for i := range g.times {
				if classOf(g.starts(i), g.ends(i)) > c {
					refs = append(refs, eventRef{from: g, at: i})
				}
			}
		}
		x.push(c, buildAll(refs))
	}
	return true
}

// push adds a level.
func (x *Index) push(above int, segments []*segment) {
	x.levels = append(x.levels, level{above, newTree()})
	for _, g := range segments {
		x.add(&x.levels[len(x.levels)-1], g)
	}
}

// longer returns the changes that a level gets.
func (l *level) longer(changes []change) []change {
	var some []change
	for _, c := range changes {
		if classOf(c.Start, c.End) > l.above {
			some = append(some, c)
		}
	}
	return some
}
