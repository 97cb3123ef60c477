package store

import "time"

// A Replica is a process that serves searches from a shared store.
type Replica struct {
	ID       string // of the process
	Host     string
	Version  string
	Revision Revision      // of what its searches find
	Behind   time.Duration // how long ago the first revision that they do not find was committed; 0: they find all
	Settings string        // a digest of its providers' settings: two that differ collect differently
	Seen     time.Time     // when it was last heard of, by the clock of the store
	Since    time.Time     // when it was first
}

// ReplicaLives is how long a replica that is not heard of counts as alive. It reports every
// [ReplicaReports].
const (
	ReplicaReports = 5 * time.Second
	ReplicaLives   = 3 * ReplicaReports
)
