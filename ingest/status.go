package ingest

import (
	"context"
	"time"

	"fever/provider"
	"fever/store"
)

// leastMaxAge is the least that [Status.MaxAge] can be: what is collected every few
// seconds is not stale after one slow answer.
const leastMaxAge = 5 * time.Minute

// A Status is how one provider is doing.
type Status struct {
	Name     string
	Location *time.Location
	Every    time.Duration // 0 when it has a schedule of its own

	// State is that of the job under way, Pending when it waits for a worker or Running,
	// and empty when there is none. Then the next fields are zero.
	State   store.State
	Trigger store.Trigger
	Started time.Time // when it began to run
	Attempt int       // the fetch that was begun last, from 1
	Bytes   int64     // read over all attempts, as [provider.Progress] counts them
	Rows    int64     // seen by the last attempt

	Due      time.Time     // the next turn; zero when nothing is scheduled
	Failures int           // jobs in a row that failed
	Stretch  time.Duration // by which failures delay the next turn
	Skipped  uint64        // turns skipped since the start

	// LastSuccess is the end of the newest job that completed, across restarts as far as
	// outcomes are kept; zero is never.
	LastSuccess time.Time
	// MaxAge is the age of LastSuccess from which on the data counts as stale: that of a
	// provider whose failures are more than the usual few in a row.
	MaxAge time.Duration
}

// underWay is how far a provider's job is. The zero value is that of no job.
type underWay struct {
	state    store.State
	trigger  store.Trigger
	started  time.Time
	attempt  int
	bytes    int64 // of the attempts before
	progress *provider.Progress
}

// Status returns how each provider is doing, in the configured order.
func (g *Ingester) Status() []Status {
	now := time.Now()
	all := make([]Status, 0, len(g.collected))
	for _, c := range g.collected {
		all = append(all, c.status(now))
	}
	return all
}

func (c *collected) status(now time.Time) Status {
	s := c.note(now)
	if !s.Due.IsZero() && !s.Due.After(now) { // its job runs
		s.Due, _ = c.next(s.Due, now)
	}
	return s
}

// note returns the status with the turn that was noted.
func (c *collected) note(now time.Time) Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Status{
		Name: c.Name, Location: c.Location, Every: c.Every,
		State: c.now.state, Trigger: c.now.trigger, Started: c.now.started, Attempt: c.now.attempt, Bytes: c.now.bytes,
		Due: c.due, Failures: c.failures, Stretch: c.stretch(), Skipped: c.skipped,
		LastSuccess: c.success, MaxAge: c.maxAge(now),
	}
	if c.Next != nil {
		s.Every = 0
	}
	if p := c.now.progress; p != nil {
		s.Bytes += p.Bytes.Load()
		s.Rows = p.Rows.Load()
	}
	return s
}

// maxAge returns the time from the last success, or from now, to the end of the turns
// that may fail.
func (c *collected) maxAge(now time.Time) time.Duration {
	if c.Next == nil {
		return max((patience+1)*c.Every, leastMaxAge)
	}
	from := c.success
	if from.IsZero() {
		from = now
	}
	end := from
	for range patience + 1 {
		end = c.Next(end)
	}
	return max(end.Sub(from), leastMaxAge)
}

// recall finds out when the provider's last job completed.
func (g *Ingester) recall(ctx context.Context, c *collected) error {
	for job, err := range g.store.Jobs(ctx, store.JobFilter{Provider: c.Name}) {
		if err != nil {
			return err
		}
		if job.State == store.Completed {
			c.mu.Lock()
			c.success = job.Finished
			c.mu.Unlock()
			return nil
		}
	}
	return nil
}

// running takes note that the job runs.
func (c *collected) running(started time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now.state, c.now.started = store.Running, started
}

// attempt takes note that a fetch begins, and returns what counts its progress.
func (c *collected) attempt(n int, bytes int64) *provider.Progress {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now.attempt, c.now.bytes, c.now.progress = n, bytes, new(provider.Progress)
	return c.now.progress
}

// release frees the provider for its next job.
func (c *collected) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = underWay{}
}
