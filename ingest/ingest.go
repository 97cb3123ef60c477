// Package ingest runs the collecting. A scheduler says when each provider's next job
// is due, a bounded number of workers runs the jobs, and each job is the same one
// thing: fetch the feed, commit what changed together with the outcome, and then,
// only then, publish it to those who search.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"fever/event"
	"fever/provider"
	"fever/store"
)

// What stands in the way of a job. Neither leaves a record.
var (
	// ErrUnknown is returned for a provider that is not configured.
	ErrUnknown = errors.New("no such provider")
	// ErrBusy is returned when the provider's last job still runs.
	ErrBusy = errors.New("the provider's last job still runs")
)

// A Provider says how and when one provider is collected from.
type Provider struct {
	Name     string
	Location *time.Location // of its local times
	// Every is the time from one job to the next, and Next, when it is set, says
	// instead when the first job after a moment is due.
	Every time.Duration
	Next  func(time.Time) time.Time
	// MaxInterval is how far the interval is stretched while jobs fail.
	MaxInterval time.Duration
	// Attempts is how often a job tries to fetch. It may give up earlier, on what another
	// try cannot change. Zero means 3.
	Attempts int
	// Fetch brings one snapshot, given the validators of the last. Beside an error the
	// feed says what is known of the attempt, or is nil.
	Fetch func(context.Context, provider.Validators) (*provider.Feed, error)
}

// An Index is told of what was committed: *index.Index.
type Index interface {
	// Apply adds entries, each in place of the one with its id.
	Apply(entries []*event.Entry)
	// Load replaces everything.
	Load(entries []*event.Entry) error
}

// An Ingester runs the jobs of its providers. Use [New] to make one.
type Ingester struct {
	store     *store.Store
	index     Index
	log       *slog.Logger
	collected []*collected
	workers   chan struct{} // a place for each job that runs

	commits sync.Mutex // held from a commit until it is published; guards behind
	behind  bool       // the index may lack something that was committed
}

// collected is a provider with what its jobs need to know of each other.
type collected struct {
	Provider
	busy chan struct{} // holds one element while a job runs

	mu       sync.Mutex
	failures int       // jobs that failed since one completed
	blocked  time.Time // the provider asked not to be called before
}

// New returns an ingester with so many workers, at least one. It keeps the index up
// with the store, unless that is nil, and logs one line for each job.
func New(st *store.Store, x Index, log *slog.Logger, workers int, providers ...Provider) *Ingester {
	g := &Ingester{store: st, index: x, log: log, workers: make(chan struct{}, max(workers, 1))}
	for _, p := range providers {
		g.collected = append(g.collected, &collected{Provider: p, busy: make(chan struct{}, 1)})
	}
	return g
}

// Load brings everything that is stored into the index. Local times count in the
// providers' zones as they are set now.
func (g *Ingester) Load(ctx context.Context) error {
	g.commits.Lock()
	defer g.commits.Unlock()
	return g.load(ctx)
}

func (g *Ingester) load(ctx context.Context) error {
	zones := make(map[string]*time.Location)
	for _, c := range g.collected {
		zones[c.Name] = c.Location
	}
	entries, err := g.store.Load(ctx, zones)
	if err != nil {
		return err
	}
	return g.index.Load(entries)
}

// Once runs one job of the named provider from beginning to end, as soon as a worker
// is free, and returns its record. A failure of the job is in the record, and has
// changed neither the other data in the store nor what is published. The error is
// ErrUnknown, ErrBusy or that of a context that ended before the job began.
func (g *Ingester) Once(ctx context.Context, name string, trigger store.Trigger) (store.Job, error) {
	for _, c := range g.collected {
		if c.Name == name {
			return g.once(ctx, c, trigger, time.Now())
		}
	}
	return store.Job{}, fmt.Errorf("provider %q: %w", name, ErrUnknown)
}

// once is the job processor: it holds the provider and a worker while the job runs.
func (g *Ingester) once(ctx context.Context, c *collected, trigger store.Trigger, due time.Time) (store.Job, error) {
	select {
	case c.busy <- struct{}{}:
		defer func() { <-c.busy }()
	default:
		return store.Job{}, fmt.Errorf("provider %q: %w", c.Name, ErrBusy)
	}
	select {
	case g.workers <- struct{}{}:
		defer func() { <-g.workers }()
	case <-ctx.Done():
		return store.Job{}, fmt.Errorf("provider %q: wait for a worker: %w", c.Name, ctx.Err())
	}
	if err := ctx.Err(); err != nil {
		return store.Job{}, fmt.Errorf("provider %q: %w", c.Name, err)
	}
	job := g.run(ctx, c, store.Job{Provider: c.Name, Trigger: trigger, State: store.Pending, Scheduled: due})
	g.logJob(ctx, &job)
	return job, nil
}
