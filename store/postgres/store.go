// Package postgres is a store in a PostgreSQL database, which several processes can use at
// the same time.
//
// It keeps no state in a session, so that a pooler of connections may be in between. Only
// the wake-up of [Store.Wait] needs a session; without one it polls.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"fever/store"
)

const (
	// connectLimit is how long a connection may take to be made, unless the URL says it.
	connectLimit = 5 * time.Second

	// askLimit bounds questions and writes of little.
	askLimit = 10 * time.Second

	// bulkLimit bounds what reads or writes many events.
	bulkLimit = 5 * time.Minute

	// commitLimit bounds a commit, and finding out what became of one.
	commitLimit = 30 * time.Second

	// encodedLimit bounds the bytes of events that a snapshot keeps encoded. A feed of 9,000 events
	// of 100 zones has 21 million.
	encodedLimit = 32 << 20

	// oldest is the first version of PostgreSQL that has all that is used here.
	oldest = 13
)

// A Store is an open database. Its methods may be called from many goroutines.
type Store struct {
	// History is how long to keep what an event was before a change; 0 keeps nothing. What is
	// older is removed when the event changes again, and so is what is beyond [store.MaxHistory].
	// Set it before anybody else uses the store.
	History time.Duration

	pool   *pgxpool.Pool
	place  string // of the database, for messages
	holder string // names this store in claims
	host   string // and this machine
	keep   int    // finished jobs of each provider

	readOnly bool

	commitLimit  time.Duration // is commitLimit, but in a test
	encodedLimit int           // likewise

	bell     bell          // rings when there may be a new revision, and when the store is closed
	freed    bell          // rings when a claim was given up and its turn was not taken
	hears    atomic.Bool   // notifications come
	notified atomic.Uint64 // the revision that the newest one told
	end      context.CancelFunc
	ended    <-chan struct{} // closed when the store is
	workers  sync.WaitGroup

	history history
	health  health
	stats   store.Tally
}

// Open connects to the database of a URL (or of a connection string with keywords and
// values), and makes fever's schema in it, or brings it up to date. Only errors of opening
// name the place; none has the password.
//
// The store keeps as many of each provider's newest finished jobs as keep says, which must be 1
// or more, beside the newest that its provider answered and the newest that brought a snapshot.
//
// The error is store.ErrUnavailable (wrapped) when the server does not answer, or can do nothing
// now. It opens no database that is a standby, that cannot hold all texts (its encoding is not UTF8),
// that has another program's schema of the name fever (store.ErrForeign), or that a newer version
// of fever has brought up to date (store.ErrNewer).
func Open(ctx context.Context, url string, keep int) (*Store, error) {
	if keep < 1 {
		return nil, fmt.Errorf("open the store: %d jobs to keep for each provider, where at least 1 is needed", keep)
	}
	return openAt(ctx, url, keep, false)
}

// OpenReadOnly is [Open] for reading. It needs no right to write, and makes nothing: a database
// without fever's schema is refused, and so is a schema of an older format.
func OpenReadOnly(ctx context.Context, url string) (*Store, error) { return openAt(ctx, url, 0, true) }

func openAt(ctx context.Context, url string, keep int, readOnly bool) (*Store, error) {
	config, err := parse(url)
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	return openConfig(ctx, config, keep, readOnly)
}

func openConfig(ctx context.Context, config *pgxpool.Config, keep int, readOnly bool) (_ *Store, err error) {
	prepare(config)
	s := &Store{place: placeOf(config.ConnConfig), holder: uuid.NewString(), keep: keep, readOnly: readOnly, commitLimit: commitLimit, encodedLimit: encodedLimit}
	if s.host, err = os.Hostname(); err != nil {
		s.host = "a machine without a name"
	}
	// pgx would keep those notifications that nobody waits for. Through a pooler of transactions
	// they may come on any connection.
	config.ConnConfig.OnNotification = func(_ *pgconn.PgConn, n *pgconn.Notification) { s.hearsOf(n) }
	config.ConnConfig.Tracer = &s.health
	if s.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, fmt.Errorf("open the store %s: %w", s.place, err)
	}
	if err := s.prepare(ctx); err != nil {
		s.pool.Close()
		_, answered := errors.AsType[*pgconn.PgError](err)
		if down, _ := s.health.read(); !answered && !down.IsZero() && !errors.Is(err, errReadOnly) || cannot(err) {
			err = fmt.Errorf("%w: %w", store.ErrUnavailable, err)
		}
		return nil, fmt.Errorf("open the store %s: %w", s.place, err)
	}
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	s.end, s.ended = end, running.Done()
	if !readOnly {
		s.workers.Go(func() { s.listen(running) })
	}
	return s, nil
}

// parse reads a URL, or keywords and values. Its error never has the password. pgx masks a
// password that it finds, but not the rest of one which has an unescaped @ or space in it.
func parse(url string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(url)
	_, rest, _ := strings.Cut(url, "://")
	switch secret := strings.Contains(url, "password") || strings.Contains(rest, "@") && strings.Contains(rest, ":"); {
	case err != nil && secret, err == nil && strings.Contains(config.ConnConfig.Host, "@"):
		return nil, errors.New("the URL of the database cannot be read (why is not said, as that could tell the password): it is to be like postgres://user@host:5432/database, with the password in PGPASSWORD or percent-encoded")
	case err != nil:
		return nil, err
	}
	return config, nil
}

// prepare sets what the URL leaves open.
func prepare(config *pgxpool.Config) {
	c := config.ConnConfig
	if c.ConnectTimeout == 0 || c.ConnectTimeout == 2*time.Minute { // pgx's own
		c.ConnectTimeout = connectLimit
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "fever"
	}
	if c.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement { // whose names a pooler mixes up
		c.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	if c.ValidateConnect == nil {
		c.ValidateConnect = writable
	}
}

var errReadOnly = errors.New("the server is read-only: name the primary server, not a standby")

// writable refuses a server that cannot be written to. Such a one may also lack what the
// primary has.
func writable(ctx context.Context, conn *pgconn.PgConn) error {
	results, err := conn.Exec(ctx, "select pg_is_in_recovery() or current_setting('transaction_read_only') = 'on'").ReadAll()
	if err != nil {
		return err
	}
	if len(results) != 1 || len(results[0].Rows) != 1 || string(results[0].Rows[0][0]) != "f" {
		return errReadOnly
	}
	return nil
}

// placeOf names a database.
func placeOf(c *pgx.ConnConfig) string {
	return fmt.Sprintf("%s on %s", strconv.Quote(c.Database), net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))))
}

// prepare checks the server and the schema. Unless it is only read, it makes the schema, or brings
// it up to date.
func (s *Store) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bulkLimit)
	defer cancel()
	var version int
	var encoding string
	err := s.pool.QueryRow(ctx, "select current_setting('server_version_num')::int, current_setting('server_encoding')").Scan(&version, &encoding)
	switch {
	case err != nil:
		return err
	case version < oldest*10000:
		return fmt.Errorf("PostgreSQL %d is too old: fever needs %d or later", version/10000, oldest)
	case encoding != "UTF8":
		return fmt.Errorf("the encoding of the database is %s: make one with ENCODING 'UTF8' TEMPLATE template0", encoding)
	}
	if s.readOnly {
		err = s.current(ctx)
	} else {
		err = s.migrate(ctx)
	}
	if err != nil {
		return err
	}
	_, err = s.locations(ctx, s.pool) // they must be known here, too, and it counts
	return err
}

// Close gives up the claims of the store and takes back what it reported, waits until nobody uses it, and disconnects.
// [Store.Wait] returns an error from then on. Closing again does nothing.
func (s *Store) Close() error {
	select {
	case <-s.ended:
		return nil
	default:
	}
	s.end()
	s.bell.ring()
	s.workers.Wait()
	defer s.pool.Close()
	if s.readOnly {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), askLimit)
	defer cancel()
	var leave pgx.Batch
	leave.Queue("with freed as (update fever.provider set until = null where holder = $1 and until is not null returning name) "+noteFreed+" from freed", s.holder)
	leave.Queue("delete from fever.replica where id = $1", s.holder)
	if err := s.pool.SendBatch(ctx, &leave).Close(); err != nil {
		return fmt.Errorf("close the store: give up its claims: %w", err)
	}
	return nil
}

// damaged says that the database holds what fever never writes.
func (s *Store) damaged(format string, arguments ...any) error {
	return fmt.Errorf("the store %s is %w (%s); restore the database from a backup", s.place, store.ErrDamaged, fmt.Sprintf(format, arguments...))
}
