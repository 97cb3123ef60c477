package ingest

import (
	"context"
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
func (g *Ingester) Run(ctx context.Context) {
	var wait sync.WaitGroup
	defer wait.Wait()
	for _, t := range g.targets {
		wait.Go(func() { g.schedule(ctx, t) })
	}
}

func (g *Ingester) schedule(ctx context.Context, t *target) {
	due := time.Now()
	t.waitFor(due, 0)
	defer t.waitFor(time.Time{}, 0)
	waiting := true
	for trigger := store.StartUp; waiting; trigger = store.Schedule {
		busy := 0
		if j, err := t.claim(trigger, due); err != nil {
			g.log.InfoContext(ctx, "turn skipped: the last job still runs", "provider", t.Name)
			busy = 1
		} else {
			_, _ = g.process(ctx, j) // an error says that it is time to stop
		}
		next, skipped := t.next(due, time.Now())
		if skipped > 0 {
			g.log.InfoContext(ctx, "turns skipped: the job ran into them", "provider", t.Name, "turns", skipped)
		}
		t.waitFor(next, busy+skipped)
		due, waiting = g.await(ctx, t, due, next)
	}
}

// await waits for the turn due, given when the last job was due, and returns the turn that
// came: a job by hand may move it. It reports false when it is time to stop.
func (g *Ingester) await(ctx context.Context, t *target, last, due time.Time) (time.Time, bool) {
	for {
		timer := time.NewTimer(time.Until(due))
		select {
		case <-timer.C:
			return due, true
		case <-t.moved:
			timer.Stop()
			now := time.Now()
			if due = now; !t.goesOn() {
				from := t.earliest(last)
				if from.Before(now) {
					from = now
				}
				due = t.turn(from)
			}
			t.waitFor(due, 0)
		case <-ctx.Done():
			timer.Stop()
			return due, false
		case <-g.Stopping:
			timer.Stop()
			return due, false
		}
	}
}

// next returns when the next job is due, and how many turns have passed, given when the last
// job was due and the time now. Of a cron expression it returns 1 if any has passed.
func (t *target) next(last, now time.Time) (due time.Time, skipped int) {
	if t.goesOn() {
		return now, 0
	}
	missed := t.turn(t.earliest(last))
	if missed.After(now) {
		return missed, 0
	}
	due = t.turn(now)
	if t.Next != nil {
		return due, 1
	}
	return due, int(due.Sub(missed) / t.Every)
}

// goesOn reports whether the last job left pages of a feed of changes for the next one.
func (t *target) goesOn() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.more
}

// earliest returns the time before which there is no turn, given when the last job was
// due.
func (t *target) earliest(last time.Time) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	earliest := last.Add(t.stretch())
	if earliest.Before(t.blocked) {
		return t.blocked
	}
	return earliest
}

// move has the scheduler compute again the turn that it waits for.
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
func (t *target) stretch() time.Duration {
	interval := t.Every
	if t.Next != nil {
		interval = cronStretch
	}
	stretched := interval
	for n := patience; n < t.failures && stretched < t.MaxInterval; n++ {
		stretched = min(2*stretched, t.MaxInterval)
	}
	return max(stretched-interval, 0)
}
