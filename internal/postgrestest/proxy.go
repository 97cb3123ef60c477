package postgrestest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// A Network is what a proxy does to all that it forwards.
type Network int

// The networks.
const (
	Whole    Network = iota // it forwards
	Cut                     // it forwards nothing, and closes nothing
	HalfOpen                // it forwards nothing to the client
	Slow                    // it forwards 1 KB/s to the client
	Refused                 // it ends all connections, and each new one at once
)

// A Proxy is on the loopback interface, in front of a server. Who starts it stops it.
type Proxy struct {
	listener net.Listener
	serving  sync.WaitGroup

	mu      sync.Mutex
	server  string // its socket
	network Network
	changed chan struct{} // closed when the network changes
	links   map[*link]bool
	trap    *Trap
	left    int // bytes until the connection that brings them is reset; 0: none is
	closed  bool
}

// A Trap waits for a message of a client, and loses it or its answer. It springs once.
type Trap struct {
	Match  func(message []byte) bool
	Before bool  // the message itself is lost
	Then   After // what becomes of the connection then

	Sprung chan struct{} // closed when the message came; made by [Proxy.Set]
}

// After is what a trap does to the connection.
type After int

// What a trap can do.
const (
	Close After = iota // it ends
	Reset              // it ends, as if the other machine knew nothing of it
	Hang               // nothing is forwarded any more, until the client ends it
	Stall              // the network is [Cut]: the message comes when that ends
)

// NewProxy starts a proxy.
func NewProxy(s *Server) (*Proxy, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{listener: listener, changed: make(chan struct{}), links: map[*link]bool{}}
	p.To(s)
	p.serving.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			p.serving.Go(func() { p.serve(client.(*net.TCPConn)) })
		}
	})
	return p, nil
}

// Stop ends all connections and the proxy.
func (p *Proxy) Stop() {
	_ = p.listener.Close() // nobody waits for more
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Network(Refused)
	p.serving.Wait()
}

// URL returns that of a database through the proxy.
func (p *Proxy) URL(database string) string {
	return fmt.Sprintf("postgres://fever@%s/%s?sslmode=disable", p.listener.Addr(), database)
}

// To has new connections go to a server, as if its name had got another address.
func (p *Proxy) To(s *Server) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.server = s.socket()
}

// Network changes what becomes of what is forwarded from now on. What is on its way while
// nothing is forwarded comes later.
func (p *Proxy) Network(n Network) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.network = n
	close(p.changed)
	p.changed = make(chan struct{})
	if n == Refused {
		for l := range p.links {
			l.reset()
		}
	}
}

// Reset ends all connections as if the server's machine knew nothing of them.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.reset()
	}
}

// ResetAfter resets the connection that brings a client the byte of the given number, from
// now on.
func (p *Proxy) ResetAfter(bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = bytes
}

// Set sets a trap. There is one at a time.
func (p *Proxy) Set(t *Trap) *Trap {
	t.Sprung = make(chan struct{})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trap = t
	return t
}

// sprung returns the trap, if the message springs it.
func (p *Proxy) sprung(message []byte) *Trap {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.trap
	if t == nil || !t.Match(message) {
		return nil
	}
	p.trap = nil
	close(t.Sprung)
	return t
}

// due reports whether so many more bytes reach the one at which a connection is to be reset.
func (p *Proxy) due(bytes int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.left
	p.left = max(p.left-bytes, 0)
	return before > 0 && p.left == 0
}

// state returns the network, and what is closed when that changes.
func (p *Proxy) state() (Network, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.network, p.changed
}

// A link is a connection of a client, and the one to the server that it is forwarded on.
type link struct {
	client *net.TCPConn
	server net.Conn
	ended  chan struct{} // closed when either has ended
	end    func()
	lost   chan struct{} // closed when a trap has sprung: nothing is forwarded any more
}

// reset ends the link, the client's side without a farewell.
func (l *link) reset() {
	_ = l.client.SetLinger(0) // it fails when the connection has ended
	l.end()
}

func (p *Proxy) serve(client *net.TCPConn) {
	p.mu.Lock()
	address := p.server
	p.mu.Unlock()
	server, err := (&net.Dialer{}).DialContext(context.Background(), "unix", address)
	if err != nil {
		_ = client.SetLinger(0) // as a machine on which nobody listens
		_ = client.Close()      // and nobody asks how that went
		return
	}
	l := &link{client: client, server: server, ended: make(chan struct{}), lost: make(chan struct{})}
	l.end = sync.OnceFunc(func() {
		close(l.ended)
		_ = client.Close() // both have been told by now, or will notice
		_ = server.Close()
	})
	p.mu.Lock()
	if p.network == Refused || p.closed {
		l.reset() // Network does that with those that it finds
	}
	p.links[l] = true
	p.mu.Unlock()
	defer func() {
		l.end()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.links, l)
	}()
	var answers sync.WaitGroup
	answers.Go(func() { l.answer(p) })
	l.ask(p)
	answers.Wait()
}

// ask forwards what the client sends.
func (l *link) ask(p *Proxy) {
	defer l.end()
	b := make([]byte, 1<<20)
	for {
		n, err := l.client.Read(b)
		if err != nil || !l.passes(p, Cut) {
			return
		}
		t := p.sprung(b[:n])
		if t != nil && t.Then == Stall {
			p.Network(Cut)
			if !l.passes(p, Cut) {
				return
			}
			t = nil
		}
		if t != nil {
			close(l.lost)
		}
		if t == nil || !t.Before {
			if _, err := l.server.Write(b[:n]); err != nil {
				return
			}
		}
		if t == nil {
			continue
		}
		switch t.Then {
		case Hang:
			for err == nil {
				_, err = l.client.Read(b)
			}
		case Reset:
			l.wait(t)
			l.reset()
		default:
			l.wait(t)
		}
		return
	}
}

// wait gives the server a moment to act on a message whose answer is lost.
func (l *link) wait(t *Trap) {
	if t.Before {
		return
	}
	select {
	case <-l.ended:
	case <-time.After(100 * time.Millisecond):
	}
}

// answer forwards what the server sends.
func (l *link) answer(p *Proxy) {
	b := make([]byte, 1<<16)
	for {
		n, err := l.server.Read(b)
		select {
		case <-l.lost:
			return // whoever closed it ends the link
		default:
		}
		if err != nil || !l.passes(p, Cut, HalfOpen) {
			l.end()
			return
		}
		if p.due(n) {
			l.reset()
			return
		}
		if err := l.tell(p, b[:n]); err != nil {
			l.end()
			return
		}
	}
}

// tell writes to the client, at the pace of the network.
func (l *link) tell(p *Proxy, answer []byte) error {
	const piece, pause = 100, 100 * time.Millisecond
	for len(answer) > 0 {
		network, changed := p.state()
		n := len(answer)
		if network == Slow {
			n = min(n, piece)
			select {
			case <-l.ended:
			case <-changed:
			case <-time.After(pause):
			}
		}
		if _, err := l.client.Write(answer[:n]); err != nil {
			return err
		}
		answer = answer[n:]
	}
	return nil
}

// passes waits until the network is none of those. It returns false when the link has ended.
func (l *link) passes(p *Proxy, stops ...Network) bool {
	for {
		network, changed := p.state()
		stopped := false
		for _, n := range stops {
			stopped = stopped || n == network
		}
		if !stopped {
			return true
		}
		select {
		case <-changed:
		case <-l.ended:
			return false
		}
	}
}

// Commits reports whether a message has the server commit. Before it does for the first time
// on a connection, pgx asks it to describe the statement.
func Commits(message []byte) bool {
	_, after, found := bytes.Cut(message, []byte("commit\x00"))
	return found && bytes.Contains(after, []byte("E\x00\x00\x00\x09\x00"))
}
