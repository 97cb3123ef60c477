package postgres

import (
	"context"
	"flag"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fever/internal/leak"
	"fever/internal/postgrestest"
	"fever/store"
	"fever/store/storetest"
)

func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "5"); err != nil { // unless the command line says otherwise
		panic(err)
	}
	os.Exit(leak.Check(postgrestest.Run(m)))
}

// keep is the number of finished jobs that the tests' stores keep of each provider.
const keep = storetest.Keep

// TestStore runs the suite: directly; through a pooler of transactions; and in pgx's mode exec, as a
// user who has no more rights than the manual grants on the schema that another has made.
func TestStore(t *testing.T) {
	t.Parallel()
	t.Run("direct", func(t *testing.T) {
		t.Parallel()
		storetest.Run(t, func(t *testing.T) storetest.Place { return opens(postgrestest.Database(t)) })
	})
	if testing.Short() { // what these differ in is on the other side of the connection
		return
	}
	t.Run("pooled", func(t *testing.T) {
		t.Parallel()
		u, err := url.Parse(postgrestest.Pooler(t, postgrestest.Database(t), "transaction"))
		if err != nil {
			t.Fatal(err)
		}
		storetest.Run(t, func(t *testing.T) storetest.Place {
			return opens(with(t, postgrestest.Database(t), "host", u.Query().Get("host")))
		})
	})
	t.Run("few rights", func(t *testing.T) {
		t.Parallel()
		role, grants := rights(t)
		sql(t, postgrestest.Database(t), "do $$ begin "+role+"; exception when duplicate_object or unique_violation then null; end $$") // it stays for the next run
		storetest.Run(t, func(t *testing.T) storetest.Place {
			place := postgrestest.Database(t)
			s, err := Open(t.Context(), place, keep)
			if err == nil {
				err = s.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
			sql(t, place, strings.ReplaceAll(grants, "on database fever", "on database "+databaseOf(t, place)))
			return opens(with(t, with(t, place, "user", "fever_serve"), "default_query_exec_mode", "exec"))
		})
	})
}

// rights returns the statements of the manual that make a role, and give it what it needs.
func rights(t *testing.T) (role, grants string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "scaling.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text1, _ := strings.Cut(string(text), "```sql\n")
	statements, _, _ := strings.Cut(text1, "```")
	role, grants, found := strings.Cut(statements, ";")
	if !found || !strings.HasPrefix(role, "create role fever_serve login") {
		t.Fatalf("the manual begins with %q", role)
	}
	return role, grants
}

func databaseOf(t *testing.T, place string) string {
	t.Helper()
	u, err := url.Parse(place)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(u.Path, "/")
}

func opens(url string) storetest.Place {
	return func(keep int, history time.Duration) (store.Store, error) {
		s, err := Open(context.Background(), url, keep)
		if err != nil {
			return nil, err
		}
		s.History = history
		return s, nil
	}
}

// with adds a parameter to the URL of a database.
func with(t testing.TB, place, name, value string) string {
	t.Helper()
	u, err := url.Parse(place)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20") // pgx reads + as itself
	return u.String()
}
