// Package ingest runs the collecting. A scheduler says when each provider's next job
// is due, a bounded number of workers runs the jobs, and each job is the same one
// thing: fetch the feed, commit what changed together with the outcome, and then,
// only then, publish it to those who search.
package ingest

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"fever/event"
	"fever/provider/feed"
	"fever/store"
	"fever/store/bolt"
)

// What stands in the way of a job. None leaves a record.
var (
	// ErrUnknown is returned for a provider that is not configured.
	ErrUnknown = errors.New("no such provider")
	// ErrBusy is returned when the provider's last job still runs.
	ErrBusy = errors.New("the provider's last job still runs")
	// ErrClosed is returned after [Ingester.Close], and when Stopping is closed.
	ErrClosed = errors.New("no more jobs are started")
)

// A Provider says how and when one provider is collected from.
type Provider struct {
	Name     string
	Location *time.Location // of its local times
	// Instance is what the moments of turns depend on beside the name, so that replicas
	// come apart: it should be another for each of them, and the same after a restart.
	Instance string
	// Every is the time from one job to the next, and Next, when it is set, says
	// instead when the first job after a moment is due.
	Every time.Duration
	Next  func(time.Time) time.Time
	// MaxInterval is how far the interval is stretched while jobs fail.
	MaxInterval time.Duration
	// Suspect says what becomes of a snapshot that is suspect as a whole. Empty means Warn.
	Suspect Policy
	// Attempts is how often a job tries to fetch. It may give up earlier, on what another
	// try cannot change. Zero means 3.
	Attempts int
	// Get brings one document, given the validators of the last, and tells of its progress.
	Get func(context.Context, feed.Validators, *feed.Progress) (*feed.Document, error)
	// Decode makes a feed of a document.
	Decode func(*feed.Document) (*feed.Feed, error)
}

// An Index is told of what was committed: *index.Index.
type Index interface {
	// Apply adds entries, each in place of the one with its id. Jobs of several providers
	// call it at the same time.
	Apply(entries []*event.Entry)
	// Load replaces everything.
	Load(entries []*event.Entry) error
}

// An Ingester runs the jobs of its providers. Use [New] to make one.
type Ingester struct {
	// Ended is called with the record of each job when all about it is done, by several
	// jobs at a time; nil is nobody. Stopping is closed when no more jobs are to begin; nil
	// never is. Both are to be set before the first job.
	Ended    func(store.Job)
	Stopping <-chan struct{}

	// Collected is set once a snapshot is stored and published, of any provider: it stays
	// unset while nothing was ever collected.
	Collected atomic.Bool

	store   *bolt.Store
	index   Index
	log     *slog.Logger
	targets []*target
	workers chan struct{} // one slot for each job that runs

	// commits is held by each job from its commit until that is published, and alone by
	// who loads the index: what is committed meanwhile would be lost to it.
	commits sync.RWMutex
	behind  atomic.Bool // the index may lack something that was committed

	background background // the jobs that Start began
}

// A target is a provider with what its jobs, the scheduler and [Status] share.
type target struct {
	Provider

	moved chan struct{} // holds one when the turn that the scheduler waits for may have moved

	mu       sync.Mutex
	now      underWay
	failures int       // jobs that failed since one completed
	blocked  time.Time // the provider asked not to be called before
	due      time.Time // the turn waited for, or the one whose job runs; zero without a scheduler
	skipped  uint64    // turns
	success  time.Time // end of the newest job that completed, imports excepted
	whole    time.Time // end of the newest of those that got the whole feed
	stored   bool      // a snapshot of it is stored
	tried    bool      // a job that asked it has ended without one

	kind    feed.Kind // of the newest failure, until a job completes
	message string

	snapshot           uint64 // the job that brought the latest snapshot
	accepted, rejected int    // rows of that
	suspect            Suspicion
	refused            Suspicion // of the newest job, if it was refused for that
}

// background is what the jobs share that nobody waits for.
type background struct {
	stopping context.Context // ends with Close
	stop     context.CancelFunc

	mu     sync.Mutex // guards closed, and that no job is added once it is set
	closed bool
	jobs   sync.WaitGroup
}

// New returns an ingester with so many workers, at least one. It keeps the index up
// with the store, unless that is nil, and logs one line for each job. From now on local
// times count in the providers' zones as they are set, in all that the store does.
func New(st *bolt.Store, x Index, log *slog.Logger, workers int, providers ...Provider) *Ingester {
	g := &Ingester{store: st, index: x, log: log, workers: make(chan struct{}, max(workers, 1))}
	st.Zones = make(map[string]*time.Location)
	for _, p := range providers {
		st.Zones[p.Name] = p.Location
		g.targets = append(g.targets, &target{Provider: p, moved: make(chan struct{}, 1)})
	}
	g.background.stopping, g.background.stop = context.WithCancel(context.Background())
	return g
}

// Load brings everything that is stored into the index, if there is one, and takes note of
// when each provider's last job completed, and of the latest snapshot.
func (g *Ingester) Load(ctx context.Context) error {
	for _, t := range g.targets {
		if err := g.recall(ctx, t); err != nil { // which is no reason not to search
			g.log.WarnContext(ctx, "it is not known when the last job completed", "provider", t.Name, "error", err)
		}
	}
	if g.index == nil {
		return nil
	}
	g.commits.Lock()
	defer g.commits.Unlock()
	return g.load(ctx)
}

func (g *Ingester) load(ctx context.Context) error {
	entries, _, err := g.store.Load(ctx)
	if err != nil {
		return err
	}
	if err := g.index.Load(entries); err != nil {
		return err
	}
	if len(entries) > 0 { // if only of a provider that is no longer configured
		g.Collected.Store(true)
	}
	return nil
}

// stopping reports whether no more jobs are to begin.
func (g *Ingester) stopping() bool {
	select {
	case <-g.Stopping:
		return true
	default:
		return false
	}
}
