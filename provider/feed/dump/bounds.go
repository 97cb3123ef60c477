package dump

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"fever/event"
	"fever/provider/feed"
)

// The bounds of a JSON document, in bytes.
const (
	maxRecord = event.MaxZones << 10 // of one record: 1 KiB for each zone that it can have
	// maxSpace bounds the white space around the records of an array: json.Decoder scans all
	// of it again each time it reads on.
	maxSpace = 64 << 10
)

// A bounds reads a document for a JSON decoder, and counts its lines. Without a bound the
// decoder would hold a value of any length.
type bounds struct {
	r     *bufio.Reader // small: the decoder reads no further ahead than its buffer
	n     int64         // bytes read by the decoder
	limit int64         // of n
	lines int           // line feeds up to n
	err   error         // it stays
}

// newBounds skips a byte order mark and white space. It returns the first byte after them,
// which is still to be read. The error is final.
func newBounds(r io.Reader) (*bounds, byte, error) {
	b := &bounds{r: bufio.NewReaderSize(r, 4<<10), limit: maxRecord}
	const mark = "\xef\xbb\xbf"
	if start, _ := b.r.Peek(len(mark)); string(start) == mark {
		_, _ = b.r.Discard(len(mark))
	}
	for {
		c, err := b.r.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return nil, 0, feed.Errorf(feed.KindMalformed, "the document is empty; one with no events is written as []")
		case err != nil:
			return nil, 0, fmt.Errorf("line %d: %w", b.lines+1, err)
		case c == '\n':
			b.lines++
		case c != ' ' && c != '\t' && c != '\r':
			return b, c, b.r.UnreadByte()
		}
	}
}

func (b *bounds) Read(p []byte) (int, error) {
	if b.err == nil && b.n >= b.limit {
		b.err = feed.Errorf(feed.KindMalformed, "a record of more than %d MiB, or more than %d KiB of white space", maxRecord>>20, maxSpace>>10)
	}
	if b.err == nil {
		_, b.err = b.r.Peek(1) // it gives up on a reader that brings nothing
	}
	if b.err != nil {
		return 0, b.err
	}
	p = p[:min(int64(len(p)), b.limit-b.n, int64(b.r.Buffered()))]
	n, err := b.r.Read(p)
	b.n += int64(n)
	b.lines += lineFeeds(p[:n])
	return n, err
}

func lineFeeds(b []byte) int { return bytes.Count(b, []byte{'\n'}) }
