package httpapi

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

// maxConnections is how many connections a server has at once, at most. It is also what
// bounds the wait under overload, since HTTP/1 has one request of each under way.
const maxConnections = 8192

// For how long a client may keep the server waiting when there is no room for others.
// When there is, the time-outs apply.
const (
	requestPatience = time.Second            // for a header: on a slow line this takes some time
	answerPatience  = pause                  // for a piece of an answer to be read
	pause           = 100 * time.Millisecond // between two looks for slow clients, which take up to a millisecond
)

// Connections counts those that had to go because there were too many of them, or of
// searches, or because their answers kept too much of an index that has moved on. The zero
// value is ready.
type Connections struct {
	Refused atomic.Int64 // new ones that got 503, as none of the others could make room
	Silent  atomic.Int64 // cut off while they kept the server waiting for a request
	Slow    atomic.Int64 // cut off while they kept it waiting for an answer to be read
}

// A crowd is the open connections of a server. When there is no room for another
// connection, or another search, those make room that have waited longest for their
// clients: one that neither asks nor reads is not to keep others away.
type crowd struct {
	most   int // connections
	began  time.Time
	log    *slog.Logger
	counts *Connections
	ended  sync.WaitGroup // for those that the server knows

	mu      sync.Mutex
	open    map[*lazyConn]struct{}
	looked  [2]time.Duration // when slow clients were last looked for
	warned  [3]time.Duration // when that was last logged
	stalled int64            // answers that waited for slow clients when these were last looked for
}

// What a connection waits for.
const (
	forRequest   = iota // to come, with all of its header
	forAnswer           // to be made and written
	forOldAnswer        // the same, of an index that has moved on
)

func newCrowd(most int, log *slog.Logger) *crowd {
	began := time.Now().Add(-time.Hour) // so that zero is long ago
	return &crowd{most: most, began: began, log: log, counts: new(Connections), open: make(map[*lazyConn]struct{})}
}

func (c *crowd) now() time.Duration { return time.Since(c.began) }

// waits says that the connection waits from now on, and what for.
func (c *lazyConn) waits(what int) {
	now := int64(c.crowd.now())
	if what == forAnswer {
		now = -now
	}
	c.since.Store(now)
}

// waiting returns what the connection waits for, and since when.
func (c *lazyConn) waiting() (what int, since time.Duration) {
	since = time.Duration(c.since.Load())
	if since < 0 {
		return forAnswer, -since
	}
	return forRequest, since
}

// changed is for [http.Server.ConnState].
func (c *crowd) changed(nc net.Conn, state http.ConnState) {
	conn := nc.(*lazyConn)
	switch state {
	case http.StateNew:
		c.ended.Add(1)
	case http.StateActive: // the header has come
		conn.waits(forAnswer)
	case http.StateIdle:
		conn.waits(forRequest)
	case http.StateClosed, http.StateHijacked:
		c.mu.Lock()
		delete(c.open, conn)
		c.mu.Unlock()
		c.ended.Done()
	}
}

// size returns how many connections are open.
func (c *crowd) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open)
}

// admit takes in a new connection, if there is room. When there is none, up to an eighth
// of the others make some, for those who come next, too.
func (c *crowd) admit(conn *lazyConn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.open) >= c.most {
		if slow, ok := c.look(forRequest, requestPatience); ok {
			c.cutOff(forRequest, slow[:min(len(slow), c.most/8+1)])
		}
	}
	if len(c.open) >= c.most {
		c.counts.Refused.Add(1)
		return false
	}
	c.open[conn] = struct{}{}
	return true
}

// spares reports whether there is room for a search that is one of so many, when there
// may be as many as limit. Those that wait for slow clients do not count. There may be
// as many again of them, and the slowest of the others are cut off.
func (c *crowd) spares(searches, limit int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if slow, ok := c.look(forAnswer, answerPatience); ok {
		c.stalled = min(int64(len(slow)), limit)
		c.cutOff(forAnswer, slow[:int64(len(slow))-c.stalled])
	}
	return searches <= limit+c.stalled
}

// look finds the connections that have waited for longer than patience, the slowest
// first, unless it has just looked. The caller holds mu.
func (c *crowd) look(what int, patience time.Duration) (slow []*lazyConn, ok bool) {
	now := c.now()
	if now-c.looked[what] < pause {
		return nil, false
	}
	c.looked[what] = now
	since := make(map[*lazyConn]time.Duration)
	for conn := range c.open {
		if waits, from := conn.waiting(); waits == what && now-from > patience {
			slow = append(slow, conn)
			since[conn] = from
		}
	}
	slices.SortFunc(slow, func(a, b *lazyConn) int { return cmp.Compare(since[a], since[b]) })
	return slow, true
}

// behind cuts off a connection whose answer keeps too much of an index that has moved on.
func (c *crowd) behind(conn *lazyConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cutOff(forOldAnswer, []*lazyConn{conn})
}

// cutOff ends connections: their goroutines find out by themselves. It is counted, and
// logged once a minute. The caller holds mu.
func (c *crowd) cutOff(what int, slow []*lazyConn) {
	for _, conn := range slow {
		delete(c.open, conn)
		_ = conn.Close() // the client may have been quicker
	}
	message, count := "there are as many connections as there may be", &c.counts.Silent
	switch what {
	case forAnswer:
		message, count = "there are as many searches at once as there may be", &c.counts.Slow
	case forOldAnswer:
		message, count = "slow clients keep as much in memory of what has been replaced as they may", &c.counts.Slow
	}
	count.Add(int64(len(slow)))
	now := c.now()
	if now-c.warned[what] < time.Minute {
		return
	}
	c.warned[what] = now
	c.log.Warn(message, "connections", len(c.open), "cut_off", len(slow))
}

// refusal is errOverloaded on a connection from which no request is read.
var refusal = func() []byte {
	body := `{"error":{"code":"` + errOverloaded.Code + `","message":"` + errOverloaded.Message + `"},"data":null}`
	return []byte("HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) +
		"\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nRetry-After: " + retryAfter + "\r\nConnection: close\r\n\r\n" + body)
}()

// refuse ends a new connection. What the system buffers for it has room for the answer.
func refuse(conn net.Conn) {
	_, _ = conn.Write(refusal) // it fails when the client has gone: there is nobody to tell
	_ = conn.Close()
}
