package bolt

import (
	"bytes"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"fever/store"
	"fever/store/bolt/boltfile"
)

// Stats returns what is known since the last commit, and nothing when the file was opened
// for reading only. It reads nothing and waits for no transaction.
func (s *Store) Stats() store.Stats {
	stats := s.stats.Read()
	stats.Broken = s.failure()
	return stats
}

// committed counts a commit that took so long, and measures the file. The caller holds the
// writer's lock.
func (s *Store) committed(took time.Duration) {
	size, free, err := boltfile.Usage(s.file)
	s.stats.Lock()
	defer s.stats.Unlock()
	s.stats.Commits++
	s.stats.CommitTime += took
	if err == nil { // else the file is as it was, as far as we know
		s.stats.Size, s.stats.Free = size, free
		s.grown(size)
	}
}

// survey measures a file that has just been opened, and counts the current events.
func (s *Store) survey() error {
	size, free, err := boltfile.Usage(s.file)
	if err != nil {
		return wrong(s.path, err)
	}
	s.stats.Size, s.stats.Free = size, free // nobody else has the store yet
	s.grown(size)
	return s.view(func(tx *bbolt.Tx) (err error) {
		s.stats.Current, err = countCurrent(tx)
		return err
	})
}

// countCurrent counts the keys in current by their provider, which they begin with.
func countCurrent(tx *bbolt.Tx) (map[string]int, error) {
	count := make(map[string]int)
	cursor := tx.Bucket(currentBucket).Cursor()
	for k, _ := cursor.First(); k != nil; {
		end := bytes.IndexByte(k, 0)
		if end < 0 {
			return nil, damaged(tx.DB().Path(), fmt.Sprintf("event %q: it is current, and nobody's", k))
		}
		prefix, n := k[:end+1], 0
		for ; bytes.HasPrefix(k, prefix); k, _ = cursor.Next() {
			n++
		}
		count[string(prefix[:end])] = n
	}
	return count, nil
}
