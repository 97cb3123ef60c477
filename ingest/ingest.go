// Package ingest runs the jobs that collect. A scheduler decides when each provider's next
// job is due, and a bounded number of workers runs the jobs. Each job gets a feed, commits
// what changed together with its outcome, and only then publishes it.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"fever/archive"
	"fever/provider/feed"
	"fever/store"
)

// Why no job was begun. Nothing is recorded then.
var (
	// ErrUnknown is returned for a provider that is not configured.
	ErrUnknown = errors.New("no such provider")
	// ErrBusy is returned when the provider's last job still runs, in this process or, as the
	// text then says, in another one that shares the store.
	ErrBusy = errors.New("the provider's last job still runs")
	// ErrClosed is returned after [Ingester.Close], and when Stopping is closed.
	ErrClosed = errors.New("no more jobs are started")
)

// A Provider says how and when one provider is collected from.
type Provider struct {
	Name     string
	Location *time.Location // of its local times
	// Instance spreads the turns of replicas: the moments of turns depend on it and on the
	// name. It should differ between replicas, and stay the same after a restart. Those that share
	// a store have the same turns: then it does not count.
	Instance string
	// Every is the time from one job to the next. Next, when it is set, replaces it: it
	// returns when the first job after a moment is due.
	Every time.Duration
	Next  func(time.Time) time.Time
	// MaxInterval limits how far the interval is stretched while jobs fail.
	MaxInterval time.Duration
	// Suspect decides about a snapshot that is suspect as a whole. Empty means Warn.
	Suspect Policy
	// Attempts limits the requests of a job for one page. A job gives up earlier when another
	// request cannot help. Zero means 3.
	Attempts int
	// Get brings the first page, given the validators of the last feed, and tells of its
	// progress. Most feeds have no other page.
	Get func(context.Context, feed.Validators, *feed.Progress) (*feed.Document, error)
	// GetPage brings another page: Next of the feed that Decode made of the page before.
	GetPage func(context.Context, *feed.Page, *feed.Progress) (*feed.Document, error)
	// Decode makes a feed of a document.
	Decode func(*feed.Document) (*feed.Feed, error)
	// Done is called at the end of each job, after the last call of Decode and Again. It may be nil.
	Done func()
	// Paged says that the feed may have several pages. Then its first page does not tell
	// whether the others have changed, unless FirstPageTells is set as well.
	Paged, FirstPageTells bool

	// Changes says that the feed is one of changes. Its pages are got from a stored place on, and
	// committed one by one: see [Harvest]. Get, Paged, FirstPageTells and the policy Refuse are
	// not for it, and the next fields are for nothing else.
	Changes bool
	// Tables are the names of the feeds that are taken before it, with values that its rows lack.
	Tables []string
	// Source differs when another feed is asked for, or is read in another way. Then a harvest
	// starts over.
	Source string
	// Refresh is how often the feed is taken from its beginning.
	Refresh time.Duration
	// JobTime and JobBytes are what one job may take. It gets no other page when 80 % of either
	// are used, and the next job is due at once.
	JobTime  time.Duration
	JobBytes int64
	// Begin returns the first page of a table, or of the feed for "".
	Begin func(table string) *feed.Page
	// Resume returns the page at a stored URL of a table, or of the feed. Public is that of
	// [feed.Page]. It returns an error if the configuration does not allow that place.
	Resume func(table, url string, public bool) (*feed.Page, error)
	// Again decodes rows of the feed, which the store has kept, with the values of the rows that
	// parent finds. It is nil without tables.
	Again func(rows [][]byte, parent func(name string) ([]byte, error)) (*feed.Feed, error)
}

// An Ingester runs the jobs of its providers. Use [New] to make one.
type Ingester struct {
	// Ended is called with the record of each job at its end, by several jobs at a time. It
	// may be nil. No job begins once Stopping is closed; nil never is. Set both before the
	// first job.
	Ended    func(store.Job)
	Stopping <-chan struct{}

	// Archive keeps the documents that jobs get; nil: nobody does. To be set before the first job.
	Archive *archive.Archive
	// Unarchived counts what could not be kept there: each error is logged.
	Unarchived atomic.Uint64

	// Rows finds rows of tables for a replay that does not have the first pages of a harvest; nil: nothing does.
	Rows func(ctx context.Context, provider, name string) ([]byte, error)

	// Collected is set once a snapshot is stored and published, of any provider. It stays
	// unset while nothing was ever collected. Whoever finds events of a provider that is no
	// longer configured may set it.
	Collected atomic.Bool

	// Publish brings the index up with what is stored; nil: nobody searches. Jobs of several
	// providers call it at the same time, each after its commit. To be set before Load.
	Publish func(context.Context) error

	store   store.Store
	shared  store.Shared // the store, if other processes use it, too; else nil
	log     *slog.Logger
	targets []*target
	workers chan struct{} // one slot for each job that runs

	clock func() time.Time // of this machine
	ahead atomic.Int64     // the clock of a shared store is ahead of that, in nanoseconds
	ask   chan struct{}    // holds one when the store is to be asked for the turns at once

	lookEvery time.Duration // is lookEvery, but in a test

	background background // the jobs that Start began
}

// A target is a provider with what its jobs, the scheduler and [Status] share.
type target struct {
	Provider

	moved chan struct{} // holds one when the turn that the scheduler waits for may have moved

	mu       sync.Mutex
	now      underWay
	waits    bool      // a scheduler waits for the turns
	failures int       // jobs that failed since one completed
	blocked  time.Time // the provider asked not to be called before
	due      time.Time // the turn waited for, or the one whose job runs
	last     time.Time // the latest turn that has come
	skipped  uint64    // turns
	others   others
	success  time.Time // end of the newest job that completed, imports excepted
	whole    time.Time // end of the newest of those that got the whole feed
	stored   bool      // a snapshot of it is stored, or a whole harvest
	more     bool      // its last job left pages for the next one, which is due at once
	tried    bool      // a job that asked it has ended without one

	kind    feed.Kind // of the newest failure, until a job completes
	message string

	snapshot           uint64    // the job that brought the latest snapshot
	snapshotBegan      time.Time // when that job did
	accepted, rejected int       // rows of that
	suspect            Suspicion
	refused            Suspicion // of the newest job, if it was refused for that

	generation uint64 // of a feed of changes
	at         cursor // of that
	replaying  uint64 // generation, by the archive, of the harvest that is replayed

	brought uint64    // the latest snapshot of this process
	unowed  time.Time // no job asks for what the archive lacks before
	foreign bool      // the archive has documents of another store; for the one job at a time
}

// background is what the jobs share that nobody waits for.
type background struct {
	stopping context.Context // ends with Close
	stop     context.CancelFunc

	mu     sync.Mutex // guards closed, and that no job is added once it is set
	closed bool
	jobs   sync.WaitGroup
}

// New returns an ingester with the given number of workers, at least one. It logs one line
// for each job.
func New(st store.Store, log *slog.Logger, workers int, providers ...Provider) *Ingester {
	g := &Ingester{store: st, log: log, workers: make(chan struct{}, max(workers, 1)), clock: time.Now, ask: make(chan struct{}, 1), lookEvery: lookEvery}
	g.shared, _ = st.(store.Shared)
	for _, p := range providers {
		if g.shared != nil {
			p.Instance = ""
		}
		g.targets = append(g.targets, &target{Provider: p, moved: make(chan struct{}, 1), others: others{unknown: g.shared != nil}})
	}
	g.background.stopping, g.background.stop = context.WithCancel(context.Background())
	return g
}

// Load publishes everything that is stored, and finds out from the recorded jobs what is
// known of each provider.
func (g *Ingester) Load(ctx context.Context) error {
	if g.shared != nil { // first, so that no job of others is missed
		if _, err := g.look(ctx); err != nil {
			g.log.WarnContext(ctx, "it is not known whose turn it is", "error", err)
		}
	}
	for _, t := range g.targets {
		if err := g.recall(ctx, t); err != nil { // which is no reason not to search
			g.log.WarnContext(ctx, "it is not known when the last job completed", "provider", t.Name, "error", err)
		}
	}
	return g.publish(ctx)
}

// now returns the time by the clock of the store: all processes that share it agree on that.
func (g *Ingester) now() time.Time { return g.clock().Add(time.Duration(g.ahead.Load())) }

// publish has searches find what is stored.
func (g *Ingester) publish(ctx context.Context) (err error) {
	if g.Publish == nil {
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return g.Publish(ctx)
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
