package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fever/store"
)

// replicaKept is how long a replica is listed that is not heard of any more.
const replicaKept = 10 * time.Minute

// Report says that this process serves searches, and what they find: see [Store.Replicas]. The
// store knows the process and its machine by itself, and returns the ID of the first. Close takes
// the report back.
func (s *Store) Report(ctx context.Context, r store.Replica) (id string, err error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	_, err = s.pool.Exec(ctx, `with old as (delete from fever.replica where seen < clock_timestamp() - $6::interval and id <> $1)
		insert into fever.replica (id, host, version, revision, settings) values ($1, $2, $3, $4, $5) on conflict (id)
		do update set revision = excluded.revision, settings = excluded.settings, seen = excluded.seen`,
		s.holder, s.host, r.Version, int64(r.Revision), r.Settings, replicaKept)
	if err != nil {
		return "", fmt.Errorf("report what searches find: %w", err)
	}
	return s.holder, nil
}

// Replicas returns the processes that serve searches by host, those too that were heard of some
// minutes ago for the last time, and the time by the clock of the server.
func (s *Store) Replicas(ctx context.Context) (all []store.Replica, now time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	// The first row is there without a replica, too: it has the time.
	rows, err := s.pool.Query(ctx, `select clock.at, coalesce(r.id, ''), coalesce(host, ''), coalesce(version, ''), coalesce(r.revision, 0),
			coalesce(clock.at - (select later.at from fever.revision as later where number > r.revision order by number limit 1), interval '0'), coalesce(settings, ''), seen, since
		from (select clock_timestamp() as at) as clock left join fever.replica as r on true order by host, since, r.id`)
	if err == nil {
		var r store.Replica
		var revision int64
		var seen, since *time.Time
		_, err = pgx.ForEachRow(rows, []any{&now, &r.ID, &r.Host, &r.Version, &revision, &r.Behind, &r.Settings, &seen, &since}, func() error {
			if r.ID != "" {
				r.Revision, r.Behind, r.Seen, r.Since = store.Revision(revision), max(0, r.Behind), moment(seen), moment(since)
				all = append(all, r)
			}
			return nil
		})
	}
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("ask who serves searches: %w", err)
	}
	return all, now.UTC(), nil
}
