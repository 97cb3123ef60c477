package httpapi

import (
	"errors"
	"io"
	"iter"
	"net"
	"net/http"
	"time"
)

// fitting is up to which size, in bytes, a body is in net/http's own buffer of 4 KiB
// together with its header, and is sent with it.
const fitting = 3 << 10

// minRate is how fast a client has to read on the average, in bytes per second, beyond
// what it may read in writeTimeout: half of what a bad mobile line (200 kbit/s) brings.
const minRate = 12 << 10

// A sender sends the body of an answer, and in the same system call its header. What is
// not packed goes from where it lies in the index, without a copy.
//
// It gives the client more time with each piece that it has taken. So an answer may take
// as long as its size needs, and nobody can hold one for long without reading it. What it
// keeps meanwhile of an index that moves on has a bound, see [holds].
type sender struct {
	response *response
	answer   *answer
	conn     *lazyConn // nil when the pieces go through the server
	began    time.Time
	sent     int64 // bytes
	large    bool  // so that it takes several pieces
	rest     net.Buffers

	// For Read.
	next func() (net.Buffers, bool) // nil before the first
	stop func()
}

// send sends the body of a, packed or not, which then has so many bytes.
func (s *sender) send(w *response, a *answer, h *holds, packed bool, size int) (err error) {
	*s = sender{response: w, answer: a, began: time.Now(), large: size > pieceSize}
	err = io.ErrUnexpectedEOF                                           // stays when it panics
	if conn := w.connection.conn; conn != nil && (s.large || !packed) { // or it is packed by the time it is sent
		if held := a.found.Held(); held > smallHold {
			h.add(conn, hold{a.found.Replaced, held})
			defer h.remove(conn)
		}
	}
	defer func() {
		if s.stop != nil {
			s.stop()
		}
		*s = sender{} // an idle connection is not to hold it
		if err != nil {
			clear(a.piece[:cap(a.piece)]) // nor the pool what was not sent
		}
	}()
	w.started = true
	server, ok := w.ResponseWriter.(interface {
		http.Flusher
		io.ReaderFrom
	})
	if conn := w.connection.conn; ok && size > fitting && conn != nil {
		// net/http would send the header with the first bytes of the body alone.
		conn.holds = true
		server.Flush()
		flushed := !conn.holds
		conn.holds = false // what a wrapper flushes later has a part of the body
		if flushed && !packed {
			// It counts, and has the connection call sendTo. Whoever wraps the server's may read.
			n, err := server.ReadFrom(s)
			if err == nil && n < int64(size) {
				err = io.ErrShortWrite
			}
			return err
		}
	}
	if packed {
		return a.packed(s.write)
	}
	return a.plain(s.write)
}

// Read reads what is not packed, for a ReadFrom that is not the server's.
func (s *sender) Read(b []byte) (int, error) {
	if s.next == nil {
		s.next, s.stop = iter.Pull(func(yield func(net.Buffers) bool) {
			_ = s.answer.plain(func(piece net.Buffers) error {
				if !yield(piece) {
					return io.ErrClosedPipe
				}
				return nil
			})
		})
	}
	if len(s.rest) == 0 {
		piece, ok := s.next()
		if !ok {
			return 0, io.EOF
		}
		s.rest = piece
		s.wait()
	}
	n, err := s.rest.Read(b)
	s.sent += int64(n)
	if errors.Is(err, io.EOF) { // of this piece
		err = nil
	}
	return n, err
}

// sendTo sends what is not packed, and returns how many bytes it was.
func (s *sender) sendTo(conn *lazyConn) (int64, error) {
	s.conn = conn
	s.answer.header = conn.held
	err := s.answer.plain(s.write)
	return s.sent, err
}

// write sends one piece.
func (s *sender) write(piece net.Buffers) (err error) {
	var n int64
	if s.conn != nil {
		n, err = s.conn.writeAll(piece)
	} else {
		s.rest = piece
		n, err = s.rest.WriteTo(s.response.ResponseWriter)
	}
	s.sent += n
	if err == nil {
		s.wait()
	}
	return err
}

// wait gives the client more time, after a piece that it has taken.
func (s *sender) wait() {
	if !s.large {
		return
	}
	if conn := s.response.connection.conn; conn != nil {
		conn.waits(forAnswer)
	}
	end := s.began.Add(writeTimeout + time.Duration(s.sent)*time.Second/minRate)
	if most := time.Now().Add(writeTimeout); most.Before(end) {
		end = most
	}
	_ = http.NewResponseController(s.response).SetWriteDeadline(end) // it fails when there is none that could come
}

// writeAll writes pieces with one system call, as far as the client takes them. The first
// is what is held, if there is any, and does not count as written.
func (c *lazyConn) writeAll(pieces net.Buffers) (written int64, err error) {
	written -= int64(len(c.held))
	c.rest = pieces
	for {
		n, err := c.rest.WriteTo(c.Conn)
		written += n
		if err == nil || !c.writing.early(err) {
			c.held, c.rest = c.held[:0], nil
			return max(0, written), err
		}
	}
}

// ReadFrom writes an answer from where it lies, and anything else as it reads it.
func (c *lazyConn) ReadFrom(r io.Reader) (int64, error) {
	if s, ok := r.(*sender); ok {
		return s.sendTo(c)
	}
	return io.Copy(struct{ io.Writer }{c}, r)
}
