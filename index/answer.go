package index

import (
	"hash/crc32"

	"fever/event"
	"fever/index/deflate"
)

// An Answer is what a search found. The zero value is ready; it can be used again, and
// then keeps its memory. It holds segments of its snapshot, see [Answer.Release].
type Answer struct {
	Events int    // how many there are
	Size   int    // bytes of their summaries, with a comma between each two
	Digest uint64 // of the summaries in their order: it depends on these alone

	Replaced int64 // what [Stats.Replaced] was then

	runs []Run
	// Where each run is only a few events long, an answer has too many to be kept: they
	// are found anew when they are needed.
	many   bool
	all    int64 // bytes of the tree's segments
	tree   tree
	window event.Window
}

// maxRuns is how many runs an answer keeps: 24 KiB. One of 3 MB whose events end in time
// has some 250.
const maxRuns = 1 << 10

// Release empties the answer, so that it holds nothing of a snapshot.
func (a *Answer) Release() {
	clear(a.runs)
	*a = Answer{runs: a.runs[:0]}
}

// A Run is a part of an answer: some neighbouring events of one segment.
type Run struct {
	segment  *segment
	from, to int32
	first    bool // nothing comes before it: it has no leading comma
}

// Search finds the events that lie in w, in order.
//
// As no event ends before it starts, those are among the ones that start between w.From
// and w.To. It costs a descent and a step for each segment in that range. Only a segment
// of which some events end after w.To is looked at event by event.
func (s *Snapshot) Search(w event.Window, a *Answer) {
	a.Release()
	a.Replaced = s.Replaced
	a.Digest = 1 // a leading one, so that the number of events counts
	s.tree.runs(w, func(r Run) bool {
		g := r.segment
		a.Events += int(r.to - r.from)
		a.Size += len(r.Text())
		a.Digest = a.Digest*powers[r.to-r.from] + g.digest(int(r.from), int(r.to))
		if len(a.runs) < maxRuns {
			a.runs = append(a.runs, r)
		} else {
			a.many = true
		}
		return true
	})
	if a.many {
		clear(a.runs)
		a.runs, a.tree, a.window, a.all = a.runs[:0], s.tree, w, s.Bytes
	}
}

// Held returns how much memory the segments take that the answer has something of: what
// it keeps from being collected, at most, once others are in their places.
func (a *Answer) Held() int64 {
	held := a.all
	var last *segment
	for _, r := range a.runs {
		if r.segment != last {
			last = r.segment
			held += last.bytes()
		}
	}
	return held
}

// Runs calls yield with the runs of the answer, in order, until it returns false.
func (a *Answer) Runs(yield func(Run) bool) {
	if a.many {
		a.tree.runs(a.window, yield)
		return
	}
	for _, r := range a.runs {
		if !yield(r) {
			return
		}
	}
}

// runs calls yield with what lies in w, run by run, until it returns false.
func (t tree) runs(w event.Window, yield func(Run) bool) {
	first := true
	run := func(g *segment, i, j int) bool {
		if i == j {
			return true
		}
		r := Run{g, int32(i), int32(j), first}
		first = false
		return yield(r)
	}
	t.ascend(w.From, func(g *segment) bool {
		i, j := g.between(w)
		switch {
		case g.earliest > w.To: // none of it
		case g.latest <= w.To:
			if !run(g, i, j) {
				return false
			}
		default:
			for k := i; k < j; k++ {
				if g.ends(k) > w.To {
					if !run(g, i, k) {
						return false
					}
					i = k + 1
				}
			}
			if !run(g, i, j) {
				return false
			}
		}
		return j == len(g.times)
	})
}

// Text returns the summaries of the run as they stand in an answer: each after a comma,
// but for the first of all. It is not to be changed.
func (r Run) Text() []byte {
	text := r.segment.text[r.segment.marks[r.from].text:r.segment.marks[r.to].text]
	if r.first {
		return text[len(","):]
	}
	return text
}

// Checksum returns the CRC-32 (IEEE) of a text that ends with the run's, given that of
// what comes before.
func (r Run) Checksum(before uint32) uint32 {
	if g := r.segment; !r.first && int(r.to-r.from) == len(g.times) {
		return g.shift.Combine(before, g.crc)
	}
	return crc32.Update(before, crc32.IEEETable, r.Text())
}

var commaBits = deflate.LiteralBits([]byte(","))

// Packed returns how many bits [Run.Pack] writes.
func (r Run) Packed() int {
	g := r.segment
	bits := int(g.marks[r.to].packed - g.marks[r.from].packed)
	switch {
	case r.from == 0 && r.first:
		return bits - commaBits
	case r.from == 0:
		return bits
	}
	return int(g.marks[r.to].packed-g.marks[r.from+1].packed) + deflate.LiteralBits(r.head())
}

// Pack writes the text of the run to w. Only its first event is encoded, and only when
// the event that it was linked to is not in the answer: the others are bits to copy.
func (r Run) Pack(w *deflate.Writer) {
	g := r.segment
	from, to := int(g.marks[r.from].packed), int(g.marks[r.to].packed)
	switch {
	case r.from > 0:
		w.Literals(r.head())
		from = int(g.marks[r.from+1].packed)
	case r.first:
		from += commaBits
	}
	w.Copy(g.packed, from, to)
}

// head returns the text of the run's first event.
func (r Run) head() []byte {
	unit := r.segment.unit(int(r.from))
	if r.first {
		return unit[len(","):]
	}
	return unit
}
