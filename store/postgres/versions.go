package postgres

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/jackc/pgx/v5"

	"fever/event"
	"fever/store"
)

// Versions yields the versions of an event, the present one first; none if it is not stored. An
// error ends it. Memory holds what is stored of the event, and the version that is yielded.
func (s *Store) Versions(ctx context.Context, key event.Key) iter.Seq2[store.Version, error] {
	return func(yield func(store.Version, error) bool) {
		err := s.past(ctx, s.pool, func(r *wholeRow, undos []store.StoredUndo) error {
			for v, err := range r.versions(undos) {
				if err != nil {
					return s.damaged("%v", err)
				}
				if !yield(v, nil) {
					return errEnough
				}
			}
			return nil
		}, "where e.key = $1", key.Bytes())
		if err != nil && !errors.Is(err, errEnough) {
			yield(store.Version{}, fmt.Errorf("read the history of %s: %w", key, err))
		}
	}
}

// past calls f with each event for which the condition is true, and its undos.
func (s *Store) past(ctx context.Context, q querier, f func(r *wholeRow, undos []store.StoredUndo) error, condition string, arguments ...any) error {
	rows, err := q.Query(ctx, `select `+wholeColumns+`, array(select position from fever.history as h where h.key = e.key order by position),
		array(select value from fever.history as h where h.key = e.key order by position) from fever.event as e `+condition, arguments...)
	if err != nil {
		return err
	}
	var r wholeRow
	var positions []int64
	var values [][]byte
	_, err = pgx.ForEachRow(rows, append(r.into(), &positions, &values), func() error {
		var undos []store.StoredUndo
		for i, position := range positions {
			undos = append(undos, store.StoredUndo{Position: uint64(position), Value: values[i]})
		}
		return f(&r, undos)
	})
	return err
}

// versions is [store.Versions] of a row.
func (r *wholeRow) versions(undos []store.StoredUndo) iter.Seq2[store.Version, error] {
	encoded, err := r.encoded()
	if err != nil {
		return func(yield func(store.Version, error) bool) {
			yield(store.Version{}, fmt.Errorf("event %q: %w", r.key, err))
		}
	}
	v := store.Value{FirstSeen: r.firstSeen, LastChanged: r.lastChanged, Event: encoded}
	return store.Versions(r.key, v, r.current, undos)
}

// An undo takes back a change of the event with a key.
type undo struct {
	key []byte
	store.Undo
}

// mostUndos bounds the events whose histories are written at a time.
const mostUndos = 1000

// remember adds undos to the histories of events of a provider, one to each, and removes what is no
// longer kept.
func (s *Store) remember(ctx context.Context, t *tx, provider string, undos []undo) error {
	for some := range slices.Chunk(undos, mostUndos) {
		if err := s.rememberSome(ctx, t, provider, some); err != nil {
			return fmt.Errorf("history: %w", err)
		}
	}
	return nil
}

func (s *Store) rememberSome(ctx context.Context, t *tx, provider string, undos []undo) error {
	keys := make([][]byte, len(undos))
	for i := range undos {
		keys[i] = undos[i].key
	}
	if s.History == 0 {
		_, err := t.Exec(ctx, "delete from fever.history where key = any($1)", keys)
		return err
	}
	rows, err := t.Query(ctx, `select coalesce((select position + octet_length(value) + $2 from fever.history as h where h.key = s.key order by position desc limit 1), 0)
		from unnest($1::bytea[]) with ordinality as s (key, row) order by row`, keys, int64(store.UndoSize(nil)))
	if err != nil {
		return err
	}
	positions, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return err
	}
	firsts := make([]int64, len(undos)) // the lowest positions to keep
	var stored [][]any
	for i := range undos {
		u := &undos[i]
		value, err := u.Encode(store.UndoKey(u.key, uint64(positions[i])))
		if err != nil {
			return err
		}
		size := int64(store.UndoSize(value))
		if firsts[i] = positions[i] + size - store.MaxHistory; size <= store.MaxHistory {
			stored = append(stored, []any{u.key, positions[i], u.At, value})
		}
	}
	if _, err := t.CopyFrom(ctx, pgx.Identifier{"fever", "history"}, historyColumns, pgx.CopyFromRows(stored)); err != nil {
		return err
	}
	first, last := keysOf(provider) // as in compareEvents
	_, err = t.Exec(ctx, `delete from fever.history as h using unnest($1::bytea[], $2::bigint[]) as s (key, first) where h.key = s.key and h.key > $4 and h.key < $5 and
		(position < first or position < (select min(n.position) from fever.history as n where n.key = s.key and at >= $3))`,
		keys, firsts, undos[0].At-s.History.Milliseconds(), first, last)
	return err
}

var historyColumns = []string{"key", "position", "at", "value"}

// mostMoved bounds the events whose histories are moved at a time.
const mostMoved = 100

// moveHistory gives the undos of some events of a provider to those with the same numbers of
// another name, which lose their own.
func (s *Store) moveHistory(ctx context.Context, t *tx, from, to [][]byte) error {
	for len(from) > 0 {
		n := min(len(from), mostMoved)
		if err := s.moveSome(ctx, t, from[:n], to[:n]); err != nil {
			return fmt.Errorf("history: %w", err)
		}
		from, to = from[n:], to[n:]
	}
	return nil
}

func (s *Store) moveSome(ctx context.Context, t *tx, from, to [][]byte) error {
	if _, err := t.Exec(ctx, "delete from fever.history where key = any($1)", to); err != nil {
		return err
	}
	rows, err := t.Query(ctx, "delete from fever.history where key = any($1) returning key, position, value", from)
	if err != nil {
		return err
	}
	names := make(map[string][]byte)
	for i := range from {
		names[string(from[i])] = to[i]
	}
	var moved [][]any
	var key, value []byte
	var position int64
	_, err = pgx.ForEachRow(rows, []any{&key, &position, &value}, func() error {
		u, err := store.DecodeUndo(store.UndoKey(key, uint64(position)), value)
		if err != nil {
			return s.damaged("history of event %q: %v", key, err)
		}
		now := names[string(key)]
		again, err := u.Encode(store.UndoKey(now, uint64(position)))
		moved = append(moved, []any{now, position, u.At, again})
		return err
	})
	if err != nil {
		return err
	}
	_, err = t.CopyFrom(ctx, pgx.Identifier{"fever", "history"}, historyColumns, pgx.CopyFromRows(moved))
	return err
}

// checkHistory takes back all changes of each event that has any.
func (s *Store) checkHistory(ctx context.Context, q querier, f *faults) error {
	err := s.past(ctx, q, func(r *wholeRow, undos []store.StoredUndo) error {
		size := uint64(0)
		for _, u := range undos {
			size += store.UndoSize(u.Value)
		}
		var err error
		if size > store.MaxHistory {
			err = fmt.Errorf("%d bytes, more than %d", size, store.MaxHistory)
		}
		f.add(err, "history of event %q", r.key)
		for _, err := range r.versions(undos) {
			f.add(err, "versions")
		}
		return nil
	}, "where exists (select from fever.history as h where h.key = e.key) order by key")
	if err != nil {
		return err
	}
	rows, err := q.Query(ctx, "select h.key, position, at, value, e.key is null from fever.history as h left join fever.event as e on e.key = h.key")
	if err != nil {
		return err
	}
	var key, value []byte
	var position, at int64
	var lost bool
	return each(rows, []any{&key, &position, &at, &value, &lost}, func() {
		u, err := store.DecodeUndo(store.UndoKey(key, uint64(position)), value)
		switch {
		case err != nil:
		case u.At != at:
			err = errors.New("its columns are not as its value has them")
		case lost:
			err = errors.New("no such event")
		}
		f.add(err, "history of event %q: position %d", key, position)
	})
}
