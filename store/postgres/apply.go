package postgres

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"fever/event"
	"fever/store"
)

// Apply makes snap its provider's latest snapshot and records the end of the job that
// brought it, in one transaction: all of it is stored, or nothing has changed and the
// job still runs. An error means the latter, unless it is store.ErrUncertain (wrapped). A
// snapshot equal to the one before it writes nothing but the job. It gives up the claim, unless
// the job goes on with other pages of a feed of changes: then it keeps it.
//
// The job must have begun; the error is store.ErrFenced (wrapped) when another of the provider
// has begun since. It is recorded as completed, with the counts of what the snapshot changed, and
// returned as it is recorded. Unless it says when it finished, that is when all is ready to
// be written. A page of a feed of changes adds to the counts, and the job runs on if others
// follow.
//
// An event keeps its FirstSeen for ever, and its LastChanged while its values stay the
// same. Going and coming back changes no value, but makes a revision. The server is sent the key
// and a hash of every event, and says which it does not have: only these are sent.
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
	c := changes{snap: &snap, rows: rows, change: store.Undo{At: snap.Taken.UnixMilli(), Job: job.ID}}
	if err := c.hash(ctx, s.encodedLimit); err != nil {
		return applied, job, err
	}
	err = s.update(ctx, func(bounded context.Context, t *tx) error {
		was, err := s.begun(bounded, t, &job)
		if err != nil {
			return fmt.Errorf("job %d: %w", job.ID, err)
		}
		if err := s.write(bounded, t, &c, was); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		job.New, job.Changed = job.New+c.applied.New, job.Changed+c.applied.Changed
		job.Unchanged, job.Gone = job.Unchanged+c.applied.Unchanged, job.Gone+c.applied.Gone
		if goesOn {
			s.claim(t, job.Provider)
			err = t.put(&job)
		} else {
			if job.Finished.IsZero() {
				job.Finished = t.now()
			}
			err = s.finish(t, &job)
		}
		if err != nil {
			return fmt.Errorf("job %d: %w", job.ID, err)
		}
		t.revise(c.rezoned, &c.applied.Revision)
		return nil
	})
	if err == nil || errors.Is(err, store.ErrUncertain) {
		s.stats.Applied(snap.Provider, c.applied.Current)
	}
	return c.applied, job, err
}

// changes is the difference between what is stored and a snapshot.
type changes struct {
	snap *store.Snapshot
	rows []store.Row

	keys    [][]byte // of the rows; so are the next
	digests [][]byte
	past    []bool
	pasts   int
	items   []string
	members []byte   // a hash of the first three; nil: the rows are not all
	encoded [][]byte // the events of the first rows, as many as may be kept

	applied  store.Applied
	provider []byte  // what the snapshot says of the provider
	rezoned  bool    // known events are in another time zone now
	drop     bool    // the provider had a feed of changes, and this is a whole snapshot
	values   []value // of new and changed events
	replaced []int   // rows of the changed ones
	marked   []int   // rows of unchanged events that become current, or are another item's
	came     int     // events that become current
	left     int     // past ones that were

	change store.Undo // what all undos say of the change
	sales  []undo     // of events that come on sale or go off it, with the values that they had
}

// value is what is new of a row.
type value struct {
	row       int
	firstSeen int64
}

// hash encodes all events, and keeps what tells whether they are the same. It keeps at most so
// many bytes of the events themselves: most feeds need not be encoded again then.
func (c *changes) hash(ctx context.Context, limit int) error {
	var enc store.Encoder
	members := sha256.New()
	for i := range c.rows {
		if i%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		r := &c.rows[i]
		encoded := enc.Row(r)
		if r.Past {
			c.pasts++
		}
		switch limit -= len(encoded); {
		case limit < 0:
		case r.Values != nil: // they stay
			c.encoded = append(c.encoded, nil)
		default:
			c.encoded = append(c.encoded, bytes.Clone(encoded))
		}
		c.keys, c.digests, c.past = append(c.keys, r.Key), append(c.digests, r.Digest[:]), append(c.past, r.Past)
		head := binary.BigEndian.AppendUint32(nil, uint32(len(r.Key)))
		if r.Past {
			head[0] = 1
		}
		for _, part := range [][]byte{head, r.Key, r.Digest[:]} {
			members.Write(part)
		}
	}
	c.items = make([]string, len(c.rows))
	if c.snap.Changes == nil {
		c.members = members.Sum(nil)
		return nil
	}
	owners := make(map[event.Key]string)
	for _, i := range c.snap.Changes.Items {
		for _, key := range i.Keys {
			owners[key] = i.ID
		}
	}
	for i, r := range c.rows { // a page has the values of all
		c.items[i] = owners[r.Event.Key]
	}
	return nil
}

// write finds the changes, asks whether they are accepted, and writes them, but for the job and
// the revision.
func (s *Store) write(ctx context.Context, t *tx, c *changes, was *claim) (err error) {
	if c.applied.Known, err = known(ctx, t, c.snap.Provider); err != nil {
		return err
	}
	if err := s.compareProvider(c, was); err != nil {
		return err
	}
	same := c.members != nil && bytes.Equal(was.members, c.members)
	if !same {
		if err := c.compareEvents(ctx, t); err != nil {
			return err
		}
	}
	c.applied.Unchanged = len(c.rows) - c.applied.New - c.applied.Changed
	c.applied.Before = was.current
	if c.snap.Changes == nil {
		c.applied.Current = len(c.rows) - c.pasts
		c.applied.Gone = was.current + c.came - c.applied.Current
		if err := c.accept(); err != nil {
			return err
		}
	}
	if !same || c.rezoned {
		if err := t.change(ctx); err != nil {
			return err
		}
	}
	if err := s.writeEvents(ctx, t, c); err != nil {
		return err
	}
	if c.snap.Changes != nil {
		c.applied.Gone = c.left
		if err := s.writePage(ctx, t, c); err != nil {
			return err
		}
		c.applied.Current = was.current + c.came - c.applied.Gone
		if err := c.accept(); err != nil {
			return err
		}
	}
	if err := s.remember(ctx, t, c.snap.Provider, c.sales); err != nil {
		return err
	}
	if len(c.values) == 0 && c.came == 0 && c.applied.Gone == 0 && !c.rezoned {
		t.mark.change = 0
	}
	t.last.Queue("update fever.provider set value = $2, members = $3, current = $4 where name = $1", c.snap.Provider, c.provider, c.members, c.applied.Current)
	return nil
}

func (c *changes) accept() error {
	if c.snap.Accept == nil {
		return nil
	}
	return c.snap.Accept(c.applied)
}

func (s *Store) compareProvider(c *changes, was *claim) error {
	old, err := s.decodeProvider(c.snap.Provider, was.value)
	if err != nil {
		return err
	}
	p := store.Provider{TimeZone: c.snap.TimeZone, Validators: c.snap.Validators}
	if c.snap.Changes != nil {
		if err := c.snap.ValidateChanges(old.Stream); err != nil {
			return err
		}
		p.Stream = c.snap.Changes.Stream
	}
	c.drop = c.snap.Changes == nil && old.Stream.Generation > 0
	if c.provider, err = p.Encode([]byte(c.snap.Provider)); err != nil || bytes.Equal(c.provider, was.value) {
		return err
	}
	c.rezoned = old.TimeZone != "" && old.TimeZone != c.snap.TimeZone && c.applied.Known
	_, err = event.LoadLocation(c.snap.TimeZone)
	return err
}

// compareEvents asks the server which events it does not have as they are. If the server finds
// that reading all events is the fastest way, the range of keys leaves out those of other providers.
func (c *changes) compareEvents(ctx context.Context, t *tx) error {
	first, last := keysOf(c.snap.Provider)
	rows, err := t.Query(ctx, `select s.row, e.key is not null, coalesce(e.digest = s.digest, false), coalesce(e.current, false), coalesce(e.first_seen, 0)
		from unnest($1::bytea[], $2::bytea[], $3::boolean[], $4::text[]) with ordinality as s (key, digest, past, item, row) left join fever.event as e on e.key = s.key and e.key > $5 and e.key < $6
		where e.digest is distinct from s.digest or e.current = s.past or not s.past and e.item <> s.item`, c.keys, c.digests, c.past, c.items, first, last)
	if err != nil {
		return err
	}
	var n int
	var known, same, current bool
	var firstSeen int64
	_, err = pgx.ForEachRow(rows, []any{&n, &known, &same, &current, &firstSeen}, func() error {
		row := n - 1
		switch {
		case c.rows[row].Event == nil && c.rows[row].Values == nil:
			return c.rows[row].Stale()
		case !known:
			c.applied.New++
			firstSeen = c.snap.Taken.UnixMilli()
		case !same:
			c.applied.Changed++
			c.replaced = append(c.replaced, row)
		case !c.past[row]:
			c.marked = append(c.marked, row)
		}
		if !same {
			c.values = append(c.values, value{row, firstSeen})
		}
		switch {
		case !c.past[row] && !current:
			c.came++
		case c.past[row] && current:
			c.left++
		}
		return nil
	})
	return err
}

// writeEvents writes what has changed of the events in the snapshot, and for a whole snapshot
// what has not: the others are not current.
func (s *Store) writeEvents(ctx context.Context, t *tx, c *changes) error {
	if err := s.replace(ctx, t, c); err != nil {
		return err
	}
	if err := c.copyValues(ctx, t); err != nil {
		return err
	}
	first, last := keysOf(c.snap.Provider) // as in compareEvents
	if len(c.marked) > 0 {
		var keys [][]byte
		var items []string
		for _, row := range c.marked {
			keys, items = append(keys, c.keys[row]), append(items, c.items[row])
		}
		_, err := c.sale(ctx, t, false, `update fever.event as e set current = true, item = s.item, change = case when e.current then e.change else $3 end
			from unnest($1::bytea[], $2::text[]) as s (key, item) where e.key = s.key and e.key > $4 and e.key < $5`, keys, items, t.mark.change, first, last)
		if err != nil {
			return err
		}
	}
	var err error
	switch {
	case c.snap.Changes != nil && c.left > 0:
		_, err = c.sale(ctx, t, true, `update fever.event as e set current = false, item = '', change = $3
			from unnest($1::bytea[], $2::boolean[]) as s (key, past) where e.key = s.key and e.key > $4 and e.key < $5 and past and current`, c.keys, c.past, t.mark.change, first, last)
	case c.snap.Changes == nil && c.applied.Gone > 0:
		_, err = c.sale(ctx, t, true, `update fever.event as e set current = false, item = '', change = $5 where current and key > $1 and key < $2 and not exists (
			select from unnest($3::bytea[], $4::boolean[]) as s (key, past) where s.key = e.key and not past)`, first, last, c.keys, c.past, t.mark.change)
	}
	if err == nil && c.drop {
		err = t.run(ctx, dropItems(c.snap.Provider)...)
	}
	return err
}

// sale runs an update that takes events off sale or, if they were not before, puts them on it. It
// keeps what takes that back, and returns the number of the events.
func (c *changes) sale(ctx context.Context, t *tx, before bool, update string, arguments ...any) (n int, err error) {
	rows, err := t.Query(ctx, update+" returning e.key, e.change, e.last_changed", arguments...)
	if err != nil {
		return 0, err
	}
	var key []byte
	var change, lastChanged int64
	_, err = pgx.ForEachRow(rows, []any{&key, &change, &lastChanged}, func() error {
		if n++; change == t.mark.change { // else only the item is another
			u := c.change
			u.Current, u.LastChanged = before, lastChanged
			c.sales = append(c.sales, undo{key, u})
		}
		return nil
	})
	return n, err
}

// replace removes the changed events, and keeps what they were.
func (s *Store) replace(ctx context.Context, t *tx, c *changes) error {
	var enc store.Encoder
	for some := range slices.Chunk(c.replaced, mostUndos) {
		now := make(map[string]int, len(some))
		var keys [][]byte
		for _, row := range some {
			now[string(c.keys[row])], keys = row, append(keys, c.keys[row])
		}
		rows, err := t.Query(ctx, "delete from fever.event as e where key = any($1) returning "+wholeColumns, keys)
		if err != nil {
			return err
		}
		var undos []undo
		var r wholeRow
		_, err = pgx.ForEachRow(rows, r.into(), func() error {
			before, err := r.encoded()
			if err != nil {
				return s.damaged("event %q: %v", r.key, err)
			}
			u := undo{r.key, c.change}
			u.Current, u.LastChanged = r.current, r.lastChanged
			u.SetEvent(before, c.encode(&enc, now[string(r.key)]))
			undos = append(undos, u)
			return nil
		})
		if err != nil {
			return err
		}
		if err := s.remember(ctx, t, c.snap.Provider, undos); err != nil {
			return err
		}
	}
	return nil
}

// encode returns the event of a row as it is encoded.
func (c *changes) encode(enc *store.Encoder, row int) []byte {
	switch r := &c.rows[row]; {
	case r.Values != nil:
		return r.Values
	case row < len(c.encoded):
		return c.encoded[row]
	default:
		return enc.Encode(r.Event)
	}
}

// A step is a statement.
type step struct {
	sql       string
	arguments []any
}

func (t *tx) run(ctx context.Context, steps ...step) error {
	for _, s := range steps {
		if _, err := t.Exec(ctx, s.sql, s.arguments...); err != nil {
			return err
		}
	}
	return nil
}

// copyValues sends the events that are new, and those that are in the place of the deleted ones.
func (c *changes) copyValues(ctx context.Context, t *tx) error {
	if len(c.values) == 0 {
		return nil
	}
	var enc store.Encoder
	_, err := t.CopyFrom(ctx, pgx.Identifier{"fever", "event"}, eventColumns, pgx.CopyFromSlice(len(c.values), func(i int) ([]any, error) {
		v := c.values[i]
		r, item := &c.rows[v.row], c.items[v.row]
		if err := r.Validate(); err != nil { // it could not be read back
			return nil, err
		}
		columns, err := store.SplitEvent(c.encode(&enc, v.row))
		if err != nil {
			return nil, fmt.Errorf("event %s: %w", r, err)
		}
		if r.Past {
			item = ""
		}
		return []any{
			r.Key, t.mark.change, !r.Past, item, v.firstSeen, c.snap.Taken.UnixMilli(), c.digests[v.row],
			columns.Title, columns.Start, columns.End, columns.Lowest, columns.Highest, columns.Detail,
		}, nil
	}))
	return err
}

var eventColumns = []string{"key", "change", "current", "item", "first_seen", "last_changed", "digest", "title", "starts", "ends", "lowest", "highest", "detail"}
