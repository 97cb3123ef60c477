package store

import (
	"context"
	"iter"
	"time"

	"fever/event"
	"fever/provider/feed"
)

// A Store keeps everything that was ever on sale online. Its methods may be called from many
// goroutines, and each returns when its context ends. [fever/store/storetest] is what all
// stores promise in common. Where they differ, their own methods say it.
type Store interface {
	Copier

	// Begin records a job as running, and returns it with its id. The error is ErrBusy (wrapped)
	// while another process runs one of the provider.
	Begin(ctx context.Context, job Job) (Job, error)
	// Finish records the end of a job that brought no snapshot and, unless they are nil, the
	// validators that count from now on.
	Finish(ctx context.Context, job Job, v *feed.Validators) error
	// Apply makes a snapshot its provider's latest and records the end of the job that brought
	// it, in one transaction. A page of a feed of changes may leave the job running: see
	// [Changes].
	Apply(ctx context.Context, snap Snapshot, job Job) (Applied, Job, error)
	// Interrupt records as interrupted the running jobs that nobody runs any more, and returns
	// their number.
	Interrupt(ctx context.Context, now time.Time) (int, error)
	// Forget and Rename change what is stored by hand.
	Forget(ctx context.Context, f Forgetting) (Forgotten, error)
	Rename(ctx context.Context, r Renaming) (Renamed, error)

	// Load returns an entry for each stored event, and the revision that they are of.
	Load(ctx context.Context) ([]*event.Entry, Revision, error)
	// Changes returns an entry for each event that changed after a revision, with its values at
	// the revision that it returns. The error is ErrRewritten (wrapped) if entries cannot say what
	// changed: then everything has to be loaded again.
	Changes(ctx context.Context, since Revision) ([]*event.Entry, Revision, error)
	// Wait returns when the store has a later revision. The error is that of ctx, or says that
	// there will be none.
	Wait(ctx context.Context, since Revision) error

	// Records yields stored events in the order of a search, and Jobs records of jobs, the newest
	// first.
	Records(ctx context.Context, f Filter) iter.Seq2[event.Record, error]
	Jobs(ctx context.Context, f JobFilter) iter.Seq2[Job, error]
	// Versions yields what an event is, and what it was before each change that the store has kept,
	// the present first. It yields nothing for an event that is not stored.
	Versions(ctx context.Context, key event.Key) iter.Seq2[Version, error]
	// Validators returns those of the provider's latest snapshot.
	Validators(ctx context.Context, provider string) (feed.Validators, error)
	// Digests returns those of the events in the provider's latest snapshot, as many as are known: see
	// [Snapshot]. They are of use until that changes.
	Digests(ctx context.Context, provider string) (*Digests, error)
	// Known reports whether an event of the provider is stored.
	Known(ctx context.Context, provider string) (bool, error)
	// Stream returns how far the feed of changes of a provider was taken.
	Stream(ctx context.Context, provider string) (Stream, error)
	// Row returns a stored row of a table by its name or its id, or nil. Children returns the
	// stored rows that take values from one of those rows.
	Row(ctx context.Context, provider, name string) ([]byte, error)
	Children(ctx context.Context, provider string, names []string) ([][]byte, error)
	// Published returns what others are told of the events of a provider (of all, for ""): at most
	// limit items after a revision and a key, in that order, and the revision of the store.
	Published(ctx context.Context, provider string, after Revision, key []byte, limit int) ([]PublishedItem, Revision, error)
	// Locations returns the zones that the providers' local times count in, and the revision of
	// the store.
	Locations(ctx context.Context) (map[string]*time.Location, Revision, error)

	// Stats says how the store is doing. It waits for nothing.
	Stats() Stats
	// Check reads everything, and returns an error for what is not as it must be.
	Check() error
	// Close waits until nobody uses the store. Closing again does nothing.
	Close() error
}

// A Shared store is one that several processes use at the same time.
type Shared interface {
	Store
	// Keep makes the claim of a running job last as long again as if it had just begun. The error
	// is ErrFenced (wrapped) when the provider is another job's by now: nothing of this one will
	// be stored. A claim lasts for the time of Lease.
	Keep(ctx context.Context, job Job) error
	// Turns returns the turns of all providers of which a job was begun, and the time by the clock
	// of the store.
	Turns(ctx context.Context) (turns map[string]Turn, now time.Time, err error)
	// Freed returns a channel that is closed when a claim has ended and the turn is still to be
	// taken, as the process that had it stops. Take the channel before asking for the turns. It may
	// be closed without a reason, and it may stay open: so ask now and then, too.
	Freed() <-chan struct{}
	// Report says that this process serves searches, and what they find: the revision, the version
	// and the settings of r count. It returns the process's ID. The report is taken back when the
	// store is closed.
	Report(ctx context.Context, r Replica) (id string, err error)
	// Replicas returns the processes that report, also those not heard of for some minutes, and
	// the time by the clock of the store.
	Replicas(ctx context.Context) ([]Replica, time.Time, error)
}
