package bolt

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"fever/store"
)

// Published returns stored events in the order of their revisions, and then of their keys: the
// first ones after a revision and a key, of one provider or, if its name is empty, of all. Zero
// and nil are before the first. At is the revision of the store.
//
// To ask again after the last item gives what follows, and in the end what has changed since. An
// event that changed meanwhile comes again, as it is then. It costs in proportion to what it
// returns, and passes over the keys of other providers; among what the latest rewriting left, it
// also passes over the events that have changed since.
//
// The error is store.ErrRewritten (wrapped) when not all that has happened after the revision
// would come: start from zero then.
func (s *Store) Published(ctx context.Context, provider string, after store.Revision, key []byte, limit int) (items []store.PublishedItem, at store.Revision, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		h, err := readHead(tx)
		if err != nil {
			return err
		}
		if (after != 0 || len(key) > 0) && (after < h.Rewritten || after > h.Revision) {
			return store.ErrRewritten
		}
		at = h.Revision
		locations, err := s.locations(tx)
		if err != nil {
			return err
		}
		p := publishing{Store: s, tx: tx, locations: locations, rewritten: h.Rewritten, limit: limit}
		if provider != "" {
			p.prefix = append([]byte(provider), 0)
		}
		if after <= h.Rewritten {
			if err := p.rewrittenAfter(ctx, key); err != nil {
				return err
			}
			after, key = h.Rewritten+1, nil
		}
		if after <= h.Revision {
			err = p.changedAfter(ctx, after, key)
		}
		items = p.items
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("read what has changed since revision %d, to publish it: %w", after, err)
	}
	return items, at, nil
}

// A publishing collects items in a transaction.
type publishing struct {
	*Store

	tx        *bbolt.Tx
	locations map[string]*time.Location
	prefix    []byte // of the keys of events
	rewritten store.Revision
	limit     int
	items     []store.PublishedItem
}

// rewrittenAfter adds the events with greater keys that no revision after the latest rewriting
// has changed: they are those of the rewriting.
func (p *publishing) rewrittenAfter(ctx context.Context, key []byte) error {
	if p.rewritten == 0 {
		return nil // there was none
	}
	cursor := p.tx.Bucket(eventsBucket).Cursor()
	from := p.prefix
	if bytes.Compare(key, from) > 0 {
		from = key
	}
	for k, v := cursor.Seek(from); k != nil && bytes.HasPrefix(k, p.prefix) && len(p.items) < p.limit; k, v = cursor.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if bytes.Equal(k, key) {
			continue
		}
		revision, err := store.VerifyValue(k, v)
		if err != nil {
			return damaged(p.path, fmt.Sprintf("event %q: %v", k, err))
		}
		if revision > p.rewritten {
			continue
		}
		if err := p.add(k, v, p.rewritten); err != nil {
			return err
		}
	}
	return nil
}

// changedAfter adds the events that are behind a revision and key in the bucket of revisions.
func (p *publishing) changedAfter(ctx context.Context, after store.Revision, key []byte) error {
	from := revisionKey(after, key)
	events, cursor := p.tx.Bucket(eventsBucket), p.tx.Bucket(revisionsBucket).Cursor()
	for k, _ := cursor.Seek(from); k != nil && len(p.items) < p.limit; k, _ = cursor.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		revision, key := parseRevisionKey(k)
		if bytes.Equal(k, from) || !bytes.HasPrefix(key, p.prefix) {
			continue
		}
		if err := p.add(key, events.Get(key), revision); err != nil {
			return err
		}
	}
	return nil
}

func (p *publishing) add(key, value []byte, revision store.Revision) error {
	r, err := store.DecodeRecord(key, value)
	loc := p.locations[r.Provider]
	if err == nil && loc == nil {
		err = fmt.Errorf("no provider %s", r.Provider)
	}
	if err != nil {
		return damaged(p.path, fmt.Sprintf("event %q: %v", key, err))
	}
	r.Current = p.tx.Bucket(currentBucket).Get(key) != nil
	p.items = append(p.items, store.PublishedItem{Record: r, Revision: revision, Location: loc})
	return nil
}

// Locations returns the time zone of every provider with a snapshot, and the revision of the
// store.
func (s *Store) Locations(ctx context.Context) (all map[string]*time.Location, at store.Revision, err error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	err = s.view(func(tx *bbolt.Tx) error {
		h, err := readHead(tx)
		if err != nil {
			return err
		}
		at = h.Revision
		all, err = s.locations(tx)
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("read the time zones of the providers: %w", err)
	}
	return all, at, nil
}
