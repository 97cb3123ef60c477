package postgres

import (
	"context"
	"flag"
	"net/url"
	"os"
	"strings"
	"testing"

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

// TestStore runs the suite, directly and through a pooler of transactions. That one needs pgx's
// mode exec: it would mix up prepared statements.
func TestStore(t *testing.T) {
	t.Parallel()
	t.Run("direct", func(t *testing.T) {
		t.Parallel()
		storetest.Run(t, func(t *testing.T) storetest.Place { return opens(postgrestest.Database(t)) })
	})
	t.Run("pooled", func(t *testing.T) {
		t.Parallel()
		u, err := url.Parse(postgrestest.Pooler(t, postgrestest.Database(t), "transaction"))
		if err != nil {
			t.Fatal(err)
		}
		storetest.Run(t, func(t *testing.T) storetest.Place {
			place := with(t, postgrestest.Database(t), "host", u.Query().Get("host"))
			return opens(with(t, place, "default_query_exec_mode", "exec"))
		})
	})
}

func opens(url string) storetest.Place {
	return func(keep int) (store.Store, error) { return Open(context.Background(), url, keep) }
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
