package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fever/store"
)

// lease is how long a claim lasts that nobody renews.
const lease = 15 * time.Second

// A claim is what the row of a provider says.
type claim struct {
	known   bool   // there is a row
	value   []byte // of the latest snapshot; nil: there is none
	members []byte
	current int
	token   int64 // the newest job
	other   bool  // another store claims the provider
	host    string
	format  int // of the schema
}

// lock locks the row of a provider until the end of the transaction. All that writes of a
// provider begins with it. The error is store.ErrNewer (wrapped) when a newer version of fever has
// brought the schema up to date meanwhile: this one reads on, and writes no more.
func (t *tx) lock(ctx context.Context, provider string) (c claim, err error) {
	c, err = claimOf(ctx, t, provider, "for no key update", t.holder)
	if err == nil && c.format > formatVersion {
		err = newer(c.format)
	}
	return c, err
}

// claimOf reads the row of a provider.
func claimOf(ctx context.Context, q querier, provider, how, holder string) (c claim, err error) {
	err = q.QueryRow(ctx, `select true, value, members, current, token, coalesce(holder <> $2 and until > clock_timestamp(), false), coalesce(host, ''),
			(select format from fever.meta)
		from fever.provider where name = $1 `+how, provider, holder).
		Scan(&c.known, &c.value, &c.members, &c.current, &c.token, &c.other, &c.host, &c.format)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return c, err
}

// free returns store.ErrBusy (wrapped) when another store claims the provider.
func (c *claim) free() error {
	if c.other {
		return fmt.Errorf("%w, on %s", store.ErrBusy, c.host)
	}
	return nil
}

// take makes a provider that of a new job, and returns the job's id.
func (t *tx) take(ctx context.Context, provider string) (id uint64, err error) {
	var next int64
	if err := t.QueryRow(ctx, "select nextval('fever.job_id')").Scan(&next); err != nil {
		return 0, err
	}
	t.last.Queue("update fever.provider set token = $2 where name = $1", provider, next)
	return uint64(next), nil
}

// claim has the transaction claim a provider for this store, from now on.
func (s *Store) claim(t *tx, provider string) {
	t.last.Queue("update fever.provider set holder = $2, host = $3, until = clock_timestamp() + $4::interval where name = $1", provider, s.holder, s.host, lease)
}

// Keep makes the claim of a running job last as long again as if it had just begun. The error
// is store.ErrFenced (wrapped) when the provider is another job's: stop, nothing of the job
// will be stored. A claim that nobody keeps is over some seconds later, and lasts all the same
// until another store begins a job of the provider.
func (s *Store) Keep(ctx context.Context, job store.Job) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	tag, err := s.pool.Exec(ctx, "update fever.provider set until = clock_timestamp() + $4::interval where name = $1 and token = $2 and holder = $3 and until is not null",
		job.Provider, int64(job.ID), s.holder, lease)
	if err == nil && tag.RowsAffected() == 0 {
		err = store.ErrFenced
	}
	if err != nil {
		return fmt.Errorf("keep the claim of job %d of %s: %w", job.ID, job.Provider, err)
	}
	return nil
}
