package store

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"fever/event"
)

// loadBatch is the number of events that a decoder takes at a time.
const loadBatch = 512

// Load returns an entry for every stored event, in no particular order.
//
// zones gives the time zones of the providers as they are configured now. A provider
// that is not in it has the zone recorded with its latest snapshot.
func (s *Store) Load(ctx context.Context, zones map[string]*time.Location) ([]*event.Entry, error) {
	var entries []*event.Entry
	err := s.view(func(tx *bbolt.Tx) error {
		places, err := places(tx, zones)
		if err != nil {
			return err
		}
		entries, err = s.load(ctx, tx, places)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load the stored events: %w", err)
	}
	return entries, nil
}

// pair is a key and its value. It is good until the end of the transaction.
type pair struct{ key, value []byte }

// load decodes on all processors: that costs ten times what walking the pages does.
func (s *Store) load(ctx context.Context, tx *bbolt.Tx, places map[string]*time.Location) ([]*event.Entry, error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	parts := make([][]*event.Entry, runtime.GOMAXPROCS(0))
	batches := make(chan []pair, len(parts))
	var decoders sync.WaitGroup
	for i := range parts {
		decoders.Go(func() {
			err := s.contain(func() (err error) {
				parts[i], err = s.decode(batches, places)
				return err
			})
			if err != nil {
				fail(err)
			}
		})
	}
	func() {
		// The decoders read the pages of tx: they must end before it, come what may.
		defer decoders.Wait()
		defer close(batches)
		walk(ctx, tx.Bucket(eventsBucket), batches)
	}()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return slices.Concat(parts...), nil
}

// walk sends everything in b to batches, until ctx ends.
func walk(ctx context.Context, b *bbolt.Bucket, batches chan<- []pair) {
	var batch []pair
	cursor := b.Cursor()
	for k, v := cursor.First(); ; k, v = cursor.Next() {
		if len(batch) == loadBatch || k == nil {
			select {
			case batches <- batch:
			case <-ctx.Done():
				return
			}
			batch = make([]pair, 0, loadBatch)
		}
		if k == nil {
			return
		}
		batch = append(batch, pair{k, v})
	}
}

func (s *Store) decode(batches <-chan []pair, places map[string]*time.Location) ([]*event.Entry, error) {
	var entries []*event.Entry
	for batch := range batches {
		for _, p := range batch {
			e, err := s.entry(p, places)
			if err != nil {
				return nil, err
			}
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// entry makes the index entry of a stored event.
func (s *Store) entry(p pair, places map[string]*time.Location) (*event.Entry, error) {
	e, lowest, highest, err := decodeEntry(p.key, p.value)
	if err != nil {
		return nil, damaged(s.path, fmt.Sprintf("event %q: %v", p.key, err))
	}
	loc := places[e.Provider]
	if loc == nil {
		return nil, damaged(s.path, fmt.Sprintf("event %s: no such provider", e.Key))
	}
	return event.Summarize(&e, lowest, highest, loc), nil
}
