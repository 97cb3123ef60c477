package index

import (
	"bytes"
	"hash/crc32"
	"math"
	"unsafe"

	"github.com/cespare/xxhash/v2"
	"github.com/google/uuid"

	"fever/event"
	"fever/index/deflate"
)

// Bounds of a segment. A change of one event writes its segment anew, and an answer is
// cut out of segments: the larger they are, the more the first costs and the less the
// second.
const (
	maxText   = 16 << 10 // bytes, unless it is a single event
	maxEvents = 256
)

// A segment is a stretch of neighbouring events, in order, with all that an answer
// needs of them. It has at least one, and never changes.
type segment struct {
	start    int64 // of the first event, Unix seconds
	times    []times
	ids      []uuid.UUID      // nil when all of them are read from the text
	marks    []mark           // where each event begins, and one more, where the last ends
	text     []byte           // the summaries, each after a comma
	packed   []byte           // the same as DEFLATE symbols: the first event as literals, each other linked to the one before
	earliest int64            // the earliest end
	latest   int64            // the latest end
	crc      uint32           // of text
	shift    deflate.Operator // past text
}

// times are those of an event in its segment. An event that is alone in one has its own
// in start and latest of that: they may be too long for these.
type times struct {
	start  uint32 // in seconds after the segment's
	length uint32 // in seconds
}

// together reports whether an event with the times q can be in the segment that one with
// p begins.
func together(p, q span) bool {
	return seconds(p.start, q.start) <= math.MaxUint32 &&
		seconds(p.start, p.end) <= math.MaxUint32 && seconds(q.start, q.end) <= math.MaxUint32
}

// seconds returns those from one moment to a later one, more than int64 may hold.
func seconds(from, to int64) uint64 { return uint64(to) - uint64(from) }

// A mark is a position between two events.
type mark struct {
	text   uint32 // in bytes
	packed uint32 // in bits
	digest uint64 // of the summaries before it
}

// radix is the base of digests: the one of a list of summaries is a number whose digits
// are their hashes, modulo 2^64, so that lists can be joined and cut. It is odd, or it
// would have no inverse and digits would shift out.
const radix = 0x9e3779b97f4a7c15

// powers are those of radix.
var powers = func() (p [maxEvents + 1]uint64) {
	p[0] = 1
	for i := range maxEvents {
		p[i+1] = p[i] * radix
	}
	return p
}()

// overhead is more than a segment itself takes, and the nodes of the tree that are copied
// when it is replaced: one on each of three levels.
const overhead = 6 << 10

// bytes returns how much memory the segment takes, at most.
func (g *segment) bytes() int64 {
	const perEvent = int(unsafe.Sizeof(times{}) + unsafe.Sizeof(mark{}))
	return int64(len(g.text) + len(g.packed) + perEvent*len(g.times) + len(uuid.UUID{})*len(g.ids) + overhead)
}

// place returns where event i stands.
func (g *segment) place(i int) event.Place {
	return event.Place{Start: g.starts(i), End: g.ends(i), ID: g.id(i)}
}

func (g *segment) last() event.Place { return g.place(len(g.times) - 1) }

// lastStart is that of last, and reads no id.
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
	id, _ := writtenID(g.unit(i)[len(","):])
	return id
}

// compare is that of the place of event i with p. The id is seldom looked at.
func (g *segment) compare(i int, p *event.Place) int {
	q := event.Place{Start: g.starts(i), End: g.ends(i)}
	if q.Start == p.Start && q.End == p.End {
		q.ID = g.id(i)
	}
	return q.Compare(p)
}

// writtenID reads an id where summaries have that of their event. It is for who knows
// that this one has, or compares it.
func writtenID(summary []byte) (id uuid.UUID, ok bool) {
	const from = len(`{"id":"`)
	const to = from + len("00000000-0000-0000-0000-000000000000")
	if len(summary) < to {
		return id, false
	}
	id, err := uuid.ParseBytes(summary[from:to])
	return id, err == nil
}

// unit returns the text of one event, with the comma before it.
func (g *segment) unit(i int) []byte { return g.text[g.marks[i].text:g.marks[i+1].text] }

// digest returns that of the events from i up to j.
func (g *segment) digest(i, j int) uint64 {
	return g.marks[j].digest - g.marks[i].digest*powers[j-i]
}

// between returns the range of the events that start from w.From to w.To.
func (g *segment) between(w event.Window) (i, j int) {
	j = len(g.times)
	if g.start < w.From {
		i = g.starting(w.From)
	}
	if g.lastStart() > w.To {
		j = max(i, g.starting(w.To+1))
	}
	return i, j
}

// starting returns the number of events that start before the given second.
func (g *segment) starting(second int64) int {
	i, j := 0, len(g.times)
	for i < j {
		if m := int(uint(i+j) / 2); g.starts(m) < second {
			i = m + 1
		} else {
			j = m
		}
	}
	return i
}

// A unit is an event on its way into a segment: a new entry, or one that is in a
// segment already.
type unit struct {
	entry *event.Entry
	from  *segment
	at    int
}

// span returns the times of the event.
func (u *unit) span() span {
	if u.entry != nil {
		return span{u.entry.Start, u.entry.End}
	}
	return span{u.from.starts(u.at), u.from.ends(u.at)}
}

func (u *unit) id() uuid.UUID {
	if u.entry != nil {
		return u.entry.ID
	}
	return u.from.id(u.at)
}

func (u *unit) summary() []byte {
	if u.entry != nil {
		return u.entry.Summary
	}
	return u.from.unit(u.at)[len(","):]
}

func (u *unit) size() int { return len(",") + len(u.summary()) }

// named reports whether the id can be read from the summary.
func (u *unit) named() bool {
	if u.entry == nil && u.from.ids == nil {
		return true
	}
	id, ok := writtenID(u.summary())
	return ok && id == u.id()
}

// follows reports whether u stands directly after v in one segment.
func (u *unit) follows(v *unit) bool {
	return u.entry == nil && v.entry == nil && u.from == v.from && u.at == v.at+1
}

// A builder makes segments, one after the other. The zero value is ready.
type builder struct {
	packer deflate.Writer
	packed []byte // as much as was ever needed for one
}

// build makes a segment of units, which are in order and not too many.
func (b *builder) build(units []unit) *segment {
	size, named := 0, true
	for i := range units {
		size += units[i].size()
		named = named && units[i].named()
	}
	g := &segment{
		start:    units[0].span().start,
		times:    make([]times, 0, len(units)),
		marks:    make([]mark, 1, len(units)+1),
		text:     make([]byte, 0, size),
		earliest: math.MaxInt64,
		latest:   math.MinInt64,
	}
	b.packer.Reset(b.packed[:0])
	for i := range units {
		u := &units[i]
		end := g.marks[i]
		if u.entry != nil {
			g.text = append(append(g.text, ','), u.entry.Summary...)
			end.digest = end.digest*radix + xxhash.Sum64(u.entry.Summary)
		} else {
			g.text = append(g.text, u.from.unit(u.at)...)
			end.digest = end.digest*radix + u.from.digest(u.at, u.at+1)
		}
		end.text = uint32(len(g.text))
		g.marks = append(g.marks, end)
		at := u.span()
		g.times = append(g.times, times{uint32(seconds(g.start, at.start)), uint32(seconds(at.start, at.end))})
		g.earliest = min(g.earliest, at.end)
		g.latest = max(g.latest, at.end)
		if !named {
			g.ids = append(g.ids, u.id())
		}

		switch {
		case u.entry == nil && (i == 0 && u.at == 0 || i > 0 && u.follows(&units[i-1])):
			b.packer.Copy(u.from.packed, int(u.from.marks[u.at].packed), int(u.from.marks[u.at+1].packed))
		case i == 0:
			b.packer.Literals(g.unit(i))
		default:
			before := g.unit(i - 1)
			b.packer.Link(g.unit(i), before[len(","):]) // the first event of an answer has no comma
		}
		g.marks[i+1].packed = uint32(b.packer.Bits())
	}
	b.packed = b.packer.Bytes()
	g.packed = bytes.Clone(b.packed) // to size: segments live long
	g.crc = crc32.ChecksumIEEE(g.text)
	g.shift = deflate.Shift(len(g.text))
	return g
}
