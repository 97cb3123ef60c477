package server

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A listener accepts connections as long as its limiter admits them, and answers the
// others itself.
type listener struct {
	net.Listener
	limiter   *connLimiter
	unwatched bool // see [Unwatched]
}

func (l listener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: accepted, limiter: l.limiter}
		c.reading.set = accepted.SetReadDeadline
		c.writing.set = accepted.SetWriteDeadline
		for _, d := range []*deadline{&c.reading, &c.writing} {
			d.wanted.Store(never)
			d.armed.Store(never)
		}
		c.watch.unwatched, c.watch.changed.L = l.unwatched, &c.watch.mu
		c.waits(forRequest)
		if l.limiter.admit(c) {
			return c, nil
		}
		refuse(accepted)
	}
}

// A conn is a connection whose deadlines are set lazily, see [deadline]. For [SendBody] it
// holds back the header of an answer, to send it with the first piece of the body.
type conn struct {
	net.Conn
	reading, writing deadline
	watch            watch

	holding bool        // the next write is held
	held    []byte      // the header
	rest    net.Buffers // of what is being written

	limiter *connLimiter
	since   atomic.Int64 // when it began to wait, on the limiter's clock; negative when for a reader
}

type connKey struct{}

// withConn is for [http.Server.ConnContext].
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// connOf returns the connection of a request, or nil when its server is not from [Serve].
func connOf(r *http.Request) *conn {
	c, _ := r.Context().Value(connKey{}).(*conn)
	return c
}

func (c *conn) SetReadDeadline(t time.Time) error {
	if c.watch.deadline(t) {
		return nil
	}
	return c.reading.move(t)
}

func (c *conn) SetWriteDeadline(t time.Time) error { return c.writing.move(t) }

func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *conn) Close() error {
	c.watch.close()
	return c.Conn.Close()
}

func (c *conn) Read(b []byte) (int, error) {
	if err := c.watch.read(); err != nil {
		return 0, err
	}
	for {
		n, err := c.Conn.Read(b)
		if err == nil || n > 0 || !c.reading.early(err) {
			return n, err
		}
	}
}

func (c *conn) Write(b []byte) (written int, err error) {
	if c.holding {
		c.holding = false
		c.held = append(c.held, b...)
		return len(b), nil
	}
	if len(c.held) > 0 {
		n, err := c.writeBody(net.Buffers{b})
		return int(n), err
	}
	for {
		n, err := c.Conn.Write(b[written:])
		written += n
		if err == nil || !c.writing.early(err) {
			return written, err
		}
	}
}

// writeBody writes what is held and the buffers, with one system call as far as the client
// takes them. What was held does not count as written.
func (c *conn) writeBody(buffers net.Buffers) (written int64, err error) {
	if len(c.held) > 0 {
		buffers = slices.Insert(buffers, 0, c.held)
		written -= int64(len(c.held))
	}
	c.rest = buffers
	for {
		n, err := c.rest.WriteTo(c.Conn)
		written += n
		if err == nil || !c.writing.early(err) {
			c.held, c.rest = c.held[:0], nil
			return max(0, written), err
		}
	}
}

// ReadFrom writes a piece of a body as it lies in memory, and anything else as it reads it.
func (c *conn) ReadFrom(r io.Reader) (int64, error) {
	if w, ok := r.(*response); ok {
		piece := w.rest
		w.rest = nil
		return c.writeBody(piece)
	}
	return io.Copy(struct{ io.Writer }{c}, r)
}

// CloseWrite lets net/http end a connection without losing its last answer.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// A deadline is when reads, or writes, of a connection time out. It stays set as it is
// when it is moved to later, and is set anew when it passes: net/http moves deadlines
// seven times for each request, nearly always to later, and each time costs as much as to
// find a few events.
type deadline struct {
	set func(time.Time) error // on the connection

	// Both are in monotonic time; never is a deadline, too. The connection has armed, which
	// is wanted or earlier except while it is moved.
	wanted, armed atomic.Int64
	mu            sync.Mutex // held while armed changes
}

const never = math.MaxInt64

// epoch is where the time of deadlines begins.
var epoch = time.Now()

// sinceEpoch returns t in the time of deadlines.
func sinceEpoch(t time.Time) int64 {
	if t.IsZero() {
		return never
	}
	return int64(t.Sub(epoch))
}

// move makes t the deadline.
func (d *deadline) move(t time.Time) error {
	at := sinceEpoch(t)
	d.wanted.Store(at)
	if at >= d.armed.Load() {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.armed.Store(at)
	return d.set(t)
}

// early reports whether err only says that a deadline has passed which was moved to
// later, so that the read or write has to be tried again.
func (d *deadline) early(err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		at := d.wanted.Load()
		if at == d.armed.Load() || at <= sinceEpoch(time.Now()) {
			return false
		}
		d.armed.Store(at)
		var t time.Time
		if at != never {
			t = epoch.Add(time.Duration(at))
		}
		if d.set(t) != nil {
			return false
		}
		// A move to earlier saw the old armed, and left the connection to this loop.
		if d.wanted.Load() >= at {
			return true
		}
	}
}
