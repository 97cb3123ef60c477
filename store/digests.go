package store

import (
	"crypto/sha256"
	"fmt"
	"hash/maphash"

	"fever/event"
	"fever/provider/feed"
)

// A Digest is what equal events have in common beside their keys: the first half of the SHA-256 of
// what [Encoder.Encode] returns.
type Digest [16]byte

// DigestOf returns the digest of an event as it is encoded.
func DigestOf(encoded []byte) Digest {
	sum := sha256.Sum256(encoded)
	return Digest(sum[:])
}

// Digests recognise events that a store has with the same values in their provider's latest
// snapshot. A decoder need not keep such events, nor does the store read them: see
// [Snapshot.Unchanged]. The zero value recognises nothing. Find must not be called at the same time.
type Digests struct {
	// All are the events, by key and digest, in any order. Find and Index know those that are there
	// when one of them is called first.
	All []*feed.Stored

	enc  Encoder
	seed maphash.Seed
	// places are in All, by the hash of the key: a third of what the keys would take. If two keys have the
	// same hash, which hardly ever happens, the event of one is not recognised.
	places map[uint64]uint32
}

// Add is called by stores with an event of the latest snapshot.
func (d *Digests) Add(key []byte, digest Digest) error {
	k, err := event.ParseKey(key)
	if err != nil {
		return err
	}
	d.All = append(d.All, &feed.Stored{Key: k, Digest: digest})
	return nil
}

// Find returns what the store has of an event, or nil if it has other values of it or none.
func (d *Digests) Find(e *event.Event) *feed.Stored {
	at, ok := d.Index(e.Key)
	if !ok || Digest(d.All[at].Digest) != DigestOf(d.enc.Encode(e)) {
		return nil
	}
	return d.All[at]
}

// Index returns where the event with a key is in All.
func (d *Digests) Index(key event.Key) (at int, ok bool) {
	if d.places == nil {
		d.seed = maphash.MakeSeed()
		d.places = make(map[uint64]uint32, len(d.All))
		for i, s := range d.All {
			d.places[maphash.Comparable(d.seed, s.Key)] = uint32(i)
		}
	}
	place, ok := d.places[maphash.Comparable(d.seed, key)]
	if !ok || d.All[place].Key != key {
		return 0, false
	}
	return int(place), true
}

// Row encodes the event of a row, and notes its digest. It returns nil for a row without values.
// The bytes are good until the next call.
func (c *Encoder) Row(r *Row) []byte {
	if r.Event == nil {
		return r.Values
	}
	encoded := c.Encode(r.Event)
	r.Digest = DigestOf(encoded)
	return encoded
}

// Stale returns [ErrStale] for a row.
func (r *Row) Stale() error { return fmt.Errorf("event %s: %w", r, ErrStale) }
