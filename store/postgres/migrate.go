package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"fever/store"
)

// The steps from one format to the next, in order. What has been released never changes.
//
// Processes of the older version go on while a step is taken: they read, and write no more. So a
// step after the first begins with "lock table fever.meta", which waits for what they are
// writing, and it leaves the columns that they read until a later release.
//
//go:embed migrations/*.sql
var migrations embed.FS

// formatVersion is the format that this package reads and writes. A change of the schema
// raises it.
const formatVersion = 2

// migrationLock keeps stores that open at the same time from each other's way.
const migrationLock = 7353204881

// migrate makes the schema, or brings it up to date, in one transaction.
func (s *Store) migrate(ctx context.Context) error {
	format, err := formatOf(ctx, s.pool)
	if err != nil || format == formatVersion {
		return err
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
			return err
		}
		format, err := formatOf(ctx, tx) // another store may have been first
		if err != nil {
			return err
		}
		for ; format < formatVersion; format++ {
			step, err := migrations.ReadFile(fmt.Sprintf("migrations/%03d.sql", format+1))
			if err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, string(step)); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, "update fever.meta set format = $1", format)
		return err
	})
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok && refused.Code == "42501" {
		return fmt.Errorf("make the schema fever: %w; grant the user CREATE on the database, or open it once as its owner", err)
	}
	if err != nil {
		return fmt.Errorf("bring the schema fever from format %d to %d: %w", format, formatVersion, err)
	}
	return nil
}

// current returns an error unless the schema is there and of this format.
func (s *Store) current(ctx context.Context) error {
	switch format, err := formatOf(ctx, s.pool); {
	case err != nil:
		return err
	case format == 0:
		return fmt.Errorf("%w: fever serve and fever sync make its schema there", errNoSchema)
	case format < formatVersion:
		return fmt.Errorf("it is of the older format %d: fever serve and fever sync bring it to %d", format, formatVersion)
	}
	return nil
}

var errNoSchema = errors.New("nothing of fever's is in this database")

// querier is what a pool, a connection and a transaction can do.
type querier interface {
	Query(ctx context.Context, sql string, arguments ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, arguments ...any) pgx.Row
	Exec(ctx context.Context, sql string, arguments ...any) (pgconn.CommandTag, error)
}

// formatOf returns the format of the schema; 0: there is none.
func formatOf(ctx context.Context, q querier) (format int, err error) {
	// to_regclass would do the same, but within a transaction it may answer as before it.
	var schema, meta bool
	err = q.QueryRow(ctx, `select exists (select from pg_namespace where nspname = 'fever'),
		exists (select from pg_class as c join pg_namespace as n on n.oid = relnamespace where nspname = 'fever' and relname = 'meta')`).Scan(&schema, &meta)
	if err != nil || !schema {
		return 0, err
	}
	application := ""
	if meta {
		err = q.QueryRow(ctx, "select application, format from fever.meta").Scan(&application, &format)
	}
	switch refused, ok := errors.AsType[*pgconn.PgError](err); {
	case ok && refused.Code == "42501":
		return 0, fmt.Errorf("read the schema fever: %w; grant the user all on the schema and on what it holds", err)
	case ok && refused.Code == "42703", err == nil && application != "fever": // no such column
		return 0, fmt.Errorf("its schema fever is of another program: it is %w; it was left as it is: use another database", store.ErrForeign)
	case err != nil:
		return 0, err
	case format > formatVersion:
		return 0, newer(format)
	}
	return format, nil
}

func newer(format int) error {
	return fmt.Errorf("the database is %w (format %d, this one knows %d); upgrade fever or use another database", store.ErrNewer, format, formatVersion)
}
