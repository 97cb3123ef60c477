package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"fever/event"
	"fever/store"
)

// mostFaults bounds what one Check lists.
const mostFaults = 10

var errDigest = errors.New("the columns are not those that were stored together")

// Check reads everything at one moment: that values are encoded as they would be now, hold valid
// events and jobs, and agree with what is derived from them; and that no table speaks of what
// another does not hold. It returns store.ErrDamaged (wrapped) with the first things that it
// found. Writers do not wait for it.
func (s *Store) Check() error {
	var f faults
	ctx := context.Background()
	err := s.moment(ctx, func(tx pgx.Tx) error {
		return errors.Join(s.checkProviders(ctx, tx, &f), s.checkEvents(ctx, tx, &f), s.checkItems(ctx, tx, &f), s.checkJobs(ctx, tx, &f), s.checkHistory(ctx, tx, &f), checkRevisions(ctx, tx, &f))
	})
	if err == nil && len(f) > 0 {
		err = s.damaged("%s", strings.Join(f, "; "))
	}
	if err != nil {
		return fmt.Errorf("check the store: %w", err)
	}
	return nil
}

// faults is what a check has found so far.
type faults []string

func (f *faults) add(err error, format string, arguments ...any) {
	if err != nil && len(*f) < mostFaults {
		*f = append(*f, fmt.Sprintf(format, arguments...)+": "+err.Error())
	}
}

func (s *Store) checkProviders(ctx context.Context, q querier, f *faults) error {
	rows, err := q.Query(ctx, `select name, value, p.current, (select count(*) from fever.event as e where e.current and key > convert_to(name, 'UTF8') || '\x00' and key < convert_to(name, 'UTF8') || '\x01')
		from fever.provider as p order by name`)
	if err != nil {
		return err
	}
	var name string
	var value []byte
	var says, counted int
	return each(rows, []any{&name, &value, &says, &counted}, func() {
		_, err := s.decodeProvider(name, value)
		switch {
		case err != nil:
		case says != counted:
			err = fmt.Errorf("%d current events, not %d", counted, says)
		default:
			err = event.ValidProvider(name)
		}
		f.add(err, "provider %q", name)
	})
}

// each calls f with each of the rows, read into dest.
func each(rows pgx.Rows, dest []any, f func()) error {
	_, err := pgx.ForEachRow(rows, dest, func() error {
		f()
		return nil
	})
	return err
}

func (s *Store) checkEvents(ctx context.Context, q querier, f *faults) error {
	locations, err := s.locations(ctx, q)
	if err != nil {
		return err
	}
	rows, err := q.Query(ctx, "select "+wholeColumns+" from fever.event as e order by key")
	if err != nil {
		return err
	}
	var enc store.Encoder
	var r wholeRow
	return each(rows, r.into(), func() {
		sealed, err := r.sealed(0)
		var record event.Record
		if err == nil {
			record, _, err = enc.CheckRecord(r.key, sealed)
		}
		switch {
		case err != nil:
		case locations[record.Provider] == nil:
			err = errors.New("no such provider")
		case !r.current && r.item != "":
			err = errors.New("it is not current, and is so for an item")
		}
		f.add(err, "event %q", r.key)
	})
}

// checkItems compares the items with the streams of their providers, and with the events that are
// current for them.
func (s *Store) checkItems(ctx context.Context, q querier, f *faults) error {
	rows, err := q.Query(ctx, `select provider, of_table, id, i.name, parent, generation, i.value, p.value, coalesce(keys, '{}')
		from fever.item as i left join fever.provider as p on p.name = provider left join (
			select convert_from(substr(key, 1, position('\x00'::bytea in key) - 1), 'UTF8') as owner, item, array_agg(key) as keys from fever.event where item <> '' group by owner, item
		) as e on owner = provider and item = id and of_table = '' order by provider, of_table, id`)
	if err != nil {
		return err
	}
	var i itemRow
	var generation int64
	var provider []byte
	var keys [][]byte
	err = each(rows, []any{&i.provider, &i.table, &i.id, &i.name, &i.parent, &generation, &i.value, &provider, &keys}, func() {
		item, err := s.decodeItem(&i)
		var p store.Provider
		if err == nil {
			p, err = s.decodeProvider(i.provider, provider)
		}
		switch {
		case err != nil:
		case item.Name != i.name || item.Parent != i.parent || int64(item.Generation) != generation:
			err = errors.New("its columns are not as its value has them")
		case item.Generation > p.Stream.Generation:
			err = fmt.Errorf("generation %d, of %d", item.Generation, p.Stream.Generation)
		}
		for _, key := range keys {
			if err == nil && !slices.ContainsFunc(item.Keys, func(k event.Key) bool { return bytes.Equal(k.Bytes(), key) }) {
				err = fmt.Errorf("event %q is current for it, and it does not make it", key)
			}
		}
		f.add(err, "item %q of table %q of %q", i.id, i.table, i.provider)
	})
	if err != nil {
		return err
	}
	var lost int
	err = q.QueryRow(ctx, `select count(*) from fever.event as e where item <> '' and not exists (
		select from fever.item where provider = convert_from(substr(key, 1, position('\x00'::bytea in key) - 1), 'UTF8') and of_table = '' and id = item)`).Scan(&lost)
	if err == nil && lost > 0 {
		f.add(errors.New("there are none"), "items of %d events", lost)
	}
	return err
}

func (s *Store) checkJobs(ctx context.Context, q querier, f *faults) error {
	var last int64
	if err := q.QueryRow(ctx, "select last_value from fever.job_id").Scan(&last); err != nil {
		return err
	}
	rows, err := q.Query(ctx, "select id, provider, state, collects, answered, applied, value from fever.job order by provider, id")
	if err != nil {
		return err
	}
	var id int64
	var provider, state string
	var collects, answered, applied bool
	var value []byte
	var before store.Job
	return each(rows, []any{&id, &provider, &state, &collects, &answered, &applied, &value}, func() {
		job, err := s.decodeJob(provider, id, value)
		switch {
		case err != nil:
		case state != string(job.State) || collects != job.Trigger.Collects() || answered != job.Answered() || applied != job.Applied():
			err = errors.New("its columns are not as its value has them")
		case before.State == store.Running && before.Provider == provider:
			err = fmt.Errorf("job %d still runs", before.ID)
		case id > last:
			err = fmt.Errorf("the newest job is %d", last)
		}
		f.add(err, "job %d of %q", id, provider)
		before = job
	})
}

// checkRevisions follows the numbers of the revisions that are kept to the latest, and its id.
func checkRevisions(ctx context.Context, q querier, f *faults) error {
	h, err := headOf(ctx, q)
	if err != nil {
		return err
	}
	rows, err := q.Query(ctx, "select number, id from fever.revision order by number")
	if err != nil {
		return err
	}
	var number, before store.Revision
	var id []byte
	err = each(rows, []any{&number, &id}, func() {
		var err error
		if before > 0 && number != before+1 {
			err = fmt.Errorf("it does not follow revision %d", before)
		}
		f.add(err, "revision %d", number)
		before = number
	})
	if err == nil && (before != h.revision || h.revision > 0 && !bytes.Equal(id, h.id) || h.rewritten > h.revision) {
		f.add(fmt.Errorf("the last one is %d, rewritten are those up to %d", before, h.rewritten), "revision %d", h.revision)
	}
	return err
}
