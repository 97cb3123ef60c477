package postgres

import (
	"time"

	"fever/store"
)

// Stats returns what this store has written since it was opened, and what is current as far as
// it has read. It asks the database nothing. There is no size: the database may hold more than
// fever's tables.
func (s *Store) Stats() store.Stats {
	return s.stats.Read()
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
