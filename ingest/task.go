package ingest

import (
	"cmp"
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"fever/provider/feed"
	"fever/store"
)

// A task is a job on its way. Its provider is reserved for it.
type task struct {
	*collected
	job      store.Job
	fetch    func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error)
	attempts int
	force    bool           // the feed is to come, to be decoded and to be applied, whatever is known of it
	document bool           // its fetch is not the provider's: how it ends says nothing of the provider
	begun    chan store.Job // gets the job as soon as it waits for a worker, or runs; nil: nobody asked
}

// Once runs one job of the named provider from beginning to end, as soon as a worker
// is free, and returns its record. With force the feed is fetched and decoded even if it
// is the one that last came. A failure of the job is in the record, and has
// changed neither the other data in the store nor what is published. The error is
// ErrUnknown, ErrBusy, ErrClosed or that of a context that ended before the job began.
func (g *Ingester) Once(ctx context.Context, name string, trigger store.Trigger, force bool) (store.Job, error) {
	t, err := g.reserve(name, trigger)
	if err != nil {
		return store.Job{}, err
	}
	t.force = force
	return g.process(ctx, t)
}

// Take is [Ingester.Once] for a snapshot that comes from somewhere else, such as a
// file: fetch brings it, in one attempt. Its failure is not counted as one of the
// provider. With force it is not refused, however suspect it is; nor is that of Once.
func (g *Ingester) Take(ctx context.Context, name string, force bool, fetch func(context.Context, *feed.Progress) (*feed.Feed, error)) (store.Job, error) {
	t, err := g.reserve(name, store.Document)
	if err != nil {
		return store.Job{}, err
	}
	t.fetch = func(ctx context.Context, _ feed.Validators, p *feed.Progress) (*feed.Feed, error) {
		return fetch(ctx, p)
	}
	t.attempts, t.document, t.force = 1, true, force
	return g.process(ctx, t)
}

// reserve returns a task for the named provider, which has to be processed.
func (g *Ingester) reserve(name string, trigger store.Trigger) (*task, error) {
	for _, c := range g.collected {
		if c.Name == name {
			return c.reserve(trigger, time.Now())
		}
	}
	return nil, fmt.Errorf("provider %q: %w", name, ErrUnknown)
}

func (c *collected) reserve(trigger store.Trigger, due time.Time) (*task, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now.state != "" {
		return nil, fmt.Errorf("provider %q: %w", c.Name, ErrBusy)
	}
	c.now = underWay{state: store.Pending, trigger: trigger}
	return &task{
		collected: c,
		job:       store.Job{Provider: c.Name, Trigger: trigger, State: store.Pending, Scheduled: due},
		fetch:     c.Fetch,
		attempts:  cmp.Or(c.Attempts, usualAttempts),
	}, nil
}

// A job that reads so many bytes of a feed gives back at once the memory that it took.
const muchRead = 10 << 20

// process is the job processor: it runs the job as soon as a worker is free, and then
// frees the provider. The error is ErrClosed, or that of a context that ended before the
// job began.
func (g *Ingester) process(ctx context.Context, t *task) (store.Job, error) {
	defer t.release()
	select {
	case g.workers <- struct{}{}:
	default:
		t.tell()
		select {
		case g.workers <- struct{}{}:
		case <-g.Stopping:
			return store.Job{}, closed(t)
		case <-ctx.Done():
			return store.Job{}, fmt.Errorf("provider %q: wait for a worker: %w", t.Name, ctx.Err())
		}
	}
	defer func() { <-g.workers }()
	if err := ctx.Err(); err != nil {
		return store.Job{}, fmt.Errorf("provider %q: %w", t.Name, err)
	}
	select {
	case <-g.Stopping:
		t.tell()
		return store.Job{}, closed(t)
	default:
	}
	began := time.Now()
	g.run(ctx, t)
	g.logJob(ctx, &t.job, time.Since(began))
	if g.Ended != nil {
		g.Ended(t.job)
	}
	if !t.job.NotModified && t.job.Bytes >= muchRead {
		debug.FreeOSMemory() // by itself the runtime would keep most of it for long
	}
	return t.job, nil
}

func closed(t *task) error { return fmt.Errorf("provider %q: %w", t.Name, ErrClosed) }

// tell hands on how far the job is, unless that was done.
func (t *task) tell() {
	select {
	case t.begun <- t.job:
	default:
	}
}
