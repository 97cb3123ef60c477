// Package simulator plays a provider to tests: a server on loopback that answers from
// a script, with good feeds and with every fault that a network, a server or a
// document can have.
//
// It speaks on raw connections, since a server of net/http is too polite for most
// faults. It is for tests alone: nothing but a _test.go file may import it.
package simulator

import (
	"context"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
)

// A Server answers each request with the next step of its script, and from then on
// with the last one. Its methods may be called at the same time.
type Server struct {
	URL string // of its root, without a slash at the end: "http://127.0.0.1:8000"

	tb      testing.TB
	address string
	done    chan struct{} // closed by Close
	running sync.WaitGroup
	held    [2]net.Conn // see hold

	mu       sync.Mutex
	closed   bool
	listener net.Listener // nil while connections are refused
	conns    map[net.Conn]struct{}
	steps    []Step // what is left of the script, never empty
	requests []*http.Request
	arrivals map[int]chan struct{} // by the number of a request
}

// New starts a server, which is closed when the test ends. Without a step it closes
// every connection once a request has come, as [Drop] does.
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

// Play puts another script in the place of what is left of the last one. Requests that
// are being answered are not concerned.
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

// Requests returns the requests so far, without their bodies. A connection that brings
// none, such as one that fails to become secure, does not count.
func (s *Server) Requests() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Arrived returns a channel that is closed when n requests have come, of which the
// last one may not be answered yet. They are counted from the server's start.
func (s *Server) Arrived(n int) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.arrival(n)
}

// Close ends all answers at once, and returns when nothing of the server is left
// running.
func (s *Server) Close() {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.done)
		s.refuse()
		for conn := range s.conns {
			_ = conn.Close() // of no interest any more
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

// take notes a request and returns the step that answers it.
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

// obey listens, or does not, as the next step wants it. The caller holds mu.
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

// hold connects the server to itself, for as long as it lives: while a connection has
// its address, the system gives it to nobody else, not even when nothing listens.
func (s *Server) hold() (err error) {
	if s.held[0], err = (&net.Dialer{}).DialContext(context.Background(), "tcp", s.address); err != nil {
		return err
	}
	s.held[1], err = s.listener.Accept()
	return err
}
