package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"go.etcd.io/bbolt"

	"fever/event"
	"fever/store"
)

// headKey is the key of the head in the bucket of revisions: no event has revision 0.
var headKey = make([]byte, 8)

// A head says how far the file is.
type head struct {
	_         struct{}       `cbor:",toarray"`
	Revision  store.Revision // of the latest commit that changed events
	Rewritten store.Revision // what changed up to this one cannot be told as changes
}

// converted is the head of a file of format 1, whose events have no revisions.
var converted = head{Revision: 1, Rewritten: 1}

func readHead(tx *bbolt.Tx) (h head, err error) {
	b := tx.Bucket(revisionsBucket)
	if b == nil {
		return converted, nil
	}
	if err := store.Unseal(headKey, b.Get(headKey), &h); err != nil {
		return h, damaged(tx.DB().Path(), fmt.Sprintf("revision: %v", err))
	}
	return h, nil
}

func (h *head) write(tx *bbolt.Tx) error {
	b, err := store.Seal(headKey, h)
	if err != nil {
		return err
	}
	return tx.Bucket(revisionsBucket).Put(headKey, b)
}

// next makes h that of the commit being made. If rewritten, nothing up to it can be told
// as changes.
func (h *head) next(tx *bbolt.Tx, rewritten bool) error {
	h.Revision++
	if rewritten {
		h.Rewritten = h.Revision
	}
	return h.write(tx)
}

// revisionKey is the revision in the order of bytes, and the event's key.
func revisionKey(r store.Revision, key []byte) []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(key)), uint64(r)), key...)
}

// parseRevisionKey is the inverse of revisionKey.
func parseRevisionKey(k []byte) (r store.Revision, key []byte) {
	return store.Revision(binary.BigEndian.Uint64(k)), k[len(headKey):]
}

// revise makes to the revision that changed an event last, where from was; 0 is none: before,
// it was not counted, and from now on there is no such event.
func revise(tx *bbolt.Tx, key []byte, from, to store.Revision) error {
	b := tx.Bucket(revisionsBucket)
	b.FillPercent = fillPercent
	var err error
	if from != 0 {
		err = b.Delete(revisionKey(from, key))
	}
	if to != 0 {
		err = errors.Join(err, b.Put(revisionKey(to, key), nil))
	}
	return err
}

// Changes returns an entry for every event that was changed after a revision, in the order
// of revisions and then of keys, and the revision that they make up to. What was changed
// more than once comes once, as it is now. It costs in proportion to what it returns.
//
// The error is store.ErrRewritten (wrapped) when that is not all that has happened.
func (s *Store) Changes(ctx context.Context, since store.Revision) (entries []*event.Entry, at store.Revision, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		h, err := readHead(tx)
		if err != nil {
			return err
		}
		if since < h.Rewritten || since > h.Revision {
			return store.ErrRewritten
		}
		at = h.Revision
		if since == at {
			return nil
		}
		locations, err := s.locations(tx)
		if err != nil {
			return err
		}
		events, cursor := tx.Bucket(eventsBucket), tx.Bucket(revisionsBucket).Cursor()
		for k, _ := cursor.Seek(revisionKey(since+1, nil)); k != nil; k, _ = cursor.Next() {
			if err := ctx.Err(); err != nil {
				return err
			}
			key := k[len(headKey):]
			e, err := s.entry(pair{key, events.Get(key)}, locations)
			if err != nil {
				return err
			}
			entries = append(entries, e)
		}
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("read what has changed since revision %d: %w", since, err)
	}
	return entries, at, nil
}

// Wait returns when the store is beyond a revision. It returns the error of ctx when that
// ends before, and another when the store is closed, or can no longer be used.
func (s *Store) Wait(ctx context.Context, since store.Revision) error {
	for {
		rings := s.bell.listen() // before looking
		h, err := s.head()
		if err == nil && h.Revision <= since {
			select {
			case <-rings:
			case <-ctx.Done():
				err = ctx.Err()
			}
		}
		s.bell.leave(rings)
		if err != nil {
			return fmt.Errorf("wait for what comes after revision %d: %w", since, err)
		}
		if h.Revision > since {
			return nil
		}
	}
}

func (s *Store) head() (h head, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		h, err = readHead(tx)
		return err
	})
	return h, err
}

// A bell wakes all who listen when it rings. Only the file says whether there is anything new.
type bell struct {
	mu        sync.Mutex
	rings     chan struct{} // nil while nobody listens
	listeners int
}

func (b *bell) listen() chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rings == nil {
		b.rings, b.listeners = make(chan struct{}), 0
	}
	b.listeners++
	return b.rings
}

func (b *bell) leave(rings chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rings != rings { // it has rung
		return
	}
	if b.listeners--; b.listeners == 0 {
		b.rings = nil
	}
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rings != nil {
		close(b.rings)
		b.rings = nil
	}
}
