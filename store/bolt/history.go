package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"go.etcd.io/bbolt"

	"fever/event"
	"fever/store"
)

// Versions yields the versions of an event, the present one first; none if it is not stored. An
// error ends it. Memory holds what is stored of the event, and the version that is yielded.
func (s *Store) Versions(ctx context.Context, key event.Key) iter.Seq2[store.Version, error] {
	return func(yield func(store.Version, error) bool) {
		versions, err := s.readVersions(ctx, key.Bytes())
		if err != nil {
			yield(store.Version{}, fmt.Errorf("read the history of %s: %w", key, err))
			return
		}
		for v, err := range versions {
			if err != nil {
				err = damaged(s.path, err.Error())
			}
			if !yield(v, err) {
				return
			}
		}
	}
}

func (s *Store) readVersions(ctx context.Context, key []byte) (versions iter.Seq2[store.Version, error], err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = s.view(func(tx *bbolt.Tx) error {
		stored := tx.Bucket(eventsBucket).Get(key)
		if stored == nil {
			versions = func(func(store.Version, error) bool) {}
			return nil
		}
		v, err := store.DecodeValue(key, stored)
		if err != nil {
			return damaged(s.path, fmt.Sprintf("event %q: %v", key, err))
		}
		var undos []store.StoredUndo
		for position, value := range undosOf(tx, key) {
			undos = append(undos, store.StoredUndo{Position: position, Value: bytes.Clone(value)})
		}
		versions = store.Versions(key, v, tx.Bucket(currentBucket).Get(key) != nil, undos)
		return nil
	})
	return versions, err
}

// undosOf yields the undos of an event with their positions, the oldest first.
func undosOf(tx *bbolt.Tx, key []byte) iter.Seq2[uint64, []byte] {
	return func(yield func(uint64, []byte) bool) {
		b := tx.Bucket(historyBucket)
		if b == nil { // in an older format
			return
		}
		cursor, prefix := b.Cursor(), append(bytes.Clone(key), 0)
		for k, v := cursor.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = cursor.Next() {
			if _, position, err := store.ParseUndoKey(k); err != nil || !yield(position, v) {
				return
			}
		}
	}
}

// remember adds an undo to the history of an event, and removes what is no longer kept.
func (s *Store) remember(tx *bbolt.Tx, key []byte, u *store.Undo) error {
	if s.History == 0 {
		return forgetHistory(tx, key)
	}
	b := tx.Bucket(historyBucket)
	position := uint64(0)
	cursor := b.Cursor()
	newest := cursor.Prev
	if past, _ := cursor.Seek(append(bytes.Clone(key), 1)); past == nil { // beyond all of its keys
		newest = cursor.Last
	}
	k, v := newest()
	if of, last, err := store.ParseUndoKey(k); err == nil && bytes.Equal(of, key) {
		position = last + store.UndoSize(v)
	}
	k = store.UndoKey(key, position)
	value, err := u.Encode(k)
	if err != nil {
		return err
	}
	end := position + store.UndoSize(value)
	if store.UndoSize(value) <= store.MaxHistory {
		err = b.Put(k, value)
	}
	return errors.Join(err, s.trim(b, key, end, u.At-s.History.Milliseconds()))
}

// trim removes the undos of an event of which not all lies in the last bytes before end, and the
// oldest ones from before a time in Unix milliseconds.
func (s *Store) trim(b *bbolt.Bucket, key []byte, end uint64, before int64) error {
	cursor, prefix := b.Cursor(), append(bytes.Clone(key), 0)
	for {
		k, v := cursor.Seek(prefix)
		if !bytes.HasPrefix(k, prefix) {
			return nil
		}
		_, position, err := store.ParseUndoKey(k)
		if err != nil {
			return damaged(s.path, err.Error())
		}
		if position+store.MaxHistory >= end {
			u, err := store.DecodeUndo(k, v)
			if err != nil {
				return damaged(s.path, fmt.Sprintf("history of event %q: %v", key, err))
			}
			if u.At >= before {
				return nil
			}
		}
		if err := cursor.Delete(); err != nil {
			return err
		}
	}
}

// forgetHistory removes all undos of an event.
func forgetHistory(tx *bbolt.Tx, key []byte) error {
	var keys [][]byte
	for position := range undosOf(tx, key) {
		keys = append(keys, store.UndoKey(key, position))
	}
	return deleteAll(tx.Bucket(historyBucket), keys)
}

// moveHistory gives the undos of an event to another one, which loses its own.
func moveHistory(tx *bbolt.Tx, from, to []byte) error {
	if err := forgetHistory(tx, to); err != nil {
		return err
	}
	var moved []pair
	for position, value := range undosOf(tx, from) {
		u, err := store.DecodeUndo(store.UndoKey(from, position), value)
		if err != nil {
			return damaged(tx.DB().Path(), fmt.Sprintf("history of event %q: %v", from, err))
		}
		k := store.UndoKey(to, position)
		if value, err = u.Encode(k); err != nil {
			return err
		}
		moved = append(moved, pair{k, value})
	}
	err := forgetHistory(tx, from)
	for _, m := range moved {
		err = errors.Join(err, tx.Bucket(historyBucket).Put(m.key, m.value))
	}
	return err
}
