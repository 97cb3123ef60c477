package provider

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"

	"fever/provider/feed"
)

// maxCompressions bounds how often a document is compressed. Some servers compress a
// compressed file again.
const maxCompressions = 2

// decompress sets the body to r, or to what is compressed in r as its first bytes show. The
// limits hold before and after each decompression.
func (t *transfer) decompress(r io.Reader) error {
	for n := 0; ; n++ {
		src := &limitedReader{transfer: t, r: r}
		buffered := bufio.NewReaderSize(src, 64<<10)
		start, _ := buffered.Peek(2) // the reader returns an error again
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

// A gunzip decompresses a document. It distinguishes a document that was cut before it was
// compressed or sent from a connection that broke.
type gunzip struct {
	compressed *bufio.Reader
	received   *limitedReader // the reader below compressed
	z          *gzip.Reader
}

func (g *gunzip) Read(p []byte) (n int, err error) {
	if g.z == nil {
		g.z, err = gzip.NewReader(g.compressed)
		if errors.Is(err, io.EOF) { // not even a header
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
