package server

import (
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// Unwatched is a handler that looks neither at the context of a request nor at its body. For
// such a handler [Serve] does not watch whether a client goes away while it is answered: the
// answer fails then, when it is written.
//
// net/http watches by a read of one byte, in a goroutine, which it breaks off after the answer by
// a deadline. The system calls for that cost a small answer a twentieth of its processor time.
type Unwatched struct{ http.Handler }

// ServeHTTP answers a request. One with a body is watched, as net/http reads what the handler
// leaves of it.
func (h Unwatched) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Body != http.NoBody {
		if c := connOf(r); c != nil {
			c.watch.end()
		}
	}
	h.Handler.ServeHTTP(w, r)
}

// A watch takes the place of net/http's read of a client that is being answered. The read waits
// here, without a system call, until a deadline breaks it off, or the connection is closed. All
// methods may be called at the same time.
type watch struct {
	unwatched bool // false: reads go to the client always

	mu      sync.Mutex
	changed sync.Cond // of mu: what follows
	waits   bool      // a request is being answered, and the next read is net/http's
	past    bool      // the deadline of this read is
	closed  bool
}

// begin is called before net/http begins to read.
func (w *watch) begin() {
	if w.unwatched {
		w.mu.Lock()
		w.waits = true
		w.mu.Unlock()
	}
}

// end lets the next read, and one that waits, go to the client.
func (w *watch) end() {
	if w.unwatched {
		w.mu.Lock()
		w.waits = false
		w.mu.Unlock()
		w.changed.Broadcast()
	}
}

// read waits while a request is being answered. After an error there is nothing to read.
func (w *watch) read() error {
	if !w.unwatched {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.waits && !w.past && !w.closed {
		w.changed.Wait()
	}
	switch {
	case w.closed:
		return net.ErrClosed
	case w.waits:
		return os.ErrDeadlineExceeded
	}
	return nil
}

// deadline takes a deadline for reads, and reports whether it concerns none but one that waits.
func (w *watch) deadline(t time.Time) bool {
	if !w.unwatched {
		return false
	}
	w.mu.Lock()
	w.past = w.waits && !t.IsZero() && !t.After(time.Now())
	past := w.past
	w.mu.Unlock()
	if past {
		w.changed.Broadcast()
	}
	return past
}

// close ends a read that waits.
func (w *watch) close() {
	if w.unwatched {
		w.mu.Lock()
		w.closed = true
		w.mu.Unlock()
		w.changed.Broadcast()
	}
}
