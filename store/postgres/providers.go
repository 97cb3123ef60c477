package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fever/event"
	"fever/provider/feed"
	"fever/store"
)

// Validators returns what was stored with the provider's latest snapshot, or the zero
// value when there is none.
func (s *Store) Validators(ctx context.Context, provider string) (feed.Validators, error) {
	p, err := s.provider(ctx, provider)
	if err != nil {
		return feed.Validators{}, fmt.Errorf("read the validators of %s: %w", provider, err)
	}
	return p.Validators, nil
}

func (s *Store) provider(ctx context.Context, name string) (store.Provider, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	var c claim
	if err := c.scan(s.pool.QueryRow(ctx, readClaim, name, s.holder)); err != nil {
		return store.Provider{}, err
	}
	return s.decodeProvider(name, c.value)
}

// Digests returns those of the events in the provider's latest snapshot. They hold until a job
// of the provider brings another one, or the provider is forgotten or renamed.
func (s *Store) Digests(ctx context.Context, provider string) (*store.Digests, error) {
	ctx, cancel := context.WithTimeout(ctx, bulkLimit)
	defer cancel()
	first, last := keysOf(provider)
	rows, err := s.pool.Query(ctx, "select key, digest from fever.event where current and item = '' and key > $1 and key < $2", first, last)
	digests := new(store.Digests)
	if err == nil {
		var key, digest []byte
		_, err = pgx.ForEachRow(rows, []any{&key, &digest}, func() error {
			if len(digest) != len(store.Digest{}) {
				return s.damaged("event %q: a digest of %d bytes", key, len(digest))
			}
			return digests.Add(key, store.Digest(digest))
		})
	}
	if err != nil {
		return nil, fmt.Errorf("read the digests of %s: %w", provider, err)
	}
	return digests, nil
}

// decodeProvider returns what the row of a provider says, or the zero value, which has no time
// zone, when no snapshot is stored.
func (s *Store) decodeProvider(name string, value []byte) (p store.Provider, err error) {
	if value == nil {
		return p, nil
	}
	if p, err = store.DecodeProvider([]byte(name), value); err != nil {
		return p, s.damaged("provider %q: %v", name, err)
	}
	return p, nil
}

// revalidate has the transaction replace the validators of the provider's latest snapshot, of
// which value is stored, by newer ones of the same body from the same source.
func (s *Store) revalidate(t *tx, provider string, value []byte, v feed.Validators) error {
	p, err := s.decodeProvider(provider, value)
	if err != nil || p.TimeZone == "" {
		return err
	}
	if old := p.Validators; v == old || v.Digest != old.Digest || v.Source != old.Source {
		return nil
	}
	p.Validators = v
	b, err := p.Encode([]byte(provider))
	if err != nil {
		return err
	}
	t.last.Queue("update fever.provider set value = $2 where name = $1", provider, b)
	return nil
}

// locations returns the time zone of every provider with a snapshot. For Stats it keeps the
// number of each one's current events.
func (s *Store) locations(ctx context.Context, q querier) (map[string]*time.Location, error) {
	rows, err := q.Query(ctx, readProviders)
	if err != nil {
		return nil, err
	}
	return s.locationsIn(rows)
}

const readProviders = "select name, value, current from fever.provider where value is not null"

func (s *Store) locationsIn(rows pgx.Rows) (map[string]*time.Location, error) {
	all, current := make(map[string]*time.Location), make(map[string]int)
	var name string
	var value []byte
	var n int
	_, err := pgx.ForEachRow(rows, []any{&name, &value, &n}, func() error {
		p, err := s.decodeProvider(name, value)
		if err == nil {
			current[name] = n
			all[name], err = event.LoadLocation(p.TimeZone)
		}
		return err
	})
	if err == nil {
		s.counted(current)
	}
	return all, err
}

// validName reports whether a provider can have the name. Other texts may be none that the
// server takes.
func validName(provider string) bool { return event.ValidProvider(provider) == nil }

// Known reports whether any event of a provider is stored.
func (s *Store) Known(ctx context.Context, provider string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	is, err := known(ctx, s.pool, provider)
	if err != nil {
		return false, fmt.Errorf("look for events of %s: %w", provider, err)
	}
	return is, nil
}

func known(ctx context.Context, q querier, provider string) (is bool, err error) {
	first, last := keysOf(provider)
	err = q.QueryRow(ctx, "select exists (select from fever.event where key > $1 and key < $2)", first, last).Scan(&is)
	return is, err
}

// keysOf returns two keys that those of a provider's events are between.
func keysOf(provider string) (first, last []byte) {
	return append([]byte(provider), 0), append([]byte(provider), 1)
}
