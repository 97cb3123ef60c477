package postgres

import (
	"errors"
	"time"

	"fever/store"
)

// Stats returns what this store has written since it was opened, and what is current as far as
// it has read. It asks the database nothing. There is no size: the database may hold more than
// fever's tables.
func (s *Store) Stats() store.Stats {
	stats := s.stats.Read()
	stats.Down, stats.Why = s.health.read()
	pool := s.pool.Stat()
	stats.Pool = store.Pool{
		Used: int(pool.AcquiredConns()), Idle: int(pool.IdleConns()),
		Waits: uint64(pool.EmptyAcquireCount()), Waited: pool.EmptyAcquireWaitTime(),
	}
	return stats
}

// refused counts an error that is about a claim, or a commit that is uncertain.
func (s *Store) refused(err error) {
	s.stats.Lock()
	defer s.stats.Unlock()
	switch {
	case errors.Is(err, store.ErrBusy):
		s.stats.Claims.Busy++
	case errors.Is(err, store.ErrFenced):
		s.stats.Claims.Fenced++
	case errors.Is(err, store.ErrUncertain):
		s.stats.Uncertain++
	}
}

// claimed counts a claim. It may be one that another process had not kept.
func (s *Store) claimed(expired bool) {
	s.stats.Lock()
	defer s.stats.Unlock()
	s.stats.Claims.Won++
	if expired {
		s.stats.Claims.Expired++
	}
}

// reached sets how far the database is.
func (s *Store) reached(r store.Revision) {
	s.stats.Lock()
	defer s.stats.Unlock()
	s.stats.Revision = r
}

// told is reached for what a notification says: it may come after a newer answer.
func (s *Store) told(r store.Revision) {
	s.stats.Lock()
	defer s.stats.Unlock()
	s.stats.Revision = max(s.stats.Revision, r)
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
