package bolt

import (
	"context"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"fever/provider/feed"
	"fever/store"
)

// Validators returns what was stored with the provider's latest snapshot, or the zero
// value when there is none.
func (s *Store) Validators(ctx context.Context, provider string) (v feed.Validators, err error) {
	if err := ctx.Err(); err != nil {
		return v, err
	}
	err = s.view(func(tx *bbolt.Tx) error {
		b := tx.Bucket(providersBucket).Get([]byte(provider))
		if b == nil {
			return nil
		}
		p, err := store.DecodeProvider([]byte(provider), b)
		if err != nil {
			return damaged(s.path, fmt.Sprintf("provider %q: %v", provider, err))
		}
		v = p.Validators
		return nil
	})
	if err != nil {
		return feed.Validators{}, fmt.Errorf("read the validators of %s: %w", provider, err)
	}
	return v, nil
}

// revalidate relocations the validators of the provider's latest snapshot by newer ones of
// the same body from the same source.
func (s *Store) revalidate(tx *bbolt.Tx, provider string, v feed.Validators) error {
	providers, key := tx.Bucket(providersBucket), []byte(provider)
	b := providers.Get(key)
	if b == nil {
		return nil // there is no snapshot
	}
	p, err := store.DecodeProvider(key, b)
	if err != nil {
		return damaged(s.path, fmt.Sprintf("provider %q: %v", provider, err))
	}
	if old := p.Validators; v == old || v.Digest != old.Digest || v.Source != old.Source {
		return nil
	}
	p.Validators = v
	if b, err = p.Encode(key); err != nil {
		return err
	}
	return providers.Put(key, b)
}

// locations returns the time zone of every provider with a snapshot.
func (s *Store) locations(tx *bbolt.Tx) (map[string]*time.Location, error) {
	all := make(map[string]*time.Location)
	err := tx.Bucket(providersBucket).ForEach(func(name, v []byte) error {
		if loc := s.Zones[string(name)]; loc != nil {
			all[string(name)] = loc
			return nil
		}
		p, err := store.DecodeProvider(name, v)
		if err != nil {
			return damaged(tx.DB().Path(), fmt.Sprintf("provider %q: %v", name, err))
		}
		loc, err := store.LoadZone(p.TimeZone)
		if err != nil {
			return fmt.Errorf("provider %s: %w", name, err)
		}
		all[string(name)] = loc
		return nil
	})
	return all, err
}
