package feed

import "sync/atomic"

// A Progress counts what one fetch has read so far. Its fields may be read at any time,
// and only grow. The zero value is ready for use, by one fetch.
type Progress struct {
	// Bytes are those of the document: as many as were received or, when there are more
	// of them, came out of the decompression.
	Bytes atomic.Int64
	Rows  atomic.Int64 // occurrences seen: Feed.Seen in the end
}
