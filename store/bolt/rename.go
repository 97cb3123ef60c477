package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"fever/event"
	"fever/store"
)

// Rename moves everything that is stored of one provider to another name, and records
// that, in one transaction. Events get the ids that follow from the new name.
//
// If the new name has something already, the latest snapshot of the two is that of the
// new name from then on: what it says of the provider counts, and which events are current.
// An event that both have is first seen when either was. Its values are those of the
// latest snapshot if that holds it, or else those that changed last; of equal values, those
// that are older. Its history is that of the name whose values those are.
//
// No job of the two may run meanwhile. It looks at every event under the old name.
func (s *Store) Rename(ctx context.Context, r store.Renaming) (store.Renamed, error) {
	var done store.Renamed
	current := 0
	err := s.edit(ctx, r.DryRun, func(tx *bbolt.Tx) (err error) {
		done, current, err = s.rename(ctx, tx, r)
		return err
	})
	switch {
	case !inFile(err) || r.DryRun:
	case done.TimeZone == "": // of neither is there a snapshot
		s.stats.Moved(r.From, "", 0)
	default:
		s.stats.Moved(r.From, r.To, current)
	}
	if err != nil {
		return store.Renamed{}, fmt.Errorf("rename %s to %s: %w", r.From, r.To, err)
	}
	return done, nil
}

// rename returns also how many events are current then under the new name.
func (s *Store) rename(ctx context.Context, tx *bbolt.Tx, r store.Renaming) (done store.Renamed, current int, err error) {
	if err := errors.Join(event.ValidProvider(r.From), event.ValidProvider(r.To)); err != nil {
		return done, 0, err
	}
	if r.From == r.To {
		return done, 0, errors.New("the names are the same")
	}
	m := &mover{Renaming: r, Store: s, tx: tx, started: time.Now()}
	jobs, err := s.begin(m)
	if err != nil {
		return done, 0, err
	}
	recorded := m.to.TimeZone
	if m.fromCounts {
		recorded = m.from.TimeZone
	}
	done.Jobs, done.OldTimeZone, done.TimeZone = len(jobs), s.zone(r.From, m.from.TimeZone), s.zone(r.To, recorded)
	locations, err := s.locations(tx)
	if err != nil {
		return done, 0, err
	}
	keys, err := s.selectEvents(ctx, tx, r.From, locations, &done.Selection, func(*event.Entry, bool) bool { return true })
	if err != nil {
		return done, 0, err
	}
	if m.head, err = readHead(tx); err != nil {
		return done, 0, err
	}
	rezoned := m.fromCounts && m.to.TimeZone != "" && m.to.TimeZone != m.from.TimeZone && hasAny(tx.Bucket(eventsBucket), r.To)
	retired := m.fromCounts && hasAny(tx.Bucket(currentBucket), r.To)
	if (len(keys) > 0 || rezoned || retired) && !r.DryRun {
		if err := m.head.next(tx, true); err != nil {
			return done, 0, err
		}
	}
	done.Revision = m.head.Revision
	if retired && !r.DryRun {
		if err := m.retire(); err != nil {
			return done, 0, err
		}
	}
	tx.Bucket(eventsBucket).FillPercent = fillPercent
	for _, key := range keys {
		if err := ctx.Err(); err != nil {
			return done, 0, err
		}
		known, changed, err := m.moveEvent(key)
		if err != nil {
			return done, 0, err
		}
		if known {
			done.Known++
		}
		if changed {
			done.Changed++
		}
	}
	if r.DryRun {
		return done, 0, nil
	}
	if current, err = m.moveCurrent(); err != nil {
		return done, 0, err
	}
	if err := errors.Join(m.dropStreams(), m.moveProvider(), m.moveJobs(jobs)); err != nil {
		return done, 0, err
	}
	done.Record, err = s.putRecord(tx, r.Record(done, m.started))
	return done, current, err
}

// zone returns the name of the zone that a provider's local times count in, given the one
// recorded with its latest snapshot, or "" without one.
func (s *Store) zone(provider, recorded string) string {
	if set := s.Zones[provider]; set != nil && recorded != "" {
		return set.String()
	}
	return recorded
}

// A mover moves what is stored of one provider to another name.
type mover struct {
	store.Renaming
	*Store
	tx         *bbolt.Tx
	started    time.Time
	head       head
	from, to   store.Provider // zero when no snapshot was stored
	fromCounts bool           // the latest snapshot of the two is that of the old name
}

// begin finds out whose snapshot is the latest, and returns the jobs to move. A job whose
// end could not be recorded is interrupted: nothing runs, and only the newest may say so.
func (s *Store) begin(m *mover) ([]store.Job, error) {
	jobs, providers := m.tx.Bucket(jobsBucket), m.tx.Bucket(providersBucket)
	latest := [2]uint64{} // job that brought a snapshot
	var all []store.Job
	for i, name := range []string{m.To, m.From} {
		if !m.DryRun {
			if err := s.interruptNewest(jobs, name, m.started); err != nil {
				return nil, err
			}
		}
		var err error
		if all, err = s.providerJobs(m.tx, name); err != nil {
			return nil, err
		}
		for _, job := range all {
			if job.Applied() {
				latest[i] = job.ID
			}
		}
	}
	from, to := providers.Get([]byte(m.From)), providers.Get([]byte(m.To))
	if from == nil && !slices.ContainsFunc(all, func(j store.Job) bool { return j.Trigger.Collects() }) {
		return nil, s.nothing(m.tx, m.From)
	}
	var err1, err2 error
	m.from, err1 = readProvider(m.tx, m.From)
	m.to, err2 = readProvider(m.tx, m.To)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	m.fromCounts = from != nil && (to == nil || latest[1] > latest[0])
	return all, nil
}

// rekey returns a key of the old name as one of the new name.
func (m *mover) rekey(key []byte) []byte { return append([]byte(m.To), key[len(m.From):]...) }

// moveEvent moves one event. It reports whether the new name had it, and whether the values
// that it had are replaced.
func (m *mover) moveEvent(key []byte) (known, changed bool, err error) {
	events := m.tx.Bucket(eventsBucket)
	to := m.rekey(key)
	moved, err := m.value(key)
	if err != nil {
		return false, false, err
	}
	kept := key            // the one whose history is that of the event from now on
	var was store.Revision // that changed the event under the new name, if that had it
	if events.Get(to) != nil {
		there, err := m.value(to)
		if err != nil {
			return true, false, err
		}
		known, was = true, there.Revision
		moved, changed = m.merge(key, to, moved, there)
		if moved.LastChanged == there.LastChanged && bytes.Equal(moved.Event, there.Event) {
			kept = to
		}
	}
	if m.DryRun {
		return known, changed, nil
	}
	moved.Revision = m.head.Revision
	b, err := moved.Encode(to)
	if err != nil {
		return known, changed, err
	}
	before, after := m.isCurrent(kept), m.isCurrent(to)
	if m.fromCounts {
		after = m.isCurrent(key)
	}
	if !bytes.Equal(kept, to) {
		err = moveHistory(m.tx, key, to)
	}
	if before != after {
		err = errors.Join(err, m.sale(to, &moved, before))
	}
	return known, changed, errors.Join(err, removeEvent(m.tx, key), events.Put(to, b), revise(m.tx, to, was, moved.Revision))
}

func (m *mover) isCurrent(key []byte) bool { return m.tx.Bucket(currentBucket).Get(key) != nil }

// sale notes in the history of an event that it came on sale or went off it.
func (m *mover) sale(key []byte, v *store.Value, before bool) error {
	record := m.tx.Bucket(jobsBucket).Sequence() + 1
	return m.remember(m.tx, key, &store.Undo{At: m.started.UnixMilli(), Job: record, Current: before, LastChanged: v.LastChanged})
}

// retire notes that the events go off sale that only the new name has: the snapshot of the old one
// counts.
func (m *mover) retire() error {
	events := m.tx.Bucket(eventsBucket)
	for key := range under(m.tx.Bucket(currentBucket), m.To) {
		if events.Get(append([]byte(m.From), key[len(m.To):]...)) != nil {
			continue // moveEvent does
		}
		v, err := m.value(key)
		if err == nil {
			err = m.sale(bytes.Clone(key), &v, true)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *mover) value(key []byte) (v store.Value, err error) {
	if v, err = store.DecodeValue(key, m.tx.Bucket(eventsBucket).Get(key)); err != nil {
		return v, damaged(m.tx.DB().Path(), fmt.Sprintf("event %q: %v", key, err))
	}
	return v, nil
}

// merge returns what is known of an event that both names have, and whether its values are
// others than those under the new name.
func (m *mover) merge(fromKey, toKey []byte, from, to store.Value) (v store.Value, changed bool) {
	current := m.tx.Bucket(currentBucket)
	v = to
	v.FirstSeen = min(from.FirstSeen, to.FirstSeen)
	switch {
	case bytes.Equal(from.Event, to.Event):
		v.LastChanged = min(from.LastChanged, to.LastChanged)
		return v, false
	case m.fromCounts && current.Get(fromKey) != nil:
	case !m.fromCounts && current.Get(toKey) != nil:
		return v, false
	case from.LastChanged <= to.LastChanged:
		return v, false
	}
	v.LastChanged, v.Event = from.LastChanged, from.Event
	return v, true
}

// moveCurrent leaves the events of the latest snapshot current under the new name, and
// returns their number.
func (m *mover) moveCurrent() (n int, err error) {
	current := m.tx.Bucket(currentBucket)
	keys := func(provider string) (all [][]byte) {
		for k := range under(current, provider) {
			all = append(all, bytes.Clone(k))
		}
		return all
	}
	from, to := keys(m.From), keys(m.To)
	if err := deleteAll(current, from); err != nil || !m.fromCounts {
		return len(to), err
	}
	if err := deleteAll(current, to); err != nil {
		return 0, err
	}
	current.FillPercent = fillPercent
	for _, key := range from {
		if err := current.Put(m.rekey(key), nil); err != nil {
			return 0, err
		}
	}
	return len(from), nil
}

// dropStreams forgets how far the feed of changes of the old name was taken, and that of the new
// one if its snapshot does not count.
func (m *mover) dropStreams() error {
	m.from.Stream = store.Stream{}
	err := dropItems(m.tx, m.From)
	if m.fromCounts {
		err = errors.Join(err, dropItems(m.tx, m.To))
	}
	return err
}

func (m *mover) moveProvider() error {
	providers := m.tx.Bucket(providersBucket)
	from, to := []byte(m.From), []byte(m.To)
	if m.fromCounts {
		b, err := m.from.Encode(to)
		if err := errors.Join(err, providers.Put(to, b)); err != nil {
			return err
		}
	}
	return providers.Delete(from)
}

func (m *mover) moveJobs(all []store.Job) error {
	jobs := m.tx.Bucket(jobsBucket)
	for _, job := range all {
		from := store.JobKey(job.Provider, job.ID)
		job.Provider = m.To
		to, value, err := job.Encode()
		if err := errors.Join(err, jobs.Put(to, value), jobs.Delete(from)); err != nil {
			return err
		}
	}
	return nil
}
