package provider

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"

	"fever/provider/feed"
)

// maxCompressions is how often a document may be compressed. A compressed file is
// compressed again by some servers.
const maxCompressions = 2

// decompress makes r, or what its first bytes say is compressed in it, the body. The limits
// hold before and after each decompression.
func (t *transfer) decompress(r io.Reader) error {
	for n := 0; ; n++ {
		src := &limitedReader{transfer: t, r: r}
		buffered := bufio.NewReaderSize(src, 64<<10)
		start, _ := buffered.Peek(2) // an error comes again when the document is read
		switch {
		case string(start) != "\x1f\x8b": // RFC 1952 section 2.3.1
			t.Reader = buffered
			return nil
		case n == maxCompressions:
			return feed.Errorf(feed.KindDecode, "the document is compressed more than %d times", maxCompressions)
		}
		r = &gunzip{compressed: buffered, received: src}
	}
}

// A gunzip decompresses a document, and tells one that was compressed wrongly from one
// that was not received in full.
type gunzip struct {
	compressed *bufio.Reader
	received   *limitedReader // which that reads
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
		err = feed.Errorf(feed.KindMalformed, "the compressed document is cut short")
	}
	return n, err
}
