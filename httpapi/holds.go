package httpapi

import (
	"cmp"
	"net/http"
	"slices"
	"sync"

	"fever/httpapi/server"
	"fever/index"
)

// Bounds of what responses under way keep in memory of old versions of the index, whatever
// their sizes, their number and that of the updates.
const (
	// recentBytes is how much may have been replaced since a response began before it
	// counts as old; as much as the index has, if that is more. All responses that are not
	// old keep no more than this together.
	recentBytes = 32 << 20
	// olderBytes is how much the old ones may keep, added up.
	olderBytes = 32 << 20
	// smallHold is what a response may hold without being counted. It keeps less once it
	// waits for its client: nothing when it is compressed, and else the texts of its only
	// piece.
	smallHold = 128 << 10
)

// holds has the responses under way that hold much of the index. When the index changes,
// it cuts off those that would keep too much of old versions.
type holds struct {
	index         *index.Index
	recent, older int64 // bytes

	mu   sync.Mutex
	open map[*http.Request]hold
}

// A hold is what one response holds.
type hold struct {
	replaced int64 // [index.Result.Replaced]
	bytes    int64 // [index.Result.Held]
}

func newHolds(x *index.Index, recent, older int64) *holds {
	h := &holds{index: x, recent: recent, older: older, open: make(map[*http.Request]hold)}
	x.Notify(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.bound()
	})
	return h
}

// add adds the response to r, which is about to be sent.
func (h *holds) add(r *http.Request, held hold) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open[r] = held
	if h.index.Snapshot().Replaced != held.replaced {
		h.bound() // it was not there when the index changed
	}
}

// remove is for a response that has ended.
func (h *holds) remove(r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.open, r)
}

// bound cuts off the old responses that keep most, until the others keep no more than
// they may. The caller holds mu.
func (h *holds) bound() {
	if len(h.open) == 0 {
		return
	}
	now := h.index.Snapshot().Stats
	recent := max(h.recent, now.Bytes)
	var old []*http.Request
	for r, held := range h.open {
		if now.Replaced-held.replaced > recent {
			old = append(old, r)
		}
	}
	slices.SortFunc(old, func(a, b *http.Request) int { return cmp.Compare(h.open[a].bytes, h.open[b].bytes) })
	kept := int64(0)
	for _, r := range old {
		if kept += h.open[r].bytes; kept > h.older {
			delete(h.open, r)
			server.CloseSlow(r, "slow clients keep as much in memory of what has been replaced as they may")
		}
	}
}
