package index

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/google/uuid"

	"fever/event"
)

// A keyTable maps the id of an event to its sort key. It is a hash table of 12 bytes a
// slot, where a map takes up to 88 an event, because a slot has only 32 bits of the id. Two
// events may have these in common: then the second is in a map, and so is one whose times
// do not fit into a slot.
//
// So an event that is not in the map has the sort key that the slot for its id says, or is
// not there at all. The index shows which.
type keyTable struct {
	slots []slot // some are free
	taken int    // how many are not
	seed  maphash.Seed
	exact map[uuid.UUID]interval // takes precedence over the slot
}

// An interval is when an event starts and ends, in Unix seconds.
type interval struct{ start, end int64 }

// A slot has the sort key of one event.
type slot struct {
	id        uint32 // its last 32 bits
	high, low uint32 // startBits of start, then lengthBits of the length plus 1; 0 there: the slot is free
}

// A slot holds starts from 1697 to 2242 and lengths up to 34 years.
const (
	startBits, lengthBits = 34, 30

	earliestStart = -1 << (startBits - 1) // Unix seconds
)

// newSlot returns the slot of an event, unless its times do not fit.
func newSlot(k *event.SortKey) (s slot, ok bool) {
	start, length := seconds(earliestStart, k.Start), seconds(k.Start, k.End)+1
	if start >= 1<<startBits || length >= 1<<lengthBits { // earlier starts wrap around to large numbers
		return slot{}, false
	}
	v := start<<lengthBits | length
	return slot{lastBits(k.ID), uint32(v >> 32), uint32(v)}, true
}

func lastBits(id uuid.UUID) uint32 { return binary.BigEndian.Uint32(id[12:]) }

func (s *slot) free() bool { return s.low<<(32-lengthBits) == 0 }

// key is the inverse of newSlot.
func (s *slot) key(id uuid.UUID) event.SortKey {
	v := uint64(s.high)<<32 | uint64(s.low)
	start := int64(v>>lengthBits) + earliestStart
	return event.SortKey{Start: start, End: start + int64(v%(1<<lengthBits)) - 1, ID: id}
}

// newKeyTable returns the table of entries that are in order.
func newKeyTable(sorted []*event.Entry) (*keyTable, error) {
	t := &keyTable{
		slots: make([]slot, len(sorted)+len(sorted)/4+8),
		seed:  maphash.MakeSeed(),
		exact: make(map[uuid.UUID]interval),
	}
	for i, e := range sorted {
		_, twice := t.put(&e.SortKey, func(k event.SortKey) bool {
			_, found := slices.BinarySearchFunc(sorted[:i], k, func(e *event.Entry, k event.SortKey) int { return e.Compare(&k) })
			return found
		})
		if twice {
			return nil, fmt.Errorf("load the index: two entries have the id %s", e.ID)
		}
	}
	return t, nil
}

// put sets the sort key of an event, and returns the one it had, if any. exists reports
// whether there was an event with a given sort key until now.
func (t *keyTable) put(k *event.SortKey, exists func(event.SortKey) bool) (old event.SortKey, had bool) {
	times := interval{k.Start, k.End}
	if was, ok := t.exact[k.ID]; ok {
		t.exact[k.ID] = times
		return event.SortKey{Start: was.start, End: was.end, ID: k.ID}, true
	}
	s := t.find(lastBits(k.ID))
	free := s.free()
	if !free {
		old = s.key(k.ID)
		had = exists(old)
	}
	fresh, fits := newSlot(k)
	switch {
	case !fits, !free && !had: // the slot is another event's
		t.exact[k.ID] = times
	default:
		*s = fresh
		if free {
			t.taken++
			t.grow()
		}
	}
	return old, had
}

// find returns the slot with these bits of an id, or the free one to put them into.
func (t *keyTable) find(id uint32) *slot {
	// Without the random seed, a provider could choose ids that all collide.
	i := maphash.Comparable(t.seed, id) >> 32 * uint64(len(t.slots)) >> 32
	for !t.slots[i].free() && t.slots[i].id != id {
		if i++; i == uint64(len(t.slots)) {
			i = 0
		}
	}
	return &t.slots[i]
}

// grow makes room when there is little, in small steps.
func (t *keyTable) grow() {
	if t.taken <= len(t.slots)/8*7 {
		return
	}
	old := t.slots
	t.slots = make([]slot, len(old)+len(old)/8+8)
	for i := range old {
		if s := &old[i]; !s.free() {
			*t.find(s.id) = *s
		}
	}
}
