package index

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/google/uuid"

	"fever/event"
)

// spans knows where the event with an id stands. It is a hash table of 12 bytes a slot,
// where a map takes up to 88 for an event, as a slot has 32 bits of the id alone. Two
// events may have these in common: then the second is in a map, and so is one whose times
// do not fit.
//
// An event that is not in the map thus stands where the slot for its id says, or nowhere.
// Which of these it is shows in the index.
type spans struct {
	slots []slot // some are free
	taken int    // how many are not
	seed  maphash.Seed
	exact map[uuid.UUID]span // it counts, and not the slot
}

// A span is a place without its id.
type span struct{ start, end int64 }

// A slot has the span of one event.
type slot struct {
	key       uint32 // the last of its id
	high, low uint32 // the start in startBits, the length and 1 more in the others; 0: the slot is free
}

// What a slot can say: starts from 1697 to 2242, and 34 years.
const (
	startBits, lengthBits = 34, 30

	earliestStart = -1 << (startBits - 1) // Unix seconds
)

// slotOf returns the slot of an event, unless it cannot say where that stands.
func slotOf(p *event.Place) (s slot, ok bool) {
	start, length := seconds(earliestStart, p.Start), seconds(p.Start, p.End)+1
	if start >= 1<<startBits || length >= 1<<lengthBits { // as those before the earliest are, too
		return slot{}, false
	}
	v := start<<lengthBits | length
	return slot{slotKey(p.ID), uint32(v >> 32), uint32(v)}, true
}

func (s *slot) free() bool { return s.low<<(32-lengthBits) == 0 }

// place is what slotOf was told.
func (s *slot) place(id uuid.UUID) event.Place {
	v := uint64(s.high)<<32 | uint64(s.low)
	start := int64(v>>lengthBits) + earliestStart
	return event.Place{Start: start, End: start + int64(v%(1<<lengthBits)) - 1, ID: id}
}

func newSpans(events int) *spans {
	return &spans{slots: make([]slot, events+events/4+8), seed: maphash.MakeSeed(), exact: make(map[uuid.UUID]span)}
}

// spansOf returns those of entries that are in order.
func spansOf(sorted []*event.Entry) (*spans, error) {
	s := newSpans(len(sorted))
	for i, e := range sorted {
		_, twice := s.move(&e.Place, func(p event.Place) bool {
			_, found := slices.BinarySearchFunc(sorted[:i], p, func(e *event.Entry, p event.Place) int { return e.Compare(&p) })
			return found
		})
		if twice {
			return nil, fmt.Errorf("load the index: two entries have the id %s", e.ID)
		}
	}
	return s, nil
}

// move takes note of where an event stands from now on, and returns where it stood, if
// it is known. stands reports whether there was an event at a place, up to now.
func (s *spans) move(now *event.Place, stands func(event.Place) bool) (old event.Place, known bool) {
	if at, ok := s.exact[now.ID]; ok {
		s.exact[now.ID] = span{now.Start, now.End}
		return event.Place{Start: at.start, End: at.end, ID: now.ID}, true
	}
	at := s.find(slotKey(now.ID))
	free := at.free()
	if !free {
		old = at.place(now.ID)
		known = stands(old)
	}
	fresh, ok := slotOf(now)
	switch {
	case !ok, !free && !known:
		s.exact[now.ID] = span{now.Start, now.End}
	case free:
		*at = fresh
		s.taken++
		s.grow()
	default:
		*at = fresh
	}
	return old, known
}

func slotKey(id uuid.UUID) uint32 { return binary.BigEndian.Uint32(id[12:]) }

// find returns the slot with a key, or the free one that is to have it.
func (s *spans) find(key uint32) *slot {
	// Did providers know the seed, they could choose ids that are all looked for in one spot.
	i := maphash.Comparable(s.seed, key) >> 32 * uint64(len(s.slots)) >> 32
	for !s.slots[i].free() && s.slots[i].key != key {
		if i++; i == uint64(len(s.slots)) {
			i = 0
		}
	}
	return &s.slots[i]
}

// grow makes room when there is little, in small steps.
func (s *spans) grow() {
	if s.taken <= len(s.slots)/8*7 {
		return
	}
	old := s.slots
	s.slots = make([]slot, len(old)+len(old)/8+8)
	for i := range old {
		if o := &old[i]; !o.free() {
			*s.find(o.key) = *o
		}
	}
}
