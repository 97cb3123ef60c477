package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"fever/event"
	"fever/store"
)

// Forget removes what is stored of a provider, and records that, in one transaction.
// Without a cutoff it removes the events, what the latest snapshot says of the provider,
// the validators included, and the outcomes of its jobs. With one it removes events alone.
//
// Records of [Store.Forget] and [Store.Rename] stay. No job of the provider may run
// meanwhile: if one of another store does, the error is store.ErrBusy (wrapped). Events that come
// in a later snapshot are new.
func (s *Store) Forget(ctx context.Context, f store.Forgetting) (store.Forgotten, error) {
	var done store.Forgotten
	err := s.edit(ctx, f.DryRun, func(ctx context.Context, t *tx) error { return s.forget(ctx, t, f, &done) })
	if (err == nil || errors.Is(err, store.ErrUncertain)) && done.Record.ID != 0 && f.GoneBefore.IsZero() {
		s.stats.Moved(f.Provider, "", 0)
	}
	if err != nil {
		return store.Forgotten{}, fmt.Errorf("forget what is stored of %s: %w", f.Provider, err)
	}
	return done, nil
}

var errDryRun = errors.New("a dry run")

// edit runs f in a transaction that is rolled back in a dry run.
func (s *Store) edit(ctx context.Context, dryRun bool, f func(context.Context, *tx) error) error {
	err := s.update(ctx, func(ctx context.Context, t *tx) error {
		err := f(ctx, t)
		if err == nil && dryRun {
			err = errDryRun
		}
		return err
	})
	if errors.Is(err, errDryRun) {
		return nil
	}
	return err
}

func (s *Store) forget(ctx context.Context, t *tx, f store.Forgetting, done *store.Forgotten) error {
	c, jobs, err := s.held(ctx, t, f.Provider)
	if err != nil {
		return err
	}
	started := t.now()
	if jobs == 0 && c.value == nil {
		return s.nothing(ctx, t, f.Provider)
	}
	keys, err := s.selectEvents(ctx, t, f, &done.Selection)
	if err != nil {
		return err
	}
	done.Jobs = jobs
	if !f.GoneBefore.IsZero() {
		done.Jobs = 0
	}
	if f.DryRun || len(keys) == 0 && !f.GoneBefore.IsZero() {
		return t.QueryRow(ctx, "select revision from fever.meta").Scan(&done.Revision)
	}
	if len(keys) > 0 {
		if err := t.change(ctx); err != nil {
			return err
		}
	}
	if f.GoneBefore.IsZero() {
		first, last := keysOf(f.Provider)
		t.last.Queue("delete from fever.event "+ofProvider, first, last)
		t.last.Queue("delete from fever.history "+ofProvider, first, last)
		t.last.Queue("delete from fever.item where provider = $1", f.Provider)
		t.last.Queue("delete from fever.job where provider = $1 and collects", f.Provider)
		t.last.Queue("update fever.provider set value = null, current = 0 where name = $1", f.Provider)
	} else {
		t.last.Queue("delete from fever.event where key = any($1)", keys)
		t.last.Queue("delete from fever.history where key = any($1)", keys)
		if err := s.interruptNewest(t, f.Provider, c, started); err != nil {
			return err
		}
	}
	if done.Record, err = s.putRecord(ctx, t, f.Record(*done, started)); err != nil {
		return err
	}
	t.revise(true, &done.Revision)
	return nil
}

// held locks a provider that is to be edited, and counts its jobs but for records of what was
// done by hand.
func (s *Store) held(ctx context.Context, t *tx, provider string) (c *claim, jobs int, err error) {
	if !validName(provider) {
		return new(claim), 0, t.send(ctx) // of which there can be nothing
	}
	c = t.lock(provider)
	t.last.Queue("select count(*) from fever.job where provider = $1 and collects", provider).QueryRow(func(row pgx.Row) error { return row.Scan(&jobs) })
	if err := t.send(ctx); err != nil {
		return nil, 0, err
	}
	return c, jobs, c.free()
}

// mostNames bounds the providers that an error lists.
const mostNames = 10

// nothing is the error for a provider of which nothing is stored. It names those of which
// something is.
func (s *Store) nothing(ctx context.Context, q querier, provider string) error {
	rows, err := q.Query(ctx, "select name from fever.provider where value is not null order by name limit $1", mostNames+1)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	switch {
	case err != nil:
		return err
	case len(names) == 0:
		return fmt.Errorf("%w of %s, nor of any other", store.ErrNothing, provider)
	case len(names) > mostNames:
		names[mostNames] = "and others"
	}
	return fmt.Errorf("%w of %s: there is something of %s", store.ErrNothing, provider, strings.Join(names, ", "))
}

// selectEvents sums up in sel those events of a provider that are to be forgotten, and returns
// their keys.
func (s *Store) selectEvents(ctx context.Context, q querier, f store.Forgetting, sel *store.Selection) ([][]byte, error) {
	locations, err := s.locations(ctx, q)
	if err != nil {
		return nil, err
	}
	end := f.GoneBefore.Second(locations[f.Provider])
	first, last := keysOf(f.Provider)
	var found []place
	err = s.scan(ctx, q, locations, func(e *event.Entry, r *row) {
		if !f.GoneBefore.IsZero() && (r.current || e.End >= end) {
			return
		}
		if from := time.Unix(e.Start, 0).UTC(); len(found) == 0 || from.Before(sel.From) {
			sel.From = from
		}
		if to := time.Unix(e.End, 0).UTC(); len(found) == 0 || to.After(sel.To) {
			sel.To = to
		}
		if r.current {
			sel.Current++
		}
		found = append(found, place{e, r.key, r.current})
	}, ofProvider, first, last)
	if err != nil {
		return nil, err
	}
	inOrder(found)
	sel.Events = len(found)
	keys := keysIn(found)
	for some := keys[:min(len(keys), store.MostFirst)]; len(some) > 0; {
		records, err := s.records(ctx, q, some)
		if err != nil {
			return nil, err
		}
		sel.First, some = append(sel.First, records...), some[len(records):]
	}
	return keys, nil
}

// putRecord writes down what was done by hand with what is stored of the job's provider, as
// its newest job, and returns it as it is recorded. All that is known of the provider's events
// has to be compared again.
func (s *Store) putRecord(ctx context.Context, t *tx, job store.Job) (_ store.Job, err error) {
	job.State = store.Completed
	if job.Finished.IsZero() {
		job.Finished = t.now()
	}
	id := t.newJob()
	if err := t.send(ctx); err != nil {
		return store.Job{}, err
	}
	t.take(&job, *id)
	t.last.Queue("update fever.provider set members = null where name = $1", job.Provider)
	return job, s.finish(t, &job)
}

// Rename moves everything that is stored of one provider to another name, and records
// that, in one transaction. Events get the ids that follow from the new name.
//
// If the new name has something already, the latest snapshot of the two is that of the
// new name from then on: what it says of the provider counts, and which events are current.
// An event that both have is first seen when either was. Its values are those of the
// latest snapshot if that holds it, or else those that changed last; of equal values, those
// that are older. Its history is that of the name whose values those are.
//
// No job of the two may run meanwhile: if one of another store does, the error is store.ErrBusy
// (wrapped).
func (s *Store) Rename(ctx context.Context, r store.Renaming) (store.Renamed, error) {
	m := mover{Renaming: r, Store: s}
	err := errors.Join(event.ValidProvider(r.From), event.ValidProvider(r.To))
	if err == nil && r.From == r.To {
		err = errors.New("the names are the same")
	}
	if err == nil {
		err = s.edit(ctx, r.DryRun, m.move)
	}
	if (err == nil || errors.Is(err, store.ErrUncertain)) && !r.DryRun {
		to := r.To
		if m.done.TimeZone == "" { // of neither is there a snapshot
			to = ""
		}
		s.stats.Moved(r.From, to, m.current)
	}
	if err != nil {
		return store.Renamed{}, fmt.Errorf("rename %s to %s: %w", r.From, r.To, err)
	}
	return m.done, nil
}

// A mover moves what is stored of one provider to another name.
type mover struct {
	store.Renaming
	*Store

	started    time.Time
	fromCounts bool // the latest snapshot of the two is that of the old name
	from, to   store.Provider
	done       store.Renamed
	current    int // then, under the new name
}

func (m *mover) move(ctx context.Context, t *tx) error {
	t.last.Queue("insert into fever.provider (name) values ($1) on conflict do nothing", m.To)
	jobs, err := m.begin(ctx, t)
	if err != nil {
		return err
	}
	if _, err := m.selectEvents(ctx, t, store.Forgetting{Provider: m.From}, &m.done.Selection); err != nil {
		return err
	}
	if err := m.compare(ctx, t); err != nil {
		return err
	}
	rewritten, err := m.rewrites(ctx, t)
	if err != nil {
		return err
	}
	if m.DryRun {
		return t.QueryRow(ctx, "select revision from fever.meta").Scan(&m.done.Revision)
	}
	if rewritten {
		if err := t.change(ctx); err != nil {
			return err
		}
	}
	steps := dropItems(m.From) // the feed of changes starts over
	if m.fromCounts {
		steps = append(steps, dropItems(m.To)...)
	}
	if err := t.run(ctx, steps...); err != nil {
		return err
	}
	histories, err := m.histories(ctx, t)
	if err != nil {
		return err
	}
	if err := m.moveEvents(ctx, t); err != nil {
		return err
	}
	if err := m.moveRest(t, jobs); err != nil {
		return err
	}
	if m.done.Record, err = m.putRecord(ctx, t, m.Record(m.done, m.started)); err != nil {
		return err
	}
	for i := range histories.sales {
		histories.sales[i].Job = m.done.Record.ID
	}
	if err := m.moveHistory(ctx, t, histories.from, histories.to); err != nil {
		return err
	}
	first, last := keysOf(m.From)
	t.last.Queue("delete from fever.history "+ofProvider, first, last) // of events whose history is that of the new name
	if err := m.remember(ctx, t, m.To, histories.sales); err != nil {
		return err
	}
	t.revise(true, &m.done.Revision)
	return nil
}

// begin finds out whose snapshot is the latest, and returns the jobs to move. A job whose
// end could not be recorded is interrupted: nothing runs, and only the newest may say so.
func (m *mover) begin(ctx context.Context, t *tx) (jobs []store.Job, err error) {
	claims, ordinary := make(map[string]*claim), make(map[string]int)
	for _, name := range slices.Sorted(slices.Values([]string{m.From, m.To})) { // all lock in one order
		if claims[name], ordinary[name], err = m.held(ctx, t, name); err != nil {
			return nil, err
		}
	}
	from, to := claims[m.From], claims[m.To]
	m.started = t.now()
	if from.value == nil && ordinary[m.From] == 0 {
		return nil, m.nothing(ctx, t, m.From)
	}
	if !m.DryRun {
		for _, name := range []string{m.To, m.From} {
			if err := m.interruptNewest(t, name, claims[name], m.started); err != nil {
				return nil, err
			}
		}
		if err := t.send(ctx); err != nil { // which may delete jobs
			return nil, err
		}
	}
	var latest [2]int64
	err = t.QueryRow(ctx, `select coalesce(max(id) filter (where provider = $1), 0), coalesce(max(id) filter (where provider = $2), 0)
		from fever.job where provider in ($1, $2) and applied`, m.From, m.To).Scan(&latest[0], &latest[1])
	if err != nil {
		return nil, err
	}
	m.fromCounts = from.value != nil && (to.value == nil || latest[0] > latest[1])
	m.current = to.current
	if m.fromCounts {
		m.current = from.current
	}
	var err1, err2 error
	m.from, err1 = m.decodeProvider(m.From, from.value)
	m.to, err2 = m.decodeProvider(m.To, to.value)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	m.done.OldTimeZone, m.done.TimeZone = m.from.TimeZone, m.to.TimeZone
	if m.fromCounts {
		m.done.TimeZone = m.from.TimeZone
	}
	jobs, err = m.jobsOf(ctx, t, m.From)
	m.done.Jobs = len(jobs)
	return jobs, err
}

func (s *Store) jobsOf(ctx context.Context, q querier, provider string) (all []store.Job, err error) {
	rows, err := q.Query(ctx, "select id, value from fever.job where provider = $1 order by id", provider)
	if err != nil {
		return nil, err
	}
	var id int64
	var value []byte
	_, err = pgx.ForEachRow(rows, []any{&id, &value}, func() error {
		job, err := s.decodeJob(provider, id, value)
		all = append(all, job)
		return err
	})
	return all, err
}

// twins is the condition for two events that both names have: old under the old name, and new.
const twins = "old.key > @first and old.key < @last and new.key = @to::bytea || substr(old.key, @length::integer + 1)"

// wins is the condition for the old one to have the values that count.
const wins = `(old.digest <> new.digest and case
	when @counts::boolean and old.current then true
	when not @counts::boolean and new.current then false
	else old.last_changed > new.last_changed end)`

// names are the arguments of twins and wins, and of moveEvents.
func (m *mover) names(t *tx) pgx.NamedArgs {
	first, last := keysOf(m.From)
	firstTo, lastTo := keysOf(m.To)
	return pgx.NamedArgs{
		"first": first, "last": last, "to": []byte(m.To), "length": len(m.From), "counts": m.fromCounts,
		"firstTo": firstTo, "lastTo": lastTo, "change": t.mark.change,
	}
}

// compare counts the events that the new name has too, and those whose values it gets.
func (m *mover) compare(ctx context.Context, t *tx) error {
	return t.QueryRow(ctx, "select count(*), count(*) filter (where "+wins+") from fever.event as old, fever.event as new where "+twins, m.names(t)).
		Scan(&m.done.Known, &m.done.Changed)
}

// rewrites reports whether moving changes any event.
func (m *mover) rewrites(ctx context.Context, t *tx) (bool, error) {
	if m.done.Events > 0 || !m.fromCounts || m.to.TimeZone == "" {
		return m.done.Events > 0, nil
	}
	first, last := keysOf(m.To)
	var all, current bool
	err := t.QueryRow(ctx, "select count(*) > 0, count(*) filter (where current) > 0 from fever.event "+ofProvider, first, last).Scan(&all, &current)
	return current || all && m.to.TimeZone != m.from.TimeZone, err
}

// moveEvents leaves one of each two twins, with what is older of both, and moves all to the new
// name.
func (m *mover) moveEvents(ctx context.Context, t *tx) error {
	if t.mark.change == 0 {
		return nil
	}
	for _, step := range []string{
		"update fever.event set current = false, item = '', change = @change where @counts::boolean and current and key > @firstTo and key < @lastTo",
		`update fever.event as new set change = @change, first_seen = least(new.first_seen, old.first_seen), current = case when @counts::boolean then old.current else new.current end,
			item = case when @counts::boolean then '' else new.item end, last_changed = case when old.digest = new.digest then least(new.last_changed, old.last_changed) else new.last_changed end
			from fever.event as old where ` + twins + " and not " + wins,
		"delete from fever.event as old using fever.event as new where " + twins + " and not " + wins,
		"update fever.event as old set first_seen = least(new.first_seen, old.first_seen) from fever.event as new where " + twins,
		"delete from fever.event as new using fever.event as old where " + twins,
		"update fever.event set key = @to::bytea || substr(key, @length::integer + 1), change = @change, current = current and @counts, item = '' where key > @first and key < @last",
	} {
		if _, err := t.Exec(ctx, step, m.names(t)); err != nil {
			return err
		}
	}
	return nil
}

// moved is what a renaming does to the histories of events.
type moved struct {
	from, to [][]byte // keys of events whose history is that of another event from now on
	sales    []undo   // of events that come on sale or go off it
}

// histories says whose history each event has from now on. It is to come before the events are moved.
func (m *mover) histories(ctx context.Context, t *tx) (h moved, err error) {
	sale := func(key []byte, before, after bool, lastChanged int64) {
		if before != after {
			h.sales = append(h.sales, undo{key, store.Undo{At: m.started.UnixMilli(), Current: before, LastChanged: lastChanged}})
		}
	}
	rows, err := t.Query(ctx, `select old.key, old.current, old.last_changed, coalesce(new.current, false), coalesce(new.last_changed, 0),
			coalesce(case when old.digest = new.digest then new.last_changed <= old.last_changed else not `+wins+` end, false)
		from fever.event as old left join fever.event as new on new.key = @to::bytea || substr(old.key, @length::integer + 1) where old.key > @first and old.key < @last`, m.names(t))
	if err != nil {
		return h, err
	}
	var key []byte
	var current, currentThere, stays bool
	var changed, changedThere int64
	_, err = pgx.ForEachRow(rows, []any{&key, &current, &changed, &currentThere, &changedThere, &stays}, func() error {
		to := append([]byte(m.To), key[len(m.From):]...)
		after := m.fromCounts && current || !m.fromCounts && currentThere
		if stays {
			sale(to, currentThere, after, changedThere)
			return nil
		}
		h.from, h.to = append(h.from, key), append(h.to, to)
		sale(to, current, after, changed)
		return nil
	})
	if err != nil || !m.fromCounts {
		return h, err
	}
	rows, err = t.Query(ctx, `select key, last_changed from fever.event as new where current and key > @firstTo and key < @lastTo and not exists (
		select from fever.event as old where old.key > @first and old.key < @last and new.key = @to::bytea || substr(old.key, @length::integer + 1))`, m.names(t))
	if err != nil {
		return h, err
	}
	_, err = pgx.ForEachRow(rows, []any{&key, &changed}, func() error {
		sale(key, true, false, changed)
		return nil
	})
	return h, err
}

// moveRest has the transaction move the jobs, and what the latest snapshot says.
func (m *mover) moveRest(t *tx, jobs []store.Job) error {
	if m.fromCounts {
		m.from.Stream = store.Stream{}
		value, err := m.from.Encode([]byte(m.To))
		if err != nil {
			return err
		}
		t.last.Queue("update fever.provider set value = $2, current = $3 where name = $1", m.To, value, m.current)
	}
	t.last.Queue("update fever.provider set value = null, members = null, current = 0 where name = $1", m.From)
	for _, job := range jobs {
		job.Provider = m.To
		if err := t.put(&job); err != nil {
			return err
		}
	}
	return nil
}
