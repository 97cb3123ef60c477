package postgres

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"fever/event"
	"fever/provider/feed"
	"fever/store"
)

// Begin records a job as running and returns it as it is recorded, with its id. It must say its
// provider, its trigger and when it started. It claims the provider for the job: see
// [Store.Keep].
//
// The error is store.ErrBusy (wrapped) while another store claims the provider, and store.ErrNotDue
// for a job of the schedule or of a start-up before the provider is due. Otherwise a job that is
// still recorded as running becomes failed, of kind [feed.KindInterrupted]: its process died, or
// could not record its end. Whose turn it is does not change before the end of the job: should
// this process die, another one takes the turn when the claim is over.
func (s *Store) Begin(ctx context.Context, job store.Job) (store.Job, error) {
	job.State = store.Running
	expired := false
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		if err := event.ValidProvider(job.Provider); err != nil {
			return err
		}
		t.last.Queue("set local lock_timeout = '500ms'") // whoever has it for longer runs a job of the provider
		t.last.Queue("insert into fever.provider (name) values ($1) on conflict do nothing", job.Provider)
		c, id := t.lock(job.Provider), t.newJob()
		if err := t.send(ctx); err != nil {
			return err
		}
		if err := c.free(); err != nil {
			return err
		}
		if !c.due && (job.Trigger == store.Schedule || job.Trigger == store.StartUp) {
			return store.ErrNotDue
		}
		job.Turn, expired = c.turn, c.running != 0
		job.Turn.Job = uint64(c.token)
		if err := s.interruptNewest(t, job.Provider, c, job.Started); err != nil {
			return err
		}
		t.take(&job, *id)
		s.claim(t, job.Provider)
		return t.put(&job)
	})
	if err != nil {
		return store.Job{}, fmt.Errorf("record that a job of %s begins: %w", job.Provider, err)
	}
	s.claimed(expired)
	return job, nil
}

// put has the transaction record a job.
func (t *tx) put(job *store.Job) error {
	_, value, err := job.Encode()
	if err != nil {
		return err
	}
	t.mark.provider, t.mark.id = job.Provider, int64(job.ID)
	t.last.Queue(`insert into fever.job (id, provider, state, collects, answered, applied, written, value) values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (id)
		do update set provider = excluded.provider, state = excluded.state, answered = excluded.answered, applied = excluded.applied, written = excluded.written, value = excluded.value`,
		int64(job.ID), job.Provider, string(job.State), job.Trigger.Collects(), job.Answered(), job.Applied(), t.mark.written, value)
	return nil
}

// begun locks the provider of a job, and returns an error unless the job runs.
func (s *Store) begun(ctx context.Context, t *tx, job *store.Job) (*claim, error) {
	if job.ID == 0 {
		return nil, errors.New("it has no id")
	}
	c := t.lock(job.Provider)
	if err := t.send(ctx); err != nil {
		return nil, err
	}
	if c.token == int64(job.ID) && c.running == c.token {
		return c, nil
	}
	var state string
	err := t.QueryRow(ctx, "select state from fever.job where id = $1 and provider = $2", int64(job.ID), job.Provider).Scan(&state)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, errors.New("no such job is on record: it was forgotten, its provider was renamed, or it never began")
	case err != nil:
		return nil, err
	case state == string(store.Running):
		return nil, store.ErrFenced
	case c.token != int64(job.ID):
		return nil, fmt.Errorf("it has %s already: %w", state, store.ErrFenced)
	}
	return nil, fmt.Errorf("it has %s already", state)
}

// finish has the transaction record the end of a job, delete what is no longer kept, give up the
// claim, and set the next turn if the job says it.
func (s *Store) finish(t *tx, job *store.Job) error {
	if job.State == store.Running {
		return errors.New("it still runs")
	}
	if err := t.put(job); err != nil {
		return err
	}
	s.retain(t, job.Provider)
	if next := &job.Turn; next.Due.IsZero() {
		t.last.Queue("update fever.provider set until = null where name = $1", job.Provider)
		t.last.Queue(noteFreed)
	} else {
		t.last.Queue("update fever.provider set until = null, due = $2::timestamptz, failures = $3, blocked = $4::timestamptz where name = $1",
			job.Provider, stamp(next.Due), next.Failures, stamp(next.Blocked))
	}
	return nil
}

// retain has the transaction delete the jobs of a provider that are no longer kept. The newest
// that the provider answered, and the newest that brought a snapshot, are always kept: they say
// how fresh the data is, and what is wrong with it. Records of Forget and Rename are kept beside
// the jobs, at most as many.
func (s *Store) retain(t *tx, provider string) {
	t.last.Queue(`delete from fever.job where id in (
		select id from (
			select id, collects, best, row_number() over (partition by collects order by id desc) as place from (
				select id, collects, row_number() over (order by id desc) as place,
					answered and row_number() over (partition by answered order by id desc) = 1 or
					applied and row_number() over (partition by applied order by id desc) = 1 as best
				from fever.job where provider = $1
			) as newest where place > $2
		) as older where not best and (collects or place > $2))`, provider, int64(s.keep))
}

// interruptNewest makes a provider's job that is recorded as running failed. It may not run any
// more.
func (s *Store) interruptNewest(t *tx, provider string, c *claim, now time.Time) error {
	if c.running == 0 {
		return nil
	}
	job, err := s.decodeJob(provider, c.running, c.record)
	if err != nil {
		return err
	}
	job.Interrupt(now)
	return s.finish(t, &job)
}

func (s *Store) decodeJob(provider string, id int64, value []byte) (store.Job, error) {
	job, err := store.DecodeJob(store.JobKey(provider, uint64(id)), value)
	if err != nil {
		return store.Job{}, s.damaged("job %d of %q: %v", id, provider, err)
	}
	return job, nil
}

// Finish records the end of a running job that brought no data: it failed, or it
// completed and nothing was modified. It must say when it finished. What [Store.Apply]
// completes is recorded there. It gives up the claim.
//
// The validators are of an answer that modified nothing, or nil. In the same transaction
// they replace those of the provider's latest snapshot, if they are of the same body.
//
// The error is store.ErrFenced (wrapped) when another job of the provider has begun since. The
// record of a job that was cancelled needs a context that was not.
func (s *Store) Finish(ctx context.Context, job store.Job, v *feed.Validators) error {
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		if job.State == store.Completed && !job.NotModified {
			return errors.New("it completed, and its snapshot was not applied")
		}
		c, err := s.begun(ctx, t, &job)
		if err != nil {
			return err
		}
		if v != nil {
			if err := s.revalidate(t, job.Provider, c.value, *v); err != nil {
				return err
			}
		}
		return s.finish(t, &job)
	})
	if err != nil {
		return fmt.Errorf("record the end of job %d of %s: %w", job.ID, job.Provider, err)
	}
	return nil
}

// Interrupt makes failed, of kind [feed.KindInterrupted] and finished now, the running jobs of
// this store, and those of others whose claim is over. It returns their number. A process that
// collects calls it at its start, before its first job.
func (s *Store) Interrupt(ctx context.Context, now time.Time) (n int, err error) {
	names, err := s.runningProviders(ctx)
	for _, name := range names {
		if err != nil {
			break
		}
		interrupted := 0
		err = s.update(ctx, func(ctx context.Context, t *tx) error {
			c := t.lock(name)
			if err := t.send(ctx); err != nil || c.other {
				return err
			}
			interrupted = 1
			return s.interruptNewest(t, name, c, now)
		})
		n += interrupted
	}
	if err != nil {
		return n, fmt.Errorf("record the jobs that were interrupted: %w", err)
	}
	return n, nil
}

func (s *Store) runningProviders(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	rows, err := s.pool.Query(ctx, "select provider from fever.job where state = $1 order by provider", string(store.Running))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// Jobs yields recorded jobs, the newest first. An error ends it.
//
// It lists the jobs at the start. It reads each job when its turn comes, and leaves out those
// that are no longer kept or no longer in the wanted state. So a slow consumer holds up nobody,
// and may call any method.
func (s *Store) Jobs(ctx context.Context, f store.JobFilter) iter.Seq2[store.Job, error] {
	return func(yield func(store.Job, error) bool) {
		ids, err := s.findJobs(ctx, f)
		if err != nil {
			yield(store.Job{}, fmt.Errorf("find the recorded jobs: %w", err))
			return
		}
		n := 0
		for _, id := range ids {
			job, err := s.job(ctx, id)
			if err != nil {
				yield(store.Job{}, fmt.Errorf("read a recorded job: %w", err))
				return
			}
			if job.ID == 0 || f.State != "" && job.State != f.State {
				continue
			}
			if n++; !yield(job, nil) || n == f.Limit {
				return
			}
		}
	}
}

// findJobs returns the ids of the jobs that f asks for, in order, but for their number.
func (s *Store) findJobs(ctx context.Context, f store.JobFilter) ([]int64, error) {
	if f.Provider != "" && !validName(f.Provider) {
		return nil, nil // it need not be a text that the server takes
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	rows, err := s.pool.Query(ctx, `select id from fever.job
		where ($1 = '' or provider = $1) and ($2 = '' or state = $2) and ($3 = 0 or id < $3) order by id desc`,
		f.Provider, string(f.State), int64(min(f.Before, math.MaxInt64)))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// job reads one job, or the zero value when it is no longer kept.
func (s *Store) job(ctx context.Context, id int64) (store.Job, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	var provider string
	var value []byte
	err := s.pool.QueryRow(ctx, "select provider, value from fever.job where id = $1", id).Scan(&provider, &value)
	if errors.Is(err, pgx.ErrNoRows) {
		return store.Job{}, nil
	}
	if err != nil {
		return store.Job{}, err
	}
	return s.decodeJob(provider, id, value)
}
