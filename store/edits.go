package store

import "bytes"

// An Edit is a step from an encoded event to the one before: so many bytes stay as they are, and
// so many behind them are replaced.
type Edit struct {
	_    struct{} `cbor:",toarray"`
	Keep int
	Drop int
	Put  []byte // in the place of what is dropped
}

// lookahead bounds the zones among which one is looked for that has moved, since the time for many zones
// must not grow with their square.
const lookahead = 16

// itemsBeforeZones is the number of the items in an encoded event before its first zone: the heads of three
// lists are among them, those of the event, of the bytes of its zones, and of the zones.
const itemsBeforeZones = 12

// editsOf returns what makes an encoded event of another one. It compares them item by item and
// zone by zone: other counts in some zones are an edit each, also where they change the lengths of what
// is around them. Any bytes have edits; those of events have few.
func editsOf(before, after []byte) []Edit {
	var e editing
	for range itemsBeforeZones {
		e.replace(&before, &after, itemLength(before), itemLength(after))
	}
	for len(before) > 0 && len(after) > 0 {
		b, a := aligned(before, after)
		e.replace(&before, &after, b, a)
	}
	e.replace(&before, &after, len(before), len(after))
	return e.edits
}

// aligned returns how many bytes of the rest of an event are to be compared with how many of another
// one: a zone and itself, or nothing and zones that only one of the two has.
func aligned(before, after []byte) (b, a int) {
	x, y := zoneName(before), zoneName(after)
	if !bytes.Equal(x, y) {
		if n := zonesBefore(before, y); n > 0 {
			return n, 0
		}
		if n := zonesBefore(after, x); n > 0 {
			return 0, n
		}
	}
	return zoneLength(before), zoneLength(after)
}

// zonesBefore returns the length of the zones before the one with a name; 0 if it is not near.
func zonesBefore(zones, name []byte) (n int) {
	for range lookahead {
		if n += zoneLength(zones[n:]); n == len(zones) {
			return 0
		}
		if bytes.Equal(zoneName(zones[n:]), name) {
			return n
		}
	}
	return 0
}

// zoneName returns the beginning of a zone, with its id.
func zoneName(zones []byte) []byte {
	zone := zones[:zoneLength(zones)]
	head := itemLength(zone)
	return zone[:head+itemLength(zone[head:])]
}

// zoneLength returns the length of a zone, of what only some zones have, or of the head of a list of them: of
// the items before the next head of a list.
func zoneLength(b []byte) int {
	n := itemLength(b)
	for n < len(b) && b[n]&headMask != arrayHead {
		n += itemLength(b[n:])
	}
	return n
}

// itemLength returns the length of the CBOR item that bytes begin with. Of a list, and of the bytes of the
// zones, it is that of the head. It is not 0 unless there are no bytes.
func itemLength(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	head, n := 1, uint64(b[0]&^headMask)
	if n >= 24 && n < 28 {
		head += 1 << (n - 24)
		n = 0
		for _, c := range b[1:min(head, len(b))] {
			n = n<<8 | uint64(c)
		}
	}
	if b[0]&headMask != textHead {
		n = 0
	}
	return min(head, len(b)) + int(min(n, uint64(max(len(b)-head, 0))))
}

// An editing collects edits.
type editing struct {
	edits []Edit
	kept  int // bytes since the last one
}

// replace takes bytes from the beginnings of two events, and adds an edit unless they are the same.
func (e *editing) replace(before, after *[]byte, b, a int) {
	put, drop := (*before)[:b], (*after)[:a]
	*before, *after = (*before)[b:], (*after)[a:]
	if bytes.Equal(put, drop) {
		e.kept += a
		return
	}
	most, prefix, suffix := min(a, b), 0, 0
	for prefix < most && put[prefix] == drop[prefix] {
		prefix++
	}
	for suffix < most-prefix && put[b-1-suffix] == drop[a-1-suffix] {
		suffix++
	}
	if e.kept += prefix; e.kept > 0 || len(e.edits) == 0 {
		e.edits = append(e.edits, Edit{Keep: e.kept})
	}
	last := &e.edits[len(e.edits)-1]
	last.Drop += a - prefix - suffix
	last.Put = append(last.Put, put[prefix:b-suffix]...)
	e.kept = suffix
}
