package httpapi

import (
	"hash/crc32"
	"io"
	"sync"

	"fever/index"
	"fever/index/deflate"
)

// pieceSize is what an answer holds of its body, in bytes, however slowly a client
// takes it: the rest is in the index, whose segments of that age it keeps from being
// collected until it is written. A body that is no longer is sent with one write.
const pieceSize = 64 << 10

// What stands around the events of a body.
var (
	head = []byte(`{"data":{"events":[`)
	tail = []byte(`]},"error":null}`)
)

// An answer is the body of a search, in two codings.
type answer struct {
	found index.Answer
	piece []byte
	pack  deflate.Writer
}

var answers = sync.Pool{New: func() any { return &answer{piece: make([]byte, 0, pieceSize)} }}

// release gives the answer back, without what it holds of the index. A buffer that has
// grown, which takes a longer summary than there can be, is left to the collector.
func (a *answer) release() {
	if cap(a.piece) > pieceSize {
		return
	}
	a.found.Release()
	answers.Put(a)
}

// size returns how many bytes the body has.
func (a *answer) size() int { return len(head) + a.found.Size + len(tail) }

// writeTo writes the body to w.
func (a *answer) writeTo(w io.Writer) error {
	a.piece = append(a.piece[:0], head...)
	b := a.piece
	for r := range a.found.Runs {
		text := r.Text()
		if len(b)+len(text)+len(tail) > pieceSize {
			if _, err := w.Write(b); err != nil {
				return err
			}
			b = b[:0]
		}
		b = append(b, text...)
	}
	b = append(b, tail...)
	a.piece = b
	_, err := w.Write(b)
	return err
}

var (
	headSum      = crc32.ChecksumIEEE(head)
	envelopeBits = deflate.LiteralBits(head) + deflate.LiteralBits(tail)
)

// packedSize returns how many bytes the body has as a gzip member.
func (a *answer) packedSize() int {
	bits := envelopeBits
	for r := range a.found.Runs {
		bits += r.Packed()
	}
	return deflate.MemberSize(bits)
}

// packTo writes the body to w as one gzip member: not all clients can read several.
func (a *answer) packTo(w io.Writer) error {
	a.pack.Reset(a.piece[:0])
	a.pack.Head()
	a.pack.Literals(head)
	sum, taken := headSum, 0
	for r := range a.found.Runs {
		if (a.pack.Bits()+r.Packed())/8-taken > pieceSize-spare {
			piece := a.pack.Take()
			taken += len(piece)
			if _, err := w.Write(piece); err != nil {
				return err
			}
		}
		r.Pack(&a.pack)
		sum = r.Checksum(sum)
	}
	a.pack.Literals(tail)
	a.pack.Tail(crc32.Update(sum, crc32.IEEETable, tail), uint32(a.size()))
	a.piece = a.pack.Bytes()
	_, err := w.Write(a.piece)
	return err
}

// spare is more than the end of a member takes, in bytes.
const spare = 64
