package httpapi

import (
	"hash/crc32"
	"net"
	"sync"

	"fever/index"
	"fever/index/deflate"
)

// Bounds of what is sent of a body at once. What an answer holds of it is no more,
// however slowly a client takes it: the rest is in the index, whose segments of that age
// it keeps from being collected until it is written.
const (
	pieceSize  = 64 << 10 // bytes
	pieceTexts = 128      // runs of the index
)

// What stands around the events of a body.
var (
	head = []byte(`{"data":{"events":[`)
	tail = []byte(`]},"error":null}`)
)

// An answer is the body of a search, in two codings.
type answer struct {
	found  index.Answer
	header []byte      // to be sent before what is not packed
	piece  net.Buffers // of the header, runs of the index, or bytes
	bytes  []byte      // packed; nil until there are any
	writer deflate.Writer
}

var answers = sync.Pool{New: func() any { return &answer{piece: make(net.Buffers, 0, pieceTexts+3)} }}

// release gives the answer back, without what it holds of the index. A buffer that has
// grown, which takes a longer summary than there can be, is left to the collector.
func (a *answer) release() {
	if cap(a.bytes) > pieceSize {
		return
	}
	a.found.Release()
	a.header = nil
	answers.Put(a)
}

// size returns how many bytes the body has.
func (a *answer) size() int { return len(head) + a.found.Size + len(tail) }

// plain calls send with the body, piece by piece, until it fails. By the last one the
// answer holds nothing of the index any more but what that is made of.
func (a *answer) plain(send func(net.Buffers) error) error {
	piece, size := a.piece[:0], len(head)
	if len(a.header) > 0 {
		piece = append(piece, a.header)
	}
	piece = append(piece, head)
	for r := range a.found.Runs {
		text := r.Text()
		if size+len(text) > pieceSize || len(piece) > pieceTexts {
			if err := send(piece); err != nil {
				return err
			}
			piece, size = a.piece[:0], 0
		}
		piece, size = append(piece, text), size+len(text)
	}
	a.found.Release() // the client may take its time for the texts that are left
	return send(append(piece, tail))
}

var (
	headSum      = crc32.ChecksumIEEE(head)
	envelopeBits = deflate.LiteralBits(head) + deflate.LiteralBits(tail)
)

// sizePacked returns how many bytes the body has as a gzip member.
func (a *answer) sizePacked() int {
	bits := envelopeBits
	for r := range a.found.Runs {
		bits += r.Packed()
	}
	return deflate.MemberSize(bits)
}

// packed calls send with the body as one gzip member, piece by piece, until it fails. Not
// all clients can read several members. By the last piece the answer holds nothing of the
// index any more.
func (a *answer) packed(send func(net.Buffers) error) error {
	if a.bytes == nil {
		a.bytes = make([]byte, 0, pieceSize)
	}
	a.writer.Reset(a.bytes[:0])
	a.writer.Head()
	a.writer.Literals(head)
	sum, taken := headSum, 0
	for r := range a.found.Runs {
		if (a.writer.Bits()+r.Packed())/8-taken > pieceSize-spare {
			bytes := a.writer.Take()
			taken += len(bytes)
			if err := send(append(a.piece[:0], bytes)); err != nil {
				return err
			}
		}
		r.Pack(&a.writer)
		sum = r.Checksum(sum)
	}
	a.writer.Literals(tail)
	a.writer.Tail(crc32.Update(sum, crc32.IEEETable, tail), uint32(a.size()))
	a.bytes = a.writer.Bytes()
	a.found.Release() // the client may take its time
	return send(append(a.piece[:0], a.bytes))
}

// spare is more than the end of a member takes, in bytes.
const spare = 64
