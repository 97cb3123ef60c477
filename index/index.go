// Package index answers searches from memory: it holds the encoded summaries of all
// events, back to back and in order. Any number of readers search them without a lock
// while a writer prepares the next version.
//
// Neighbouring events share a segment: an immutable piece of some 16 KiB with all that an
// answer needs of them, which is their text, the same compressed, their digests and their
// checksum. The segments are in a btree in the order of their events. So an answer is a few
// runs of ready bytes, and a change of an event writes its segment anew.
//
// The index is a view of the store. It can be thrown away and loaded again.
package index

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"fever/event"
)

// An Index holds what searches need of all events. Use [New] to make one.
//
// Readers call [Index.Snapshot] once per request and use that snapshot throughout; they
// never wait. Writers are serialised.
type Index struct {
	current atomic.Pointer[Snapshot] // nil until the first Load

	mu       sync.Mutex // serialises writers; guards what follows
	tree     tree       // of the writer: a snapshot gets a clone of it
	keys     *keyTable  // nil until the first Load
	days     days       // of the events in tree
	stats    Stats      // of tree
	builder  builder
	watchers []func()
}

// New returns an index that is not loaded: it has no snapshot yet.
func New() *Index { return &Index{} }

// Snapshot returns the current version, or nil before the first [Index.Load]. Keep it no
// longer than one answer takes: it keeps the segments of its version in memory.
func (x *Index) Snapshot() *Snapshot { return x.current.Load() }

// Notify has f called after each change from now on. The writer waits for f, which must
// be quick and must not change the index.
func (x *Index) Notify(f func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.watchers = append(x.watchers, f)
}

// Load replaces everything with the given entries, in any order. It copies what it keeps.
// Two entries with one id are an error, which leaves the index as it was. It sorts and
// compresses on all processors: it is for the start of the process.
func (x *Index) Load(entries []*event.Entry) error {
	began := time.Now()
	sorted := slices.Clone(entries)
	slices.SortFunc(sorted, func(a, b *event.Entry) int { return a.Compare(&b.SortKey) })
	var keys *keyTable
	var days days
	var err error
	var wait sync.WaitGroup
	wait.Go(func() { keys, err = newKeyTable(sorted) })
	wait.Go(func() { days = daysOf(sorted) })
	segments := buildAll(sorted)
	wait.Wait()
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tree, x.keys, x.days = newTree(), keys, days
	x.stats = Stats{Version: x.stats.Version, Work: x.stats.Work, Replaced: x.stats.Replaced + x.stats.Bytes}
	for _, g := range segments {
		x.add(g)
	}
	x.publish(began)
	return nil
}

// Apply adds the given entries, each in place of the one with its id, as one step that
// readers see whole or not at all. Of two with one id the last counts. It copies what it
// keeps. It panics when the index was never loaded, since it would then hide stored events.
//
// It rewrites the segments that these events are in, or were in, and no others.
func (x *Index) Apply(entries []*event.Entry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	began := time.Now()
	if x.keys == nil {
		panic("index: Apply before Load")
	}
	if len(entries) == 0 {
		return
	}
	x.merge(x.changes(entries))
	x.publish(began)
}

// add and remove keep the statistics of the tree.
func (x *Index) add(g *segment) {
	x.tree.add(g)
	x.stats.count(g, +1)
}

func (x *Index) remove(g *segment) {
	x.tree.remove(g)
	x.stats.count(g, -1)
	x.stats.Replaced += g.bytes()
}

// publish makes what the writer has the current version; began is when work on it began. It
// clones the tree once for a whole batch, since the first change of a node after a clone
// copies the node.
func (x *Index) publish(began time.Time) {
	x.stats.Version++
	x.stats.Work += time.Since(began)
	x.current.Store(&Snapshot{Stats: x.stats, tree: x.tree.clone()})
	for _, f := range x.watchers {
		f()
	}
}

// A Snapshot is one version of the index. It never changes.
type Snapshot struct {
	Stats
	tree tree
}

// Stats says what a snapshot holds, and how long it took to make.
type Stats struct {
	Version     uint64        // counts the versions, from 1
	Work        time.Duration // on all versions so far
	Events      int
	Segments    int
	TextBytes   int64 // of all summaries, with the commas between them
	PackedBytes int64 // of the same, compressed
	Bytes       int64 // of memory that the segments take, at most

	// Replaced adds up the Bytes of all segments that no longer belong to the index. It
	// only grows. All older snapshots together keep no more memory than it has grown by
	// since the oldest of them.
	Replaced int64
}

func (s *Stats) count(g *segment, sign int) {
	s.Events += sign * len(g.times)
	s.Segments += sign
	s.TextBytes += int64(sign * len(g.text))
	s.PackedBytes += int64(sign * len(g.packed))
	s.Bytes += int64(sign) * g.bytes()
}
