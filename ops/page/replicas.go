package page

import (
	"fmt"
	"time"

	"fever/store"
)

// Replicas are the processes that serve searches from a shared store, as this one heard of them
// last. The zero value is for a store that is not shared.
type Replicas struct {
	All  []store.Replica
	Self string    // the ID of this process
	Now  time.Time // by the clock of the store, when it was heard
}

// A replicaRow is a line of the table.
type replicaRow struct {
	store.Replica
	Heard string
	Level level
	Self  bool
}

// rows returns what the table shows.
func (r *Replicas) rows() []replicaRow {
	var rows []replicaRow
	for _, replica := range r.All {
		row := replicaRow{Replica: replica, Heard: ago(r.Now, replica.Seen), Level: levelOK, Self: replica.ID == r.Self}
		switch {
		case r.Now.Sub(replica.Seen) >= store.ReplicaLives:
			row.Level = levelBad
		case replica.Behind >= store.ReplicaLives:
			row.Level = levelWait
		}
		rows = append(rows, row)
	}
	return rows
}

// differ reports whether two replicas that are alive have other settings of providers.
func (r *Replicas) differ() bool {
	settings := ""
	for _, replica := range r.All {
		switch {
		case r.Now.Sub(replica.Seen) >= store.ReplicaLives:
		case settings == "":
			settings = replica.Settings
		case settings != replica.Settings:
			return true
		}
	}
	return false
}

// outage says since when a shared store has not answered, and why; empty: it answers.
func outage(stats *store.Stats, now time.Time) string {
	if stats.Down.IsZero() {
		return ""
	}
	return fmt.Sprintf("It has not answered for %s: %v.", rough(now.Sub(stats.Down)), stats.Why)
}
