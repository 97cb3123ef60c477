package bolt

import (
	"context"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"fever/event"
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
		p, err := readProvider(tx, provider)
		v = p.Validators
		return err
	})
	if err != nil {
		return feed.Validators{}, fmt.Errorf("read the validators of %s: %w", provider, err)
	}
	return v, nil
}

// revalidate replaces the validators of the provider's latest snapshot by newer ones of
// the same body from the same source.
func (s *Store) revalidate(tx *bbolt.Tx, provider string, v feed.Validators) error {
	providers, key := tx.Bucket(providersBucket), []byte(provider)
	p, err := readProvider(tx, provider)
	if err != nil || p.TimeZone == "" {
		return err
	}
	if old := p.Validators; v == old || v.Digest != old.Digest || v.Source != old.Source {
		return nil
	}
	p.Validators = v
	b, err := p.Encode(key)
	if err != nil {
		return err
	}
	return providers.Put(key, b)
}

// readProvider returns what is stored of a provider, or the zero value, which has no time
// zone, when no snapshot is.
func readProvider(tx *bbolt.Tx, name string) (p store.Provider, err error) {
	b := tx.Bucket(providersBucket).Get([]byte(name))
	if b == nil {
		return p, nil
	}
	if p, err = store.DecodeProvider([]byte(name), b); err != nil {
		return p, damaged(tx.DB().Path(), fmt.Sprintf("provider %q: %v", name, err))
	}
	return p, nil
}

// locations returns the time zone of every provider with a snapshot.
func (s *Store) locations(tx *bbolt.Tx) (map[string]*time.Location, error) {
	all := make(map[string]*time.Location)
	for key := range under(tx.Bucket(providersBucket), "") {
		name := string(key)
		loc := s.Zones[name]
		if loc == nil {
			p, err := readProvider(tx, name)
			if err != nil {
				return nil, err
			}
			if loc, err = event.LoadLocation(p.TimeZone); err != nil {
				return nil, fmt.Errorf("provider %s: %w", name, err)
			}
		}
		all[name] = loc
	}
	return all, nil
}
