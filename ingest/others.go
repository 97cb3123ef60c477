package ingest

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"fever/store"
)

// This file is what the processes that share a store do to run each job once: they learn from the
// store whose turn it is, and whoever begins a job keeps its claim. With a store of one process
// none of it happens.

// others is what a process knows of the others with which it shares a store.
type others struct {
	unknown bool      // the turn is to be learned first
	holder  string    // another process that runs a job of the provider, for people; empty: none
	until   time.Time // when its claim is over
	rest    time.Time // after the store has refused a job: not before

	job  uint64    // the newest one that is known to have ended
	own  uint64    // the newest one of this process
	free time.Time // when that had ended, by this machine's clock
}

const (
	// lookEvery is how often a process asks the store for the turns. So long may pass until it
	// knows what another one has done; each job begins in time all the same. Of a claim that another
	// one gave up it hears at once: see [store.Shared].
	lookEvery = 5 * time.Second

	// lookAgain is the pause after the store did not answer.
	lookAgain = time.Second

	// usualRest is the mean time until the store is asked again for a provider that it has said to
	// be busy, although nobody claims it.
	usualRest = time.Second
)

// watch keeps the turns as the store has them, until ctx has ended or Stopping is closed. While
// the store does not answer no turn comes.
func (g *Ingester) watch(ctx context.Context) {
	for away := false; ; {
		freed := g.shared.Freed()
		changed, err := g.look(ctx)
		pause := g.lookEvery
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			pause = lookAgain
			if !away {
				g.log.WarnContext(ctx, "no scheduled job begins until the store answers", "error", err)
			}
		case away:
			g.log.InfoContext(ctx, "the store answers again")
		}
		away = err != nil
		for _, t := range changed {
			if err := g.recallAgain(ctx, t); err != nil {
				t.unlearn()
				if ctx.Err() == nil {
					g.log.WarnContext(ctx, "it is not known what became of a job of another process", "provider", t.Name, "error", err)
				}
			}
		}
		select {
		case <-time.After(pause):
		case <-freed:
		case <-g.ask:
		case <-ctx.Done():
			return
		case <-g.Stopping:
			return
		}
	}
}

// look learns from the store whose turn it is, and what its clock says. It returns the providers
// of which another process has ended a job since the last look.
func (g *Ingester) look(ctx context.Context) (changed []*target, err error) {
	asked := time.Now()
	turns, now, err := g.shared.Turns(ctx)
	if err == nil {
		// The answer took some time, by which this process is late rather than early.
		g.ahead.Store(int64(now.Sub(g.clock())))
	}
	for _, t := range g.targets {
		if err != nil {
			t.lose()
		} else if t.learn(turns[t.Name], asked, now) {
			changed = append(changed, t)
		}
	}
	return changed, err
}

// lose says that the turn is not known any more.
func (t *target) lose() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.others.unknown = true
}

// learn takes over a turn as the store told it when it was asked. It reports whether a job of
// another process has ended.
func (t *target) learn(turn store.Turn, asked, now time.Time) (changed bool) {
	defer t.move()
	t.mu.Lock()
	defer t.mu.Unlock()
	o := &t.others
	o.unknown = false
	if t.now.state == store.Running || !o.free.Before(asked) {
		return false // this process knows more
	}
	if !turn.Due.IsZero() && !turn.Due.Equal(t.due) {
		if !t.due.After(now) { // another process took that turn
			t.last = t.due
		}
		t.due = turn.Due
	}
	t.failures, t.blocked = turn.Failures, turn.Blocked
	had := o.holder
	o.holder, o.until = "", time.Time{}
	if turn.Job != o.own {
		o.holder, o.until = turn.Holder, turn.Until
	}
	if had != "" && o.holder == "" {
		o.rest = time.Time{} // whoever was busy is not any more
	}
	if o.holder != "" || turn.Job == o.job && had == "" {
		return false
	}
	o.job = turn.Job
	return true
}

// unlearn has the next look tell of the newest job again.
func (t *target) unlearn() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.others.job = 0
}

// giveWay has the store asked for the turn of a provider, of which it has refused a job with err.
func (g *Ingester) giveWay(t *target, err error) {
	t.mu.Lock()
	t.others.unknown = true
	if errors.Is(err, ErrBusy) {
		t.others.rest = g.now().Add(usualRest/2 + rand.N(usualRest)) //nolint:gosec // jitter is no secret
	}
	t.mu.Unlock()
	select {
	case g.ask <- struct{}{}:
	default: // it will be
	}
}

// turn returns the turn to be stored with a job that is about to complete, given its record.
func (g *Ingester) turn(j *job, record *store.Job) store.Turn {
	if !j.tells(nil) {
		return store.Turn{}
	}
	next, _ := j.nextTurn(record, nil, g.now())
	return next
}

// hold keeps the claim of a job that has begun until release is called.
// The context that it returns ends with store.ErrFenced when another process has the provider.
func (g *Ingester) hold(ctx context.Context, j *job) (_ context.Context, release func()) {
	if g.shared == nil {
		return ctx, func() {}
	}
	begun := j.record
	j.record.Turn = store.Turn{}
	j.mu.Lock()
	j.failures, j.blocked = begun.Turn.Failures, begun.Turn.Blocked // which may be news
	// Whoever came late for one turn, which another process has had, may begin with the next.
	if by := begun.Trigger; (by == store.Schedule || by == store.StartUp) && begun.Turn.Due.After(begun.Scheduled) {
		j.record.Trigger, j.record.Scheduled, j.last = store.Schedule, begun.Turn.Due, begun.Turn.Due
	}
	ended := begun.ID
	if begun.Turn.Job != j.others.job { // another process has run one meanwhile
		ended = j.others.job
	}
	j.others = others{own: begun.ID, job: ended}
	j.mu.Unlock()
	ctx, cancel := context.WithCancelCause(ctx)
	var wait sync.WaitGroup
	wait.Go(func() {
		for pause := store.Lease / 3; ; {
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
			if j.writing.Load() { // which keeps the claim, or ends it
				continue
			}
			err := g.shared.Keep(ctx, begun)
			switch {
			case err == nil:
				pause = store.Lease / 3
			case errors.Is(err, store.ErrFenced):
				cancel(store.ErrFenced)
			default:
				pause = keepAgain
			}
		}
	})
	return ctx, func() { cancel(nil); wait.Wait() }
}

// keepAgain is the pause after a claim could not be kept.
const keepAgain = time.Second

// The pauses between attempts to store what a job brought.
const (
	firstPause = 100 * time.Millisecond
	mostPause  = 2 * time.Second
)

// write calls f, which stores what a job brought. While the store is not available it does so
// again, as long as a claim lasts that nobody can keep: what was fetched outlives a restart of the
// server. Should another process have the provider by then, f stores nothing.
func (g *Ingester) write(ctx context.Context, j *job, f func() error) error {
	var until time.Time
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		j.writing.Store(true)
		err := f()
		j.writing.Store(false)
		if !errors.Is(err, store.ErrUnavailable) {
			return err
		}
		if until.IsZero() {
			until = time.Now().Add(store.Lease)
		}
		if !time.Now().Add(pause).Before(until) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}
