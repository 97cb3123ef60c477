package httpapi

import (
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// packedSize is what a packer holds of what it made, in bytes, however slowly a client
// takes it: enough for some 4,000 events. A longer answer is compressed a second time
// as it is sent. To send it in chunks would cost half as much, but clients are promised
// a Content-Length, and without one those of HTTP/1.0 take half an answer for a whole.
const packedSize = 256 << 10

// A packer compresses the body of an answer into one gzip member: not all clients can
// read several.
type packer struct {
	zip  *gzip.Writer
	body *answer
	out  []byte // the last part; all of the member when it is as long as size
	size int    // of the member
}

// The compressor keeps nothing between two writes: with any other, each client that
// reads slowly would hold one, of some 800 kB. Up to 30 kB it is as fast as level 1;
// for 1 MB it takes a quarter longer, and makes 5% more of it.
var packers = sync.Pool{New: func() any {
	zip, _ := gzip.NewWriterLevel(nil, gzip.StatelessCompression) // there is such a level
	return &packer{zip: zip, out: make([]byte, 0, packedSize)}
}}

// prepare compresses the body, keeps the member if it fits, and learns its size.
func (p *packer) prepare(body *answer) error {
	*p = packer{zip: p.zip, body: body, out: p.out}
	return p.encode(func(part []byte) error {
		p.size += len(part)
		return nil
	})
}

// WriteTo writes the member to w.
func (p *packer) WriteTo(w io.Writer) (written int64, err error) {
	emit := func(part []byte) error {
		n, err := w.Write(part)
		written += int64(n)
		return err
	}
	if len(p.out) == p.size {
		err = emit(p.out)
	} else {
		err = p.encode(emit)
	}
	return written, err
}

// encode makes the member and gives it to emit part by part. The last of these stays.
func (p *packer) encode(emit func(part []byte) error) error {
	const spare = 1 << 10 // more than a piece can grow by, with the head and tail of the member
	p.out = p.out[:0]
	p.zip.Reset(p)
	err := p.body.pieces(func(piece []byte) error {
		if len(p.out)+len(piece)+spare > packedSize {
			if err := emit(p.out); err != nil {
				return err
			}
			p.out = p.out[:0]
		}
		if _, err := p.zip.Write(piece); err != nil {
			return fmt.Errorf("compress an answer: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := p.zip.Close(); err != nil {
		return fmt.Errorf("compress an answer: %w", err)
	}
	return emit(p.out)
}

// Write takes what was compressed.
func (p *packer) Write(b []byte) (int, error) {
	p.out = append(p.out, b...)
	return len(b), nil
}
