package index

import (
	"bytes"
	"hash/crc32"
	"math"
	"sort"
	"unsafe"

	"github.com/cespare/xxhash/v2"
	"github.com/google/uuid"

	"fever/event"
	"fever/index/deflate"
)

// Bounds of a segment. A change of one event rewrites its segment, and an answer is cut out
// of segments: the larger they are, the more a change costs and the less an answer.
const (
	maxText   = 16 << 10 // bytes, unless it is a single event
	maxEvents = 256
)

// A segment is some neighbouring events, in order, with all that an answer needs of them.
// It has at least one event, and never changes.
type segment struct {
	start    int64 // of the first event, Unix seconds
	times    []times
	ids      []uuid.UUID      // nil when all of them can be read from the text
	marks    []mark           // where each event begins, and one more, where the last ends
	text     []byte           // the summaries, each after a comma
	packed   []byte           // text as DEFLATE symbols: the first event as literals, each other linked to the one before
	earliest int64            // the earliest end
	latest   int64            // the latest end
	crc      uint32           // of text
	shift    deflate.Operator // past text
}

// times are when an event starts and how long it takes. They may be too long for these
// fields when the event is alone in its segment: then its end is latest of the segment.
type times struct {
	start  uint32 // in seconds after the segment's
	length uint32 // in seconds
}

// together reports whether an event at q can be in the segment whose first event is at p.
func together(p, q interval) bool {
	return seconds(p.start, q.start) <= math.MaxUint32 &&
		seconds(p.start, p.end) <= math.MaxUint32 && seconds(q.start, q.end) <= math.MaxUint32
}

// seconds returns how many there are from one moment to a later one: more than int64 may hold.
func seconds(from, to int64) uint64 { return uint64(to) - uint64(from) }

// A mark is a position between two events.
type mark struct {
	text   uint32 // in bytes
	packed uint32 // in bits
	digest uint64 // of the summaries before it
}

// radix is the base of digests. The digest of a list of summaries is a number whose digits
// are their hashes, modulo 2^64, so that lists can be joined and cut. An even radix would
// have no inverse, and shift digits out.
const radix = 0x9e3779b97f4a7c15

// powers has the powers of radix.
var powers = func() (p [maxEvents + 1]uint64) {
	p[0] = 1
	for i := range maxEvents {
		p[i+1] = p[i] * radix
	}
	return p
}()

// overhead is more than what a segment takes beside its slices, with the nodes of the tree
// that are copied when it is replaced: one on each of three levels.
const overhead = 6 << 10

// bytes returns how much memory the segment takes, at most.
func (g *segment) bytes() int64 {
	const perEvent = int(unsafe.Sizeof(times{}) + unsafe.Sizeof(mark{}))
	return int64(len(g.text) + len(g.packed) + perEvent*len(g.times) + len(uuid.UUID{})*len(g.ids) + overhead)
}

// key returns the sort key of event i.
func (g *segment) key(i int) event.SortKey {
	return event.SortKey{Start: g.starts(i), End: g.ends(i), ID: g.id(i)}
}

func (g *segment) last() event.SortKey { return g.key(len(g.times) - 1) }

// lastStart returns the start of the last event, without a look at its id.
func (g *segment) lastStart() int64 { return g.starts(len(g.times) - 1) }

func (g *segment) starts(i int) int64 { return g.start + int64(g.times[i].start) }

func (g *segment) ends(i int) int64 {
	if len(g.times) == 1 {
		return g.latest
	}
	return g.starts(i) + int64(g.times[i].length)
}

func (g *segment) id(i int) uuid.UUID {
	if g.ids != nil {
		return g.ids[i]
	}
	id, _ := writtenID(g.element(i)[len(","):])
	return id
}

// compare compares event i with k. It seldom looks at the id.
func (g *segment) compare(i int, k *event.SortKey) int {
	own := event.SortKey{Start: g.starts(i), End: g.ends(i)}
	if own.Start == k.Start && own.End == k.End {
		own.ID = g.id(i)
	}
	return own.Compare(k)
}

// writtenID reads the id at the place where a summary has that of its event. A caller that
// does not know whether the summary has it there must compare.
func writtenID(summary []byte) (id uuid.UUID, ok bool) {
	const from = len(`{"id":"`)
	const to = from + len("00000000-0000-0000-0000-000000000000")
	if len(summary) < to {
		return id, false
	}
	id, err := uuid.ParseBytes(summary[from:to])
	return id, err == nil
}

// element returns the text of event i, with the comma before it.
func (g *segment) element(i int) []byte { return g.text[g.marks[i].text:g.marks[i+1].text] }

// digest returns the digest of the events from i up to j.
func (g *segment) digest(i, j int) uint64 {
	return g.marks[j].digest - g.marks[i].digest*powers[j-i]
}

// between returns the range of the events that start in s.
func (g *segment) between(s span) (i, j int) {
	j = len(g.times)
	if g.start < s.from {
		i = g.starting(s.from)
	}
	if g.lastStart() > s.to {
		j = max(i, g.starting(s.to+1))
	}
	return i, j
}

// starting returns how many events start before the given second.
func (g *segment) starting(second int64) int {
	return sort.Search(len(g.times), func(i int) bool { return g.starts(i) >= second })
}

// An eventRef refers to an event that a new segment gets: a new entry, or an event of
// another segment.
type eventRef struct {
	entry *event.Entry
	from  *segment
	at    int
}

// interval returns when the event starts and ends.
func (r *eventRef) interval() interval {
	if r.entry != nil {
		return interval{r.entry.Start, r.entry.End}
	}
	return interval{r.from.starts(r.at), r.from.ends(r.at)}
}

func (r *eventRef) id() uuid.UUID {
	if r.entry != nil {
		return r.entry.ID
	}
	return r.from.id(r.at)
}

func (r *eventRef) summary() []byte {
	if r.entry != nil {
		return r.entry.Summary
	}
	return r.from.element(r.at)[len(","):]
}

func (r *eventRef) size() int { return len(",") + len(r.summary()) }

// named reports whether the id can be read from the summary.
func (r *eventRef) named() bool {
	if r.entry == nil && r.from.ids == nil {
		return true
	}
	id, ok := writtenID(r.summary())
	return ok && id == r.id()
}

// follows reports whether the event comes directly after another one in one segment.
func (r *eventRef) follows(before *eventRef) bool {
	return r.entry == nil && before.entry == nil && r.from == before.from && r.at == before.at+1
}

// A builder makes segments, one after the other. The zero value is ready.
type builder struct {
	packer deflate.Writer
	packed []byte // a buffer, as large as was ever needed
}

// build makes a segment of events, which are in order and not too many.
func (b *builder) build(refs []eventRef) *segment {
	size, named := 0, true
	for i := range refs {
		size += refs[i].size()
		named = named && refs[i].named()
	}
	g := &segment{
		start:    refs[0].interval().start,
		times:    make([]times, 0, len(refs)),
		marks:    make([]mark, 1, len(refs)+1),
		text:     make([]byte, 0, size),
		earliest: math.MaxInt64,
		latest:   math.MinInt64,
	}
	b.packer.Reset(b.packed[:0])
	for i := range refs {
		r := &refs[i]
		end := g.marks[i]
		if r.entry != nil {
			g.text = append(append(g.text, ','), r.entry.Summary...)
			end.digest = end.digest*radix + xxhash.Sum64(r.entry.Summary)
		} else {
			g.text = append(g.text, r.from.element(r.at)...)
			end.digest = end.digest*radix + r.from.digest(r.at, r.at+1)
		}
		end.text = uint32(len(g.text))
		g.marks = append(g.marks, end)
		at := r.interval()
		g.times = append(g.times, times{uint32(seconds(g.start, at.start)), uint32(seconds(at.start, at.end))})
		g.earliest = min(g.earliest, at.end)
		g.latest = max(g.latest, at.end)
		if !named {
			g.ids = append(g.ids, r.id())
		}

		switch {
		case r.entry == nil && (i == 0 && r.at == 0 || i > 0 && r.follows(&refs[i-1])):
			b.packer.Copy(r.from.packed, int(r.from.marks[r.at].packed), int(r.from.marks[r.at+1].packed))
		case i == 0:
			b.packer.Literals(g.element(i))
		default:
			before := g.element(i - 1)
			b.packer.Link(g.element(i), before[len(","):]) // before may be the first event of an answer, which has no comma
		}
		g.marks[i+1].packed = uint32(b.packer.Bits())
	}
	b.packed = b.packer.Bytes()
	g.packed = bytes.Clone(b.packed) // without spare capacity: segments live long
	g.crc = crc32.ChecksumIEEE(g.text)
	g.shift = deflate.Shift(len(g.text))
	return g
}
