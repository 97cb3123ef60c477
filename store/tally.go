package store

import (
	"maps"
	"sync"
)

// A Tally is what a store keeps of its [Stats] while it writes. Its Current must be made before
// the first use. To read or change the others, hold the lock.
type Tally struct {
	sync.Mutex
	Stats
}

// Read returns a copy. It waits for nobody who writes.
func (t *Tally) Read() Stats {
	t.Lock()
	defer t.Unlock()
	now := t.Stats
	now.Current = maps.Clone(now.Current)
	return now
}

// Applied sets the number of current events of a provider.
func (t *Tally) Applied(provider string, events int) {
	t.Lock()
	defer t.Unlock()
	t.Current[provider] = events
}

// Moved removes the number of one provider and, if another is named, sets that of the other.
func (t *Tally) Moved(from, to string, events int) {
	t.Lock()
	defer t.Unlock()
	delete(t.Current, from)
	if to != "" {
		t.Current[to] = events
	}
}
