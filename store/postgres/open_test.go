package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"fever/internal/postgrestest"
	"fever/store"
	"fever/store/storetest"
)

// open opens the store in a database. When the test ends it is closed.
func open(t testing.TB, place string) *Store {
	t.Helper()
	s, err := Open(t.Context(), place, keep)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// sql runs statements as somebody else.
func sql(t testing.TB, place, statements string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, place)
	if err == nil {
		_, err = conn.Exec(ctx, statements)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(ctx); err != nil {
		t.Error(err)
	}
}

// TestOpenRefuses opens what must not be opened: the error says what to do, and nothing is
// changed.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		before    string
		parameter [2]string
		is        error
		say       string
	}{
		"another program's schema":       {before: "create schema fever; create table fever.illness (x integer)", is: store.ErrForeign, say: "use another database"},
		"another program's table":        {before: "create schema fever; create table fever.meta (x integer)", is: store.ErrForeign, say: "use another database"},
		"another program's columns":      {before: "create schema fever; create table fever.meta (application text, format integer); insert into fever.meta values ('cold', 1)", is: store.ErrForeign, say: "use another database"},
		"a newer version":                {before: "create schema fever; create table fever.meta (application text, format integer); insert into fever.meta values ('fever', 99)", is: store.ErrNewer, say: "upgrade fever"},
		"a server that is read-only":     {parameter: [2]string{"options", "-c default_transaction_read_only=on"}, is: errReadOnly, say: "name the primary server"},
		"a user who may make nothing":    {before: "do 'begin create role nobody login; exception when duplicate_object or unique_violation then null; end'", parameter: [2]string{"user", "nobody"}, say: "grant the user CREATE on the database"},
		"a user who may read nothing":    {before: "do 'begin create role nobody login; exception when duplicate_object or unique_violation then null; end'; create schema fever; create table fever.meta (application text, format integer)", parameter: [2]string{"user", "nobody"}, say: "grant the user all"},
		"an unknown user":                {parameter: [2]string{"user", "stranger"}, say: "stranger"},
		"an unknown parameter of a pool": {parameter: [2]string{"pool_max_conns", "many"}, say: "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			place := postgrestest.Database(t)
			if tc.before != "" {
				sql(t, place, tc.before)
			}
			if tc.parameter[0] != "" {
				place = with(t, place, tc.parameter[0], tc.parameter[1])
			}
			secret := "s3cr%t'@ \\/"
			place = with(t, place, "password", secret)
			_, err := Open(t.Context(), place, keep)
			if err == nil || tc.is != nil && !errors.Is(err, tc.is) || !strings.Contains(err.Error(), tc.say) {
				t.Errorf("error %v does not say %q", err, tc.say)
			}
			if err != nil && (strings.Contains(err.Error(), "s3cr") || strings.Contains(err.Error(), url.QueryEscape(secret))) {
				t.Errorf("it has the password: %v", err)
			}
		})
	}
}

// TestOpenTellsNoPassword gives URLs that cannot be used, with passwords of odd characters.
func TestOpenTellsNoPassword(t *testing.T) {
	t.Parallel()
	for _, password := range []string{"hunter2", "hunter2@hunter3", "hunter2:%", "hunter2 hunter3", "hunter2'hunter3", `hunter2\hunter3`, "hunter2/hunter3", "hunter2?x=y", "hunter2#x"} {
		for _, place := range []string{
			"postgres://fever:" + password + "@127.0.0.1:1/fever",
			"postgres://fever:" + url.QueryEscape(password) + "@127.0.0.1:1/fever?connect_timeout=1",
			"postgres://fever:" + password + "@127.0.0.1:port/fever",
			"host=127.0.0.1 port=1 user=fever password=" + password,
			"host=127.0.0.1 port=1 user=fever password='" + password + "' connect_timeout=x",
			"postgres://127.0.0.1:1/fever?user=fever&password=" + password,
		} {
			if _, err := Open(t.Context(), place, keep); err == nil || strings.Contains(err.Error(), "hunter") {
				t.Errorf("%s: %v", place, err)
			}
		}
	}
}

// TestOpenEncoding opens a database that cannot hold all texts.
func TestOpenEncoding(t *testing.T) {
	t.Parallel()
	place := postgrestest.Database(t)
	sql(t, place, "create database latin encoding 'LATIN1' locale 'C' template template0")
	t.Cleanup(func() { sql(t, place, "drop database latin") })
	u, err := url.Parse(place)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/latin"
	if _, err := Open(t.Context(), u.String(), keep); err == nil || !strings.Contains(err.Error(), "LATIN1: make one with ENCODING 'UTF8'") {
		t.Error(err)
	}
}

// TestOpenTogether opens an empty database several times at once: one makes the schema.
func TestOpenTogether(t *testing.T) {
	t.Parallel()
	place := postgrestest.Database(t)
	var opening sync.WaitGroup
	for range 4 {
		opening.Go(func() {
			s, err := Open(t.Context(), place, keep)
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	opening.Wait()
	if _, err := Open(t.Context(), place, 0); err == nil {
		t.Error("no job is kept")
	}
}

// TestNewerMeanwhile has a newer version bring the schema up to date under a store that is open, as
// in a rolling upgrade. The store begins no job and writes no more. Its searches go on, with what
// the newer one writes.
func TestNewerMeanwhile(t *testing.T) {
	t.Parallel()
	place := postgrestest.Database(t)
	old, newer := open(t, place), open(t, place)
	storetest.Apply(t, old, storetest.Snapshot("a", 1, storetest.Sample("a", 1, 1)))
	running := storetest.Begin(t, old, "b")
	before := storetest.Records(t, old, storetest.Everything)
	sql(t, place, "update fever.meta set format = 99")

	_, begin := old.Begin(t.Context(), store.Job{Provider: "a", Trigger: store.Schedule, Started: storetest.Noon})
	_, _, apply := old.Apply(t.Context(), storetest.Snapshot("b", 1, storetest.Sample("b", 1, 1)), running)
	_, forget := old.Forget(t.Context(), store.Forgetting{Provider: "a"})
	_, rename := old.Rename(t.Context(), store.Renaming{From: "a", To: "c"})
	for what, err := range map[string]error{"begin": begin, "apply": apply, "forget": forget, "rename": rename} {
		if !errors.Is(err, store.ErrNewer) || !strings.Contains(err.Error(), "format 99, this one knows 2); upgrade fever") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if after := storetest.Records(t, old, storetest.Everything); !reflect.DeepEqual(after, before) {
		t.Errorf("stored are %+v, not %+v", after, before)
	}
	_, at, err := old.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sql(t, place, "update fever.meta set format = 2")
	storetest.Apply(t, newer, storetest.Snapshot("a", 2, storetest.Sample("a", 1, 1), storetest.Sample("a", 2, 1)))
	sql(t, place, "update fever.meta set format = 99")
	if err := old.Wait(t.Context(), at); err != nil {
		t.Error(err)
	}
	if entries, to, err := old.Changes(t.Context(), at); err != nil || len(entries) != 1 || to != at+1 {
		t.Errorf("%d entries up to %d, %v", len(entries), to, err)
	}
	if err := old.Check(); err != nil {
		t.Error(err)
	}
}

// TestDamage changes what is stored behind the store's back: to check finds it, and so does
// whoever reads it.
func TestDamage(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		damage string
		read   func(context.Context, *Store) error
	}{
		"a title":                      {"update fever.event set title = 'other'", readRecords},
		"a detail":                     {`update fever.event set detail = '\x00'`, readRecords},
		"a start":                      {"update fever.event set starts = 'never'", load},
		"a price":                      {"update fever.event set lowest = 'x'", load},
		"a key":                        {`update fever.event set key = '\x61006200'`, load},
		"a provider":                   {`update fever.provider set value = '\x00'`, load},
		"no provider":                  {"delete from fever.provider", load},
		"a job":                        {`update fever.job set value = '\x00'`, readJobs},
		"a job's id":                   {"update fever.job set id = 77 where id = 1", readJobs},
		"a job's state":                {"update fever.job set state = 'running'", nil},
		"the number of current events": {"update fever.provider set current = 7", nil},
		"what is current":              {"update fever.event set current = false", nil},
		"the revision":                 {"update fever.meta set revision = 7", nil},
		"the id of a revision":         {`update fever.revision set id = '\x00' where number = 2`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			place := postgrestest.Database(t)
			s := open(t, place)
			storetest.Apply(t, s, storetest.Snapshot("a", 1, storetest.Sample("a", 1, 2)))
			storetest.Apply(t, s, storetest.Snapshot("a", 2, storetest.Sample("a", 1, 3)))
			if err := s.Check(); err != nil {
				t.Fatal(err)
			}
			sql(t, place, tc.damage)
			if err := s.Check(); !errors.Is(err, store.ErrDamaged) {
				t.Errorf("check: %v", err)
			}
			if tc.read != nil {
				if err := tc.read(t.Context(), s); !errors.Is(err, store.ErrDamaged) {
					t.Errorf("read: %v", err)
				}
			}
		})
	}
}

func load(ctx context.Context, s *Store) error {
	_, _, err := s.Load(ctx)
	return err
}

func readRecords(ctx context.Context, s *Store) error {
	for _, err := range s.Records(ctx, storetest.Everything) {
		if err != nil {
			return err
		}
	}
	return nil
}

func readJobs(ctx context.Context, s *Store) error {
	for _, err := range s.Jobs(ctx, store.JobFilter{}) {
		if err != nil {
			return fmt.Errorf("jobs: %w", err)
		}
	}
	return nil
}
