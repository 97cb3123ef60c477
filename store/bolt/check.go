package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"fever/event"
	"fever/store"
	"fever/store/bolt/boltfile"
)

// mostFaults bounds what one Check lists.
const mostFaults = 10

// Check reads everything: every page, by bbolt's own check too, every key and every
// value; that values are encoded as they would be now, hold valid events and jobs, and
// agree with what is derived from them; and that no bucket speaks of what another does not
// hold. It returns ErrDamaged (wrapped) with the first things that it found. Writers
// wait for it.
func (s *Store) Check() error {
	s.writer.Lock()
	defer s.writer.Unlock()
	err := s.contain(func() error {
		if err := boltfile.Walk(s.file); err != nil {
			return wrong(s.path, err)
		}
		return s.db.View(func(tx *bbolt.Tx) error {
			f := faults{}
			for err := range tx.Check() { // to its end: it would wait for us for ever
				f.add(err)
			}
			if len(f) == 0 { // else the buckets cannot be relied on
				f.checkNames(tx)
				f.checkProviders(tx)
				f.checkEvents(tx)
				f.checkRevisions(tx)
				f.checkCurrent(tx)
				f.checkJobs(tx)
			}
			if len(f) == 0 {
				return nil
			}
			return damaged(s.path, strings.Join(f, "; "))
		})
	})
	if err != nil {
		return fmt.Errorf("check the store: %w", err)
	}
	return nil
}

// faults is what a check has found so far.
type faults []string

func (f *faults) add(err error) {
	if err != nil && len(*f) < mostFaults {
		*f = append(*f, err.Error())
	}
}

// checkNames looks for what [identify] need not see: more than there should be.
func (f *faults) checkNames(tx *bbolt.Tx) {
	names := func(c *bbolt.Cursor) (all []string) {
		for k, _ := c.First(); k != nil; k, _ = c.Next() {
			all = append(all, string(k))
		}
		return all
	}
	want := []string{"current", "events", "jobs", "meta", "providers"}
	if tx.Bucket(revisionsBucket) != nil { // else it is of format 1
		want = append(want, "revisions")
	}
	if got := names(tx.Cursor()); !slices.Equal(got, want) {
		f.add(fmt.Errorf("buckets %q", got))
	}
	if got := names(tx.Bucket(metaBucket).Cursor()); !slices.Equal(got, []string{"application", "format"}) {
		f.add(fmt.Errorf("meta holds %q", got))
	}
}

func (f *faults) checkProviders(tx *bbolt.Tx) {
	err := tx.Bucket(providersBucket).ForEach(func(name, v []byte) error {
		_, err := store.DecodeProvider(name, v)
		if err == nil {
			err = event.ValidProvider(string(name))
		}
		if err != nil {
			f.add(fmt.Errorf("provider %q: %w", name, err))
		}
		return nil
	})
	f.add(err)
}

func (f *faults) checkEvents(tx *bbolt.Tx) {
	h, err := readHead(tx)
	f.add(err)
	var enc store.Encoder
	providers, revisions := tx.Bucket(providersBucket), tx.Bucket(revisionsBucket)
	err = tx.Bucket(eventsBucket).ForEach(func(k, v []byte) error {
		r, revision, err := enc.CheckRecord(k, v)
		switch {
		case err != nil:
		case providers.Get([]byte(r.Provider)) == nil:
			err = errors.New("no such provider")
		case revision == 0 && h.Rewritten == 0:
			err = errors.New("it has no revision")
		case revision != 0 && (revisions == nil || revisions.Get(revisionKey(revision, k)) == nil):
			err = fmt.Errorf("revision %d says nothing of it", revision)
		}
		if err != nil {
			f.add(fmt.Errorf("event %q: %w", k, err))
		}
		return nil
	})
	f.add(err)
}

func (f *faults) checkRevisions(tx *bbolt.Tx) {
	events, revisions := tx.Bucket(eventsBucket), tx.Bucket(revisionsBucket)
	if revisions == nil {
		return
	}
	h, err := readHead(tx)
	if err == nil && h.Rewritten > h.Revision {
		err = fmt.Errorf("revision %d, rewritten %d", h.Revision, h.Rewritten)
	}
	f.add(err)
	f.add(revisions.ForEach(func(k, v []byte) error {
		if bytes.Equal(k, headKey) {
			return nil
		}
		if len(k) <= len(headKey) || len(v) != 0 {
			f.add(fmt.Errorf("revision %q: not as fever writes it", k))
			return nil
		}
		key := k[len(headKey):]
		r, err := store.VerifyValue(key, events.Get(key))
		if err == nil && (!bytes.Equal(k, revisionKey(r, key)) || r > h.Revision) {
			err = fmt.Errorf("the event is of revision %d, the store of %d", r, h.Revision)
		}
		if err != nil {
			f.add(fmt.Errorf("revision %q: %w", k, err))
		}
		return nil
	}))
}

func (f *faults) checkCurrent(tx *bbolt.Tx) {
	events := tx.Bucket(eventsBucket)
	err := tx.Bucket(currentBucket).ForEach(func(k, v []byte) error {
		if len(v) != 0 || events.Get(k) == nil {
			f.add(fmt.Errorf("event %q: it is current, but not stored", k))
		}
		return nil
	})
	f.add(err)
}

func (f *faults) checkJobs(tx *bbolt.Tx) {
	jobs := tx.Bucket(jobsBucket)
	seen := make(map[uint64]bool)
	var last store.Job
	var newest uint64 // which is always kept
	err := jobs.ForEach(func(k, v []byte) error {
		job, err := store.DecodeJob(k, v)
		switch {
		case err != nil:
		case seen[job.ID]:
			err = errors.New("another job has its id")
		case last.State == store.Running && last.Provider == job.Provider:
			err = fmt.Errorf("job %d still runs", last.ID)
		}
		if err != nil {
			f.add(fmt.Errorf("job %q: %w", k, err))
			return nil
		}
		last, seen[job.ID], newest = job, true, max(newest, job.ID)
		return nil
	})
	f.add(err)
	if newest != jobs.Sequence() {
		f.add(fmt.Errorf("the newest job is %d, not %d", newest, jobs.Sequence()))
	}
}
