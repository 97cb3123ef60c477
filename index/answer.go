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
	Runs   []Run  // neighbours that are all in the answer, in order
}

// Release empties the answer, so that it holds nothing of a snapshot.
func (a *Answer) Release() {
	clear(a.Runs)
	*a = Answer{Runs: a.Runs[:0]}
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
// with an event that ends after w.To is looked at event by event.
func (s *Snapshot) Search(w event.Window, a *Answer) {
	*a = Answer{Digest: 1, Runs: a.Runs[:0]} // a leading one, so that the number of events counts
	s.tree.ascend(w.From, func(g *segment) bool {
		i, j := g.between(w)
		if g.latest <= w.To {
			a.add(g, i, j)
			return j == len(g.places)
		}
		for k := i; k < j; k++ {
			if g.places[k].End > w.To {
				a.add(g, i, k)
				i = k + 1
			}
		}
		a.add(g, i, j)
		return j == len(g.places)
	})
}

// add appends the events from i up to j of a segment, which may be none.
func (a *Answer) add(g *segment, i, j int) {
	if i >= j {
		return
	}
	first := a.Events == 0
	a.Events += j - i
	a.Size += int(g.marks[j].text - g.marks[i].text)
	if first {
		a.Size -= len(",")
	}
	a.Digest = a.Digest*powers[j-i] + g.digest(i, j)
	a.Runs = append(a.Runs, Run{g, int32(i), int32(j), first})
}

// Text returns the summaries of the run as they stand in an answer: each after a comma,
// but for the first of all. It is not to be changed.
func (r *Run) Text() []byte {
	text := r.segment.text[r.segment.marks[r.from].text:r.segment.marks[r.to].text]
	if r.first {
		return text[len(","):]
	}
	return text
}

// Checksum returns the CRC-32 (IEEE) of a text that ends with the run's, given that of
// what comes before.
func (r *Run) Checksum(before uint32) uint32 {
	if g := r.segment; !r.first && int(r.to-r.from) == len(g.places) {
		return g.shift.Combine(before, g.crc)
	}
	return crc32.Update(before, crc32.IEEETable, r.Text())
}

var commaBits = deflate.LiteralBits([]byte(","))

// Packed returns how many bits [Run.Pack] writes.
func (r *Run) Packed() int {
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
func (r *Run) Pack(w *deflate.Writer) {
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
func (r *Run) head() []byte {
	unit := r.segment.unit(int(r.from))
	if r.first {
		return unit[len(","):]
	}
	return unit
}
