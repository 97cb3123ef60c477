package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"fever/event"
	"fever/store"
)

// Forget removes what is stored of a provider, and records that, in one transaction.
// Without a cutoff it removes the events, what the latest snapshot says of the provider,
// the validators included, and the outcomes of its jobs. With one it removes events alone.
//
// Records of [Store.Forget] and [Store.Rename] stay. No job of the provider may run
// meanwhile. Events that come in a later snapshot are new. It looks at every event of the
// provider.
func (s *Store) Forget(ctx context.Context, f store.Forgetting) (store.Forgotten, error) {
	var done store.Forgotten
	err := s.edit(ctx, f.DryRun, func(tx *bbolt.Tx) (err error) {
		done, err = s.forget(ctx, tx, f)
		return err
	})
	if inFile(err) && done.Record.ID != 0 && f.GoneBefore.IsZero() {
		s.stats.Moved(f.Provider, "", 0)
	}
	if err != nil {
		return store.Forgotten{}, fmt.Errorf("forget what is stored of %s: %w", f.Provider, err)
	}
	return done, nil
}

// edit runs f in a write transaction or, in a dry run, in a read transaction.
func (s *Store) edit(ctx context.Context, dryRun bool, f func(*bbolt.Tx) error) error {
	if dryRun {
		return s.view(f)
	}
	return s.update(ctx, f)
}

func (s *Store) forget(ctx context.Context, tx *bbolt.Tx, f store.Forgetting) (done store.Forgotten, err error) {
	started, name := time.Now(), []byte(f.Provider)
	jobs, err := s.ordinaryJobs(tx, f.Provider)
	if err != nil {
		return done, err
	}
	if len(jobs) == 0 && tx.Bucket(providersBucket).Get(name) == nil {
		return done, s.nothing(tx, f.Provider)
	}
	locations, err := s.locations(tx)
	if err != nil {
		return done, err
	}
	end := f.GoneBefore.Second(locations[f.Provider])
	keys, err := s.selectEvents(ctx, tx, f.Provider, locations, &done.Selection, func(e *event.Entry, current bool) bool {
		return f.GoneBefore.IsZero() || !current && e.End < end
	})
	if err != nil {
		return done, err
	}
	done.Jobs = len(jobs)
	if !f.GoneBefore.IsZero() {
		done.Jobs = 0
	}
	h, err := readHead(tx)
	done.Revision = h.Revision
	if err != nil || f.DryRun || len(keys) == 0 && !f.GoneBefore.IsZero() {
		return done, err
	}
	if len(keys) > 0 {
		err = h.next(tx, true)
		done.Revision = h.Revision
	}
	for _, key := range keys {
		err = errors.Join(err, removeEvent(tx, key))
	}
	if f.GoneBefore.IsZero() {
		err = errors.Join(err, deleteAll(tx.Bucket(currentBucket), keys), // a key that is not there is no error
			deleteAll(tx.Bucket(jobsBucket), jobs), tx.Bucket(providersBucket).Delete(name), dropItems(tx, f.Provider))
	}
	if err != nil {
		return done, err
	}
	done.Record, err = s.putRecord(tx, f.Record(done, started))
	return done, err
}

// removeEvent deletes an event, its history, and what tells its revision.
func removeEvent(tx *bbolt.Tx, key []byte) error {
	events := tx.Bucket(eventsBucket)
	r, err := store.VerifyValue(key, events.Get(key))
	if err != nil {
		return damaged(tx.DB().Path(), fmt.Sprintf("event %q: %v", key, err))
	}
	return errors.Join(events.Delete(key), forgetHistory(tx, key), revise(tx, key, r, 0))
}

func deleteAll(b *bbolt.Bucket, keys [][]byte) error {
	for _, key := range keys {
		if err := b.Delete(key); err != nil {
			return err
		}
	}
	return nil
}

// mostNames bounds the providers that an error lists.
const mostNames = 10

// nothing is the error for a provider of which nothing is stored. It names those of which
// something is.
func (s *Store) nothing(tx *bbolt.Tx, provider string) error {
	var names []string
	for k := range under(tx.Bucket(providersBucket), "") {
		if len(names) == mostNames {
			names = append(names, "and others")
			break
		}
		names = append(names, string(k))
	}
	if len(names) == 0 {
		return fmt.Errorf("%w of %s, nor of any other", store.ErrNothing, provider)
	}
	return fmt.Errorf("%w of %s: there is something of %s", store.ErrNothing, provider, strings.Join(names, ", "))
}

// selectEvents sums up in sel those events of a provider for which want returns true, and
// returns their keys in the order of bytes.
func (s *Store) selectEvents(ctx context.Context, tx *bbolt.Tx, provider string, locations map[string]*time.Location,
	sel *store.Selection, want func(e *event.Entry, current bool) bool,
) (keys [][]byte, err error) {
	type first struct {
		*event.Entry
		pair
		current bool
	}
	var firsts []first
	marks := tx.Bucket(currentBucket).Cursor()
	mark, _ := marks.Seek(append([]byte(provider), 0))
	for k, v := range under(tx.Bucket(eventsBucket), provider) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		e, err := s.entry(pair{k, v}, locations)
		if err != nil {
			return nil, err
		}
		current := bytes.Equal(mark, k)
		if current {
			mark, _ = marks.Next()
		}
		if !want(e, current) {
			continue
		}
		if from := time.Unix(e.Start, 0).UTC(); len(keys) == 0 || from.Before(sel.From) {
			sel.From = from
		}
		if to := time.Unix(e.End, 0).UTC(); len(keys) == 0 || to.After(sel.To) {
			sel.To = to
		}
		if current {
			sel.Current++
		}
		keys = append(keys, bytes.Clone(k))
		i, _ := slices.BinarySearchFunc(firsts, &e.SortKey, func(f first, p *event.SortKey) int { return f.Compare(p) })
		if i < store.MostFirst {
			firsts = slices.Insert(firsts, i, first{e, pair{k, v}, current})
			firsts = firsts[:min(len(firsts), store.MostFirst)]
		}
	}
	sel.Events = len(keys)
	for _, f := range firsts {
		r, err := store.DecodeRecord(f.key, f.value)
		if err != nil {
			return nil, damaged(s.path, fmt.Sprintf("event %q: %v", f.key, err))
		}
		r.Current = f.current
		sel.First = append(sel.First, r)
	}
	return keys, nil
}

// providerJobs returns the recorded jobs of a provider, the oldest first.
func (s *Store) providerJobs(tx *bbolt.Tx, provider string) (all []store.Job, err error) {
	for k, v := range under(tx.Bucket(jobsBucket), provider) {
		job, err := s.decodeJob(k, v)
		if err != nil {
			return nil, err
		}
		all = append(all, job)
	}
	return all, nil
}

// ordinaryJobs returns the keys of a provider's jobs, without the records of what was done
// by hand.
func (s *Store) ordinaryJobs(tx *bbolt.Tx, provider string) (keys [][]byte, err error) {
	all, err := s.providerJobs(tx, provider)
	for _, job := range all {
		if job.Trigger.Collects() {
			keys = append(keys, store.JobKey(provider, job.ID))
		}
	}
	return keys, err
}

// putRecord writes down what was done by hand with what is stored of the job's provider, as
// its newest job, and returns it as it is recorded.
func (s *Store) putRecord(tx *bbolt.Tx, job store.Job) (store.Job, error) {
	jobs := tx.Bucket(jobsBucket)
	job.State = store.Completed
	if job.Finished.IsZero() {
		job.Finished = time.Now()
	}
	if err := s.interruptNewest(jobs, job.Provider, job.Started); err != nil {
		return store.Job{}, err
	}
	var err error
	if job.ID, err = jobs.NextSequence(); err != nil {
		return store.Job{}, err
	}
	key, value, err := job.Encode()
	if err != nil {
		return store.Job{}, err
	}
	if err := jobs.Put(key, value); err != nil {
		return store.Job{}, err
	}
	old, err := s.oldJobs(jobs, &job)
	if err != nil {
		return store.Job{}, err
	}
	return job, deleteAll(jobs, old)
}

// interruptNewest makes a provider's newest job failed if its end could not be recorded.
func (s *Store) interruptNewest(jobs *bbolt.Bucket, provider string, now time.Time) error {
	last, err := s.newestJob(jobs, provider)
	if err != nil || last.State != store.Running {
		return err
	}
	return s.interrupt(jobs, last, now)
}
