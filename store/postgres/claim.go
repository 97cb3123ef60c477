package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fever/store"
)

// A claim is what the row of a provider says.
type claim struct {
	known   bool   // there is a row
	value   []byte // of the latest snapshot; nil: there is none
	members []byte
	current int
	token   int64 // the newest job
	other   bool  // another store claims the provider
	host    string
	format  int        // of the schema
	turn    store.Turn // but for the claim
	due     bool
	now     time.Time // by the clock of the server

	// running is the job that is recorded as running; 0: none is.
	running int64
	record  []byte // of that job
}

// lock has the transaction lock the row of a provider until its end. The next send tells what
// the row says. All that writes of a provider begins with it. The error of the send is store.ErrNewer
// (wrapped) when a newer version of fever has brought the schema up to date meanwhile: this one
// reads on, and writes no more.
func (t *tx) lock(provider string) *claim {
	c := new(claim)
	t.last.Queue(readClaim+" for no key update", provider, t.holder).QueryRow(func(row pgx.Row) error {
		err := c.scan(row)
		if c.known {
			t.ahead = time.Until(c.now)
		}
		if err == nil && c.format > formatVersion {
			err = newer(c.format)
		}
		return err
	})
	// It is a statement of its own: one that waits for a lock sees the row that it locks as it is
	// then, and all else as it was before.
	t.last.Queue("select id, value from fever.job where provider = $1 and state = $2", provider, string(store.Running)).
		QueryRow(func(row pgx.Row) error { return unlessNone(row.Scan(&c.running, &c.record)) })
	return c
}

// readClaim reads the row of a provider, for a store.
const readClaim = `select true, value, members, current, token, coalesce(holder <> $2 and until > clock_timestamp(), false), coalesce(host, ''),
		(select format from fever.meta), due, failures, blocked, coalesce(due <= clock_timestamp(), true), clock_timestamp()
	from fever.provider where name = $1`

func (c *claim) scan(row pgx.Row) error {
	var due, blocked *time.Time
	err := row.Scan(&c.known, &c.value, &c.members, &c.current, &c.token, &c.other, &c.host, &c.format, &due, &c.turn.Failures, &blocked, &c.due, &c.now)
	c.turn.Due, c.turn.Blocked = moment(due), moment(blocked)
	return unlessNone(err)
}

// now returns the time by the clock of the server, once the transaction has locked a provider.
func (t *tx) now() time.Time { return time.Now().Add(t.ahead).UTC() }

// moment returns a time of the server, or the zero time for null.
func moment(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// stamp is the inverse of moment.
func stamp(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// unlessNone returns an error unless it is nil or says that there is no row.
func unlessNone(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	return err
}

// free returns store.ErrBusy (wrapped) when another store claims the provider.
func (c *claim) free() error {
	if c.other {
		return fmt.Errorf("%w, on %s", store.ErrBusy, c.host)
	}
	return nil
}

// newJob draws the id of a new job, which the next send tells. The provider must be locked: the
// ids of its jobs ascend.
func (t *tx) newJob() *int64 {
	id := new(int64)
	t.last.Queue("select nextval('fever.job_id')").QueryRow(func(row pgx.Row) error { return row.Scan(id) })
	return id
}

// take has the transaction make a provider that of a new job.
func (t *tx) take(job *store.Job, id int64) {
	job.ID = uint64(id)
	t.last.Queue("update fever.provider set token = $2 where name = $1", job.Provider, id)
}

// claim has the transaction claim a provider for this store, from now on.
func (s *Store) claim(t *tx, provider string) {
	t.last.Queue("update fever.provider set holder = $2, host = $3, until = clock_timestamp() + $4::interval where name = $1", provider, s.holder, s.host, store.Lease)
}

// Keep makes the claim of a running job last as long again as if it had just begun. The error
// is store.ErrFenced (wrapped) when the provider is another job's: stop, nothing of the job
// will be stored. A claim that nobody keeps is over some seconds later, and lasts all the same
// until another store begins a job of the provider.
func (s *Store) Keep(ctx context.Context, job store.Job) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	tag, err := s.pool.Exec(ctx, "update fever.provider set until = clock_timestamp() + $4::interval where name = $1 and token = $2 and holder = $3 and until is not null",
		job.Provider, int64(job.ID), s.holder, store.Lease)
	if err == nil && tag.RowsAffected() == 0 {
		err = store.ErrFenced
	}
	s.refused(err)
	if err != nil {
		return fmt.Errorf("keep the claim of job %d of %s: %w", job.ID, job.Provider, err)
	}
	return nil
}
