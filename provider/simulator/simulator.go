// Package simulator plays a provider to tests. It is a server on loopback that follows a
// script of good feeds, and of all the faults that a network, a server or a document can have.
//
// It writes to raw connections, because a server of net/http is too correct for most faults.
// Only _test.go files may import it.
package simulator

import (
	"context"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
)

// A Server answers each request with the next step of its script, and repeats the last step.
// Its methods may be called at the same time.
type Server struct {
	URL string // of its root, such as "http://127.0.0.1:8000"

	tb      testing.TB
	address string
	done    chan struct{} // closed by Close
	running sync.WaitGroup
	held    [2]net.Conn // see hold

	mu       sync.Mutex
	closed   bool
	listener net.Listener // nil while connections are refused
	conns    map[net.Conn]struct{}
	steps    []Step // the rest of the script; never empty
	requests []*http.Request
	arrivals map[int]chan struct{} // by the number of a request
}

// New starts a server, which is closed when the test ends. Without a step it does as [Drop]
// does.
func New(tb testing.TB, steps ...Step) *Server {
	tb.Helper()
	s := &Server{
		tb:       tb,
		address:  "127.0.0.1:0",
		done:     make(chan struct{}),
		conns:    map[net.Conn]struct{}{},
		arrivals: map[int]chan struct{}{},
	}
	l, err := s.listen()
	if err != nil {
		tb.Fatalf("simulator: %v", err)
	}
	s.listener = l
	s.address = l.Addr().String()
	s.URL = "http://" + s.address
	tb.Cleanup(s.Close)
	if err := s.hold(); err != nil {
		tb.Fatalf("simulator: keep %s: %v", s.address, err)
	}
	s.start(l)
	s.Play(steps...)
	return s
}

// Play replaces the rest of the script. It does not change the answers that have begun.
func (s *Server) Play(steps ...Step) {
	s.tb.Helper()
	if len(steps) == 0 {
		steps = []Step{Drop()}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steps = slices.Clone(steps)
	s.obey()
}

// Requests returns the requests so far, without their bodies. A connection without a request,
// such as one whose TLS handshake fails, does not count.
func (s *Server) Requests() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Arrived returns a channel that is closed when n requests have come since the start. The last
// one may not be answered yet.
func (s *Server) Arrived(n int) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.arrival(n)
}

// Close ends all answers at once, and waits for the server's goroutines.
func (s *Server) Close() {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.done)
		s.refuse()
		for conn := range s.conns {
			_ = conn.Close() // nobody reads it
		}
		for _, conn := range s.held {
			if conn != nil {
				_ = conn.Close()
			}
		}
	}
	s.mu.Unlock()
	s.running.Wait()
}

// take records a request, and returns the step for it.
func (s *Server) take(request *http.Request) Step {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, request)
	close(s.arrival(len(s.requests)))
	step := s.steps[0]
	if len(s.steps) > 1 {
		s.steps = s.steps[1:]
		s.obey()
	}
	return step
}

// arrival returns the channel of request n. The caller holds mu.
func (s *Server) arrival(n int) chan struct{} {
	if s.arrivals[n] == nil {
		s.arrivals[n] = make(chan struct{})
	}
	return s.arrivals[n]
}

// obey starts or stops listening, as the next step wants it. The caller holds mu.
func (s *Server) obey() {
	switch refuse := s.steps[0].refuse; {
	case refuse:
		s.refuse()
	case s.listener == nil && !s.closed:
		l, err := s.listen()
		if err != nil {
			s.tb.Errorf("simulator: listen again: %v", err)
			return
		}
		s.listener = l
		s.start(l)
	}
}

func (s *Server) refuse() {
	if s.listener != nil {
		_ = s.listener.Close() // nothing is lost with it
		s.listener = nil
	}
}

func (s *Server) listen() (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(context.Background(), "tcp", s.address)
}

// hold connects the server to itself until it is closed. While a connection has its address,
// the system gives that to nobody else, even when nothing listens.
func (s *Server) hold() (err error) {
	if s.held[0], err = (&net.Dialer{}).DialContext(context.Background(), "tcp", s.address); err != nil {
		return err
	}
	s.held[1], err = s.listener.Accept()
	return err
}
