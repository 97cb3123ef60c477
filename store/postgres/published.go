package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fever/store"
)

// Published returns stored events in the order of their revisions, and then of their keys: the
// first ones after a revision and a key, of one provider or, if its name is empty, of all. Zero
// and nil are before the first. At is the revision of the store.
//
// To ask again after the last item gives what follows, and in the end what has changed since. An
// event that changed meanwhile comes again, as it is then. Events that changed before the first
// revision that is kept come as if a rewriting had left them.
//
// The error is store.ErrRewritten (wrapped) when not all that has happened after the revision
// would come: start from zero then.
func (s *Store) Published(ctx context.Context, provider string, after store.Revision, key []byte, limit int) (items []store.PublishedItem, at store.Revision, err error) {
	err = s.read(ctx, func(ctx context.Context, tx pgx.Tx) error {
		h, err := headOf(ctx, tx)
		if err != nil {
			return err
		}
		base, err := baseOf(ctx, tx, h)
		if err != nil {
			return err
		}
		var id []byte // of the revision to come after
		if err := tx.QueryRow(ctx, "select (select id from fever.revision where number = $1)", int64(after)).Scan(&id); err != nil {
			return err
		}
		if (after != 0 || len(key) > 0) && (after < base || after > h.revision || id != nil && !s.history.shares(after, id)) {
			return store.ErrRewritten
		}
		at = h.revision
		s.history.remember(h.revision, h.id)
		if items, err = s.publishedAfter(ctx, tx, provider, base, after, key, limit); err != nil {
			return err
		}
		locations, err := s.locations(ctx, tx)
		if err != nil {
			return err
		}
		for i := range items {
			if items[i].Location = locations[items[i].Provider]; items[i].Location == nil {
				return s.damaged("event %s: no such provider", items[i].Key)
			}
		}
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("read what has changed since revision %d, to publish it: %w", after, err)
	}
	return items, at, nil
}

// baseOf returns the revision that the store can tell no changes up to: that of the latest
// rewriting, or the one before the first that is kept.
func baseOf(ctx context.Context, q querier, h head) (store.Revision, error) {
	var oldest store.Revision
	err := q.QueryRow(ctx, "select coalesce(min(number), 1) from fever.revision").Scan(&oldest)
	return max(h.rewritten, oldest-1), err
}

// publishedAfter reads items without their location. What no revision after the base has changed
// is of the base.
func (s *Store) publishedAfter(ctx context.Context, q querier, provider string, base, after store.Revision, key []byte, limit int) (items []store.PublishedItem, err error) {
	first, last := []byte{}, []byte{0xff} // no name begins so
	if provider != "" {
		first, last = keysOf(provider)
	}
	if key == nil {
		key = []byte{}
	}
	read := func(sql string, arguments ...any) error {
		rows, err := q.Query(ctx, sql, append(arguments, first, last, key, int64(base), limit-len(items))...)
		if err != nil {
			return err
		}
		var r wholeRow
		var revision store.Revision
		_, err = pgx.ForEachRow(rows, append(r.into(), &revision), func() error {
			record, err := s.record(&r)
			items = append(items, store.PublishedItem{Record: record, Revision: revision})
			return err
		})
		return err
	}
	if after <= base {
		if err := read("select " + wholeColumns + `, $4::bigint from fever.event as e where key > $1 and key < $2 and key > $3
			and not exists (select from fever.revision as r where r.change = e.change and number > $4) order by key limit $5`); err != nil {
			return nil, err
		}
		after, key = base, []byte{0xff}
	}
	if len(items) == limit {
		return items, nil
	}
	err = read("select "+wholeColumns+`, number from fever.revision as r join fever.event as e on e.change = r.change
		where number > $5 and number >= $1 and (number > $1 or key > $4) and key > $2 and key < $3 order by number, key limit $6`, int64(after))
	return items, err
}

// Locations returns the time zone of every provider with a snapshot, and the revision of the
// store.
func (s *Store) Locations(ctx context.Context) (all map[string]*time.Location, at store.Revision, err error) {
	err = s.read(ctx, func(ctx context.Context, tx pgx.Tx) error {
		h, err := headOf(ctx, tx)
		if err != nil {
			return err
		}
		at = h.revision
		all, err = s.locations(ctx, tx)
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("read the time zones of the providers: %w", err)
	}
	return all, at, nil
}
