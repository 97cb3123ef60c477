package deflate

import (
	"encoding/binary"
	"math/bits"
)

// piece is how many bytes of a text are compressed at a time. DEFLATE can point 32 KiB back,
// so all of the piece before is in reach.
const piece = 1 << 14

// Link writes text as literals and as pointers back: into text itself and into before, which
// must come directly before text wherever the symbols are copied to. A byte that may be
// missing there must not be in before.
func (w *Writer) Link(text, before []byte) {
	for len(text) > piece {
		w.linkPiece(text[:piece], before)
		before, text = text[:piece], text[piece:]
	}
	w.linkPiece(text, before)
}

func (w *Writer) linkPiece(text, before []byte) {
	before = before[max(0, len(before)-piece):]
	w.window = append(append(w.window[:0], before...), text...)
	m := matcher{text: w.window}
	out, acc, n := w.out, w.acc, w.n
	for p := len(before); p < len(m.text); {
		length, distance := m.next(p)
		if length == 1 {
			s := literals[m.text[p]]
			acc |= s.bits() << (n & 63)
			n += s.size()
		} else {
			s, d := matches[length], distanceSymbol(distance)
			acc |= (s.bits() | d.bits()<<s.size()) << (n & 63)
			n += s.size() + d.size()
		}
		out, acc, n = flush(out, acc, n)
		p += length
	}
	w.out, w.acc, w.n = out, acc, n
}

// A matcher finds repetitions in a text of at most two pieces. It ignores those of 3 bytes,
// which take as many bits as 3 literals.
type matcher struct {
	text    []byte
	added   int                   // how much of text is in recent
	recent  [1 << hashBits]uint64 // by hash of 4 bytes: the last four positions plus 1, the last one lowest
	pending match                 // the last one found ahead
}

type match struct{ at, length, distance int }

const (
	hashBits = 10
	enough   = 16 // the length from which a match is taken without a look at the next
)

// next returns how many bytes to write at p as one symbol, and how far back they are. One
// byte is a literal. A match gives way to a longer one at p+1.
func (m *matcher) next(p int) (length, distance int) {
	here := m.pending
	if here.at != p || here.length == 0 {
		here = m.longest(p)
	}
	if here.length == 1 {
		return 1, 0
	}
	if here.length < enough {
		m.pending = m.longest(p + 1)
		if m.pending.length > here.length {
			return 1, 0
		}
	}
	m.added = p + here.length // the match found the same bytes earlier
	return here.length, here.distance
}

// longest returns the longest match at p, the nearest one of several, or a literal.
func (m *matcher) longest(p int) match {
	best := match{p, 1, 0}
	text := m.text
	if p+4 > len(text) {
		return best
	}
	for ; m.added < p; m.added++ {
		h := hash(text[m.added:])
		m.recent[h] = m.recent[h]<<16 | uint64(m.added+1)
	}
	here := text[p:min(len(text), p+maxMatch)]
	for recent := m.recent[hash(here)]; recent != 0; recent >>= 16 {
		q := int(recent&0xffff) - 1
		if n := common(here, text[q:]); n > best.length && n >= 4 {
			best.length, best.distance = n, p-q
		}
	}
	return best
}

// hash hashes the first four bytes of text.
func hash(text []byte) uint32 {
	return binary.LittleEndian.Uint32(text) * 0x9e3779b1 >> (32 - hashBits)
}

// common returns the length of the common prefix of a and b, where b is not the shorter one.
func common(a, b []byte) int {
	n := 0
	for ; n+8 <= len(a); n += 8 {
		if diff := binary.LittleEndian.Uint64(a[n:]) ^ binary.LittleEndian.Uint64(b[n:]); diff != 0 {
			return n + bits.TrailingZeros64(diff)/8
		}
	}
	for n < len(a) && a[n] == b[n] {
		n++
	}
	return n
}
