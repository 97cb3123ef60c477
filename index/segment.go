package index

import (
	"bytes"
	"hash/crc32"
	"math"

	"github.com/cespare/xxhash/v2"

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
	places   []event.Place
	marks    []mark           // where each event begins, and one more, where the last ends
	text     []byte           // the summaries, each after a comma
	packed   []byte           // the same as DEFLATE symbols: the first event as literals, each other linked to the one before
	earliest int64            // the earliest end
	latest   int64            // the latest end
	crc      uint32           // of text
	shift    deflate.Operator // past text
}

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

func (g *segment) last() *event.Place { return &g.places[len(g.places)-1] }

// unit returns the text of one event, with the comma before it.
func (g *segment) unit(i int) []byte { return g.text[g.marks[i].text:g.marks[i+1].text] }

// digest returns that of the events from i up to j.
func (g *segment) digest(i, j int) uint64 {
	return g.marks[j].digest - g.marks[i].digest*powers[j-i]
}

// between returns the range of the events that start from w.From to w.To.
func (g *segment) between(w event.Window) (i, j int) {
	j = len(g.places)
	if g.places[0].Start < w.From {
		i = g.starting(w.From)
	}
	if g.last().Start > w.To {
		j = max(i, g.starting(w.To+1))
	}
	return i, j
}

// starting returns the number of events that start before the given second.
func (g *segment) starting(second int64) int {
	i, j := 0, len(g.places)
	for i < j {
		if m := int(uint(i+j) / 2); g.places[m].Start < second {
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

func (u *unit) place() *event.Place {
	if u.entry != nil {
		return &u.entry.Place
	}
	return &u.from.places[u.at]
}

func (u *unit) size() int {
	if u.entry != nil {
		return len(",") + len(u.entry.Summary)
	}
	return len(u.from.unit(u.at))
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
	size := 0
	for i := range units {
		size += units[i].size()
	}
	g := &segment{
		places:   make([]event.Place, 0, len(units)),
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
		g.places = append(g.places, *u.place())
		g.earliest = min(g.earliest, u.place().End)
		g.latest = max(g.latest, u.place().End)

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
