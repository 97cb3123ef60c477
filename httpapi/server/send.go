package server

import (
	"io"
	"iter"
	"net"
	"net/http"
	"time"
)

// bufferedSize is the size in bytes up to which a body fits into net/http's own buffer of
// 4 KiB together with its header, so that both are sent with one system call anyway.
const bufferedSize = 3 << 10

// minRate is the average speed in bytes per second at which a client has to read, beyond
// what it may read in writeTimeout. It is half of what a bad mobile line (200 kbit/s) has.
const minRate = 12 << 10

// SendBody sends a body of size bytes after the header, which must have its
// Content-Length. Pieces yields the body: each piece is sent before the next is asked
// for, and must not be used by anybody else until then.
//
// A piece is sent as it lies in memory, without a copy, with one system call; the first
// one takes the header with it. This holds when w is from [Guard] in a server from
// [Serve]. Any other writer gets the pieces, too, and so does middleware around Guard
// which reads the body on its way.
//
// Each piece that the client has taken gives it more time, at minRate. So an answer may
// take as long as its size needs, and nobody can hold one for long without reading it.
//
// An error means that the client did not get all of it. Nothing more can be said to it:
// net/http ends the connection, as the body is shorter than its Content-Length.
func SendBody(w http.ResponseWriter, size int, pieces iter.Seq[net.Buffers]) error {
	b := &body{w: w, size: int64(size), began: time.Now()}
	if guarded, ok := w.(*response); ok {
		guarded.started = true
		b.w, b.conn = guarded.ResponseWriter, guarded.conn
	}
	server := b.holdHeader()
	for piece := range pieces {
		if err := b.send(piece, server); err != nil {
			return err
		}
	}
	if b.taken < b.size {
		return io.ErrShortWrite
	}
	return nil
}

// A body is on its way to a client.
type body struct {
	w     http.ResponseWriter // of the server, or of middleware
	conn  *conn               // nil when the server is not from [Serve]
	size  int64               // bytes
	taken int64               // of these, by the client
	began time.Time
	rest  net.Buffers // of the piece that is being sent
}

// holdHeader has the connection hold back the header, and returns what then sends pieces
// without a copy, or nil when there is no need or no such writer. net/http alone would send
// the header together with only the first bytes of a large body.
func (b *body) holdHeader() io.ReaderFrom {
	server, ok := b.w.(interface {
		http.Flusher
		io.ReaderFrom
	})
	if !ok || b.conn == nil || b.size <= bufferedSize {
		return nil
	}
	b.conn.holding = true
	server.Flush()
	if b.conn.holding { // middleware did not flush
		b.conn.holding = false // what it flushes later has a part of the body
		return nil
	}
	return server
}

// send sends one piece. Several slices go through ReadFrom, which counts them for net/http
// and leaves the rest to [conn.ReadFrom]; meanwhile net/http keeps a buffer of 32 KiB. One
// slice needs none of this.
func (b *body) send(piece net.Buffers, server io.ReaderFrom) (err error) {
	b.rest = piece
	var n int64
	if server != nil && len(piece) > 1 {
		n, err = server.ReadFrom(b)
	} else {
		n, err = b.rest.WriteTo(b.w)
	}
	b.taken += n
	if err == nil && len(b.rest) > 0 {
		err = io.ErrShortWrite // middleware did not take all of it
	}
	if err != nil || b.taken >= b.size {
		return err
	}
	if b.conn != nil {
		b.conn.waits(forReader)
	}
	end := b.began.Add(writeTimeout + time.Duration(b.taken)*time.Second/minRate)
	if latest := time.Now().Add(writeTimeout); latest.Before(end) {
		end = latest
	}
	_ = http.NewResponseController(b.w).SetWriteDeadline(end) // it fails for a writer that has none
	return nil
}

// Read reads what is left of the piece, for middleware whose ReadFrom is its own.
func (b *body) Read(p []byte) (int, error) { return b.rest.Read(p) }
