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

	"fever/event"
	"fever/store"
)

// Apply makes snap its provider's latest snapshot and records the end of the job that
// brought it, in one transaction: all of it is on disk, or nothing has changed and the
// job still runs. An error means the latter, unless it is ErrUncertain (wrapped). So does
// a panic. A snapshot equal to the one before it writes nothing but the job.
//
// The job must have begun. It is recorded as completed, with the counts of what the
// snapshot changed, and returned as it is recorded. Unless it says when it finished, that
// is when all is ready to be written to disk. A page of a feed of changes adds to the counts,
// and the job runs on if others follow.
//
// An event keeps its FirstSeen for ever, and its LastChanged while its values stay the
// same. Going and coming back changes no value, but makes a revision. It costs a look-up for every event of
// the snapshot, writing in proportion to what changed, and one commit. Other writers wait
// for the latter two alone.
func (s *Store) Apply(ctx context.Context, snap store.Snapshot, job store.Job) (store.Applied, store.Job, error) {
	applied, job, err := s.apply(ctx, snap, job)
	if err != nil {
		return store.Applied{}, store.Job{}, fmt.Errorf("store the snapshot of %s: %w", snap.Provider, err)
	}
	return applied, job, nil
}

func (s *Store) apply(ctx context.Context, snap store.Snapshot, job store.Job) (applied store.Applied, _ store.Job, err error) {
	rows, err := snap.Rows()
	if err != nil {
		return applied, job, err
	}
	if job.Provider != snap.Provider {
		return applied, job, fmt.Errorf("job %d is of another provider, %q", job.ID, job.Provider)
	}
	goesOn := snap.Changes != nil && snap.Changes.GoesOn
	job.State, job.Kind, job.Message = store.Completed, "", ""
	switch {
	case goesOn:
		job.State = store.Running
	case snap.Changes == nil:
		job.New, job.Changed, job.Unchanged, job.Gone = 0, 0, 0, 0
	}
	// The comparison holds no other provider's job up. Nothing of this provider is written
	// between it and the transaction that follows: that is for the job that runs, and end
	// finds out whether it is still this one.
	var c *changes
	before := s.Stats().Current[snap.Provider]
	err = s.view(func(tx *bbolt.Tx) (err error) {
		c, err = compare(ctx, tx, snap, rows, before, job.ID)
		return err
	})
	if err != nil {
		return applied, job, err
	}
	applied = c.applied
	if snap.Accept != nil {
		if err := snap.Accept(applied); err != nil {
			return applied, job, err
		}
	}
	job.New, job.Changed = job.New+applied.New, job.Changed+applied.Changed
	job.Unchanged, job.Gone = job.Unchanged+applied.Unchanged, job.Gone+applied.Gone
	err = s.update(ctx, func(tx *bbolt.Tx) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		var err error
		if applied.Revision, err = s.write(tx, c, snap.Provider); err != nil {
			return err
		}
		if goesOn {
			return s.note(tx.Bucket(jobsBucket), &job)
		}
		if job.Finished.IsZero() {
			job.Finished = time.Now()
		}
		ended, err := s.end(tx.Bucket(jobsBucket), job)
		if err != nil {
			return fmt.Errorf("job %d: %w", job.ID, err)
		}
		job = ended
		return nil
	})
	if inFile(err) {
		s.stats.Applied(snap.Provider, applied.Current)
	}
	return applied, job, err
}

// fillPercent is how full the pages are left that an insertion splits. A provider's
// first snapshot, sorted, is most of what is ever inserted: it takes half of the space
// that bbolt's own 0.5 makes it take.
const fillPercent = 0.9

// changes is the difference between what is stored and a snapshot.
type changes struct {
	applied  store.Applied
	provider []byte // the provider's new record, nil when it is the same
	rezoned  bool   // known events are in another time zone now
	keys     [][]byte
	values   [][]byte         // for keys, of events that are new, changed, or in came or went
	was      []store.Revision // of these before, 0 for none
	undos    []*store.Undo    // of these, nil for a new one
	change   store.Undo       // what all undos say of the change
	next     store.Revision   // of these, unless another commit comes first
	came     [][]byte         // keys of events that become current
	went     [][]byte         // of those that are no longer
	marks    []pair           // what to enter in current: also new digests, or other owners, of events that stay
	items    itemChanges
	drop     bool // the provider had a feed of changes, and this is a whole snapshot
}

// compare finds the changes. They hold nothing of tx's pages.
// Before is the number of events that are current.
func compare(ctx context.Context, tx *bbolt.Tx, snap store.Snapshot, rows []store.Row, before int, job uint64) (*changes, error) {
	events := tx.Bucket(eventsBucket)
	c := &changes{change: store.Undo{At: snap.Taken.UnixMilli(), Job: job}}
	c.applied.Known = hasAny(events, snap.Provider)
	if err := c.compareProvider(tx, snap); err != nil {
		return nil, err
	}
	h, err := readHead(tx)
	if err != nil {
		return nil, err
	}
	c.next = h.Revision + 1
	if snap.Changes == nil {
		err = c.compareSnapshot(ctx, tx, snap, rows)
	} else {
		c.applied.Before = before
		err = c.compareChanges(ctx, tx, snap, rows)
	}
	if err != nil {
		return nil, err
	}
	return c, c.compareSale(events)
}

// compareSnapshot merges two sorted lists: the rows, and the keys of the provider's current events.
// An event with the digest that is stored there has not changed, and is not read.
func (c *changes) compareSnapshot(ctx context.Context, tx *bbolt.Tx, snap store.Snapshot, rows []store.Row) error {
	var enc store.Encoder
	events := tx.Bucket(eventsBucket)
	next, stop := iter.Pull2(under(tx.Bucket(currentBucket), snap.Provider))
	defer stop()
	k, mark, more := next()
	stays := func() {
		c.applied.Before++
		k, mark, more = next()
	}
	leaves := func() {
		c.went = append(c.went, bytes.Clone(k))
		stays()
	}
	for i := range rows {
		if i%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		r := &rows[i]
		for more && bytes.Compare(k, r.Key) < 0 {
			leaves()
		}
		encoded := enc.Row(r)
		current := more && bytes.Equal(k, r.Key)
		same := current && isDigest(mark, r.Digest)
		switch {
		case same:
			c.applied.Unchanged++
		case encoded == nil:
			return r.Stale()
		default:
			if err := c.compareEvent(events, r, encoded, snap.Taken); err != nil {
				return err
			}
		}
		if !r.Past && !current {
			c.came = append(c.came, r.Key)
		}
		if !r.Past && !same {
			c.marks = append(c.marks, pair{r.Key, markOf(r.Digest)})
		}
		switch {
		case current && r.Past:
			leaves()
		case current:
			stays()
		}
	}
	for more {
		leaves()
	}
	c.applied.Gone = len(c.went)
	c.applied.Current = c.applied.Before + len(c.came) - len(c.went)
	return nil
}

// compareChanges compares the rows of a page of a feed of changes, and then the page.
func (c *changes) compareChanges(ctx context.Context, tx *bbolt.Tx, snap store.Snapshot, rows []store.Row) error {
	var enc store.Encoder
	events := tx.Bucket(eventsBucket)
	for i := range rows {
		if i%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := c.compareEvent(events, &rows[i], enc.Row(&rows[i]), snap.Taken); err != nil {
			return err
		}
	}
	return c.comparePage(ctx, tx, snap)
}

// hasAny reports whether a bucket holds anything of a provider.
func hasAny(b *bbolt.Bucket, provider string) bool {
	for range under(b, provider) {
		return true
	}
	return false
}

// Known reports whether any event of a provider is stored.
func (s *Store) Known(ctx context.Context, provider string) (is bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	err = s.view(func(tx *bbolt.Tx) error {
		is = hasAny(tx.Bucket(eventsBucket), provider)
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("look for events of %s: %w", provider, err)
	}
	return is, nil
}

func (c *changes) compareProvider(tx *bbolt.Tx, snap store.Snapshot) error {
	old, err := readProvider(tx, snap.Provider)
	if err != nil {
		return err
	}
	p := store.Provider{TimeZone: snap.TimeZone, Validators: snap.Validators}
	if snap.Changes != nil {
		if err := snap.ValidateChanges(old.Stream); err != nil {
			return err
		}
		p.Stream = snap.Changes.Stream
	}
	c.drop = snap.Changes == nil && old.Stream.Generation > 0
	key := []byte(snap.Provider)
	record, err := p.Encode(key)
	if err != nil || bytes.Equal(record, tx.Bucket(providersBucket).Get(key)) {
		return err
	}
	if _, err := event.LoadLocation(snap.TimeZone); err != nil {
		return err
	}
	c.provider = record
	c.rezoned = old.TimeZone != "" && c.applied.Known && old.TimeZone != snap.TimeZone
	return nil
}

// compareEvent compares an event, as it is encoded, with what is stored of it.
func (c *changes) compareEvent(events *bbolt.Bucket, r *store.Row, encoded []byte, taken time.Time) error {
	v := store.Value{Revision: c.next, Event: encoded, FirstSeen: taken.UnixMilli(), LastChanged: taken.UnixMilli()}
	var was store.Revision
	var undo *store.Undo
	if stored := events.Get(r.Key); stored == nil {
		c.applied.New++
	} else {
		old, err := store.DecodeValue(r.Key, stored)
		if err != nil {
			return damaged(events.Tx().DB().Path(), fmt.Sprintf("event %s: %v", r, err))
		}
		if bytes.Equal(old.Event, encoded) {
			c.applied.Unchanged++
			return nil
		}
		c.applied.Changed++
		v.FirstSeen, was = old.FirstSeen, old.Revision
		undo = c.undo(events.Tx(), r.Key, &old)
		undo.SetEvent(old.Event, encoded)
	}
	if err := r.Validate(); err != nil { // it could not be read back
		return err
	}
	b, err := v.Encode(r.Key)
	if err != nil {
		return err
	}
	c.put(r.Key, b, was, undo)
	return nil
}

func (c *changes) put(key, value []byte, was store.Revision, undo *store.Undo) {
	c.keys, c.values, c.was, c.undos = append(c.keys, key), append(c.values, value), append(c.was, was), append(c.undos, undo)
}

// undo returns what takes a change of an event back, but for its values, given what is stored.
func (c *changes) undo(tx *bbolt.Tx, key []byte, before *store.Value) *store.Undo {
	u := c.change
	u.Current, u.LastChanged = tx.Bucket(currentBucket).Get(key) != nil, before.LastChanged
	return &u
}

// compareSale gives the revision to those events, too, that come on sale or go off it with
// the values that they had.
func (c *changes) compareSale(events *bbolt.Bucket) error {
	changed := len(c.keys) // in order
	for _, keys := range [][][]byte{c.came, c.went} {
		for _, key := range keys {
			if _, has := slices.BinarySearchFunc(c.keys[:changed], key, bytes.Compare); has {
				continue
			}
			v, err := store.DecodeValue(key, events.Get(key))
			if err != nil {
				return damaged(events.Tx().DB().Path(), fmt.Sprintf("event %q: %v", key, err))
			}
			was := v.Revision
			v.Revision = c.next
			b, err := v.Encode(key)
			if err != nil {
				return err
			}
			c.put(key, b, was, c.undo(events.Tx(), key, &v))
		}
	}
	return nil
}

func (s *Store) write(tx *bbolt.Tx, c *changes, provider string) (store.Revision, error) {
	events, current := tx.Bucket(eventsBucket), tx.Bucket(currentBucket)
	events.FillPercent, current.FillPercent = fillPercent, fillPercent
	var err error
	if c.provider != nil {
		err = tx.Bucket(providersBucket).Put([]byte(provider), c.provider)
	}
	h, err1 := readHead(tx)
	if err = errors.Join(err, err1); err == nil && (len(c.keys) > 0 || c.rezoned) {
		err = h.next(tx, c.rezoned)
	}
	for i, key := range c.keys {
		b := c.values[i]
		if h.Revision != c.next {
			v, err1 := store.DecodeValue(key, b)
			v.Revision = h.Revision
			var err2 error
			b, err2 = v.Encode(key)
			err = errors.Join(err, err1, err2)
		}
		err = errors.Join(err, events.Put(key, b), revise(tx, key, c.was[i], h.Revision))
		if c.undos[i] != nil {
			err = errors.Join(err, s.remember(tx, key, c.undos[i]))
		}
	}
	for _, m := range c.marks {
		err = errors.Join(err, current.Put(m.key, m.value))
	}
	err = errors.Join(err, deleteAll(current, c.went))
	if c.drop {
		err = errors.Join(err, dropItems(tx, provider))
	}
	return h.Revision, errors.Join(err, c.items.write(tx))
}
