package bolt

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"iter"
	"runtime"
	"sync"
	"sync/atomic"

	"go.etcd.io/bbolt"

	"fever/store"
)

// batchSize is the number of pairs that a worker takes at a time.
const batchSize = 512

// pair is a key and its value. It is good until the end of the transaction.
type pair struct{ key, value []byte }

// under yields what a bucket holds of a provider, in the order of keys; of all for "".
func under(b *bbolt.Bucket, provider string) iter.Seq2[[]byte, []byte] {
	var prefix []byte
	if provider != "" {
		prefix = append([]byte(provider), 0)
	}
	return func(yield func(key, value []byte) bool) {
		cursor := b.Cursor()
		for k, v := cursor.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, v = cursor.Next() {
			if !yield(k, v) {
				return
			}
		}
	}
}

// spread gives all that b holds to one worker for each processor. A worker takes batches
// until there are no more. When one fails, all end. A panic of our own code in a worker
// ends the process, since nobody can recover it.
func (s *Store) spread(ctx context.Context, b *bbolt.Bucket, work func(batches <-chan []pair) error) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	batches := make(chan []pair, runtime.GOMAXPROCS(0))
	var workers sync.WaitGroup
	for range cap(batches) {
		workers.Go(func() {
			if err := s.contain(func() error { return work(batches) }); err != nil {
				fail(err)
			}
		})
	}
	func() {
		// The workers read the pages of b: all must end before the transaction does, even
		// when walk panics.
		defer workers.Wait()
		defer close(batches)
		walk(ctx, b, batches)
	}()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// walk sends everything in b to batches, until ctx ends.
func walk(ctx context.Context, b *bbolt.Bucket, batches chan<- []pair) {
	var batch []pair
	cursor := b.Cursor()
	for k, v := cursor.First(); ; k, v = cursor.Next() {
		if len(batch) == batchSize || k == nil {
			select {
			case batches <- batch:
			case <-ctx.Done():
				return
			}
			batch = make([]pair, 0, batchSize)
		}
		if k == nil {
			return
		}
		batch = append(batch, pair{k, v})
	}
}

// verify compares the checksums of all values. Keys and marks have none, so it compares them with
// the events: each key in current must be that of an event, with its digest, and the keys in revisions
// must be those of all events with a revision. The latter are in another order, so the sums of
// their hashes are compared. So are those of names and items.
func (s *Store) verify() error {
	return s.view(func(tx *bbolt.Tx) error {
		seed := maphash.MakeSeed()
		var sum atomic.Uint64
		event := func(key, b []byte) error {
			r, err := store.VerifyValue(key, b)
			if r != 0 {
				sum.Add(maphash.Bytes(seed, revisionKey(r, key)))
			}
			return err
		}
		revision := func(key, b []byte) error {
			if bytes.Equal(key, headKey) {
				return store.Verify(key, b)
			}
			sum.Add(-maphash.Bytes(seed, key))
			return nil
		}
		item := func(key, b []byte) error {
			i, err := store.DecodeItem(key, b)
			for _, name := range i.ItemNames(key) {
				sum.Add(maphash.Bytes(seed, name))
			}
			return err
		}
		name := func(key, _ []byte) error {
			sum.Add(-maphash.Bytes(seed, key))
			return nil
		}
		err := cmp.Or(
			s.verifyBucket(tx, providersBucket, store.Verify), s.verifyBucket(tx, jobsBucket, store.Verify),
			s.verifyBucket(tx, historyBucket, store.Verify),
			s.verifyBucket(tx, eventsBucket, event), s.verifyBucket(tx, revisionsBucket, revision),
		)
		if err != nil {
			return err
		}
		if sum.Load() != 0 {
			return damaged(s.path, "revisions: not those of the events")
		}
		if err := cmp.Or(s.verifyBucket(tx, itemsBucket, item), s.verifyBucket(tx, namesBucket, name)); err != nil {
			return err
		}
		if sum.Load() != 0 {
			return damaged(s.path, "names: not those of the items")
		}
		return s.verifyCurrent(tx)
	})
}

// verifyCurrent looks up the event of each key in current, and compares the digests.
func (s *Store) verifyCurrent(tx *bbolt.Tx) error {
	events, current := tx.Bucket(eventsBucket).Cursor(), tx.Bucket(currentBucket).Cursor()
	e, stored := events.First()
	for k, mark := current.First(); k != nil; k, mark = current.Next() {
		for e != nil && bytes.Compare(e, k) < 0 {
			e, stored = events.Next()
		}
		if !bytes.Equal(e, k) {
			return damaged(s.path, fmt.Sprintf("current: %q: no such event", k))
		}
		if err := verifyMark(k, mark, stored); err != nil {
			return damaged(s.path, fmt.Sprintf("current: %q: %v", k, err))
		}
	}
	return nil
}

func (s *Store) verifyBucket(tx *bbolt.Tx, name []byte, verify func(key, b []byte) error) error {
	b := tx.Bucket(name)
	if b == nil { // in an older format
		return nil
	}
	return s.spread(context.Background(), b, func(batches <-chan []pair) error {
		for batch := range batches {
			for _, p := range batch {
				if err := verify(p.key, p.value); err != nil {
					return damaged(s.path, fmt.Sprintf("%s: %q: %v", name, p.key, err))
				}
			}
		}
		return nil
	})
}
