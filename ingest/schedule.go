package ingest

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"sync"
	"time"

	"fever/provider/feed"
	"fever/store"
)

// patience is the number of jobs that may fail in a row before the interval is
// stretched: so many are usual with providers that fail now and then.
const patience = 2

// cronStretch stands in for the interval of a provider with a schedule of its own when
// that is stretched.
const cronStretch = time.Minute

// Run is the scheduler: for each provider it runs a job at once and then whenever one
// is due, until ctx or Stopping ends and the last job has. When ctx ends, those that run
// are stopped.
//
// A turn that comes while the provider's last job runs, or waits for a worker, is
// skipped. While jobs fail the turns become fewer, up to MaxInterval apart; the first
// success restores them. So does that of a job that was begun otherwise: the turn that is
// waited for moves.
func (g *Ingester) Run(ctx context.Context) {
	var wait sync.WaitGroup
	defer wait.Wait()
	for _, c := range g.collected {
		wait.Go(func() { g.schedule(ctx, c) })
	}
}

func (g *Ingester) schedule(ctx context.Context, c *collected) {
	due := time.Now()
	c.waitFor(due, 0)
	defer c.waitFor(time.Time{}, 0)
	waiting := true
	for trigger := store.StartUp; waiting; trigger = store.Schedule {
		busy := 0
		if t, err := c.reserve(trigger, due); err != nil {
			g.log.InfoContext(ctx, "turn skipped: the last job still runs", "provider", c.Name)
			busy = 1
		} else {
			_, _ = g.process(ctx, t) // an error says that it is time to stop
		}
		next, skipped := c.next(due, time.Now())
		if skipped > 0 {
			g.log.InfoContext(ctx, "turns skipped: the job ran into them", "provider", c.Name, "turns", skipped)
		}
		c.waitFor(next, busy+skipped)
		due, waiting = g.await(ctx, c, due, next)
	}
}

// await waits for the turn due, given when the last job was, and returns the turn that
// came: a job that is run by hand meanwhile may move it. It reports whether one came, or
// it is time to stop.
func (g *Ingester) await(ctx context.Context, c *collected, last, due time.Time) (time.Time, bool) {
	for {
		timer := time.NewTimer(time.Until(due))
		select {
		case <-timer.C:
			return due, true
		case <-c.moved:
			timer.Stop()
			from := c.earliest(last)
			if now := time.Now(); from.Before(now) {
				from = now
			}
			due = c.turn(from)
			c.waitFor(due, 0)
		case <-ctx.Done():
			timer.Stop()
			return due, false
		case <-g.Stopping:
			timer.Stop()
			return due, false
		}
	}
}

// next returns when the next job is due, given when the last one was and the time now,
// and how many turns have passed since then; of a schedule of its own, whether any.
func (c *collected) next(last, now time.Time) (due time.Time, skipped int) {
	missed := c.turn(c.earliest(last))
	if missed.After(now) {
		return missed, 0
	}
	due = c.turn(now)
	if c.Next != nil {
		return due, 1
	}
	return due, int(due.Sub(missed) / c.Every)
}

// earliest returns the time before which there is no turn, given when the last job was
// due.
func (c *collected) earliest(last time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	earliest := last.Add(c.stretch())
	if earliest.Before(c.blocked) {
		return c.blocked
	}
	return earliest
}

// move has the scheduler look again when the turn is that it waits for.
func (c *collected) move() {
	select {
	case c.moved <- struct{}{}:
	default: // it is to look already
	}
}

// waitFor takes note of the turn that the scheduler waits for, after so many that it
// skipped.
func (c *collected) waitFor(due time.Time, skipped int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.due = due
	c.skipped += uint64(skipped)
}

// turn returns the first turn after t.
func (c *collected) turn(t time.Time) time.Time {
	if c.Next != nil {
		return c.Next(t)
	}
	return c.moment(t, c.Every)
}

// moment returns the first moment after t of those that are one interval apart. They are
// the same ones whenever the process was started, and others for each provider and each
// instance, so that many do not fire together.
func (c *collected) moment(t time.Time, interval time.Duration) time.Time {
	hash := fnv.New64a()
	_, _ = fmt.Fprintf(hash, "%s\x00%s", c.Name, c.Instance) // a hash never fails
	phase := time.Duration(hash.Sum64() % uint64(interval))
	passed := time.Duration(t.UnixNano()-int64(phase)) % interval
	if passed < 0 {
		passed += interval
	}
	return t.Add(interval - passed)
}

// wholeEvery is how often a feed is fetched whatever its validators say: a server may
// answer "not modified" for ever by mistake.
const wholeEvery = 24 * time.Hour

// wantsWhole reports whether it is time for that, given when the feed last came whole.
func (c *collected) wantsWhole(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.whole.IsZero() || !c.moment(c.whole, wholeEvery).After(now)
}

// stretch returns for how long turns are left out: after a few failures in a row as
// many as make the interval twice as long each time, up to its limit.
func (c *collected) stretch() time.Duration {
	interval := c.Every
	if c.Next != nil {
		interval = cronStretch
	}
	stretched := interval
	for n := patience; n < c.failures && stretched < c.MaxInterval; n++ {
		stretched = min(2*stretched, c.MaxInterval)
	}
	return max(stretched-interval, 0)
}

// ended takes note of how a job ended. What is no fault of the provider's says nothing
// about it.
func (t *task) ended(err error) {
	c := t.collected
	defer c.move()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.completed(&t.job)
		c.first.came()
		if !t.document {
			c.blocked, c.failures = time.Time{}, 0
		}
		return
	}
	kind := kindOf(err)
	if kind == feed.KindCanceled || t.document && kind != feed.KindStore {
		return
	}
	c.kind, c.message = kind, err.Error()
	c.first.tried = c.first.tried || !t.document
	if kind == feed.KindStore {
		return
	}
	c.blocked, c.refused = time.Time{}, ""
	if kind == feed.KindSuspect {
		c.refused = Suspicion(t.job.Suspect)
	}
	c.failures++
	if failure, ok := errors.AsType[*feed.Error](err); ok && failure.RetryAfter > 0 {
		c.blocked = time.Now().Add(min(failure.RetryAfter, c.MaxInterval))
	}
}
