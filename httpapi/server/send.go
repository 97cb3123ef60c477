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
	r, ok := w.(*response)
	if !ok {
		r = newResponse(w)
	}
	r.started, r.began, r.size = true, time.Now(), int64(size)
	r.direct = r.holdHeader()
	pieces(r.yield) // a loop would allocate each variable that its body shares
	if r.err == nil && r.taken < r.size {
		return io.ErrShortWrite
	}
	return r.err
}

// holdHeader has the connection hold back the header, and returns what then sends pieces
// without a copy, or nil when there is no need or no such writer. net/http alone would send
// the header together with only the first bytes of a large body.
func (w *response) holdHeader() io.ReaderFrom {
	server, ok := w.ResponseWriter.(interface {
		http.Flusher
		io.ReaderFrom
	})
	if !ok || w.conn == nil || w.size <= bufferedSize {
		return nil
	}
	w.conn.holding = true
	server.Flush()
	if w.conn.holding { // middleware did not flush
		w.conn.holding = false // what it flushes later has a part of the body
		return nil
	}
	return server
}

// send sends one piece, and reports whether another may follow. Several slices go through
// ReadFrom, which counts them for net/http and leaves the rest to [conn.ReadFrom]; meanwhile
// net/http keeps a buffer of 32 KiB. One slice needs none of this.
func (w *response) send(piece net.Buffers) bool {
	w.rest = piece
	var n int64
	if w.direct != nil && len(piece) > 1 {
		n, w.err = w.direct.ReadFrom(w)
	} else {
		n, w.err = w.rest.WriteTo(w.ResponseWriter)
	}
	w.taken += n
	if w.err == nil && len(w.rest) > 0 {
		w.err = io.ErrShortWrite // middleware did not take all of it
	}
	if w.err != nil || w.taken >= w.size {
		return w.err == nil
	}
	if w.conn != nil {
		w.conn.waits(forReader)
	}
	end := w.began.Add(writeTimeout + time.Duration(w.taken)*time.Second/minRate)
	if latest := time.Now().Add(writeTimeout); latest.Before(end) {
		end = latest
	}
	_ = http.NewResponseController(w).SetWriteDeadline(end) // it fails for a writer that has none
	return true
}

// Read reads what is left of the piece, for middleware whose ReadFrom is its own.
func (w *response) Read(p []byte) (int, error) { return w.rest.Read(p) }
