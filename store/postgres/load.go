package postgres

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fever/event"
	"fever/store"
)

// Load returns an entry for every stored event, in no particular order, and the revision
// that they are of.
func (s *Store) Load(ctx context.Context) (entries []*event.Entry, at store.Revision, err error) {
	err = s.read(ctx, func(ctx context.Context, tx pgx.Tx) error {
		h, err := headOf(ctx, tx)
		if err != nil {
			return err
		}
		locations, err := s.locations(ctx, tx)
		if err != nil {
			return err
		}
		at, entries = h.revision, nil
		s.history.remember(h.revision, h.id)
		return s.scan(ctx, tx, locations, func(e *event.Entry, _ *row) {
			entries = append(entries, e)
		}, "")
	})
	if err != nil {
		return nil, 0, fmt.Errorf("load the stored events: %w", err)
	}
	return entries, at, nil
}

// row is a stored event without its detail.
type row struct {
	store.Columns

	key     []byte
	current bool
	change  int64
}

// scan calls f with all events for which the condition is true. The row is good until f
// returns, but its key for ever.
func (s *Store) scan(ctx context.Context, q querier, locations map[string]*time.Location, f func(*event.Entry, *row), condition string, arguments ...any) error {
	rows, err := q.Query(ctx, "select key, current, change, title, starts, ends, lowest, highest from fever.event "+condition, arguments...)
	if err != nil {
		return err
	}
	var r row
	_, err = pgx.ForEachRow(rows, []any{&r.key, &r.current, &r.change, &r.Title, &r.Start, &r.End, &r.Lowest, &r.Highest}, func() error {
		e, err := s.entry(&r, locations)
		if err == nil {
			f(e, &r)
		}
		return err
	})
	return err
}

// entry makes the index entry of a stored event.
func (s *Store) entry(r *row, locations map[string]*time.Location) (*event.Entry, error) {
	e, lowest, highest, err := r.Entry(r.key)
	if err != nil {
		return nil, s.damaged("event %q: %v", r.key, err)
	}
	location := locations[e.Provider]
	if location == nil {
		return nil, s.damaged("event %s: no such provider", e.Key)
	}
	if e.TimeZone != "" {
		if _, err := event.LoadLocation(e.TimeZone); err != nil {
			return nil, fmt.Errorf("event %s: %w", e.Key, err)
		}
	}
	return event.Summarize(&e, lowest, highest, location), nil
}

// digestOf returns what equal events have in common, of an event as it is encoded.
func digestOf(encoded []byte) []byte {
	sum := sha256.Sum256(encoded)
	return sum[:16]
}
