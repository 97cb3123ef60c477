package httpapi

import (
	"cmp"
	"slices"
	"sync"

	"fever/index"
)

// Bounds of what answers under way keep in memory of an index that has moved on,
// whatever their sizes, their number and that of the updates.
const (
	// recentBytes is how much may have been replaced since an answer began, so that nothing
	// is asked of it; as much as the index has, if that is more. All such answers keep
	// no more than this together.
	recentBytes = 32 << 20
	// olderBytes is how much the others may keep, added up.
	olderBytes = 32 << 20
	// smallHold is what an answer may hold without a word. It keeps less once it waits for
	// its client: of what is packed nothing, and else the texts of its only piece.
	smallHold = 128 << 10
)

// holds are the answers under way that hold much of the index. When it moves on, those
// that would keep too much of what it was are cut off.
type holds struct {
	index         *index.Index
	recent, older int64 // bytes

	mu   sync.Mutex
	open map[*lazyConn]hold
}

// A hold is what one answer holds.
type hold struct {
	replaced int64 // [index.Answer.Replaced]
	bytes    int64 // [index.Answer.Held]
}

func newHolds(x *index.Index, recent, older int64) *holds {
	h := &holds{index: x, recent: recent, older: older, open: make(map[*lazyConn]hold)}
	x.Notify(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.bound()
	})
	return h
}

// add takes note of the answer that is about to be sent on a connection.
func (h *holds) add(conn *lazyConn, held hold) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open[conn] = held
	if h.index.Snapshot().Replaced != held.replaced {
		h.bound() // it was not there when the index moved on
	}
}

// remove is for an answer that has ended.
func (h *holds) remove(conn *lazyConn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.open, conn)
}

// bound cuts off those that keep most of the answers that are too old, until the others
// keep no more than they may. The caller holds mu.
func (h *holds) bound() {
	if len(h.open) == 0 {
		return
	}
	now := h.index.Snapshot().Stats
	recent := max(h.recent, now.Bytes)
	var old []*lazyConn
	for conn, held := range h.open {
		if now.Replaced-held.replaced > recent {
			old = append(old, conn)
		}
	}
	slices.SortFunc(old, func(a, b *lazyConn) int { return cmp.Compare(h.open[a].bytes, h.open[b].bytes) })
	kept := int64(0)
	for i, conn := range old {
		if kept += h.open[conn].bytes; kept <= h.older {
			continue
		}
		for _, conn := range old[i:] {
			delete(h.open, conn)
			conn.crowd.behind(conn)
		}
		return
	}
}
