package provider

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"

	"fever/provider/feed"
)

// maxCompressions is how often a document may be compressed. A compressed file is
// compressed again by some servers.
const maxCompressions = 2

// decompressed returns the document that src is or, as its first bytes say, is compressed
// to, and the source to count it by. The size limit holds before and after each
// decompression.
func (p *Provider) decompressed(ctx context.Context, src *source, progress *feed.Progress) (io.Reader, *source, error) {
	for n := 0; ; n++ {
		doc := bufio.NewReaderSize(src, 64<<10)
		start, _ := doc.Peek(2) // an error comes again when the document is read
		switch {
		case string(start) != "\x1f\x8b": // RFC 1952 section 2.3.1
			return doc, src, nil
		case n == maxCompressions:
			return nil, src, &fault{feed.KindDecode, fmt.Sprintf("the document is compressed more than %d times", maxCompressions)}
		}
		src = &source{ctx: ctx, r: &gunzip{compressed: doc, received: src}, limit: p.MaxBytes, progress: progress}
	}
}

// A gunzip decompresses a document, and tells one that was compressed wrongly from one
// that was not received in full.
type gunzip struct {
	compressed *bufio.Reader
	received   *source // which that reads
	z          *gzip.Reader
}

func (g *gunzip) Read(p []byte) (n int, err error) {
	if g.z == nil {
		g.z, err = gzip.NewReader(g.compressed)
		if errors.Is(err, io.EOF) { // there is not even a header
			err = io.ErrUnexpectedEOF
		}
	}
	if err == nil {
		n, err = g.z.Read(p)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) && errors.Is(g.received.err, io.EOF) {
		err = &fault{feed.KindMalformed, "the compressed document is cut short"}
	}
	return n, err
}
