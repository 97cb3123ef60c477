package server

import (
	"cmp"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// maxConnections is how many connections a server has at once, at most. It also bounds
// the wait under overload, since HTTP/1 has one request of each connection under way.
const maxConnections = 8192

// How long a client may keep the server waiting when there is no room for others. When
// there is room, the time-outs apply.
const (
	requestPatience = time.Second            // for a header: on a slow line this takes some time
	readerPatience  = searchPause            // for a piece of an answer to be read
	searchPause     = 100 * time.Millisecond // between two searches for slow clients, which take up to a millisecond
)

// Connections counts the connections that were closed to make room: there were too many
// of them, or too many requests, or their answers kept too much in memory. The zero value
// is ready.
type Connections struct {
	Refused atomic.Int64 // new ones that got 503, as none of the others could make room
	Silent  atomic.Int64 // closed while the server waited for a request
	Slow    atomic.Int64 // closed while the server waited for the client to read its answer
}

// A connLimiter has the open connections of a server. When there is no room for another
// connection, or another request, it closes those that have waited longest for their
// clients: one that neither asks nor reads must not keep others away.
type connLimiter struct {
	max    int // connections
	began  time.Time
	log    *slog.Logger
	counts *Connections
	ended  sync.WaitGroup // for the connections that net/http has

	mu       sync.Mutex
	open     map[*conn]struct{}
	searched [2]time.Duration         // when slow clients were last searched, by what they wait for
	warned   map[string]time.Duration // when a message was last logged
	stalled  int64                    // answers that waited for slow clients in the last search
}

// A waitFor is what the server waits for on a connection.
type waitFor int

const (
	forRequest waitFor = iota // to come, with all of its header
	forReader                 // to take the answer, which is made meanwhile
)

func newConnLimiter(most int, log *slog.Logger, counts *Connections) *connLimiter {
	return &connLimiter{
		max: most, log: log, counts: cmp.Or(counts, new(Connections)),
		began: time.Now().Add(-time.Hour), // so that zero is long ago
		open:  make(map[*conn]struct{}), warned: make(map[string]time.Duration),
	}
}

func (l *connLimiter) now() time.Duration { return time.Since(l.began) }

// waits notes what the server waits for on the connection from now on.
func (c *conn) waits(what waitFor) {
	now := int64(c.limiter.now())
	if what == forReader {
		now = -now
	}
	c.since.Store(now)
}

// waiting returns what the server waits for on the connection, and since when.
func (c *conn) waiting() (what waitFor, since time.Duration) {
	since = time.Duration(c.since.Load())
	if since < 0 {
		return forReader, -since
	}
	return forRequest, since
}

// changed is for [http.Server.ConnState].
func (l *connLimiter) changed(nc net.Conn, state http.ConnState) {
	c := nc.(*conn)
	switch state {
	case http.StateNew:
		l.ended.Add(1)
	case http.StateActive: // the header has come
		c.waits(forReader)
		c.watch.begin()
	case http.StateIdle:
		c.watch.end()
		c.waits(forRequest)
	case http.StateClosed, http.StateHijacked:
		l.mu.Lock()
		delete(l.open, c)
		l.mu.Unlock()
		l.ended.Done()
	}
}

// size returns how many connections are open.
func (l *connLimiter) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open)
}

// admit adds a new connection if there is room. When there is none, it closes up to an
// eighth of the others, so that there is room for those that come next, too.
func (l *connLimiter) admit(c *conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) >= l.max {
		slow, _ := l.slow(forRequest, requestPatience)
		l.close("there are as many connections as there may be", &l.counts.Silent, slow[:min(len(slow), l.max/8+1)])
	}
	if len(l.open) >= l.max {
		l.counts.Refused.Add(1)
		return false
	}
	l.open[c] = struct{}{}
	return true
}

// MakeRoom reports whether there is room for a request that is one of n under way, when
// there may be as many as limit. Those that wait for slow clients to read do not count.
// There may be as many as limit of them beside the others, and MakeRoom closes the slowest
// beyond that. It is always false when the server is not from [Serve].
func MakeRoom(r *http.Request, n, limit int64) bool {
	c := connOf(r)
	if c == nil {
		return false
	}
	l := c.limiter
	l.mu.Lock()
	defer l.mu.Unlock()
	if slow, ok := l.slow(forReader, readerPatience); ok {
		l.stalled = min(int64(len(slow)), limit)
		l.close("there are as many searches at once as there may be", &l.counts.Slow, slow[:int64(len(slow))-l.stalled])
	}
	return n <= limit+l.stalled
}

// CloseSlow closes the connection of a request whose answer the client reads too slowly.
// The reason goes to the log, once a minute. It does nothing when the server is not from
// [Serve].
func CloseSlow(r *http.Request, reason string) {
	if c := connOf(r); c != nil {
		l := c.limiter
		l.mu.Lock()
		defer l.mu.Unlock()
		l.close(reason, &l.counts.Slow, []*conn{c})
	}
}

// slow finds the connections that have waited for longer than patience, the slowest
// first, unless it has just searched. The caller holds mu.
func (l *connLimiter) slow(what waitFor, patience time.Duration) (slow []*conn, ok bool) {
	now := l.now()
	if now-l.searched[what] < searchPause {
		return nil, false
	}
	l.searched[what] = now
	since := make(map[*conn]time.Duration)
	for c := range l.open {
		if waits, from := c.waiting(); waits == what && now-from > patience {
			slow = append(slow, c)
			since[c] = from
		}
	}
	slices.SortFunc(slow, func(a, b *conn) int { return cmp.Compare(since[a], since[b]) })
	return slow, true
}

// close closes connections: their goroutines find out by themselves. It counts them, and
// logs the reason once a minute. The caller holds mu.
func (l *connLimiter) close(reason string, count *atomic.Int64, conns []*conn) {
	count.Add(int64(len(conns))) // before a client sees its end, and may look
	for _, c := range conns {
		delete(l.open, c)
		_ = c.Close() // the client may have been quicker
	}
	now := l.now()
	if now-l.warned[reason] < time.Minute {
		return
	}
	l.warned[reason] = now
	l.log.Warn(reason, "connections", len(l.open), "cut_off", len(conns))
}

// overloaded is [ErrOverloaded] on a connection from which no request is read.
var overloaded = func() []byte {
	body := ErrOverloaded.body()
	return append([]byte("HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: "+strconv.Itoa(len(body))+
		"\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nRetry-After: "+retryAfter+"\r\nConnection: close\r\n\r\n"), body...)
}()

// refuse ends a new connection. The system's buffer has room for the answer.
func refuse(c net.Conn) {
	_, _ = c.Write(overloaded) // it fails when the client has gone: nobody is left to tell
	_ = c.Close()
}
