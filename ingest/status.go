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

	// State is that of the provider's job: Pending while it waits for a worker, or Running.
	// It is empty when there is no job; the next fields are zero then.
	State   store.State
	Trigger store.Trigger
	Started time.Time // when it began to run
	Page    int       // the one that is being got, from 1
	Attempt int       // the latest request for it, from 1
	Bytes   int64     // read over all attempts, as [feed.Progress] counts them
	Rows    int64     // seen by the last attempt, and on the pages before

	// Holder says who runs a job of the provider in another process that shares the store. Empty:
	// nobody.
	Holder string

	Due      time.Time     // the next turn; zero when nothing is scheduled
	Failures int           // jobs in a row that failed
	Stretch  time.Duration // by which failures delay the next turn
	Skipped  uint64        // turns skipped since the start

	// LastSuccess is the end of the newest job that completed, across restarts; zero: never.
	// It says that the provider answers, so imports do not count.
	LastSuccess time.Time
	// MaxAge is the age of LastSuccess from which on the data counts as stale. A few failures
	// in a row, as they are usual, do not reach it.
	MaxAge time.Duration

	// Settled says that searches have what they can get of the provider at a start: it has a
	// snapshot, or its first job has failed and another provider has a snapshot. Jobs before
	// the start count, too. Once true it stays true.
	Settled bool

	// Kind and Message tell the newest failure since a job completed, cancelled jobs excepted.
	// They are empty when there was none since the start. The failure of an import shows here
	// only when it could not be stored.
	Kind    feed.Kind
	Message string

	// Snapshot is the id of the job that brought the latest snapshot; 0 when none is known.
	// Accepted and Rejected count its rows that are sold online.
	Snapshot           uint64
	Accepted, Rejected int

	// Harvest says how far a feed of changes was taken. Accepted and Rejected are of all of its
	// pages then.
	Harvest Harvest

	// Suspect says why the provider's latest snapshot is suspect as a whole, or the newest one
	// that was refused.
	Suspect Suspicion
}

// underWay is how far a provider's job is. Zero: there is no job.
type underWay struct {
	state    store.State
	trigger  store.Trigger
	started  time.Time
	page     int
	attempt  int
	rows     int   // of the pages before
	bytes    int64 // of the attempts before
	progress *feed.Progress
}

// Status returns how each provider is doing, in the configured order.
func (g *Ingester) Status() []Status {
	now, ahead := g.now(), time.Duration(g.ahead.Load())
	all := make([]Status, 0, len(g.targets))
	for _, t := range g.targets {
		s := t.status(now, g.Collected.Load())
		for _, at := range []*time.Time{&s.Started, &s.Due, &s.LastSuccess} {
			if !at.IsZero() {
				*at = at.Add(-ahead) // people and programs compare it with this machine's clock
			}
		}
		all = append(all, s)
	}
	return all
}

func (t *target) status(now time.Time, collected bool) Status {
	s := t.note(now, collected)
	if !s.Due.IsZero() && !s.Due.After(now) { // its job runs
		s.Due, _ = t.next(s.Due, now)
	}
	return s
}

// Harvest says how far the feed of changes of the named provider was taken.
func (g *Ingester) Harvest(name string) Harvest {
	for _, t := range g.targets {
		if t.Name == name {
			t.mu.Lock()
			defer t.mu.Unlock()
			return t.harvest()
		}
	}
	return Harvest{}
}

// harvest is [Ingester.Harvest]. The caller holds the lock.
func (t *target) harvest() Harvest {
	return Harvest{Generation: t.generation, Began: t.at.Began, Pages: t.at.Pages, Complete: t.at.Complete}
}

// note returns the status with the turn as the scheduler recorded it.
func (t *target) note(now time.Time, collected bool) Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := Status{
		Name: t.Name, Location: t.Location, Every: t.Every,
		State: t.now.state, Trigger: t.now.trigger, Started: t.now.started, Page: t.now.page, Attempt: t.now.attempt, Bytes: t.now.bytes,
		Failures: t.failures, Stretch: t.stretch(t.failures), Skipped: t.skipped, Holder: t.others.holder,
		Settled:     t.stored || t.tried && collected,
		LastSuccess: t.success, MaxAge: t.maxAge(now), Kind: t.kind, Message: t.message,
		Snapshot: t.snapshot, Accepted: t.accepted, Rejected: t.rejected, Suspect: cmp.Or(t.refused, t.suspect),
	}
	if t.waits {
		s.Due = t.due
	}
	if t.Changes {
		s.Harvest = t.harvest()
		s.Accepted, s.Rejected = t.at.Accepted, t.at.Rejected
	}
	if t.Next != nil {
		s.Every = 0
	}
	if p := t.now.progress; p != nil {
		s.Bytes += p.Bytes.Load()
		s.Rows = int64(t.now.rows) + p.Rows.Load()
	}
	return s
}

// maxAge returns the time from the last success, or from now, until more turns have passed
// than usually fail.
func (t *target) maxAge(now time.Time) time.Duration {
	if t.Next == nil {
		return max((patience+1)*t.Every, leastMaxAge)
	}
	from := t.success
	if from.IsZero() {
		from = now
	}
	end := from
	for range patience + 1 {
		end = t.Next(end)
	}
	return max(end.Sub(from), leastMaxAge)
}

// recall finds out from the recorded jobs what is known of a provider: when its last job
// completed, and what the latest snapshot was.
func (g *Ingester) recall(ctx context.Context, t *target) error {
	judged := t.Changes // a page says nothing of the feed
	for record, err := range g.store.Jobs(ctx, store.JobFilter{Provider: t.Name, State: store.Completed}) {
		if err != nil {
			return err
		}
		if !record.Trigger.Collects() { // it says nothing of the provider
			continue
		}
		var suspect Suspicion
		if !judged && !record.NotModified { // only the latest snapshot counts
			judged = true
			if suspect, err = g.judgeAgain(ctx, t, &record); err != nil {
				return err
			}
		}
		if !t.Changes {
			g.Collected.Store(true)
		}
		if t.recalled(&record, suspect) {
			break
		}
	}
	for record, err := range g.store.Jobs(ctx, store.JobFilter{Provider: t.Name, State: store.Failed}) {
		if err != nil {
			return err
		}
		if t.recalledFailure(&record, g.shared != nil) {
			break
		}
	}
	if t.Changes {
		return g.recallHarvest(ctx, t)
	}
	return nil
}

// recalled adds what an older job says that completed, whose snapshot is as suspect as
// given. It reports whether nothing older is needed.
func (t *target) recalled(record *store.Job, suspect Suspicion) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stored = t.stored || !t.Changes
	if t.success.IsZero() && record.Trigger != store.Document {
		t.success = record.Finished
	}
	if t.whole.IsZero() && t.cameWhole(record) {
		t.whole = record.Finished
	}
	if t.snapshot == 0 && !record.NotModified {
		t.applied(record, suspect)
	}
	return !t.success.IsZero() && !t.whole.IsZero() && t.snapshot != 0
}

// recalledFailure adds what an older job says that failed, and reports whether nothing
// older is needed. A job that was cut off says nothing about the provider. Why the newest failed
// is known if it was since the last success, and perhaps that of another process.
func (t *target) recalledFailure(record *store.Job, why bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	kind := record.Kind
	cutOff := kind == feed.KindCanceled || kind == feed.KindInterrupted
	says := !cutOff && record.Trigger != store.Document
	if says && why && t.kind == "" && record.Finished.After(t.success) {
		t.kind, t.message = kind, record.Message
	}
	t.tried = t.tried || says
	return t.tried || t.stored && !why
}

// recallAgain is recall for a provider of which more may be stored than this process has brought,
// or less.
func (g *Ingester) recallAgain(ctx context.Context, t *target) error {
	fresh := &target{Provider: t.Provider}
	if err := g.recall(ctx, fresh); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if fresh.success.After(t.success) || fresh.kind != "" {
		t.kind, t.message, t.refused = fresh.kind, fresh.message, ""
	}
	if fresh.whole.After(t.whole) {
		t.whole = fresh.whole
	}
	t.stored, t.tried = t.stored || fresh.stored, t.tried || fresh.tried
	t.success, t.suspect = fresh.success, fresh.suspect
	t.snapshot, t.snapshotBegan, t.accepted, t.rejected = fresh.snapshot, fresh.snapshotBegan, fresh.accepted, fresh.rejected
	t.generation, t.at = fresh.generation, fresh.at
	return nil
}

// cameWhole reports whether a job that completed got all of the provider's feed, even if
// that turned out to be the last one again.
func (t *target) cameWhole(record *store.Job) bool {
	first := t.FirstPageTells && record.NotModified // nothing else
	return record.Trigger != store.Document && record.HTTPStatus != http.StatusNotModified && !first
}

// completed adds what a job says that completed just now.
func (t *target) completed(record *store.Job) {
	t.stored = t.stored || !t.Changes
	imported := record.Trigger == store.Document
	if !imported {
		t.success, t.refused = record.Finished, ""
	}
	if t.cameWhole(record) {
		t.whole = record.Finished
	}
	if !imported || t.kind == feed.KindStore { // an import says nothing of the provider
		t.kind, t.message = "", ""
	}
	if !record.NotModified {
		t.brought = record.ID
		t.applied(record, Suspicion(record.Suspect))
	}
}

// applied makes the snapshot of a job the latest one.
func (t *target) applied(record *store.Job, suspect Suspicion) {
	t.snapshot, t.snapshotBegan, t.accepted, t.rejected, t.suspect = record.ID, record.Started, accepted(record), record.Rejected, suspect
}

// suspicion returns how suspect the latest snapshot is.
func (t *target) suspicion() Suspicion {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.suspect
}

// running says that the provider's job runs.
func (t *target) running(started time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now.state, t.now.started = store.Running, started
}

// attempt says that a fetch of a page begins, after the rows of the pages and the bytes of the
// attempts before, and returns what counts its progress.
func (t *target) attempt(n, page, rows int, bytes int64) *feed.Progress {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now.attempt, t.now.page, t.now.rows, t.now.bytes, t.now.progress = n, page, rows, bytes, new(feed.Progress)
	return t.now.progress
}
