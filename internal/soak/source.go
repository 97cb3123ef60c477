//go:build linux

package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"fever/internal/harness"
)

// A source is a provider: a catalogue behind an HTTP server. It answers requests with its
// behaviours in turn. The first one sends a whole feed.
type source struct {
	catalogue
	every      time.Duration // as fever is to ask it
	behaviours []behaviour
	fixed      bool          // there is one version
	restart    time.Duration // how long it runs until it is restarted; 0: for ever

	address string // once it is open
	stop    func() // nil while it is closed

	mu       sync.Mutex
	asked    int
	versions int          // that were made
	whole    map[int]bool // which of them were sent to the end, or may have been
}

// open listens. A source that is opened again has the same address.
func (s *source) open(ctx context.Context) (err error) {
	if s.address, s.stop, err = harness.Listen(ctx, s.address, s); err != nil {
		return fmt.Errorf("provider %s: %w", s.provider, err)
	}
	return nil
}

// close ends it and the answers under way, as a crash would.
func (s *source) close() {
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
}

// run restarts it now and then until ctx ends.
func (s *source) run(ctx context.Context) error {
	for harness.Pause(ctx, s.restart) {
		s.close()
		harness.Pause(ctx, s.restart/5) // nobody answers there
		if err := s.open(context.WithoutCancel(ctx)); err != nil {
			return err
		}
	}
	return nil
}

func (s *source) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	b := s.behaviours[s.asked%len(s.behaviours)]
	s.asked++
	s.mu.Unlock()
	b.answer(w, r, s.next(b.whole))
}

// next returns the next version of the feed. It sets whole first: a search may find the version
// before all of it is sent.
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
