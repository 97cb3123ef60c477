package httpapi

import (
	"errors"
	"math"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// A lazyListener accepts connections that set their deadlines lazily, as many as the
// crowd takes in. It answers the others itself.
type lazyListener struct {
	net.Listener
	crowd *crowd
}

func (l lazyListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		lazy := &lazyConn{Conn: c, crowd: l.crowd}
		lazy.reading.set = c.SetReadDeadline
		lazy.writing.set = c.SetWriteDeadline
		for _, d := range []*deadline{&lazy.reading, &lazy.writing} {
			d.wanted.Store(never)
			d.armed.Store(never)
		}
		lazy.waits(forRequest)
		if l.crowd.admit(lazy) {
			return lazy, nil
		}
		refuse(c)
	}
}

// A lazyConn leaves a deadline as it is when it is moved to later, and looks again when
// it passes. The server moves deadlines seven times for each request, nearly always to
// later, and each time costs as much as finding a few events.
type lazyConn struct {
	net.Conn
	reading, writing deadline

	// For senders: the header of an answer is held back, to be sent with what comes next.
	holds bool // it is what is written next
	held  []byte
	join  [2][]byte
	rest  net.Buffers // of what is being written

	crowd *crowd
	since atomic.Int64 // when it began to wait, on the crowd's clock; negative when it is for an answer
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
	switch {
	case c.holds:
		c.holds = false
		c.held = append(c.held, b...)
		return len(b), nil
	case len(c.held) > 0:
		c.join = [2][]byte{c.held, b}
		n, err := c.writeAll(c.join[:])
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

	// Both are in monotonic time; never is a deadline, too. What is armed is wanted, or
	// earlier, but for the moment in which it is moved.
	wanted, armed atomic.Int64
	mu            sync.Mutex // held while armed changes
}

const never = math.MaxInt64

// epoch is where the time of deadlines begins.
var epoch = time.Now()

// since returns t in the time of deadlines.
func since(t time.Time) int64 {
	if t.IsZero() {
		return never
	}
	return int64(t.Sub(epoch))
}

// move makes t the deadline.
func (d *deadline) move(t time.Time) error {
	at := since(t)
	d.wanted.Store(at)
	if at >= d.armed.Load() {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.armed.Store(at)
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
	for {
		at := d.wanted.Load()
		if at == d.armed.Load() || at <= since(time.Now()) {
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
		if d.wanted.Load() >= at { // or it was moved to earlier meanwhile, by one who saw what was armed before
			return true
		}
	}
}
