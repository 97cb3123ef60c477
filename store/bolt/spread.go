package bolt

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"sync"

	"go.etcd.io/bbolt"

	"fever/store"
)

// batchSize is the number of pairs that a worker takes at a time.
const batchSize = 512

// pair is a key and its value. It is good until the end of the transaction.
type pair struct{ key, value []byte }

// spread gives all that b holds to several workers, as many as there are processors.
// Each takes batches until there are no more, or it fails and with it the others. A
// mistake of ours that panics in one ends the process: nobody could recover from it.
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
		// The workers read the pages of b: they must end before it, come what may.
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

// verify compares the checksums of all values, and decodes nothing. The keys in current
// have none: there must be an event for each.
func (s *Store) verify() error {
	return s.view(func(tx *bbolt.Tx) error {
		events, current := tx.Bucket(eventsBucket).Cursor(), tx.Bucket(currentBucket).Cursor()
		e, _ := events.First()
		for k, _ := current.First(); k != nil; k, _ = current.Next() {
			for e != nil && bytes.Compare(e, k) < 0 {
				e, _ = events.Next()
			}
			if !bytes.Equal(e, k) {
				return damaged(s.path, fmt.Sprintf("current: %q: no such event", k))
			}
		}
		for _, name := range [][]byte{eventsBucket, providersBucket, jobsBucket} {
			err := s.spread(context.Background(), tx.Bucket(name), func(batches <-chan []pair) error {
				for batch := range batches {
					for _, p := range batch {
						if err := store.Verify(p.key, p.value); err != nil {
							return damaged(s.path, fmt.Sprintf("%s: %q: %v", name, p.key, err))
						}
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}
