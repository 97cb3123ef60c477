package httpapi

import (
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// A packer compresses one body at a time.
type packer struct {
	zip *gzip.Writer
	out []byte
}

// Level 1: on summaries the higher ones cost several times as much for a few percent.
var packers = sync.Pool{New: func() any {
	zip, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // there is such a level
	return &packer{zip: zip}
}}

// release gives the packer back.
func (p *packer) release() {
	if cap(p.out) <= pieceSize {
		packers.Put(p)
	}
}

// pack compresses body into one gzip member: not all clients can read several.
func (p *packer) pack(body io.WriterTo) error {
	p.out = p.out[:0]
	p.zip.Reset(p)
	if _, err := body.WriteTo(p.zip); err != nil {
		return fmt.Errorf("compress an answer: %w", err)
	}
	if err := p.zip.Close(); err != nil {
		return fmt.Errorf("compress an answer: %w", err)
	}
	return nil
}

// Write takes what was compressed.
func (p *packer) Write(b []byte) (int, error) {
	p.out = append(p.out, b...)
	return len(b), nil
}

// WriteTo writes what was packed to w.
func (p *packer) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(p.out)
	return int64(n), err
}
