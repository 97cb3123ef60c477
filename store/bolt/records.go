package bolt

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"fever/event"
	"fever/store"
)

// Records yields stored events in the order of their entries: start, end, id. An
// error ends it.
//
// It finds and orders the events at the start. It reads each event when its turn comes, in
// a transaction of its own: a slow consumer holds up no writer, may call any method, and
// sees the values of that moment. Memory holds the keys of the events to come, and one
// event with its zones.
//
// An event that is forgotten or renamed before its turn makes the error store.ErrRemoved:
// without that event the others would pass for all that is stored.
func (s *Store) Records(ctx context.Context, f store.Filter) iter.Seq2[event.Record, error] {
	return func(yield func(event.Record, error) bool) {
		keys, err := s.find(ctx, f)
		if err != nil {
			yield(event.Record{}, fmt.Errorf("find the stored events: %w", err))
			return
		}
		for _, key := range keys {
			r, err := s.record(ctx, key)
			if err != nil {
				yield(event.Record{}, fmt.Errorf("read a stored event: %w", err))
				return
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

// find returns the keys of the events that f asks for, in order.
func (s *Store) find(ctx context.Context, f store.Filter) ([][]byte, error) {
	type place struct {
		*event.Entry
		key []byte
	}
	var found []place
	err := s.view(func(tx *bbolt.Tx) error {
		locations, err := s.locations(tx)
		if err != nil {
			return err
		}
		for k, v := range candidates(tx.Bucket(eventsBucket), &f) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if f.ID != uuid.Nil && f.Key == (event.Key{}) {
				if key, err := event.ParseKey(k); err == nil && key.ID() != f.ID { // a damaged key is an error below
					continue
				}
			}
			e, err := s.entry(pair{k, v}, locations)
			if err != nil {
				return err
			}
			if f.Window.Holds(&e.SortKey) {
				e.Summary = nil // not needed for the order
				found = append(found, place{e, bytes.Clone(k)})
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b place) int { return a.Compare(&b.SortKey) })
	if f.Limit > 0 && len(found) > f.Limit {
		found = found[:f.Limit]
	}
	keys := make([][]byte, len(found))
	for i := range found {
		keys[i] = found[i].key
	}
	return keys, nil
}

// candidates yields the events with the key, or of the provider, that f asks for.
func candidates(events *bbolt.Bucket, f *store.Filter) iter.Seq2[[]byte, []byte] {
	if f.Key == (event.Key{}) {
		return under(events, f.Provider)
	}
	return func(yield func(key, value []byte) bool) {
		key := f.Key.Bytes()
		if value := events.Get(key); value != nil {
			yield(key, value)
		}
	}
}

// record reads one event with everything that is known about it.
func (s *Store) record(ctx context.Context, key []byte) (r event.Record, err error) {
	if err := ctx.Err(); err != nil {
		return r, err
	}
	err = s.view(func(tx *bbolt.Tx) error {
		value := tx.Bucket(eventsBucket).Get(key)
		if value == nil && !s.db.IsReadOnly() {
			return fmt.Errorf("event %q: %w", key, store.ErrRemoved)
		}
		var err error
		if r, err = store.DecodeRecord(key, value); err != nil {
			return damaged(s.path, fmt.Sprintf("event %q: %v", key, err))
		}
		r.Current = tx.Bucket(currentBucket).Get(key) != nil
		return nil
	})
	return r, err
}
