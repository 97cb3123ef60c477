// Package follow keeps an index up with a store. It loads everything once, and from then on
// brings in what each revision changed.
//
// A [Follower] is the only writer of its index. It never asks what a commit meant to do: it
// reads what the store holds. So a commit that may or may not have succeeded, a change that
// another process made, and an update of the index that failed halfway all have the same
// remedy, the next look at the store.
package follow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"fever/event"
	"fever/index"
	"fever/store"
)

// A Store tells what it holds, and what changed since a revision.
type Store interface {
	// Load returns an entry for each stored event, and the revision that they are of.
	Load(ctx context.Context) ([]*event.Entry, store.Revision, error)
	// Changes returns an entry for each event that changed after a revision, with its values
	// at the revision that it returns. The error is store.ErrRewritten if entries cannot say
	// what changed, as events were removed: then everything has to be loaded again.
	Changes(ctx context.Context, since store.Revision) ([]*event.Entry, store.Revision, error)
	// Wait returns when the store has a later revision. The error is that of ctx, or says
	// that there will be none.
	Wait(ctx context.Context, since store.Revision) error
}

// A Follower brings what a store holds into an index. Use [New] to make one. Its methods may
// be called at the same time.
type Follower struct {
	store Store
	index *index.Index
	log   *slog.Logger

	mu    sync.Mutex // one update at a time
	whole bool       // unset before the first load, and while the index is updated

	revision atomic.Uint64 // what the index holds, if it is whole
	loads    [reasons]atomic.Uint64
}

// A Reason is why everything was loaded.
type Reason int

// The reasons.
const (
	Start     Reason = iota // nothing was loaded yet
	Rewritten               // what changed could not be told event by event: see store.ErrRewritten
	History                 // the store was put back to an earlier state: see store.ErrHistory
	Torn                    // the index failed to take a change
	reasons
)

// Reasons are all reasons, in words.
var Reasons = [reasons]string{Start: "start", Rewritten: "rewritten", History: "history", Torn: "torn"}

// Loads returns how often everything was loaded for a reason. It waits for nothing.
func (f *Follower) Loads(r Reason) uint64 { return f.loads[r].Load() }

// New returns a follower of st. Nothing but it may change the index.
func New(st Store, x *index.Index, log *slog.Logger) *Follower {
	return &Follower{store: st, index: x, log: log}
}

// Revision returns the revision of what searches find, or 0 before the first load. It waits for
// nothing.
func (f *Follower) Revision() store.Revision { return store.Revision(f.revision.Load()) }

// CatchUp brings the index to the latest revision of the store. What was committed before
// the call is found by searches after it. The first call loads everything.
//
// Beside an error the index is as it was, and the next call tries again.
func (f *Follower) CatchUp(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.Revision()
	if !f.whole {
		reason := Start
		if f.Loads(Start) > 0 {
			reason = Torn
		}
		return f.load(ctx, reason)
	}
	entries, at, err := f.store.Changes(ctx, before)
	if errors.Is(err, store.ErrHistory) {
		err := f.load(ctx, History)
		if err == nil {
			f.log.ErrorContext(ctx, "the store was put back to an earlier state: everything was loaded again, and what it had beyond that is lost until providers bring it again", "revision", f.Revision(), "was", before)
		}
		return err
	}
	if errors.Is(err, store.ErrRewritten) {
		return f.load(ctx, Rewritten)
	}
	if err != nil {
		return fmt.Errorf("ask the store what changed after revision %d: %w", before, err)
	}
	f.whole = false // should the index panic it is torn, and has to be loaded
	f.index.Apply(entries)
	f.at(at)
	return nil
}

// at says that the index holds a revision.
func (f *Follower) at(r store.Revision) {
	f.revision.Store(uint64(r))
	f.whole = true
}

// load replaces everything in the index.
func (f *Follower) load(ctx context.Context, reason Reason) error {
	entries, at, err := f.store.Load(ctx)
	if err != nil {
		return err
	}
	if err := f.index.Load(entries); err != nil {
		return err
	}
	f.at(at)
	f.loads[reason].Add(1)
	debug.FreeOSMemory() // what loading took is garbage now, and more than what is kept
	return nil
}

// retry is the pause after a failure to catch up.
const retry = time.Second

// Run catches up with each new revision, whoever committed it, until ctx ends or the store
// says that it is closed. [Follower.CatchUp] has to have succeeded once.
//
// Who commits calls CatchUp itself, to know when searches find it. Run is for what nobody
// else takes care of.
func (f *Follower) Run(ctx context.Context) {
	for {
		if err := f.store.Wait(ctx, f.Revision()); err != nil {
			return
		}
		err := f.CatchUp(ctx)
		if err == nil || ctx.Err() != nil {
			continue
		}
		f.log.ErrorContext(ctx, "searches do not find yet what was stored last", "error", err, "retry", retry)
		select {
		case <-ctx.Done():
		case <-time.After(retry):
		}
	}
}
