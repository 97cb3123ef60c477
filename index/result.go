package index

import (
	"hash/crc32"

	"fever/event"
	"fever/index/deflate"
)

// A Result is what a search found. The zero value is ready; a Result that is used again
// keeps its memory. It holds segments of its snapshot until [Result.Release].
type Result struct {
	Events int    // how many there are
	Size   int    // bytes of their summaries, with a comma between each two
	Digest uint64 // of the summaries in their order, and of nothing else

	More bool // there are others after them: there were more than [Query.Limit]

	Replaced int64 // [Stats.Replaced] of the snapshot

	runs []Run
	last Run // of runs
	// When the runs are short, there can be too many to keep. Then they are searched again
	// each time that they are needed.
	again *Snapshot // nil: they are kept
	query Query
}

// maxRuns is how many runs a result keeps, in 24 KiB. An answer of 3 MB without gaps has
// some 250.
const maxRuns = 1 << 10

// Release empties the result, so that it holds nothing of a snapshot.
func (res *Result) Release() {
	clear(res.runs)
	*res = Result{runs: res.runs[:0]}
}

// A Run is a part of a result: some neighbouring events of one segment.
type Run struct {
	segment  *segment
	from, to int32
	first    bool // of the result: it has no leading comma
}

// Held returns how many bytes of memory the segments of the result take. The result keeps
// no more than that from being collected, once the index has replaced them.
func (res *Result) Held() int64 {
	if res.again != nil {
		return res.again.Bytes
	}
	var held int64
	var last *segment
	for _, r := range res.runs {
		if r.segment != last {
			last = r.segment
			held += last.bytes()
		}
	}
	return held
}

// Last returns the sort key of the last event. It panics when there is none.
func (res *Result) Last() event.SortKey { return res.last.segment.key(int(res.last.to) - 1) }

// Runs yields the runs of the result, in order.
func (res *Result) Runs(yield func(Run) bool) {
	if res.again != nil {
		res.again.runs(&res.query, yield)
		return
	}
	for _, r := range res.runs {
		if !yield(r) {
			return
		}
	}
}

// Text returns the summaries of the run as elements of a JSON array: each after a comma,
// except the first of the result. Do not change it.
func (r Run) Text() []byte {
	text := r.segment.text[r.segment.marks[r.from].text:r.segment.marks[r.to].text]
	if r.first {
		return text[len(","):]
	}
	return text
}

// Checksum returns the CRC-32 (IEEE) of a text that ends with the run's; before is the
// CRC-32 of what comes before the run.
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

// Pack writes the text of the run to w. It copies the bits of every event but the first,
// which it encodes anew when the event that it was linked to is not in the result.
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
	element := r.segment.element(int(r.from))
	if r.first {
		return element[len(","):]
	}
	return element
}
