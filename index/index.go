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
	levels   []level    // of the writer: a snapshot gets clones of their trees
	keys     *keyTable  // nil until the first Load
	days     days       // of the events in the base
	lengths  lengths    // likewise
	stats    Stats      // of levels
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
	var lengths lengths
	var err error
	var wait sync.WaitGroup
	wait.Go(func() { keys, err = newKeyTable(sorted) })
	wait.Go(func() { days = daysOf(sorted) })
	refs := make([]eventRef, len(sorted))
	for i, e := range sorted {
		refs[i].entry = e
		lengths.add(&e.SortKey, 1)
	}
	segments := buildAll(refs)
	wait.Wait()
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.levels, x.keys, x.days, x.lengths = nil, keys, days, lengths
	x.stats = Stats{Version: x.stats.Version, Work: x.stats.Work, Replaced: x.stats.Replaced + x.stats.Bytes}
	x.push(-1, segments)
	x.relevel()
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
	changes := x.changes(entries)
	x.merge(&x.levels[0], changes)
	if !x.relevel() {
		for i := 1; i < len(x.levels); i++ {
			changes = x.levels[i].longer(changes)
			x.merge(&x.levels[i], changes)
		}
	}
	x.publish(began)
}

// add and remove keep the statistics.
func (x *Index) add(l *level, g *segment) {
	l.tree.add(g)
	x.stats.count(l, g, +1)
}

func (x *Index) remove(l *level, g *segment) {
	l.tree.remove(g)
	x.stats.count(l, g, -1)
	x.stats.Replaced += g.bytes()
}

// publish makes what the writer has the current version; began is when work on it began. It
// clones the trees once for a whole batch, since the first change of a node after a clone
// copies the node.
func (x *Index) publish(began time.Time) {
	x.stats.Version++
	x.stats.Work += time.Since(began)
	levels := slices.Clone(x.levels)
	for i := range levels {
		levels[i].tree = levels[i].tree.clone()
	}
	x.current.Store(&Snapshot{x.stats, levels, x.lengths.longest()})
	for _, f := range x.watchers {
		f()
	}
}

// A Snapshot is one version of the index. It never changes.
type Snapshot struct {
	Stats
	levels  []level
	longest int // the class of the longest event
}

// Stats says what a snapshot holds, and how long it took to make.
type Stats struct {
	Version     uint64        // counts the versions, from 1
	Work        time.Duration // on all versions so far
	Events      int
	Segments    int
	TextBytes   int64 // of all summaries, with the commas between them
	PackedBytes int64 // of the same, compressed
	Bytes       int64 // of memory that the segments take, at most, with those of all levels

	// Replaced adds up the Bytes of all segments that no longer belong to the index. It
	// only grows. All older snapshots together keep no more memory than it has grown by
	// since the oldest of them.
	Replaced int64
}

func (s *Stats) count(l *level, g *segment, sign int) {
	s.Bytes += int64(sign) * g.bytes()
	if l.above >= 0 {
		return
	}
	s.Events += sign * len(g.times)
	s.Segments += sign
	s.TextBytes += int64(sign * len(g.text))
	s.PackedBytes += int64(sign * len(g.packed))
}
