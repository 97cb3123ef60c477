package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"fever/store"
)

// unhurried is for a transaction that takes as long as a million events, or more, need.
const unhurried = "set local statement_timeout = 0"

// moment runs f in a transaction that sees one moment, for as long as it takes.
func (s *Store) moment(ctx context.Context, f func(pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, unhurried); err != nil {
			return err
		}
		return f(tx)
	})
}

// holdAll keeps everybody else from writing until the end of the transaction. The error is
// store.ErrBusy (wrapped) while a job runs.
func holdAll(ctx context.Context, tx pgx.Tx) error {
	// All that writes locks the row of a provider first, which this mode keeps it from.
	_, err := tx.Exec(ctx, "set local lock_timeout = '2s'; lock table fever.provider in exclusive mode")
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok && refused.Code == "55P03" {
		return store.ErrBusy
	}
	if err != nil {
		return err
	}
	var provider, host string
	err = tx.QueryRow(ctx, "select name, coalesce(host, '') from fever.provider where until > clock_timestamp() order by name limit 1").Scan(&provider, &host)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("%s: %w, on %s", provider, store.ErrBusy, host)
	}
	return err
}

// Parts implements [store.Copier].
func (s *Store) Parts(ctx context.Context, alone bool) iter.Seq2[store.Part, error] {
	return func(yield func(store.Part, error) bool) {
		err := s.moment(ctx, func(tx pgx.Tx) error {
			if alone {
				if err := holdAll(ctx, tx); err != nil {
					return err
				}
			}
			return s.parts(ctx, tx, func(p store.Part) bool { return yield(p, nil) })
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(store.Part{}, fmt.Errorf("read all that is stored: %w", err))
		}
	}
}

// errEnough is returned when nobody wants the other parts.
var errEnough = errors.New("enough")

// parts yields everything. The error is errEnough when yield returns false.
func (s *Store) parts(ctx context.Context, q querier, yield func(store.Part) bool) error {
	h, err := headOf(ctx, q)
	if err != nil {
		return err
	}
	base, err := baseOf(ctx, q, h)
	if err != nil {
		return err
	}
	var failed error
	give := func(p store.Part, err error) error {
		if err == nil && !yield(p) {
			err = errEnough
		}
		return err
	}
	if err := give(store.Part{Kind: store.HeadPart, Revision: h.revision, Rewritten: base}, nil); err != nil {
		return err
	}
	read := func(dest []any, part func() (store.Part, error), sql string, arguments ...any) {
		if failed != nil {
			return
		}
		var rows pgx.Rows
		if rows, failed = q.Query(ctx, sql, arguments...); failed == nil {
			_, failed = pgx.ForEachRow(rows, dest, func() error { return give(part()) })
		}
	}
	var name, table, item string
	var id int64
	var value []byte
	sealed := func(kind store.Kind, key []byte) (store.Part, error) {
		err := store.Verify(key, value)
		if err != nil {
			err = s.damaged("%q: %v", key, err)
		}
		return store.Part{Kind: kind, Key: key, Value: value}, err
	}
	read([]any{&name, &value}, func() (store.Part, error) { return sealed(store.ProviderPart, []byte(name)) },
		"select name, value from fever.provider where value is not null order by name")
	var r wholeRow
	var revision store.Revision
	read(append(r.into(), &revision), func() (store.Part, error) {
		value, err := r.sealed(revision)
		if err != nil {
			err = s.damaged("event %q: %v", r.key, err)
		}
		return store.Part{Kind: store.EventPart, Key: r.key, Value: value, Current: r.current, Item: r.item}, err
	}, "select "+wholeColumns+", coalesce(number, 0) from fever.event as e left join fever.revision as r on r.change = e.change and number > $1 order by key", int64(base))
	read([]any{&name, &table, &item, &value}, func() (store.Part, error) {
		return sealed(store.ItemPart, store.ItemKey(name, table, item))
	}, "select provider, of_table, id, value from fever.item order by provider, of_table, id")
	read([]any{&name, &id, &value}, func() (store.Part, error) {
		return sealed(store.JobPart, store.JobKey(name, uint64(id)))
	}, "select provider, id, value from fever.job order by provider, id")
	var key []byte
	read([]any{&key, &id, &value}, func() (store.Part, error) { return sealed(store.UndoPart, store.UndoKey(key, uint64(id))) },
		"select key, position, value from fever.history order by key, position")
	return failed
}

// copied are the tables that parts are rows of, in the order of these. All else in the schema
// follows from them.
var copied = []struct {
	name    string
	kind    store.Kind
	columns []string
	row     func(*store.Part) ([]any, error)
}{
	{"provider", store.ProviderPart, []string{"name", "value"}, func(p *store.Part) ([]any, error) {
		return []any{string(p.Key), p.Value}, nil
	}},
	{"event", store.EventPart, eventColumns, func(p *store.Part) ([]any, error) {
		v, err := store.DecodeValue(p.Key, p.Value)
		if err != nil {
			return nil, err
		}
		c, err := store.SplitEvent(v.Event)
		digest := store.DigestOf(v.Event)
		return []any{
			p.Key, int64(v.Revision), p.Current, p.Item, v.FirstSeen, v.LastChanged, digest[:],
			c.Title, c.Start, c.End, c.Lowest, c.Highest, c.Detail,
		}, err
	}},
	{"item", store.ItemPart, []string{"provider", "of_table", "id", "name", "parent", "generation", "value"}, func(p *store.Part) ([]any, error) {
		provider, table, id, err := store.ParseItemKey(p.Key)
		if err != nil {
			return nil, err
		}
		item, err := store.DecodeItem(p.Key, p.Value)
		return []any{provider, table, id, item.Name, item.Parent, int64(item.Generation), p.Value}, err
	}},
	{"job", store.JobPart, []string{"id", "provider", "state", "collects", "answered", "applied", "written", "value"}, func(p *store.Part) ([]any, error) {
		job, err := store.DecodeJob(p.Key, p.Value)
		return []any{int64(job.ID), job.Provider, string(job.State), job.Trigger.Collects(), job.Answered(), job.Applied(), "", p.Value}, err
	}},
	{"history", store.UndoPart, historyColumns, func(p *store.Part) ([]any, error) {
		key, position, err := store.ParseUndoKey(p.Key)
		if err != nil {
			return nil, err
		}
		u, err := store.DecodeUndo(p.Key, p.Value)
		return []any{key, int64(position), u.At, p.Value}, err
	}},
}

// Fill implements [store.Copier]. Stores that follow this one see another history, and load all.
func (s *Store) Fill(ctx context.Context, parts iter.Seq2[store.Part, error]) error {
	history := uuid.New()
	err := s.fillAndCommit(ctx, parts, history)
	if err == nil {
		s.bell.ring()
		_, err = s.locations(ctx, s.pool) // for Stats
	}
	if err != nil {
		return fmt.Errorf("fill the store: %w", err)
	}
	return nil
}

func (s *Store) fillAndCommit(ctx context.Context, parts iter.Seq2[store.Part, error], history uuid.UUID) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release() // which closes it if it is still in the transaction
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	if err := s.fill(ctx, tx, parts, history); err != nil {
		_ = tx.Rollback(ctx)          // else the connection is closed, which does it too
		return cmp.Or(ctx.Err(), err) // the other one may be of a closed connection then
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.commitLimit)
	defer cancel()
	err = tx.Commit(bounded)
	if err == nil {
		return nil
	}
	return s.resolve(ctx, err, func(ctx context.Context) (is bool, err error) {
		err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "set local lock_timeout = '10s'; lock table fever.provider in share mode"); err != nil {
				return err
			}
			return tx.QueryRow(ctx, "select history = $1 from fever.meta", history).Scan(&is)
		})
		return is, err
	})
}

func (s *Store) fill(ctx context.Context, tx pgx.Tx, parts iter.Seq2[store.Part, error], history uuid.UUID) error {
	if _, err := tx.Exec(ctx, unhurried); err != nil {
		return err
	}
	if err := holdAll(ctx, tx); err != nil {
		return err
	}
	parts, compare := store.Compared(parts)
	next, stop := iter.Pull2(parts)
	defer stop()
	head, err, _ := next()
	if err != nil {
		return err
	}
	if err := fillRevisions(ctx, tx, &head, history); err != nil {
		return err
	}
	part, failed, more := next()
	for _, table := range copied {
		// No TRUNCATE: whoever began to read before it would find the table empty.
		if _, err := tx.Exec(ctx, "delete from fever."+table.name); err != nil {
			return err
		}
		used := false
		_, err := tx.CopyFrom(ctx, pgx.Identifier{"fever", table.name}, table.columns, pgx.CopyFromFunc(func() ([]any, error) {
			if used {
				part, failed, more = next()
			}
			if used = more && part.Kind == table.kind; !used || failed != nil {
				return nil, failed
			}
			row, err := table.row(&part)
			if err != nil {
				failed = fmt.Errorf("%q: %w", part.Key, err)
			}
			return row, failed
		}))
		if failed != nil {
			return failed // of which pgx gives the server's words
		}
		if err != nil {
			return err
		}
	}
	if more {
		return fmt.Errorf("a part of kind %d after those of other kinds", part.Kind)
	}
	for _, sql := range []string{
		// The newest job is the fence of its provider. A job that is recorded as running is none: its
		// process may be about to go on.
		`insert into fever.provider (name, token) select provider, coalesce(max(id) filter (where state <> 'running'), 0) from fever.job group by provider
			on conflict (name) do update set token = excluded.token`,
		`update fever.provider set current = (select count(*) from fever.event where current and key > convert_to(name, 'UTF8') || '\x00' and key < convert_to(name, 'UTF8') || '\x01')`,
		// Sequences are of no transaction, so they must never go back.
		"select setval('fever.job_id', max(id)) from fever.job having max(id) >= (select last_value from fever.job_id)",
		"select setval('fever.change', revision) from fever.meta where revision >= (select last_value from fever.change)",
		"notify fever",
	} {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return compare(func(yield func(store.Part, error) bool) {
		if err := s.parts(ctx, tx, func(p store.Part) bool { return yield(p, nil) }); err != nil {
			yield(store.Part{}, err)
		}
	})
}

// fillRevisions begins a history with the revisions that changes can be told since. The number of
// each is that of its change, too.
func fillRevisions(ctx context.Context, tx pgx.Tx, head *store.Part, history uuid.UUID) error {
	if head.Kind != store.HeadPart {
		return errors.New("the first part is no head")
	}
	if _, err := tx.Exec(ctx, "delete from fever.revision"); err != nil {
		return err
	}
	var id uuid.UUID
	number := max(head.Rewritten, 1)
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"fever", "revision"}, []string{"number", "id", "change"}, pgx.CopyFromFunc(func() ([]any, error) {
		if number > head.Revision {
			return nil, nil
		}
		id = uuid.New()
		number++
		return []any{int64(number - 1), id[:], int64(number - 1)}, nil
	}))
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "update fever.meta set history = $1, revision = $2, rewritten = $3, id = $4", history, int64(head.Revision), int64(head.Rewritten), id[:])
	return err
}
