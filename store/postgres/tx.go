package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"fever/store"
)

// begin begins a transaction that the server ends when the client stops in its midst: a
// process that is paused must not hold up the others.
var begin = []string{"begin", "set local idle_in_transaction_session_timeout = '10s'", "set local lock_timeout = '10s'"}

// read runs f in a transaction that sees one moment.
func (s *Store) read(ctx context.Context, f func(context.Context, pgx.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, bulkLimit)
	defer cancel()
	return pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		return f(ctx, tx)
	})
}

// tx is a transaction that writes. It begins with the first send, so nothing may be asked of the
// connection before.
type tx struct {
	*pgx.Conn

	// last is sent in one message with the commit. So the server waits for no client while it
	// holds the lock on the revision, which all commits need. Nor does each statement take a
	// round trip, which between machines is most of what a small transaction costs.
	last pgx.Batch

	mark   mark
	holder string        // of the store
	ahead  time.Duration // the server's clock is ahead of this machine's
}

// A mark is what a transaction writes beside the record of its job. It tells whether the
// transaction was committed.
type mark struct {
	provider string
	id       int64  // of the job
	written  string // a text that no other transaction has

	change int64           // of events; 0: it changes none
	at     *store.Revision // that the transaction makes, or is at; nil: nobody asks
}

// send sends what is in last before the end of the transaction, and waits for the answers. The
// error is store.ErrBusy (wrapped) if a lock was not free in time: another store writes much of
// the provider.
func (t *tx) send(ctx context.Context) error {
	now := t.last
	t.last = pgx.Batch{}
	err := t.SendBatch(ctx, &now).Close()
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok && refused.Code == lockNotAvailable {
		err = fmt.Errorf("%w: %w", store.ErrBusy, err)
	}
	return err
}

// update runs f in a transaction and commits it, unless f fails or ctx ends. The context that f
// gets bounds what f asks the server. The error is store.ErrUncertain (wrapped) when nobody
// could tell whether the commit succeeded, and store.ErrUnavailable when the server could not be
// asked, or could do nothing, and ctx has not ended.
func (s *Store) update(ctx context.Context, f func(context.Context, *tx) error) error {
	gone, err := s.transact(ctx, f)
	if err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrUncertain) && (gone || cannot(err)) {
		err = fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	s.refused(err)
	return err
}

// transact reports, beside an error, whether there is no connection any more.
func (s *Store) transact(ctx context.Context, f func(context.Context, *tx) error) (gone bool, err error) {
	bounded, cancel := context.WithTimeout(ctx, bulkLimit)
	defer cancel()
	conn, err := s.pool.Acquire(bounded)
	if err != nil {
		_, told := errors.AsType[*pgconn.PgError](err)
		return !told, err
	}
	defer conn.Release() // which closes it if it is still in the transaction
	t := &tx{Conn: conn.Conn(), holder: s.holder, mark: mark{written: uuid.NewString()}}
	for _, statement := range begin {
		t.last.Queue(statement)
	}
	if err = f(bounded, t); err == nil {
		err = ctx.Err()
	}
	if err != nil {
		s.failed(err)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askLimit)
		defer cancel()
		_, _ = t.Exec(ctx, "rollback") // else the connection is closed, which does it too
		return t.IsClosed(), err
	}
	ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), s.commitLimit)
	defer cancel()
	began := time.Now()
	if err := s.commit(ctx, t); err != nil {
		return t.IsClosed(), err
	}
	s.committed(time.Since(began))
	s.bell.ring()
	return false, nil
}

// commit sends what ends the transaction, and the commit. When it is not known whether that
// succeeded, it finds out.
func (s *Store) commit(ctx context.Context, t *tx) error {
	t.last.Queue("commit")
	err := t.SendBatch(ctx, &t.last).Close()
	if err == nil {
		return nil
	}
	s.failed(err)
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok && refused.Severity == "ERROR" {
		return err // the server has ended the transaction, and goes on
	}
	return s.resolve(ctx, err, func(ctx context.Context) (bool, error) { return s.stored(ctx, t.mark) })
}

// lockNotAvailable is what the server says when a lock was not free in time.
const lockNotAvailable = "55P03"

// cannot reports whether the server says that it can do nothing now: the connection fails, it has
// too few resources, a lock was not free in time, another transaction was in the way, this one
// was idle for too long, it is read-only, or it is going away.
func cannot(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (slices.Contains([]string{"08", "53", "40"}, e.Code[:min(2, len(e.Code))]) ||
		slices.Contains([]string{lockNotAvailable, "25P03", "25006"}, e.Code) || strings.HasPrefix(e.Code, "57P0"))
}

// failed has all connections made anew when one turned out to be to a server that is no longer
// the primary, or that is going away.
func (s *Store) failed(err error) {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && (e.Code == "25006" || strings.HasPrefix(e.Code, "57P0")) {
		s.pool.Reset()
	}
}

// resolve finds out whether a transaction was committed, although its commit failed: by asking
// whether the database has it. It returns nil if it was, and the cause if it was not.
func (s *Store) resolve(ctx context.Context, cause error, stored func(context.Context) (bool, error)) error {
	// A commit is of no use to anybody before it has an outcome, so this does not end before.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.commitLimit)
	defer cancel()
	pause := 50 * time.Millisecond
	for {
		committed, err := stored(ctx)
		switch {
		case err == nil && committed:
			return nil
		case err == nil:
			return cause
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w; then: %w", store.ErrUncertain, cause, err)
		case <-time.After(pause):
			pause = min(2*pause, 2*time.Second)
		}
	}
}

// stored reports whether a mark is in the database. The server may still be at the commit, so
// it waits for the lock that every transaction has on its provider.
func (s *Store) stored(ctx context.Context, m mark) (is bool, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "set local lock_timeout = '10s'"); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "select from fever.provider where name = $1 for share", m.provider); err != nil {
			return err
		}
		err := tx.QueryRow(ctx, "select exists (select from fever.job where id = $1 and written = $2)", m.id, m.written).Scan(&is)
		if err != nil || !is || m.at == nil {
			return err
		}
		return tx.QueryRow(ctx, "select coalesce((select number from fever.revision where change = $1), revision) from fever.meta", m.change).Scan(m.at)
	})
	return is, err
}
