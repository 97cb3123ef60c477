package ingest

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"fever/provider/feed"
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
	Bytes   int64     // read over all attempts, as [feed.Progress] counts them
	Rows    int64     // seen by the last attempt

	Due      time.Time     // the next turn; zero when nothing is scheduled
	Failures int           // jobs in a row that failed
	Stretch  time.Duration // by which failures delay the next turn
	Skipped  uint64        // turns skipped since the start

	// LastSuccess is the end of the newest job that completed, across restarts; zero is
	// never. It says that the provider answers, so documents do not count.
	LastSuccess time.Time
	// MaxAge is the age of LastSuccess from which on the data counts as stale: that of a
	// provider whose failures are more than the usual few in a row.
	MaxAge time.Duration

	// Settled says that searches have what they can have of the provider for a start: a
	// snapshot of it is there, or a job of it has ended without one and another provider's
	// is. What was before the start counts, too. Once true it stays so.
	Settled bool

	// Kind and Message say why a job failed since one completed: the newest that was not
	// cancelled. They are empty when none has since the start. Of a document it is told
	// only that it could not be stored.
	Kind    feed.Kind
	Message string

	// Snapshot is the id of the job that brought the latest snapshot; 0 when none is known.
	// Of its rows that are sold online so many are in it, or were rejected.
	Snapshot           uint64
	Accepted, Rejected int

	// Suspect says why the provider's latest snapshot is suspect as a whole, or the one
	// that was refused for that since.
	Suspect Suspicion
}

// underWay is how far a provider's job is. The zero value is that of no job.
type underWay struct {
	state    store.State
	trigger  store.Trigger
	started  time.Time
	attempt  int
	bytes    int64 // of the attempts before
	progress *feed.Progress
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
		Settled:     c.first.settled(),
		LastSuccess: c.success, MaxAge: c.maxAge(now), Kind: c.kind, Message: c.message,
		Snapshot: c.snapshot, Accepted: c.accepted, Rejected: c.rejected, Suspect: cmp.Or(c.refused, c.suspect),
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

// recall finds out when the provider's last job completed, and what the latest snapshot
// was.
func (g *Ingester) recall(ctx context.Context, c *collected) error {
	judged := false
	for job, err := range g.store.Jobs(ctx, store.JobFilter{Provider: c.Name, State: store.Completed}) {
		if err != nil {
			return err
		}
		var suspect Suspicion
		if !judged && !job.NotModified && job.Trigger.Collects() { // older snapshots count no more
			judged = true
			if suspect, err = g.judgeAgain(ctx, c, &job); err != nil {
				return err
			}
		}
		if c.recalled(&job, suspect) {
			return nil
		}
	}
	for job, err := range g.store.Jobs(ctx, store.JobFilter{Provider: c.Name, State: store.Failed}) {
		if err != nil {
			return err
		}
		if c.recalledFailure(&job) {
			return nil
		}
	}
	return nil
}

// recalled takes note of an older job, whose snapshot is as suspect as that, and reports
// whether no more are needed.
func (c *collected) recalled(job *store.Job, suspect Suspicion) bool {
	if !job.Trigger.Collects() { // it says nothing of the provider
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.first.came()
	if c.success.IsZero() && job.Trigger != store.Document {
		c.success = job.Finished
	}
	if c.whole.IsZero() && cameWhole(job) {
		c.whole = job.Finished
	}
	if c.snapshot == 0 && !job.NotModified {
		c.applied(job, suspect)
	}
	return !c.success.IsZero() && !c.whole.IsZero() && c.snapshot != 0
}

// cameWhole reports whether a job that completed got all of the provider's feed, even if
// that was found to be the last one.
func cameWhole(job *store.Job) bool {
	return job.Trigger != store.Document && job.HTTPStatus != http.StatusNotModified
}

// completed takes note of a job that completed.
func (c *collected) completed(job *store.Job) {
	document := job.Trigger == store.Document
	if !document {
		c.success, c.refused = job.Finished, ""
	}
	if cameWhole(job) {
		c.whole = job.Finished
	}
	if !document || c.kind == feed.KindStore { // of the provider a document says nothing
		c.kind, c.message = "", ""
	}
	if !job.NotModified {
		c.applied(job, Suspicion(job.Suspect))
	}
}

// applied takes note of the job that brought the latest snapshot, and how suspect that is.
func (c *collected) applied(job *store.Job, suspect Suspicion) {
	c.snapshot, c.accepted, c.rejected, c.suspect = job.ID, accepted(job), job.Rejected, suspect
}

// suspicion returns how suspect the latest snapshot is.
func (c *collected) suspicion() Suspicion {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.suspect
}

// running takes note that the job runs.
func (c *collected) running(started time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now.state, c.now.started = store.Running, started
}

// attempt takes note that a fetch begins, and returns what counts its progress.
func (c *collected) attempt(n int, bytes int64) *feed.Progress {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now.attempt, c.now.bytes, c.now.progress = n, bytes, new(feed.Progress)
	return c.now.progress
}

// release frees the provider for its next job.
func (c *collected) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = underWay{}
}
