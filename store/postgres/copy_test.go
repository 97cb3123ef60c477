package postgres

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"fever/internal/postgrestest"
	"fever/store"
	"fever/store/bolt"
	"fever/store/storetest"
)

// TestCopyBetween runs the tests with a copy between files and databases, in turns: what was
// copied must go on as if it had always been there.
func TestCopyBetween(t *testing.T) {
	t.Parallel()
	var places atomic.Int64
	storetest.RunCopies(t, func(t *testing.T) storetest.Place {
		if places.Add(1)%2 == 0 {
			return opens(postgrestest.Database(t))
		}
		path := filepath.Join(t.TempDir(), "fever.db")
		return func(keep int, history time.Duration) (store.Store, error) {
			s, err := bolt.Open(path, keep)
			if err != nil {
				return nil, err
			}
			s.History = history
			return s, nil
		}
	})
}

// uncopied are the tables and the columns that no copy has, with why.
var uncopied = map[string]string{
	"replica":           "who serves from the database at this moment",
	"meta.one":          "the same in every database",
	"meta.application":  "the same in every database",
	"meta.format":       "of the schema",
	"meta.history":      "a copy has another, so that followers see that it is another database",
	"meta.id":           "made anew, by chance",
	"meta.revision":     "in the head",
	"meta.rewritten":    "in the head",
	"revision.number":   "follows from the head; so does the change",
	"revision.change":   "",
	"revision.id":       "made anew, by chance",
	"revision.at":       "when it was stored here",
	"provider.due":      "in a copy all providers are due; so are the next two",
	"provider.failures": "",
	"provider.blocked":  "",
	"provider.members":  "compared anew by the next snapshot",
	"provider.current":  "counted",
	"provider.token":    "the newest job",
	"provider.holder":   "nobody claims anything in a copy; so is the next",
	"provider.host":     "",
	"provider.until":    "",
}

// TestCopiedColumns fails when somebody adds a column, or a table, and forgets the copies.
func TestCopiedColumns(t *testing.T) {
	t.Parallel()
	s := open(t, postgrestest.Database(t))
	rows, err := s.pool.Query(t.Context(), "select table_name || '.' || column_name from information_schema.columns where table_schema = 'fever'")
	if err != nil {
		t.Fatal(err)
	}
	columns, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	var known []string
	for _, table := range copied {
		for _, column := range table.columns {
			known = append(known, table.name+"."+column)
		}
	}
	for name := range uncopied {
		known = append(known, name)
	}
	for i, column := range columns {
		if table, _, _ := strings.Cut(column, "."); uncopied[table] != "" {
			columns[i] = table
		}
	}
	slices.Sort(known)
	slices.Sort(columns)
	columns = slices.Compact(columns)
	if !slices.Equal(columns, known) {
		t.Errorf("the schema has the columns\n%s\nand a copy is made of, or says why not,\n%s\nSee copied in copy.go, and uncopied here.", strings.Join(columns, " "), strings.Join(known, " "))
	}
}

// TestCopyBesideJob copies from and to a database while another store runs a job.
func TestCopyBesideJob(t *testing.T) {
	t.Parallel()
	place := postgrestest.Database(t)
	a, b, other := open(t, place), open(t, place), open(t, postgrestest.Database(t))
	storetest.Apply(t, a, storetest.Snapshot("a", 1, storetest.Sample("a", 1, 1)))
	job := storetest.Begin(t, a, "a")
	want := storetest.Records(t, a, storetest.Everything)
	for _, err := range []error{other.Fill(t.Context(), b.Parts(t.Context(), true)), b.Fill(t.Context(), other.Parts(t.Context(), true))} {
		if !errors.Is(err, store.ErrBusy) || !strings.Contains(err.Error(), "a: ") || !strings.Contains(err.Error(), a.host) {
			t.Errorf("error %v", err)
		}
	}
	// A backup disturbs nobody.
	if err := other.Fill(t.Context(), b.Parts(t.Context(), false)); err != nil {
		t.Error(err)
	}
	if got := storetest.Records(t, other, storetest.Everything); !reflect.DeepEqual(got, want) {
		t.Errorf("copied are %+v", got)
	}
	storetest.Fail(t, a, job)
	if got := storetest.Records(t, a, storetest.Everything); !reflect.DeepEqual(got, want) {
		t.Errorf("stored are %+v", got)
	}

	// No job begins while a copy is made.
	for _, err := range b.Parts(t.Context(), true) {
		if err != nil {
			t.Fatal(err)
		}
		if err := other.Fill(t.Context(), a.Parts(t.Context(), true)); !errors.Is(err, store.ErrBusy) {
			t.Errorf("error %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := a.Begin(ctx, store.Job{Provider: "a", Trigger: store.Manual, Started: time.Now()}); err == nil {
			t.Error("a job began")
		}
		break
	}
}

// TestCopyFenced has a job go on after its database was filled with a backup of that time.
func TestCopyFenced(t *testing.T) {
	t.Parallel()
	place := postgrestest.Database(t)
	a, b, backup := open(t, place), open(t, place), open(t, postgrestest.Database(t))
	job := storetest.Begin(t, a, "a")
	if err := backup.Fill(t.Context(), b.Parts(t.Context(), false)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.pool.Exec(t.Context(), "update fever.provider set until = now()"); err != nil { // its process stopped for a while
		t.Fatal(err)
	}
	if err := b.Fill(t.Context(), backup.Parts(t.Context(), true)); err != nil {
		t.Fatal(err)
	}
	if err := a.Keep(t.Context(), job); !errors.Is(err, store.ErrFenced) {
		t.Errorf("kept: %v", err)
	}
	if _, _, err := a.Apply(t.Context(), storetest.Snapshot("a", 1, storetest.Sample("a", 1, 1)), job); !errors.Is(err, store.ErrFenced) {
		t.Errorf("applied: %v", err)
	}
}

// TestCopyFollowed has a store that follows a database see that it was replaced.
func TestCopyFollowed(t *testing.T) {
	t.Parallel()
	place := postgrestest.Database(t)
	follower, b, other := open(t, place), open(t, place), open(t, postgrestest.Database(t))
	for _, s := range []*Store{b, other} {
		storetest.Apply(t, s, storetest.Snapshot("a", 1, storetest.Sample("a", 1, 1)))
		storetest.Apply(t, s, storetest.Snapshot("a", 2, storetest.Sample("a", 2, 1)))
	}
	_, at, err := follower.Load(t.Context())
	if err != nil || at != 2 {
		t.Fatal(at, err)
	}
	if err := b.Fill(t.Context(), other.Parts(t.Context(), true)); err != nil {
		t.Fatal(err)
	}
	if err := follower.Wait(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	if _, _, err := follower.Changes(t.Context(), at); !errors.Is(err, store.ErrRewritten) {
		t.Errorf("changes: %v", err)
	}
}

// TestCopyRolledBack fills a database, and fails at the end: it goes on as it was.
func TestCopyRolledBack(t *testing.T) {
	t.Parallel()
	s, other := open(t, postgrestest.Database(t)), open(t, postgrestest.Database(t))
	storetest.Apply(t, other, storetest.Snapshot("b", 1, storetest.Sample("b", 1, 1)))
	for n := range 3 {
		storetest.Apply(t, s, storetest.Snapshot("a", int64(n), storetest.Sample("a", n, 1)))
	}
	want := storetest.Records(t, s, storetest.Everything)
	failure := errors.New("at the very end")
	err := s.Fill(t.Context(), func(yield func(store.Part, error) bool) {
		for p, err := range other.Parts(t.Context(), true) {
			if !yield(p, err) {
				return
			}
		}
		yield(store.Part{}, failure)
	})
	if !errors.Is(err, failure) {
		t.Errorf("error %v", err)
	}
	if got := storetest.Records(t, s, storetest.Everything); !reflect.DeepEqual(got, want) {
		t.Errorf("stored are %+v", got)
	}
	if applied := storetest.Apply(t, s, storetest.Snapshot("a", 9, storetest.Sample("a", 9, 1))); applied.Revision != 4 {
		t.Errorf("applied %+v", applied)
	}
	if jobs := storetest.Jobs(t, s, store.JobFilter{}); jobs[0].ID != 4 {
		t.Errorf("job %d", jobs[0].ID)
	}
}

// TestCopyCommitLost loses the commit of a copy on its way to the server, or its answer.
func TestCopyCommitLost(t *testing.T) {
	t.Parallel()
	other := open(t, postgrestest.Database(t))
	storetest.Apply(t, other, storetest.Snapshot("a", 1, storetest.Sample("a", 1, 1)))
	for how, want := range map[int32]int{dropRequest: 0, dropAnswer: 1} {
		cut, place := newCut(t, postgrestest.Database(t))
		s := open(t, place)
		cut.next.Store(how)
		err := s.Fill(t.Context(), other.Parts(t.Context(), true))
		if cut.done.Load() != 1 || (err == nil) != (want == 1) || errors.Is(err, store.ErrUncertain) {
			t.Errorf("%d: %d cuts, %v", how, cut.done.Load(), err)
		}
		if got := storetest.Records(t, s, storetest.Everything); len(got) != want {
			t.Errorf("%d: %d events, not %d", how, len(got), want)
		}
	}
}
