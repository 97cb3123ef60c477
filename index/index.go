// Package index answers searches from memory: it holds every event's entry in a
// btree ordered by start, and lets any number of readers scan it without a lock
// while a writer prepares the next state.
//
// The index is a view of the store. It can be thrown away and loaded again.
package index

import (
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"fever/event"
)

// An Index holds the entries of all events. Use [New] to make one.
//
// Readers call [Index.Snapshot] once per request and use that snapshot to the end of
// it; they never wait. Writers are serialised.
type Index struct {
	current atomic.Pointer[Snapshot] // nil until the first Load

	mu   sync.Mutex                 // serialises writers; guards what follows
	tree tree                       // the writer's own: a snapshot gets a clone of it
	byID map[uuid.UUID]*event.Entry // what tree holds; nil until the first Load
}

// New returns an index that is not loaded: it has no snapshot yet.
func New() *Index { return &Index{} }

// Snapshot returns the current state, or nil before the first [Index.Load]. Hold it
// no longer than one answer takes: it pins the entries of its age in memory.
func (x *Index) Snapshot() *Snapshot { return x.current.Load() }

// Load replaces everything with the given entries, in any order, which the index
// then owns. Two entries with one id are an error, and leave the index as it was.
// It costs a sort: it is for the start of the process.
func (x *Index) Load(entries []*event.Entry) error {
	slices.SortFunc(entries, (*event.Entry).Compare)
	byID := make(map[uuid.UUID]*event.Entry, len(entries))
	t := newTree()
	for i, e := range entries {
		byID[e.ID] = e
		if len(byID) == i {
			return fmt.Errorf("load the index: two entries have the id %s", e.ID)
		}
		t.set(e)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tree, x.byID = t, byID
	x.publish()
	return nil
}

// Apply adds the given entries, each in place of the one with its id, as one step
// that readers see whole or not at all. An entry must not be changed afterwards. It
// panics when the index was never loaded, since it would then hide stored events.
func (x *Index) Apply(entries []*event.Entry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.byID == nil {
		panic("index: Apply before Load")
	}
	if len(entries) == 0 {
		return
	}
	for _, e := range entries {
		// An event that moved leaves its old place, which is not found by its new key.
		if old := x.byID[e.ID]; old != nil && old.Compare(e) != 0 {
			x.tree.remove(old)
		}
		x.byID[e.ID] = e
		x.tree.set(e)
	}
	x.publish()
}

// publish makes what the writer has the current state. It clones the tree once for a
// whole batch, since the first change of a node after a clone copies the node.
func (x *Index) publish() { x.current.Store(&Snapshot{tree: x.tree.clone()}) }

// A Snapshot is the state of the index at one moment. It never changes.
type Snapshot struct {
	tree tree
}

// Len returns the number of events.
func (s *Snapshot) Len() int { return s.tree.len() }

// Search returns the entries that lie in w, in order.
//
// As no event ends before it starts, those are among the ones that start between
// w.From and w.To: the cost is a descent and one step for each of these, whatever
// else is stored.
func (s *Snapshot) Search(w event.Window) iter.Seq[*event.Entry] {
	return func(yield func(*event.Entry) bool) {
		s.tree.ascend(w.From, w.To, func(e *event.Entry) bool {
			return e.End > w.To || yield(e)
		})
	}
}
