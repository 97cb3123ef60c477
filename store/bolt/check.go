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
				f.checkItems(tx)
				f.checkJobs(tx)
				f.checkHistory(tx)
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
	format, err := identify(tx.DB().Path(), tx)
	f.add(err)
	var want []string
	for _, name := range bucketsOf(format) {
		want = append(want, string(name))
	}
	slices.Sort(want)
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
	events, items := tx.Bucket(eventsBucket), tx.Bucket(itemsBucket)
	err := tx.Bucket(currentBucket).ForEach(func(k, mark []byte) error {
		key, err := event.ParseKey(k)
		switch stored := events.Get(k); {
		case stored == nil || err != nil:
			err = errors.New("it is current, but not stored")
		case ownerOf(mark) != "":
			err = checkOwner(items, key, ownerOf(mark))
		default:
			err = verifyMark(k, mark, stored)
		}
		if err != nil {
			f.add(fmt.Errorf("event %q: %w", k, err))
		}
		return nil
	})
	f.add(err)
}

// checkOwner says what is wrong with the item that an event is current for.
func checkOwner(items *bbolt.Bucket, key event.Key, id string) error {
	if items == nil {
		return errors.New("it is current for an item, which format 3 does not have")
	}
	item, err := readItem(items, store.ItemKey(key.Provider, "", id))
	switch {
	case err != nil:
		return err
	case item == nil || !slices.Contains(item.Keys, key):
		return fmt.Errorf("it is current for the item %q, which does not make it", id)
	}
	return nil
}

// checkItems compares the items with the streams of their providers, and with the names that
// find them.
func (f *faults) checkItems(tx *bbolt.Tx) {
	items, names := tx.Bucket(itemsBucket), tx.Bucket(namesBucket)
	if items == nil {
		return
	}
	want := 0
	f.add(items.ForEach(func(k, _ []byte) error {
		item, err := readItem(items, k)
		if err == nil {
			err = checkItem(tx, k, item)
			want += len(item.ItemNames(k))
		}
		if err != nil {
			f.add(fmt.Errorf("item %q: %w", k, err))
		}
		return nil
	}))
	found := 0
	f.add(names.ForEach(func(_, v []byte) error {
		found++
		if len(v) > 0 {
			found = -1
		}
		return nil
	}))
	if found != want {
		f.add(fmt.Errorf("%d names of items, not %d", found, want))
	}
}

func checkItem(tx *bbolt.Tx, key []byte, item *store.StoredItem) error {
	provider, _, _, err := store.ParseItemKey(key)
	if err != nil {
		return err
	}
	p, err := readProvider(tx, provider)
	if err != nil {
		return err
	}
	if item.Generation > p.Stream.Generation {
		return fmt.Errorf("generation %d, of %d", item.Generation, p.Stream.Generation)
	}
	for _, name := range item.ItemNames(key) {
		if tx.Bucket(namesBucket).Get(name) == nil {
			return fmt.Errorf("the name %q does not find it", name)
		}
	}
	return nil
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

// checkHistory takes back all changes of each event that has any.
func (f *faults) checkHistory(tx *bbolt.Tx) {
	b := tx.Bucket(historyBucket)
	if b == nil {
		return
	}
	cursor := b.Cursor()
	for k, _ := cursor.First(); k != nil; {
		key, _, err := store.ParseUndoKey(k)
		if err != nil {
			f.add(err)
			return
		}
		f.add(checkUndos(tx, key))
		k, _ = cursor.Seek(append(bytes.Clone(key), 1)) // beyond all of its keys
	}
}

func checkUndos(tx *bbolt.Tx, key []byte) error {
	v, err := store.DecodeValue(key, tx.Bucket(eventsBucket).Get(key))
	if err != nil {
		return fmt.Errorf("history of %q: the event: %w", key, err)
	}
	var undos []store.StoredUndo
	size := uint64(0)
	for position, value := range undosOf(tx, key) {
		undos = append(undos, store.StoredUndo{Position: position, Value: value})
		size += store.UndoSize(value)
	}
	if size > store.MaxHistory {
		return fmt.Errorf("history of %q: %d bytes, more than %d", key, size, store.MaxHistory)
	}
	for _, err := range store.Versions(key, v, tx.Bucket(currentBucket).Get(key) != nil, undos) {
		if err != nil {
			return err
		}
	}
	return nil
}
