package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

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
		at = h.revision
		s.history.remember(h.revision, h.id)
		entries, err = s.loadAll(ctx, tx.Conn().PgConn(), locations)
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("load the stored events: %w", err)
	}
	return entries, at, nil
}

// loadAll reads on one goroutine, as the answer comes on one connection, and makes entries on all
// processors: that costs several times what reading does.
func (s *Store) loadAll(ctx context.Context, conn *pgconn.PgConn, locations map[string]*time.Location) ([]*event.Entry, error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	batches := make(chan batch, runtime.GOMAXPROCS(0))
	var mu sync.Mutex
	var parts [][]*event.Entry
	var workers sync.WaitGroup
	for range cap(batches) {
		workers.Go(func() {
			entries, err := s.entries(batches, locations)
			if err != nil {
				fail(err)
			}
			mu.Lock()
			defer mu.Unlock()
			parts = append(parts, entries)
		})
	}
	err := readBatches(ctx, conn, batches)
	close(batches)
	workers.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return slices.Concat(parts...), err
}

// A batch is some events as the server sent them: all values, one after the other, and where each
// of them ends.
type batch struct {
	values []byte
	ends   []int
}

const (
	// batchSize is the number of events that a worker takes at a time.
	batchSize = 512

	// entryColumns is the number of values that an entry is made of.
	entryColumns = 6
)

// readBatches sends all events, until ctx ends. It takes the values as the server sends them, in
// binary: to convert them one by one takes pgx longer than all the rest.
func readBatches(ctx context.Context, conn *pgconn.PgConn, batches chan<- batch) (err error) {
	rows := conn.ExecParams(ctx, "select key, title, starts, ends, lowest, highest from fever.event", nil, nil, nil, []int16{pgx.BinaryFormatCode})
	defer func() {
		_, failed := rows.Close()
		err = cmp.Or(err, failed)
	}()
	var b batch
	for more := true; more; {
		if more = rows.NextRow(); more {
			for _, value := range rows.Values() {
				b.values = append(b.values, value...)
				b.ends = append(b.ends, len(b.values))
			}
		}
		if len(b.ends) < batchSize*entryColumns && more {
			continue
		}
		select {
		case batches <- b:
		case <-ctx.Done():
			return ctx.Err()
		}
		b = batch{make([]byte, 0, len(b.values)+len(b.values)/8), make([]int, 0, len(b.ends))}
	}
	return nil
}

// entries makes the entries of batches until there are no more.
func (s *Store) entries(batches <-chan batch, locations map[string]*time.Location) (entries []*event.Entry, err error) {
	var r row
	for b := range batches {
		texts, start := string(b.values), 0
		for ends := b.ends; len(ends) > 0; ends = ends[entryColumns:] {
			r.key = b.values[start:ends[0]]
			r.Title, r.Start, r.End = texts[ends[0]:ends[1]], texts[ends[1]:ends[2]], texts[ends[2]:ends[3]]
			r.Lowest, r.Highest = texts[ends[3]:ends[4]], texts[ends[4]:ends[5]]
			start = ends[5]
			e, err := s.entry(&r, locations)
			if err != nil {
				return nil, err
			}
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// row is a stored event without its detail.
type row struct {
	store.Columns

	key     []byte
	current bool
	change  int64
}

// scan calls f with all events for which the condition is true, and their entries. The row is good
// until f returns, but its key for ever.
func (s *Store) scan(ctx context.Context, q querier, locations map[string]*time.Location, f func(*event.Entry, *row), condition string, arguments ...any) error {
	rows, err := q.Query(ctx, readRows+condition, arguments...)
	if err != nil {
		return err
	}
	return scanRows(rows, func(r *row) error {
		e, err := s.entry(r, locations)
		if err == nil {
			f(e, r)
		}
		return err
	})
}

const readRows = "select key, current, change, title, starts, ends, lowest, highest from fever.event "

// scanRows calls f with each row of readRows. The row is good until f returns, but what it holds
// for ever.
func scanRows(rows pgx.Rows, f func(*row) error) error {
	var r row
	_, err := pgx.ForEachRow(rows, []any{&r.key, &r.current, &r.change, &r.Title, &r.Start, &r.End, &r.Lowest, &r.Highest}, func() error { return f(&r) })
	return err
}

// entriesOf makes the entries of rows, on all processors.
func (s *Store) entriesOf(rows []row, locations map[string]*time.Location) ([]*event.Entry, error) {
	entries := make([]*event.Entry, len(rows))
	errs := make([]error, runtime.GOMAXPROCS(0))
	var workers sync.WaitGroup
	for worker := range errs {
		workers.Go(func() {
			var err error
			for i := worker; i < len(rows) && err == nil; i += len(errs) {
				entries[i], err = s.entry(&rows[i], locations)
			}
			errs[worker] = err
		})
	}
	workers.Wait()
	return entries, errors.Join(errs...)
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
