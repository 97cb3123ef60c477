package httpapi

import (
	"hash/crc32"
	"iter"
	"net"
	"sync"

	"fever/index"
	"fever/index/deflate"
)

// Bounds of one piece of a body. A response keeps no more in memory than that, however
// slowly its client reads: the rest is in the index, whose segments of that version stay
// in memory until the last piece is made.
const (
	pieceSize  = 64 << 10 // bytes
	pieceTexts = 128      // runs of the index
)

// The envelope is the JSON around the events.
var (
	head = []byte(`{"data":{"events":[`)
	tail = []byte(`]},"error":null}`)
)

// A body is that of a search, in two codings.
type body struct {
	found  index.Result
	piece  net.Buffers // of runs of the index, or of bytes
	unsent bool        // piece may have some of these
	bytes  []byte      // compressed; nil until there are any
	writer deflate.Writer

	plainPieces, packedPieces iter.Seq[net.Buffers] // plain and packed, made once
}

var bodies = sync.Pool{New: func() any {
	b := &body{piece: make(net.Buffers, 0, pieceTexts+3)}
	b.plainPieces, b.packedPieces = b.plain, b.packed
	return b
}}

// release puts the body back into the pool, without what it has of the index. A buffer
// that has grown, which takes a longer summary than there can be, is left to the collector.
func (b *body) release() {
	if cap(b.bytes) > pieceSize {
		return
	}
	b.found.Release()
	if b.unsent {
		clear(b.piece[:cap(b.piece)])
		b.unsent = false
	}
	bodies.Put(b)
}

// size returns how many bytes the body has.
func (b *body) size() int { return len(head) + b.found.Size + len(tail) }

// plain yields the body piece by piece. With the last piece, the body keeps nothing of the
// index but the texts of that.
func (b *body) plain(yield func(net.Buffers) bool) {
	piece, size := b.piece[:0], len(head)
	piece = append(piece, head)
	for r := range b.found.Runs {
		text := r.Text()
		if size+len(text) > pieceSize || len(piece) > pieceTexts {
			if !yield(piece) {
				return
			}
			piece, size = b.piece[:0], 0
		}
		piece, size = append(piece, text), size+len(text)
	}
	b.found.Release() // the client may take its time for the texts that are left
	yield(append(piece, tail))
}

var (
	headSum      = crc32.ChecksumIEEE(head)
	envelopeBits = deflate.LiteralBits(head) + deflate.LiteralBits(tail)
)

// sizePacked returns how many bytes the body has as a gzip member.
func (b *body) sizePacked() int {
	bits := envelopeBits
	for r := range b.found.Runs {
		bits += r.Packed()
	}
	return deflate.MemberSize(bits)
}

// packed yields the body as one gzip member, piece by piece: not all clients can read
// several members. With the last piece, the body keeps nothing of the index.
func (b *body) packed(yield func(net.Buffers) bool) {
	if b.bytes == nil {
		b.bytes = make([]byte, 0, pieceSize)
	}
	w := &b.writer
	w.Reset(b.bytes[:0])
	w.Head()
	w.Literals(head)
	sum, taken, size := headSum, 0, b.size()
	for r := range b.found.Runs {
		if (w.Bits()+r.Packed())/8-taken > pieceSize-spare {
			bytes := w.Take()
			taken += len(bytes)
			if !yield(append(b.piece[:0], bytes)) {
				return
			}
		}
		r.Pack(w)
		sum = r.Checksum(sum)
	}
	w.Literals(tail)
	w.Tail(crc32.Update(sum, crc32.IEEETable, tail), uint32(size))
	b.bytes = w.Bytes()
	b.found.Release() // the client may take its time
	yield(append(b.piece[:0], b.bytes))
}

// spare is more than the end of a member takes, in bytes.
const spare = 64
