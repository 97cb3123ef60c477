package postgres

import (
	"maps"
	"sync"
	"time"

	"fever/store"
)

// Stats returns what this store has written since it was opened, and what is current as far as
// it has read. It asks the database nothing. There is no size: the database may hold more than
// fever's tables.
func (s *Store) Stats() store.Stats {
	s.stats.Lock()
	defer s.stats.Unlock()
	now := s.stats.Stats
	now.Current = maps.Clone(now.Current)
	return now
}

type stats struct {
	sync.Mutex
	store.Stats
}

// committed counts a commit that took so long.
func (s *Store) committed(took time.Duration) {
	s.stats.Lock()
	defer s.stats.Unlock()
	s.stats.Commits++
	s.stats.CommitTime += took
}

// counted sets the numbers of events in all providers' latest snapshots.
func (s *Store) counted(current map[string]int) {
	s.stats.Lock()
	defer s.stats.Unlock()
	s.stats.Current = current
}

// applied sets that of one provider.
func (s *Store) applied(provider string, events int) {
	s.stats.Lock()
	defer s.stats.Unlock()
	s.stats.Current[provider] = events
}

// moved removes that of one provider and, if another is named, sets that of the other.
func (s *Store) moved(from, to string, events int) {
	s.stats.Lock()
	defer s.stats.Unlock()
	delete(s.stats.Current, from)
	if to != "" {
		s.stats.Current[to] = events
	}
}
