package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"fever/provider/feed"
	"fever/store"
)

// Begin records a job as running and returns it as it is recorded, with its id. It
// must say its provider, its trigger and when it started.
//
// A provider has one job running at most, the newest. If an earlier one is still
// recorded as running, its end could not be recorded, and it becomes failed, of kind
// [feed.KindInterrupted].
func (s *Store) Begin(ctx context.Context, job store.Job) (store.Job, error) {
	job.State = store.Running
	err := s.update(ctx, func(tx *bbolt.Tx) error {
		jobs := tx.Bucket(jobsBucket)
		last, err := s.newestJob(jobs, job.Provider)
		if err != nil {
			return err
		}
		if job.ID, err = jobs.NextSequence(); err != nil {
			return err
		}
		if job.ID <= last.ID { // bbolt keeps the sequence without a checksum
			return damaged(s.path, fmt.Sprintf("job %d of %s would follow job %d", job.ID, job.Provider, last.ID))
		}
		key, value, err := job.Encode()
		if err != nil {
			return err
		}
		if last.State == store.Running {
			if err := s.interrupt(jobs, last, job.Started); err != nil {
				return err
			}
		}
		return jobs.Put(key, value)
	})
	if err != nil {
		return store.Job{}, fmt.Errorf("record that a job of %s begins: %w", job.Provider, err)
	}
	return job, nil
}

// Finish records the end of a running job that brought no data: it failed, or it
// completed and nothing was modified. It must say when it finished. What [Store.Apply]
// completes is recorded there.
//
// The validators are of an answer that modified nothing, or nil. In the same transaction
// they replace those of the provider's latest snapshot, if they are of the same body.
//
// The record of a job that was cancelled needs a context that was not.
func (s *Store) Finish(ctx context.Context, job store.Job, v *feed.Validators) error {
	err := s.update(ctx, func(tx *bbolt.Tx) error {
		if job.State == store.Completed && !job.NotModified {
			return errors.New("it completed, and its snapshot was not applied")
		}
		if v != nil {
			if err := s.revalidate(tx, job.Provider, *v); err != nil {
				return err
			}
		}
		_, err := s.end(tx.Bucket(jobsBucket), job)
		return err
	})
	if err != nil {
		return fmt.Errorf("record the end of job %d of %s: %w", job.ID, job.Provider, err)
	}
	return nil
}

// Interrupt makes all running jobs failed, of kind [feed.KindInterrupted], finished now.
// It returns their number. A process that collects calls it at its start: jobs that are
// running then belong to a process that died.
func (s *Store) Interrupt(ctx context.Context, now time.Time) (n int, err error) {
	err = s.update(ctx, func(tx *bbolt.Tx) error {
		jobs := tx.Bucket(jobsBucket)
		running, err := s.runningJobs(jobs)
		if err != nil {
			return err
		}
		for _, job := range running {
			if err := s.interrupt(jobs, job, now); err != nil {
				return err
			}
		}
		n = len(running)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("record the jobs that were interrupted: %w", err)
	}
	return n, nil
}

// Jobs yields recorded jobs, the newest first. An error ends it.
//
// It lists the jobs at the start. It reads each job when its turn comes, in a transaction
// of its own, and leaves out those that are no longer kept or not in the wanted state. So
// a slow consumer holds up no writer, and may call any method.
//
// While a file is open for reading nobody can run jobs with it. Jobs that are recorded as
// running come as failed then, of kind [feed.KindInterrupted], without a time of their end.
func (s *Store) Jobs(ctx context.Context, f store.JobFilter) iter.Seq2[store.Job, error] {
	return func(yield func(store.Job, error) bool) {
		keys, err := s.findJobs(ctx, f)
		if err != nil {
			yield(store.Job{}, fmt.Errorf("find the recorded jobs: %w", err))
			return
		}
		n := 0
		for _, key := range keys {
			job, err := s.job(ctx, key)
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

// findJobs returns the keys of the jobs that f asks for, in order, but for the number
// of them and their state.
func (s *Store) findJobs(ctx context.Context, f store.JobFilter) (keys [][]byte, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		for k := range under(tx.Bucket(jobsBucket), f.Provider) {
			if err := ctx.Err(); err != nil {
				return err
			}
			provider, id, err := store.ParseJobKey(k)
			if err != nil {
				return damaged(s.path, err.Error())
			}
			if (f.Provider == "" || f.Provider == provider) && (f.Before == 0 || id < f.Before) {
				keys = append(keys, bytes.Clone(k))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	id := func(key []byte) []byte { return key[len(key)-8:] }
	slices.SortFunc(keys, func(a, b []byte) int { return bytes.Compare(id(b), id(a)) })
	return keys, nil
}

// job reads one job, or the zero value when it is no longer kept.
func (s *Store) job(ctx context.Context, key []byte) (job store.Job, err error) {
	if err := ctx.Err(); err != nil {
		return job, err
	}
	err = s.view(func(tx *bbolt.Tx) error {
		jobs := tx.Bucket(jobsBucket)
		value := jobs.Get(key)
		if value == nil && !s.db.IsReadOnly() {
			return nil // deleted since
		}
		var err error
		if job, err = s.decodeJob(key, value); err != nil {
			return err
		}
		if job.State == store.Running && s.db.IsReadOnly() {
			job.Interrupt(time.Time{})
		}
		return nil
	})
	return job, err
}
