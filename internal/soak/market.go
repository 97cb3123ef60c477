//go:build linux

package main

import (
	"context"
	"time"
)

// A market has all the providers. Their hours follow each other.
type market struct {
	sources []*source
	byFile  *source // it is asked once, and later versions are given to fever as files
	hours   int     // of all events
}

func newMarket(p pace) *market {
	m := &market{byFile: &source{catalogue: catalogue{provider: "by-file", events: 500, zones: 3}, every: 24 * time.Hour, behaviours: []behaviour{well}}}
	m.sources = []*source{
		{catalogue: catalogue{provider: "changes", events: 3000, zones: 3}, every: time.Second, behaviours: []behaviour{well}},
		{catalogue: catalogue{provider: "packs", events: 3000, zones: 3}, every: time.Second, behaviours: []behaviour{compressed}},
		{catalogue: catalogue{provider: "stays", events: 1000, zones: 3}, every: time.Second, behaviours: []behaviour{tagged}, fixed: true},
		{catalogue: catalogue{provider: "fails", events: 2000, zones: 3}, every: time.Second, behaviours: []behaviour{well, broken, well, limited, page, well, unfinished, compressed}},
		{catalogue: catalogue{provider: "hangs", events: 2000, zones: 3}, every: time.Second, behaviours: []behaviour{well, silent, well, cut, trickling, compressed, cut}},
		{catalogue: catalogue{provider: "restarts", events: 2000, zones: 3}, every: time.Second, behaviours: []behaviour{well, compressed}, restart: p.restart},
		// Its feed does not fit into the memory that a body is spooled in.
		{catalogue: catalogue{provider: "is-big", events: 2000, zones: 120}, every: p.big, behaviours: []behaviour{well}},
		m.byFile,
	}
	for _, s := range m.sources {
		s.whole = make(map[int]bool)
		s.first = m.hours
		m.hours += s.events
	}
	return m
}

// open has all providers listen.
func (m *market) open(ctx context.Context) error {
	for _, s := range m.sources {
		if err := s.open(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (m *market) close() {
	for _, s := range m.sources {
		s.close()
	}
}

// at returns the provider of the event in an hour, and the number of the event there.
func (m *market) at(hour int) (s *source, n int) {
	for _, s := range m.sources {
		if n := hour - s.first; n < s.events {
			return s, n
		}
	}
	panic("an hour in which nothing happens")
}
