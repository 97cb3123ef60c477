package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"fever/store"
)

// end records the end of a running job, which is its provider's newest, deletes
// what is no longer kept, and returns the job as it is recorded.
func (s *Store) end(jobs *bbolt.Bucket, job store.Job) (store.Job, error) {
	if job.State == store.Running {
		return store.Job{}, errors.New("it still runs")
	}
	if err := s.note(jobs, &job); err != nil {
		return store.Job{}, err
	}
	old, err := s.oldJobs(jobs, &job)
	for _, key := range old {
		err = errors.Join(err, jobs.Delete(key))
	}
	return job, err
}

// note records what a running job is by now, and makes it what is recorded.
func (s *Store) note(jobs *bbolt.Bucket, job *store.Job) error {
	key, value, err := job.Encode()
	if err != nil {
		return err
	}
	if job.ID > jobs.Sequence() {
		return errors.New("no such job has begun")
	}
	stored := jobs.Get(key)
	if stored == nil { // else a job that runs is never deleted
		return errors.New("no such job is on record: it was forgotten, or its provider renamed")
	}
	began, err := s.decodeJob(key, stored)
	if err != nil {
		return err
	}
	if began.State != store.Running {
		return fmt.Errorf("it has %s already", began.State)
	}
	return jobs.Put(key, value)
}

// oldJobs returns the keys of a provider's jobs to delete when job, its newest, has ended.
// The newest job that the provider answered, and the newest that brought a snapshot, are
// always kept: they say how fresh the data is, and what is wrong with it. Records of
// Forget and Rename are kept beside the jobs, at most as many.
func (s *Store) oldJobs(jobs *bbolt.Bucket, job *store.Job) ([][]byte, error) {
	var all []pair
	for k, v := range under(jobs, job.Provider) {
		all = append(all, pair{k, v})
	}
	if len(all) <= s.keep {
		return nil, nil
	}
	answered, applied := job.Answered(), job.Applied()
	var old [][]byte
	records := 0
	for i, p := range slices.Backward(all[:len(all)-1]) {
		stays := i >= len(all)-s.keep
		if !stays || !answered || !applied {
			j, err := s.decodeJob(p.key, p.value)
			if err != nil {
				return nil, err
			}
			stays = stays || !answered && j.Answered() || !applied && j.Applied()
			answered, applied = answered || j.Answered(), applied || j.Applied()
			if !stays && !j.Trigger.Collects() {
				records++
				stays = records <= s.keep
			}
		}
		if !stays {
			old = append(old, bytes.Clone(p.key))
		}
	}
	return old, nil
}

func (s *Store) interrupt(jobs *bbolt.Bucket, job store.Job, now time.Time) error {
	job.Interrupt(now)
	_, err := s.end(jobs, job)
	return err
}

// newestJob returns the provider's newest job, or the zero value when it has none. No
// other job of the provider can be running.
func (s *Store) newestJob(jobs *bbolt.Bucket, provider string) (store.Job, error) {
	cursor := jobs.Cursor()
	var k, v []byte
	if past, _ := cursor.Seek(append([]byte(provider), 1)); past == nil { // beyond all of its keys
		k, v = cursor.Last()
	} else {
		k, v = cursor.Prev()
	}
	if !bytes.HasPrefix(k, append([]byte(provider), 0)) {
		return store.Job{}, nil
	}
	return s.decodeJob(k, v)
}

func (s *Store) decodeJob(key, b []byte) (store.Job, error) {
	job, err := store.DecodeJob(key, b)
	if err != nil {
		return store.Job{}, damaged(s.path, fmt.Sprintf("job %q: %v", key, err))
	}
	return job, nil
}

// runningJobs looks at the newest job of each provider.
func (s *Store) runningJobs(jobs *bbolt.Bucket) (running []store.Job, err error) {
	cursor := jobs.Cursor()
	for k, v := cursor.Last(); k != nil; {
		job, err := s.decodeJob(k, v)
		if err != nil {
			return nil, err
		}
		if job.State == store.Running {
			running = append(running, job)
		}
		cursor.Seek(append([]byte(job.Provider), 0)) // its oldest
		k, v = cursor.Prev()
	}
	return running, nil
}
