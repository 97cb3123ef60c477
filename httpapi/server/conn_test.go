package server

import (
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// A counted connection counts how often its deadlines are set.
type counted struct {
	net.Conn
	sets int
}

func (c *counted) SetReadDeadline(t time.Time) error {
	c.sets++
	return c.Conn.SetReadDeadline(t)
}

func (c *counted) SetWriteDeadline(t time.Time) error {
	c.sets++
	return c.Conn.SetWriteDeadline(t)
}

// piped accepts one end of a pipe.
type piped struct {
	net.Listener
	conn net.Conn
}

func (p piped) Accept() (net.Conn, error) { return p.conn, nil }

// lazy returns a conn to far, and the connection below it.
func lazy(t *testing.T) (near net.Conn, set *counted, far net.Conn) {
	t.Helper()
	a, far := net.Pipe()
	set = &counted{Conn: a}
	near, err := listener{piped{conn: set}, newConnLimiter(1, quiet, nil), false}.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(near.Close(), far.Close()); err != nil {
			t.Error(err)
		}
	})
	return near, set, far
}

// TestLazyDeadlines moves the deadline to so many seconds from the start, one move after the
// other, and checks when reads and writes time out. Zero is no deadline.
func TestLazyDeadlines(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		moves []int
		want  int
		sets  int // before the read or write, and during it
	}{
		{[]int{5}, 5, 1},
		{[]int{5, 8, 9, 7}, 7, 2},
		{[]int{8, 5}, 5, 2},
		{[]int{8, 5, 9}, 9, 3},
		{[]int{-1}, 0, 1},
		{[]int{5, -1}, 0, 2},
		{[]int{5, -1, 0, 6}, 6, 3},
		{[]int{5, 0, 6}, 6, 2},
	} {
		for _, writes := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				near, set, _ := lazy(t)
				start := time.Now()
				move, use := near.SetReadDeadline, near.Read
				if writes {
					move, use = near.SetWriteDeadline, near.Write
				}
				for _, seconds := range test.moves {
					var at time.Time
					if seconds != 0 {
						at = start.Add(time.Duration(seconds) * time.Second)
					}
					if err := move(at); err != nil {
						t.Fatal(err)
					}
				}
				n, err := use(make([]byte, 1))
				if took := time.Since(start); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || took != time.Duration(test.want)*time.Second {
					t.Errorf("%v: %d, %v after %v, want a time-out after %d s", test.moves, n, err, took, test.want)
				}
				if set.sets != test.sets {
					t.Errorf("%v: set %d times, want %d", test.moves, set.sets, test.sets)
				}
			})
		}
	}
}

// TestLazyWriteGoesOn writes across a deadline that was moved: no byte is lost.
func TestLazyWriteGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, _, far := lazy(t)
		start := time.Now()
		if err := errors.Join(near.SetDeadline(start.Add(time.Second)), near.SetDeadline(start.Add(time.Hour))); err != nil {
			t.Fatal(err)
		}
		written := make(chan error, 1)
		go func() {
			_, err := near.Write([]byte("abcdef"))
			written <- err
		}()
		var got []byte
		for b := make([]byte, 2); len(got) < 6; {
			time.Sleep(700 * time.Millisecond) // simulated: one deadline passes between two reads
			n, err := far.Read(b)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, b[:n]...)
		}
		if err := <-written; err != nil || string(got) != "abcdef" {
			t.Errorf("wrote %q, %v", got, err)
		}
	})
}

// TestLazyAbort ends a read from another goroutine, as net/http does when a handler returns.
func TestLazyAbort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, _, far := lazy(t)
		if err := near.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		read := make(chan error, 1)
		go func() {
			_, err := near.Read(make([]byte, 1))
			read <- err
		}()
		synctest.Wait()
		if err := near.SetReadDeadline(time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		if err := <-read; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the read ended with %v", err)
		}
		if err := near.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = far.Write([]byte("x")) }()
		if n, err := near.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("the next read: %d, %v", n, err)
		}
	})
}
