//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// A source is a provider: a catalogue behind an HTTP server. It answers requests with
// its behaviours in turn, the first of which sends a whole feed.
type source struct {
	catalogue
	every      time.Duration // as fever is to ask it
	behaviours []behaviour
	fixed      bool          // there is one version
	restart    time.Duration // how long it runs until it is restarted; 0: for ever

	address string // once it is open
	server  *http.Server
	served  chan error

	mu       sync.Mutex
	asked    int
	versions int          // that were made
	whole    map[int]bool // those that were sent to the end, or may have been
}

// open listens, at the address that it had if it is opened again.
func (s *source) open(ctx context.Context) error {
	address := s.address
	if address == "" {
		address = "127.0.0.1:0"
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("provider %s: %w", s.provider, err)
	}
	s.address = listener.Addr().String()
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: 5 * time.Second}
	s.served = make(chan error, 1)
	go func() { s.served <- s.server.Serve(listener) }()
	return nil
}

// close ends it and the answers under way, as a crash would.
func (s *source) close() error {
	if s.server == nil {
		return nil
	}
	err := s.server.Close()
	if served := <-s.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	s.server = nil
	return err
}

// run restarts it now and then until ctx ends.
func (s *source) run(ctx context.Context) error {
	for pause(ctx, s.restart) {
		if err := s.close(); err != nil {
			return err
		}
		pause(ctx, s.restart/5) // nobody answers there
		if err := s.open(context.WithoutCancel(ctx)); err != nil {
			return err
		}
	}
	return nil
}

// pause waits, and reports whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func (s *source) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	b := s.behaviours[s.asked%len(s.behaviours)]
	s.asked++
	s.mu.Unlock()
	b.answer(w, r, s.next(b.whole))
}

// next returns the next version of the feed. Whether it will be whole is noted first: it
// may be found before all of it is sent.
func (s *source) next(whole bool) []byte {
	s.mu.Lock()
	v := s.versions
	if s.fixed {
		v = 0
	} else {
		s.versions++
	}
	s.whole[v] = whole
	s.mu.Unlock()
	return s.feed(v)
}

// mayBeFound reports whether version v was sent to its end.
func (s *source) mayBeFound(v int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.whole[v]
}
