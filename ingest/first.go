package ingest

import (
	"sync/atomic"

	"fever/provider/feed"
	"fever/store"
)

// first is what is known of a provider's first snapshot. The provider's lock guards it.
type first struct {
	any   *atomic.Bool // some provider has one: [Ingester.Collected]
	here  bool         // this one has
	tried bool         // a job that asked it has ended without
}

// came notes that there is a snapshot.
func (f *first) came() {
	f.here = true
	f.any.Store(true)
}

// settled is [Status.Settled].
func (f *first) settled() bool { return f.here || f.tried && f.any.Load() }

// recalledFailure notes an older job that failed, and reports whether no more are needed.
// A job that was cut off says nothing about the provider.
func (c *collected) recalledFailure(job *store.Job) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	cutOff := job.Kind == feed.KindCanceled || job.Kind == feed.KindInterrupted
	c.first.tried = c.first.tried || !cutOff && job.Trigger != store.Document
	return c.first.here || c.first.tried
}
