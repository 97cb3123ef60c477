package ingest

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"sync"
	"time"

	"fever/store"
)

// patience is the number of jobs that may fail in a row before the interval is stretched.
// Providers that fail now and then stay below it.
const patience = 2

// cronStretch is the interval to stretch for a provider that has a cron expression.
const cronStretch = time.Minute

// Run is the scheduler. For each provider it runs a job at once, and then whenever one is
// due. It returns when ctx has ended or Stopping is closed, and the last job has ended. The
// end of ctx stops the jobs that run.
//
// A turn is skipped if the provider's last job still runs or waits for a worker. While jobs
// fail the turns become fewer, up to MaxInterval apart. The first success restores them,
// also that of a job by hand: the turn that the scheduler waits for moves.
//
// With a [store.Shared] the turns are those of all processes that share it, and one of them runs
// each job. Nothing is done at once then, unless it is due.
func (g *Ingester) Run(ctx context.Context) {
	var wait sync.WaitGroup
	defer wait.Wait()
	if g.shared != nil {
		wait.Go(func() { g.watch(ctx) })
	}
	for _, t := range g.targets {
		wait.Go(func() { g.schedule(ctx, t) })
	}
}

func (g *Ingester) schedule(ctx context.Context, t *target) {
	start := g.now()
	t.begin(start, g.shared != nil)
	defer t.end()
	for {
		due, ok := g.await(ctx, t)
		if !ok {
			return
		}
		trigger := store.Schedule
		if !due.After(start) { // perhaps it has been for long
			trigger, due = store.StartUp, start
		}
		if j, err := t.claim(trigger, due); err != nil {
			g.log.InfoContext(ctx, "turn skipped: the last job still runs", "provider", t.Name)
			next, skipped := t.next(due, g.now())
			t.waitFor(next, 1+skipped)
		} else if _, err := g.process(ctx, j); errors.Is(err, ErrBusy) || errors.Is(err, store.ErrNotDue) {
			g.log.DebugContext(ctx, "another process has the turn", "provider", t.Name, "error", err)
			g.giveWay(t, err)
		} // another error says that it is time to stop
	}
}

// await waits for the turn, which may move meanwhile, and returns it. It reports false when it is
// time to stop.
func (g *Ingester) await(ctx context.Context, t *target) (time.Time, bool) {
	for {
		var comes <-chan time.Time
		at, known := t.comes()
		if known {
			comes = time.After(at.Sub(g.now()))
		}
		select {
		case <-comes:
			return t.came(), true
		case <-t.moved:
		case <-ctx.Done():
			return time.Time{}, false
		case <-g.Stopping:
			return time.Time{}, false
		}
	}
}

// begin says that a scheduler waits for the turns, the first of which is at once unless the store
// has told another.
func (t *target) begin(now time.Time, shared bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waits = true
	if !shared || t.due.IsZero() {
		t.due = now
	}
}

func (t *target) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waits = false
}

// comes returns when to take the next turn. It reports false while that is not known.
func (t *target) comes() (at time.Time, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at = t.due
	for _, until := range []time.Time{t.others.until, t.others.rest} {
		if at.Before(until) {
			at = until
		}
	}
	return at, !t.others.unknown
}

// came returns the turn whose time has come.
func (t *target) came() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = t.due
	return t.due
}

// next returns when the next job is due, and how many turns have passed, given when the last
// job was due and the time now. Of a cron expression it returns 1 if any has passed.
func (t *target) next(last, now time.Time) (due time.Time, skipped int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.after(t.failures, t.blocked, t.more, last, now)
}

// after is next, given how many jobs have failed, until when the provider is not to be called, and
// whether the last job left pages of a feed of changes for the next one.
func (t *target) after(failures int, blocked time.Time, more bool, last, now time.Time) (due time.Time, skipped int) {
	if more {
		return now, 0
	}
	earliest := last.Add(t.stretch(failures))
	if earliest.Before(blocked) {
		earliest = blocked
	}
	missed := t.turn(earliest)
	if missed.After(now) {
		return missed, 0
	}
	due = t.turn(now)
	if t.Next != nil {
		return due, 1
	}
	return due, int(due.Sub(missed) / t.Every)
}

// move has the scheduler look again at the turn that it waits for.
func (t *target) move() {
	select {
	case t.moved <- struct{}{}:
	default: // it will already
	}
}

// waitFor records the turn that the scheduler waits for, and how many it skipped before.
func (t *target) waitFor(due time.Time, skipped int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.due = due
	t.skipped += uint64(skipped)
}

// turn returns the first turn after a time.
func (t *target) turn(after time.Time) time.Time {
	if t.Next != nil {
		return t.Next(after)
	}
	return t.moment(after, t.Every)
}

// moment returns the first moment after a time, of moments that are one interval apart. They
// depend on the provider and the instance, so that many do not fire together, and not on
// when the process started.
func (t *target) moment(after time.Time, interval time.Duration) time.Time {
	hash := fnv.New64a()
	_, _ = fmt.Fprintf(hash, "%s\x00%s", t.Name, t.Instance) // a hash never fails
	phase := time.Duration(hash.Sum64() % uint64(interval))
	passed := time.Duration(after.UnixNano()-int64(phase)) % interval
	if passed < 0 {
		passed += interval
	}
	return after.Add(interval - passed)
}

// wholeEvery is how often a feed is fetched without a condition: a server may answer "not
// modified" for ever by mistake.
const wholeEvery = 24 * time.Hour

// wantsWhole reports whether it is time for that.
func (t *target) wantsWhole(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.whole.IsZero() || !t.moment(t.whole, wholeEvery).After(now)
}

// stretch returns for how long turns are left out: after a few failures in a row, each one
// more doubles the interval, up to its limit.
func (t *target) stretch(failures int) time.Duration {
	interval := t.Every
	if t.Next != nil {
		interval = cronStretch
	}
	stretched := interval
	for n := patience; n < failures && stretched < t.MaxInterval; n++ {
		stretched = min(2*stretched, t.MaxInterval)
	}
	return max(stretched-interval, 0)
}
