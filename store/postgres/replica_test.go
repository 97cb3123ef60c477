package postgres

import (
	"errors"
	"testing"
	"time"

	"fever/internal/postgrestest"
	"fever/store"
	"fever/store/storetest"
)

// TestReplicas has two processes report what they serve, one of which stays behind, and one stop.
func TestReplicas(t *testing.T) {
	t.Parallel()
	place := postgrestest.Database(t)
	a, b := open(t, place), open(t, place)
	list := func() map[string]store.Replica {
		t.Helper()
		replicas, now, err := a.Replicas(t.Context())
		if err != nil || now.IsZero() {
			t.Fatal(now, err)
		}
		all := make(map[string]store.Replica)
		for _, r := range replicas {
			if r.Host == "" || r.Seen.Before(r.Since) || now.Before(r.Seen) {
				t.Errorf("%+v at %v", r, now)
			}
			all[r.ID] = r
		}
		return all
	}
	report := func(s *Store, r store.Replica) {
		t.Helper()
		if id, err := s.Report(t.Context(), r); err != nil || id != s.holder {
			t.Fatal(id, err)
		}
	}
	if all := list(); len(all) != 0 {
		t.Errorf("before any report: %v", all)
	}
	storetest.Apply(t, a, storetest.Snapshot("a", 1, storetest.Sample("a", 1, 1)))
	report(a, store.Replica{Version: "1", Revision: 0, Settings: "x"})
	report(a, store.Replica{Version: "1", Revision: 1, Settings: "x"})
	report(b, store.Replica{Version: "2", Revision: 0, Settings: "y"})
	all := list()
	if got := all[a.holder]; len(all) != 2 || got.Version != "1" || got.Revision != 1 || got.Settings != "x" || got.Behind != 0 || !got.Seen.After(got.Since) {
		t.Errorf("the first of %d: %+v", len(all), got)
	}
	if got := all[b.holder]; got.Version != "2" || got.Revision != 0 || got.Settings != "y" || got.Behind <= 0 {
		t.Errorf("the second, which lacks a revision: %+v", got)
	}

	sql(t, place, `insert into fever.replica (id, host, version, revision, settings, seen) values ('gone', 'h', '1', 0, 'x', clock_timestamp() - interval '11 minutes'), ('lost', 'h', '1', 0, 'x', clock_timestamp() - interval '9 minutes');
		update fever.replica set since = seen where host = 'h'`)
	report(a, store.Replica{Version: "1", Revision: 1, Settings: "x"})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	all = list()
	if _, lost := all["lost"]; len(all) != 2 || !lost || all[a.holder].ID == "" {
		t.Errorf("after one stopped and another was not heard of for long: %+v", all)
	}
}

// TestClaimsCounted counts what becomes of claims.
func TestClaimsCounted(t *testing.T) {
	t.Parallel()
	place := postgrestest.Database(t)
	a, b := open(t, place), open(t, place)
	job, err := a.Begin(t.Context(), store.Job{Provider: "a", Trigger: store.Manual, Started: storetest.Noon})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Begin(t.Context(), job); !errors.Is(err, store.ErrBusy) {
		t.Error(err)
	}
	sql(t, place, "update fever.provider set until = clock_timestamp() - interval '1 second'")
	if _, err := b.Begin(t.Context(), store.Job{Provider: "a", Trigger: store.Manual, Started: storetest.Noon}); err != nil {
		t.Fatal(err)
	}
	if err := a.Keep(t.Context(), job); !errors.Is(err, store.ErrFenced) {
		t.Error(err)
	}
	job.State, job.NotModified, job.Finished = store.Completed, true, storetest.Noon
	if err := a.Finish(t.Context(), job, nil); !errors.Is(err, store.ErrFenced) {
		t.Error(err)
	}
	if c := a.Stats().Claims; c.Won != 1 || c.Fenced != 2 || c.Busy != 0 || c.Expired != 0 {
		t.Errorf("of the first: %+v", c)
	}
	if c := b.Stats().Claims; c.Won != 1 || c.Expired != 1 || c.Busy != 1 || c.Fenced != 0 {
		t.Errorf("of the second: %+v", c)
	}
}

// TestDown has a server stop and come back, while somebody follows.
func TestDown(t *testing.T) {
	t.Parallel()
	postgrestest.Need(t)
	server, err := postgrestest.Start("fsync=off")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	s := open(t, server.Database(t))
	_, at, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if stats := s.Stats(); !stats.Down.IsZero() || stats.Why != nil {
		t.Errorf("it answers, but is down since %v: %v", stats.Down, stats.Why)
	}
	// An error that the server sends is an answer.
	if _, err := s.pool.Exec(t.Context(), "select 1/0"); err == nil || !s.Stats().Down.IsZero() {
		t.Errorf("%v, down since %v", err, s.Stats().Down)
	}
	waited := make(chan error, 1)
	go func() { waited <- s.Wait(t.Context(), at) }()

	before := time.Now()
	if err := server.Down(postgrestest.Fast); err != nil {
		t.Fatal(err)
	}
	if _, err := s.head(t.Context()); err == nil {
		t.Error("it answers")
	}
	if stats := s.Stats(); stats.Down.Before(before) || stats.Why == nil {
		t.Errorf("down since %v: %v", stats.Down, stats.Why)
	}
	since := s.Stats().Down
	if _, _, err := s.Changes(t.Context(), at); err == nil || !s.Stats().Down.Equal(since) {
		t.Errorf("%v, down since %v, not %v", err, s.Stats().Down, since)
	}
	if err := server.Up(); err != nil {
		t.Fatal(err)
	}
	for !s.Stats().Down.IsZero() { // a connection that is left in the pool may fail first
		_, _ = s.head(t.Context())
	}
	if why := s.Stats().Why; why != nil {
		t.Error(why)
	}
	storetest.Apply(t, s, storetest.Snapshot("a", 1, storetest.Sample("a", 1, 1)))
	if err := <-waited; err != nil || s.Stats().Revision != at+1 {
		t.Errorf("%v, at %d", err, s.Stats().Revision)
	}
}
