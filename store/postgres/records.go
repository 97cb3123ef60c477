package postgres

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"fever/event"
	"fever/store"
)

// Records yields stored events in the order of their entries: start, end, id. An
// error ends it.
//
// It finds and orders the events at the start, and then reads a few at a time: a slow consumer
// holds up nobody, may call any method, and sees the values of about that moment. Memory holds
// the keys of the events to come, and those few.
//
// An event that is forgotten or renamed before it is read makes the error store.ErrRemoved:
// without that event the others would pass for all that is stored.
func (s *Store) Records(ctx context.Context, f store.Filter) iter.Seq2[event.Record, error] {
	return func(yield func(event.Record, error) bool) {
		keys, err := s.find(ctx, f)
		if err != nil {
			yield(event.Record{}, fmt.Errorf("find the stored events: %w", err))
			return
		}
		for len(keys) > 0 {
			some, err := s.records(ctx, s.pool, keys[:min(len(keys), mostRead)])
			if err != nil {
				yield(event.Record{}, fmt.Errorf("read stored events: %w", err))
				return
			}
			keys = keys[len(some):]
			for _, r := range some {
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

const (
	// mostRead bounds the events that are read at a time.
	mostRead = 256

	// muchRead is how many bytes of details end what is read at a time.
	muchRead = 1 << 20
)

// find returns the keys of the events that f asks for, in order.
func (s *Store) find(ctx context.Context, f store.Filter) (keys [][]byte, err error) {
	if f.Provider != "" && !validName(f.Provider) {
		return nil, nil
	}
	var found []place
	err = s.read(ctx, func(ctx context.Context, tx pgx.Tx) error {
		locations, err := s.locations(ctx, tx)
		if err != nil {
			return err
		}
		condition, arguments := "", []any(nil)
		if f.Provider != "" {
			first, last := keysOf(f.Provider)
			condition, arguments = ofProvider, []any{first, last}
		}
		if f.ID != uuid.Nil && f.Key == (event.Key{}) {
			if f.Key, err = s.keyOf(ctx, tx, f.ID, condition, arguments...); err != nil || f.Key == (event.Key{}) {
				return err
			}
		}
		if f.Key != (event.Key{}) {
			condition, arguments = "where key = $1", []any{f.Key.Bytes()}
		}
		return s.scan(ctx, tx, locations, func(e *event.Entry, r *row) {
			if f.Window.Holds(&e.SortKey) {
				e.Summary = nil // not needed for the order
				found = append(found, place{e, r.key, r.current})
			}
		}, condition, arguments...)
	})
	if err != nil {
		return nil, err
	}
	inOrder(found)
	if f.Limit > 0 && len(found) > f.Limit {
		found = found[:f.Limit]
	}
	return keysIn(found), nil
}

// keyOf returns the key of the event with an id, among those for which the condition is true. It is
// zero if there is none.
func (s *Store) keyOf(ctx context.Context, tx pgx.Tx, id uuid.UUID, condition string, arguments ...any) (found event.Key, err error) {
	rows, err := tx.Query(ctx, "select key from fever.event "+condition, arguments...)
	if err != nil {
		return found, err
	}
	var text []byte
	_, err = pgx.ForEachRow(rows, []any{&text}, func() error {
		key, err := event.ParseKey(text)
		switch {
		case err != nil:
			return s.damaged("%v", err)
		case key.ID() == id:
			found = key
		}
		return nil
	})
	return found, err
}

// ofProvider is the condition for the events between two keys: see keysOf.
const ofProvider = "where key > $1 and key < $2"

// A place is where an event is among others.
type place struct {
	*event.Entry

	key     []byte
	current bool
}

func inOrder(all []place) {
	slices.SortFunc(all, func(a, b place) int { return a.Compare(&b.SortKey) })
}

func keysIn(all []place) [][]byte {
	keys := make([][]byte, len(all))
	for i := range all {
		keys[i] = all[i].key
	}
	return keys
}

// wholeRow is a stored event with all that is known of it.
type wholeRow struct {
	row

	item        string
	firstSeen   int64
	lastChanged int64
	digest      []byte
}

const wholeColumns = "e.key, e.change, e.current, e.item, e.first_seen, e.last_changed, e.digest, e.title, e.starts, e.ends, e.lowest, e.highest, e.detail"

// into returns where to read wholeColumns.
func (r *wholeRow) into() []any {
	return []any{&r.key, &r.change, &r.current, &r.item, &r.firstSeen, &r.lastChanged, &r.digest, &r.Title, &r.Start, &r.End, &r.Lowest, &r.Highest, &r.Detail}
}

// records reads the first of some events: all of them, or as many as are much together, and at
// least one.
func (s *Store) records(ctx context.Context, q querier, keys [][]byte) (some []event.Record, err error) {
	if len(keys) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	rows, err := q.Query(ctx, `select `+wholeColumns+` from (
			select row, wanted.key, sum(octet_length(detail)) over (order by row) - octet_length(detail) as before
			from unnest($1::bytea[]) with ordinality as wanted (key, row) join fever.event using (key)
		) as found join fever.event as e using (key) where before < $2 order by row`, keys, int64(muchRead))
	if err != nil {
		return nil, err
	}
	var r wholeRow
	_, err = pgx.ForEachRow(rows, r.into(), func() error {
		if len(some) == len(keys) || !bytes.Equal(r.key, keys[len(some)]) {
			return fmt.Errorf("event %q: %w", keys[len(some)], store.ErrRemoved)
		}
		record, err := s.record(&r)
		some = append(some, record)
		return err
	})
	if err == nil && len(some) == 0 {
		err = fmt.Errorf("event %q: %w", keys[0], store.ErrRemoved)
	}
	return some, err
}

// record makes what is known of an event.
func (s *Store) record(r *wholeRow) (record event.Record, err error) {
	sealed, err := r.sealed(0)
	if err == nil {
		record, err = store.DecodeRecord(r.key, sealed)
	}
	if err != nil {
		return record, s.damaged("event %q: %v", r.key, err)
	}
	record.Current = r.current
	return record, nil
}

// sealed makes what the file holds of an event that a revision changed last; 0: from before
// revisions were counted.
func (r *wholeRow) sealed(revision store.Revision) ([]byte, error) {
	encoded, err := r.encoded()
	if err != nil {
		return nil, err
	}
	v := store.Value{Revision: revision, FirstSeen: r.firstSeen, LastChanged: r.lastChanged, Event: encoded}
	return v.Encode(r.key)
}

// encoded returns the event as the file has it.
func (r *wholeRow) encoded() ([]byte, error) {
	encoded, err := r.Event()
	if digest := store.DigestOf(encoded); err == nil && !bytes.Equal(digest[:], r.digest) {
		err = errDigest
	}
	return encoded, err
}
