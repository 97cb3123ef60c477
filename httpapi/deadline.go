package httpapi

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// A lazyListener accepts connections that set their deadlines lazily.
type lazyListener struct{ net.Listener }

func (l lazyListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	lazy := &lazyConn{Conn: c}
	lazy.reading.set = c.SetReadDeadline
	lazy.writing.set = c.SetWriteDeadline
	return lazy, nil
}

// A lazyConn leaves a deadline as it is when it is moved to later, and looks again when
// it passes. The server moves deadlines seven times for each request, nearly always to
// later, and each time costs as much as finding a few events.
type lazyConn struct {
	net.Conn
	reading, writing deadline
}

func (c *lazyConn) SetReadDeadline(t time.Time) error  { return c.reading.move(t) }
func (c *lazyConn) SetWriteDeadline(t time.Time) error { return c.writing.move(t) }

func (c *lazyConn) SetDeadline(t time.Time) error {
	return errors.Join(c.reading.move(t), c.writing.move(t))
}

func (c *lazyConn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if err == nil || n > 0 || !c.reading.early(err) {
			return n, err
		}
	}
}

func (c *lazyConn) Write(b []byte) (written int, err error) {
	for {
		n, err := c.Conn.Write(b[written:])
		written += n
		if err == nil || !c.writing.early(err) {
			return written, err
		}
	}
}

// CloseWrite lets the server end a connection without losing its last answer.
func (c *lazyConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// A deadline is when reads, or writes, of a connection time out.
type deadline struct {
	set func(time.Time) error // on the connection

	mu     sync.Mutex
	wanted time.Time // zero: never
	armed  time.Time // what the connection has: wanted or earlier
}

// move makes t the deadline.
func (d *deadline) move(t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wanted = t
	if t.IsZero() || !d.armed.IsZero() && !t.Before(d.armed) {
		return nil
	}
	d.armed = t
	return d.set(t)
}

// early reports whether err only says that an earlier deadline has passed, so that what
// failed is to be tried again.
func (d *deadline) early(err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.armed.Equal(d.wanted) || !d.wanted.IsZero() && !time.Now().Before(d.wanted) {
		return false
	}
	d.armed = d.wanted
	return d.set(d.wanted) == nil
}
