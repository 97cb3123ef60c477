package postgres

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"fever/event"
	"fever/store"
)

const (
	// keptRevisions is the number of revisions that changes can be told since, at least.
	keptRevisions = 100_000

	// droppedRevisions is how many are dropped at a time: whoever reads what they left has to
	// start over then.
	droppedRevisions = 10_000
)

// A head says how far the database is.
type head struct {
	revision  store.Revision
	rewritten store.Revision // what changed up to this one cannot be told as changes
	id        []byte
}

const readHead = "select revision, rewritten, id from fever.meta"

func headOf(ctx context.Context, q querier) (h head, err error) {
	return h, h.scan(q.QueryRow(ctx, readHead))
}

func (h *head) scan(row pgx.Row) error { return row.Scan(&h.revision, &h.rewritten, &h.id) }

// change gives the transaction a number for the events that it changes.
func (t *tx) change(ctx context.Context) error {
	return t.QueryRow(ctx, "select nextval('fever.change')").Scan(&t.mark.change)
}

// revise has the transaction make a revision, if it changes events, and has it store in at what
// the revision is then. If rewritten, nothing up to it can be told as changes. It comes last:
// from here to the commit nobody else can commit a revision.
func (t *tx) revise(rewritten bool, at *store.Revision) {
	t.mark.at = at
	scan := func(row pgx.Row) error { return row.Scan(at) }
	if t.mark.change == 0 {
		t.last.Queue("select revision from fever.meta").QueryRow(scan)
		return
	}
	t.last.Queue(`with next as (
			update fever.meta set revision = revision + 1, id = uuid_send(gen_random_uuid()),
				rewritten = case when $2 then revision + 1 else rewritten end
			returning revision, id
		), kept as (
			insert into fever.revision (number, id, change) select revision, id, $1 from next
		), old as (
			delete from fever.revision where number <= (select revision from next where revision % $4 = 0) - $3
		)
		select revision from next, pg_notify('fever', revision::text)`, t.mark.change, rewritten, int64(keptRevisions), int64(droppedRevisions)).QueryRow(scan)
}

// Changes returns an entry for every event that was changed after a revision, in the order
// of revisions and then of keys, and the revision that they make up to. What was changed
// more than once comes once, as it is now.
//
// The error is store.ErrRewritten (wrapped) when that is not all that has happened. It is
// store.ErrHistory when the database has another past than it had at that revision.
func (s *Store) Changes(ctx context.Context, since store.Revision) (entries []*event.Entry, at store.Revision, err error) {
	entries, at, err = s.changes(ctx, since)
	if err != nil {
		return nil, 0, fmt.Errorf("read what has changed since revision %d: %w", since, err)
	}
	return entries, at, nil
}

// changes takes one round trip: how late a search finds what another process stored is mostly
// that.
func (s *Store) changes(ctx context.Context, since store.Revision) (entries []*event.Entry, at store.Revision, err error) {
	ctx, cancel := context.WithTimeout(ctx, bulkLimit)
	defer cancel()
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer conn.Release() // which closes it if it is still in the transaction
	var h head
	var locations map[string]*time.Location
	later := laterRevisions{since: since, history: &s.history}
	var known bool
	var changed []row
	var ask pgx.Batch
	ask.Queue("begin isolation level repeatable read read only")
	ask.Queue(readHead).QueryRow(h.scan)
	ask.Queue("select number, id, change from fever.revision where number >= $1", int64(since)).Query(later.scan)
	ask.Queue(readProviders).Query(func(rows pgx.Rows) (err error) {
		locations, err = s.locationsIn(rows)
		return err
	})
	// The list of changes has the server use the index. A join reads the whole table.
	ask.Queue(readRows+"where change = any(array(select change from fever.revision where number > $1))", int64(since)).Query(func(rows pgx.Rows) error {
		if known = since >= h.rewritten && since <= h.revision && (later.known || h.revision == 0); !known {
			return nil // it was read in vain, and everything is read next
		}
		return scanRows(rows, func(r *row) error {
			r.change = later.numbers[r.change] // they are in the order of revisions
			changed = append(changed, *r)
			return nil
		})
	})
	ask.Queue("commit")
	if err := conn.SendBatch(ctx, &ask).Close(); err != nil {
		return nil, 0, err
	}
	s.reached(h.revision)
	if since > h.revision || later.other {
		return nil, 0, store.ErrHistory
	}
	if !known {
		return nil, 0, store.ErrRewritten
	}
	s.history.remember(h.revision, h.id)
	slices.SortFunc(changed, func(a, b row) int { return cmp.Or(cmp.Compare(a.change, b.change), bytes.Compare(a.key, b.key)) })
	if len(changed) > 0 {
		entries, err = s.entriesOf(changed, locations)
	}
	return entries, h.revision, err
}

// laterRevisions are those after one.
type laterRevisions struct {
	since   store.Revision
	history *history

	numbers map[int64]int64 // by their change
	known   bool            // the one is in the past of the database
	other   bool            // it has another id there
}

func (l *laterRevisions) scan(rows pgx.Rows) error {
	l.numbers = make(map[int64]int64)
	var number, change int64
	var id []byte
	_, err := pgx.ForEachRow(rows, []any{&number, &id, &change}, func() error {
		if number == int64(l.since) {
			l.known = l.history.shares(l.since, id)
			l.other = !l.known
			return nil
		}
		l.known = l.known || l.since == 0 && number == 1
		l.numbers[change] = number
		return nil
	})
	return err
}

// A history remembers the ids of revisions that the store has spoken of. A database that was
// restored, or that a standby serves now which lacked the latest commits, may have come to the
// same number in another way.
type history struct {
	mu    sync.Mutex
	ids   map[store.Revision]spoken
	turns uint64 // counts the uses
}

// spoken is a revision in a history.
type spoken struct {
	id   []byte
	used uint64 // the turn of the last use
}

// mostRemembered bounds the revisions in a history. The one that was not used for the longest
// time is the first to be forgotten. A process that follows uses its own each time it waits, so
// that one is kept however old it is.
const mostRemembered = 4096

func (h *history) remember(r store.Revision, id []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ids == nil {
		h.ids = make(map[store.Revision]spoken)
	}
	if _, known := h.ids[r]; !known && len(h.ids) >= mostRemembered {
		oldest := r
		for other, s := range h.ids {
			if oldest == r || s.used < h.ids[oldest].used {
				oldest = other
			}
		}
		delete(h.ids, oldest)
	}
	h.turns++
	h.ids[r] = spoken{id, h.turns}
}

// shares reports whether a revision may be the one that the store has spoken of.
func (h *history) shares(r store.Revision, id []byte) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	known, ok := h.ids[r]
	if ok {
		h.turns++
		h.ids[r] = spoken{known.id, h.turns}
	}
	return !ok || bytes.Equal(known.id, id)
}

// agrees reports whether a database that is at most as far as a revision may yet come to it.
func (h *history) agrees(r store.Revision, now head) bool {
	if now.revision == r {
		return h.shares(r, now.id)
	}
	return h.shares(r, nil) // it has no id there; who has spoken of it has another past
}

const (
	// pollHearing is how often Wait looks by itself while notifications come.
	pollHearing = 5 * time.Second

	// pollDeaf is the same while none come, as through a pooler.
	pollDeaf = 250 * time.Millisecond
)

// Wait returns when the store is beyond a revision, or has another past than it had at that one:
// see [Store.Changes]. It returns the error of ctx when that ends before, and another when the
// store is closed. While the database does not answer it waits.
func (s *Store) Wait(ctx context.Context, since store.Revision) error {
	for {
		rings := s.bell.listen() // before looking
		h, err := s.head(ctx)
		if err == nil && (h.revision > since || !s.history.agrees(since, h)) {
			return nil
		}
		poll := pollDeaf
		if s.hears.Load() {
			poll = pollHearing
		}
		err = nil
		select {
		case <-rings:
			if s.notified.Load() > uint64(since) { // whoever reads it finds out whether it is so
				return nil
			}
		case <-time.After(poll):
		case <-ctx.Done():
			err = ctx.Err()
		case <-s.ended:
			err = errClosed
		}
		if err != nil {
			return fmt.Errorf("wait for what comes after revision %d: %w", since, err)
		}
	}
}

var errClosed = errors.New("the store is closed")

// head asks how far the database is. When ctx ends it returns, and the question goes on: pgx
// closes a connection whose query is cancelled, and waiters come and go. PgBouncer 1.18 has been
// seen to end with a fatal error when many queries were cancelled.
func (s *Store) head(ctx context.Context) (h head, err error) {
	answered := make(chan struct{})
	var answer head
	var failed error
	go func() { // Close waits for it, as the pool does for its connections
		defer close(answered)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askLimit)
		defer cancel()
		if answer, failed = headOf(ctx, s.pool); failed == nil {
			s.reached(answer.revision)
		}
	}()
	select {
	case <-answered:
		return answer, failed
	case <-ctx.Done():
		return head{}, ctx.Err()
	}
}

// listen hears every notification, until ctx ends. The bell rings at each.
func (s *Store) listen(ctx context.Context) {
	pause := pollDeaf
	for ctx.Err() == nil {
		began := time.Now()
		_ = s.hear(ctx) // without it Wait polls, and says nothing of errors
		s.hears.Store(false)
		if time.Since(began) > time.Minute {
			pause = pollDeaf
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
			pause = min(2*pause, pollHearing)
		}
	}
}

// hearsOf takes in a notification. Its payload says that a claim was given up, or is the number of
// a revision.
func (s *Store) hearsOf(n *pgconn.Notification) {
	if n.Payload == payloadFreed {
		s.freed.ring()
		return
	}
	if revision, err := strconv.ParseUint(n.Payload, 10, 63); err == nil {
		s.told(store.Revision(revision))
		s.notified.Store(revision)
	}
	s.bell.ring()
}

// silence is how long a connection that hears nothing is not asked whether it is still there.
const silence = 15 * time.Second

// hear listens on a connection of its own until that fails. A notification of its own shows
// whether any come: a pooler says yes to LISTEN, and delivers nothing.
func (s *Store) hear(ctx context.Context) error {
	pooled, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	conn := pooled.Hijack()
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	if err := exec(ctx, conn, "listen fever"); err != nil {
		return err
	}
	if err := exec(ctx, s.pool, "notify fever"); err != nil {
		return err
	}
	for {
		limited, cancel := context.WithTimeout(ctx, silence)
		err := conn.PgConn().WaitForNotification(limited)
		cancel()
		switch {
		case err == nil:
			if !s.hears.Swap(true) { // the bell has rung
				s.freed.ring() // nothing was heard before
			}
		case ctx.Err() != nil || conn.IsClosed():
			return err
		default:
			if err := exec(ctx, conn, "select"); err != nil {
				return err
			}
		}
	}
}

// exec runs a statement that takes no time, to its end.
func exec(ctx context.Context, q querier, sql string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askLimit)
	defer cancel()
	_, err := q.Exec(ctx, sql)
	return err
}

// A bell wakes all who listen when it rings. Only the database says whether there is anything
// new.
type bell struct {
	mu    sync.Mutex
	rings chan struct{}
}

func (b *bell) listen() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rings == nil {
		b.rings = make(chan struct{})
	}
	return b.rings
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rings != nil {
		close(b.rings)
		b.rings = nil
	}
}
