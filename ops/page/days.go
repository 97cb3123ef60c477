package page

import (
	"context"
	"sync"
	"time"
	"weak"

	"fever/index"
	"fever/store"
	"fever/store/bolt"
)

// countRest is how many times as long as counting took a count is good for, although the
// data has changed: who looks at the page must not keep the processors busy.
const countRest = 20

// A dayCache keeps the count of events by day, which costs a walk over all of them.
type dayCache struct {
	mu   sync.Mutex
	days []store.Day
	of   weak.Pointer[index.Snapshot] // when it was counted; weak, since it would pin memory
	next time.Time                    // not to be counted again before
}

// get returns the count for a snapshot, or one that is a little older.
func (c *dayCache) get(ctx context.Context, st *bolt.Store, snapshot *index.Snapshot) ([]store.Day, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	began := time.Now()
	of := weak.Make(snapshot) // before counting: what is committed meanwhile is counted again
	if of == c.of || began.Before(c.next) {
		return c.days, nil
	}
	days, err := st.Days(ctx)
	if err != nil {
		return c.days, err
	}
	c.days, c.of, c.next = days, of, time.Now().Add(countRest*time.Since(began))
	return days, nil
}
