package ingest

import (
	"context"
	"sync"

	"fever/store"
)

// background is what the jobs have in common that nobody waits for.
type background struct {
	stopping context.Context // ends with Close
	stop     context.CancelFunc

	mu     sync.Mutex // guards closed, and that no job is added once it is set
	closed bool
	jobs   sync.WaitGroup
}

// Start begins one job of the named provider, with force as [Ingester.Once] does, and returns its record: running or, while
// all workers are busy, pending and without an id. The channel gets the record of the
// job's end, and is then closed; it is closed without one if the job never ran.
//
// The job has the values of ctx, and is stopped by [Ingester.Close] alone. The error is
// ErrUnknown, ErrBusy or ErrClosed.
func (g *Ingester) Start(ctx context.Context, name string, trigger store.Trigger, force bool) (store.Job, <-chan store.Job, error) {
	g.background.mu.Lock()
	defer g.background.mu.Unlock()
	select {
	case <-g.Stopping:
		return store.Job{}, nil, ErrClosed
	default:
	}
	if g.background.closed {
		return store.Job{}, nil, ErrClosed
	}
	t, err := g.reserve(name, trigger)
	if err != nil {
		return store.Job{}, nil, err
	}
	t.force = force
	t.begun = make(chan store.Job, 1)
	ended := make(chan store.Job, 1)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	release := context.AfterFunc(g.background.stopping, cancel)
	g.background.jobs.Go(func() {
		defer cancel()
		defer release()
		defer close(ended)
		if job, err := g.process(ctx, t); err == nil {
			ended <- job
		}
	})
	return <-t.begun, ended, nil
}

// Close stops the jobs that [Ingester.Start] began, and waits for their end. It begins
// no more of them.
func (g *Ingester) Close() {
	g.background.mu.Lock()
	g.background.closed = true
	g.background.mu.Unlock()
	g.background.stop()
	g.background.jobs.Wait()
}
