package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fever/store"
)

// Turns returns whose turn it is when, of each provider that this or another store has begun a
// job of, and the time by the clock of the server.
func (s *Store) Turns(ctx context.Context) (turns map[string]store.Turn, now time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	// The first row is there without a provider, too: it has the time.
	rows, err := s.pool.Query(ctx, `select at, coalesce(name, ''), due, coalesce(failures, 0), blocked, coalesce(token, 0), coalesce(host, ''), until
		from (select clock_timestamp() as at) as clock left join fever.provider on true`)
	if err == nil {
		turns, now, err = collectTurns(rows)
	}
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("ask whose turn it is: %w", err)
	}
	return turns, now, nil
}

// noteFreed notifies all stores that a claim has ended and its turn is still to be taken.
const (
	noteFreed    = "select pg_notify('fever', '" + payloadFreed + "')"
	payloadFreed = "freed"
)

// Freed returns a channel that is closed when this store or another one has given up a claim and
// left the turn to whoever comes first. Through a pooler of transactions it stays open.
func (s *Store) Freed() <-chan struct{} { return s.freed.listen() }

func collectTurns(rows pgx.Rows) (turns map[string]store.Turn, now time.Time, err error) {
	turns = make(map[string]store.Turn)
	var name string
	var due, blocked, until *time.Time
	var token int64
	var t store.Turn
	_, err = pgx.ForEachRow(rows, []any{&now, &name, &due, &t.Failures, &blocked, &token, &t.Holder, &until}, func() error {
		now = now.UTC()
		t.Due, t.Blocked, t.Until, t.Job = moment(due), moment(blocked), moment(until), uint64(token)
		if !t.Until.After(now) {
			t.Holder, t.Until = "", time.Time{}
		}
		if name != "" {
			turns[name] = t
		}
		return nil
	})
	return turns, now, err
}
