package postgres

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"

	"fever/internal/postgrestest"
	"fever/store"
	"fever/store/storetest"
)

// The tests of this file hold what pgx (5.13), PostgreSQL (15) and PgBouncer (1.18) do that one
// would not guess, and what the store does about it. If one fails after an upgrade, the store may
// do with less.

// server starts a server for one test alone.
func server(t *testing.T) *postgrestest.Server {
	t.Helper()
	postgrestest.Database(t) // without PostgreSQL the test ends here
	s, err := postgrestest.Start("fsync=off")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// set changes a setting of a server, and waits until new sessions have it.
func set(t *testing.T, s *postgrestest.Server, name, value string) {
	t.Helper()
	err := s.Set(name, value)
	for shown := "?"; err == nil && shown != value; {
		shown, err = s.Query("postgres", "show "+name)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// connect connects to a database as another program would.
func connect(t *testing.T, place string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) }) // some tests break it
	return conn
}

// answer asks for one value.
func answer[T any](t *testing.T, q querier, question string, arguments ...any) (value T) {
	t.Helper()
	if err := q.QueryRow(t.Context(), question, arguments...).Scan(&value); err != nil {
		t.Fatalf("%s: %v", question, err)
	}
	return value
}

// coded reports whether an error is one of the server's (or the pooler's) with a code.
func coded(err error, code string) bool {
	said, ok := errors.AsType[*pgconn.PgError](err)
	return ok && said.Code == code
}

// TestExecMode holds what the mode exec of pgx does, which does not ask the server for the types of
// parameters: a moment becomes a date in UTC, and bytes the hexadecimal text of a bytea. So the
// schema has no type but timestamptz for a moment, no bytes are compared with a text, and the suite
// runs in both modes.
func TestExecMode(t *testing.T) {
	t.Parallel()
	place := postgrestest.Database(t)
	early := time.Date(2026, 3, 1, 1, 30, 0, 0, time.FixedZone("", 5*60*60))
	for _, tc := range []struct{ mode, date, bytes string }{
		{"cache_describe", "2026-03-01", "abc"},
		{"exec", "2026-02-28", `\x616263`},
	} {
		conn := connect(t, with(t, with(t, place, "default_query_exec_mode", tc.mode), "timezone", "UTC"))
		if got := answer[string](t, conn, "select $1::date::text", early); got != tc.date {
			t.Errorf("%s: %s is the date %s", tc.mode, early, got)
		}
		if got := answer[string](t, conn, "select $1::text", []byte("abc")); got != tc.bytes {
			t.Errorf("%s: abc is the text %s", tc.mode, got)
		}
		if got := answer[time.Time](t, conn, "select $1::timestamptz", early); !got.Equal(early) {
			t.Errorf("%s: %s is the moment %s", tc.mode, early, got)
		}
		if got := answer[[]byte](t, conn, "select $1::bytea", []byte("abc")); string(got) != "abc" {
			t.Errorf("%s: abc is %q", tc.mode, got)
		}
	}
	open(t, place)
	conn := connect(t, place)
	if got := answer[int](t, conn, "select count(*) from information_schema.columns where table_schema = 'fever' and data_type in ('date', 'timestamp without time zone', 'time without time zone', 'time with time zone')"); got != 0 {
		t.Errorf("%d columns of the schema depend on the mode", got)
	}
}

// TestModesPooled holds what the modes of pgx do through PgBouncer in the mode for transactions. The
// one that pgx has by itself gives names to statements, which belong to the pooler's connection:
// with 42P05 all clients but the first are told that a name is taken. The one that the store takes
// instead sends each statement with its text.
func TestModesPooled(t *testing.T) {
	t.Parallel()
	pooled := postgrestest.Pooler(t, postgrestest.Database(t), "transaction")
	for mode, fails := range map[string]bool{"cache_statement": true, "cache_describe": false, "exec": false} {
		place := with(t, pooled, "default_query_exec_mode", mode)
		answer[int](t, connect(t, place), "select $1::int", 1)
		var one int
		err := connect(t, place).QueryRow(t.Context(), "select $1::int", 1).Scan(&one)
		if fails != coded(err, "42P05") || !fails && err != nil {
			t.Errorf("%s: %v", mode, err)
		}
	}
	config, err := parse(pooled)
	if err != nil {
		t.Fatal(err)
	}
	prepare(config)
	if got := config.ConnConfig.DefaultQueryExecMode; got != pgx.QueryExecModeCacheDescribe {
		t.Errorf("the store's mode is %s", got)
	}
}

// TestSessionsPooled holds what PgBouncer makes of sessions in the mode for transactions. A lock
// of a session is granted to two clients, as both are one session to the server. A setting holds for
// whoever comes next. A parameter of the URL that PgBouncer does not know is refused. So the store
// keeps nothing in a session.
func TestSessionsPooled(t *testing.T) {
	t.Parallel()
	pooled := postgrestest.Pooler(t, postgrestest.Database(t), "transaction")
	exec := with(t, pooled, "default_query_exec_mode", "exec")
	one, other := connect(t, exec), connect(t, exec)
	for _, client := range []*pgx.Conn{one, other} {
		if !answer[bool](t, client, "select pg_try_advisory_lock(1)") {
			t.Error("the lock is taken")
		}
	}
	if _, err := one.Exec(t.Context(), "set statement_timeout = '7s'"); err != nil {
		t.Fatal(err)
	}
	if got := answer[string](t, other, "show statement_timeout"); got != "7s" {
		t.Errorf("another client's statement_timeout is %s", got)
	}
	_, err := Open(t.Context(), with(t, pooled, "statement_timeout", "7s"), keep)
	if !coded(err, "08P01") || !strings.Contains(err.Error(), "unsupported startup parameter: statement_timeout") {
		t.Errorf("error %v", err)
	}
}

// TestNoSession looks for what the store leaves in sessions, after all kinds of use.
func TestNoSession(t *testing.T) {
	t.Parallel()
	s := open(t, postgrestest.Database(t))
	storetest.Apply(t, s, storetest.Snapshot("a", 1, storetest.Sample("a", 1, 1)))
	storetest.Apply(t, s, storetest.Snapshot("a", 2, storetest.Sample("a", 1, 2)))
	storetest.Records(t, s, storetest.Everything)
	if err := load(t.Context(), s); err != nil {
		t.Error(err)
	}
	if _, err := s.Rename(t.Context(), store.Renaming{From: "a", To: "b"}); err != nil {
		t.Error(err)
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	idle := s.pool.AcquireAllIdle(t.Context())
	if len(idle) == 0 {
		t.Error("no connection was used")
	}
	for _, conn := range idle {
		for what, question := range map[string]string{
			"prepared statements": "select count(*) from pg_prepared_statements",
			"locks":               "select count(*) from pg_locks where pid = pg_backend_pid() and locktype = 'advisory'",
			"settings":            "select count(*) from pg_settings where source = 'session'",
			"channels":            "select count(*) from pg_listening_channels()",
			"temporary tables":    "select count(*) from pg_class where relnamespace = pg_my_temp_schema()",
		} {
			if n := answer[int](t, conn, question); n != 0 {
				t.Errorf("%d %s are left", n, what)
			}
		}
		conn.Release()
	}
}

// TestPoolerHosts has PgBouncer in front of two servers. It goes to one and to the other, and knows
// nothing of which can be written to. So name only the primary there.
func TestPoolerHosts(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it waits for PgBouncer, and make test does so once")
	}
	one, other := server(t), server(t)
	set(t, other, "default_transaction_read_only", "on")
	both := with(t, one.URL("postgres"), "host", hostOf(t, one)+","+hostOf(t, other))
	pooled := postgrestest.Pooler(t, both, "transaction")
	answers := make(map[string]int)
	for range 6 {
		tx, err := connect(t, with(t, pooled, "default_query_exec_mode", "exec")).Begin(t.Context()) // which keeps a connection of the pooler's
		if err != nil {
			t.Fatal(err)
		}
		answers[answer[string](t, tx, "show transaction_read_only")]++
	}
	if answers["on"] == 0 || answers["off"] == 0 {
		t.Errorf("read only: %v", answers)
	}
}

// hostOf returns the folder of a server's socket.
func hostOf(t *testing.T, s *postgrestest.Server) string {
	t.Helper()
	u, err := url.Parse(s.URL(""))
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("host")
}

// TestPoolerAfterServer stops the server behind PgBouncer and starts it again. PgBouncer goes on to
// refuse clients, with 08P01 and the error of its last try, for up to its server_login_retry, which
// is 15 seconds. The store asks again: whoever follows it hears of what others commit.
func TestPoolerAfterServer(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it waits for PgBouncer, and make test does so once")
	}
	behind := server(t)
	place := behind.URL("postgres")
	pooled := postgrestest.Pooler(t, place, "transaction")
	s := open(t, pooled)
	storetest.Apply(t, s, storetest.Snapshot("a", 1, storetest.Sample("a", 1, 1)))
	if err := behind.Down(postgrestest.Immediate); err != nil {
		t.Fatal(err)
	}
	refused := func() error {
		conn, err := pgx.Connect(t.Context(), pooled)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err = conn.Exec(ctx, "select") // which has PgBouncer try, and waits
		_ = conn.Close(t.Context())
		return err
	}
	for tries := 0; !coded(refused(), "08P01"); tries++ { // the connections that it had come to their ends first
		if tries == 100 {
			t.Fatal("PgBouncer refuses no client, although its server is away")
		}
	}
	if err := behind.Up(); err != nil {
		t.Fatal(err)
	}
	storetest.Apply(t, open(t, place), storetest.Snapshot("a", 2, storetest.Sample("a", 1, 2)))
	if err := s.Wait(t.Context(), 1); err != nil {
		t.Error(err)
	}
	if entries, at, err := s.Changes(t.Context(), 1); err != nil || at != 2 || len(entries) != 1 {
		t.Errorf("%d entries at %d, %v", len(entries), at, err)
	}
}

// TestStandby names a standby to the store. LISTEN fails there, and what it has may be older than
// what was seen of the primary. So the store opens none, until it is promoted.
func TestStandby(t *testing.T) {
	t.Parallel()
	primary := server(t)
	open(t, primary.URL("postgres"))
	standby, err := primary.Standby("one")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := standby.Stop(); err != nil {
			t.Error(err)
		}
	}()
	place := standby.URL("postgres")
	_, err = connect(t, place).Exec(t.Context(), "listen fever")
	if !coded(err, "25006") || !strings.Contains(err.Error(), "cannot execute LISTEN during recovery") {
		t.Errorf("error %v", err)
	}
	if _, err := Open(t.Context(), place, keep); !errors.Is(err, errReadOnly) {
		t.Errorf("error %v", err)
	}
	if err := standby.Promote(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), place, keep)
	if err != nil {
		t.Fatal(err)
	}
	storetest.Apply(t, s, storetest.Snapshot("a", 1, storetest.Sample("a", 1, 1)))
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestTwoHosts has a pool of pgx with two hosts, the first of which turns read-only, as a primary
// server does that another one follows. The pool goes on with its connections, and each write fails
// with 25006, whatever target_session_attrs says, until it is reset. The store resets it.
func TestTwoHosts(t *testing.T) {
	t.Parallel()
	one, other := server(t), server(t)
	for _, s := range []*postgrestest.Server{one, other} {
		if err := open(t, s.URL("postgres")).Close(); err != nil { // which has made the schema
			t.Fatal(err)
		}
		sql(t, s.URL("postgres"), "create table fever.written ()")
	}
	both := with(t, one.URL("postgres"), "host", hostOf(t, one)+","+hostOf(t, other))
	pool, err := pgxpool.New(t.Context(), with(t, with(t, both, "target_session_attrs", "read-write"), "pool_max_conns", "1"))
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	write := func() error {
		_, err := pool.Exec(t.Context(), "insert into fever.written default values")
		return err
	}
	if err := write(); err != nil {
		t.Fatal(err)
	}
	s := open(t, both)
	storetest.Apply(t, s, storetest.Snapshot("a", 1, storetest.Sample("a", 1, 1)))
	set(t, one, "default_transaction_read_only", "on")
	for write() == nil { // the session has yet to hear of it
	}
	for range 5 {
		if err := write(); !coded(err, "25006") {
			t.Errorf("error %v", err)
		}
	}
	pool.Reset()
	if err := write(); err != nil {
		t.Errorf("after a reset: %v", err)
	}

	job := store.Job{Provider: "b", Trigger: store.Schedule, Started: storetest.Noon}
	if _, err := s.Begin(t.Context(), job); !coded(err, "25006") {
		t.Errorf("error %v", err)
	}
	if _, err := s.Begin(t.Context(), job); err != nil {
		t.Error(err)
	}
	if n := answer[int](t, connect(t, other.URL("postgres")), "select count(*) from fever.job where provider = 'b'"); n != 1 {
		t.Errorf("the other server has %d jobs", n)
	}
}

// TestStandbyStalls has a server whose commits wait for a standby that does not answer. Its
// statement_timeout ends no such wait. When the client goes away, the server gives up waiting: the
// commit is on no standby, and everybody sees it. pgx's CancelRequestContextWatcherHandler tells of
// all that only in a notice, and says that the commit succeeded; so the store does not use it. It
// acknowledges nothing that it does not know to be safe.
func TestStandbyStalls(t *testing.T) {
	t.Parallel()
	primary := server(t)
	place := primary.URL("postgres")
	s, reader := open(t, place), connect(t, place)
	storetest.Apply(t, s, storetest.Snapshot("a", 1, storetest.Sample("a", 1, 1)))
	job := storetest.Begin(t, s, "a")
	sql(t, place, "create table fever.written (by text)")
	set(t, primary, "synchronous_standby_names", "nobody")
	defer set(t, primary, "synchronous_standby_names", "")

	// The server has a commit wait when it has read its settings.
	waits := func(pid uint32) bool {
		return answer[bool](t, reader, "select exists (select from pg_sleep(0.01), pg_stat_activity where pid = $1 and wait_event = 'SyncRep' and query_start < clock_timestamp() - interval '3 seconds')", int64(pid))
	}
	limited := connect(t, with(t, place, "statement_timeout", "1000"))
	ended := make(chan error, 1)
	ctx, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	go func() {
		var err error
		for err == nil {
			_, err = limited.Exec(ctx, "insert into fever.written values ('with a timeout')")
		}
		ended <- err
	}()
	for !waits(limited.PgConn().PID()) {
		select {
		case err := <-ended:
			t.Fatalf("it waits no longer: %v", err)
		default:
		}
	}
	giveUp()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the commit that waits for three times its statement_timeout: %v", err)
	}

	// With pgx's other handler the end of the context makes a success.
	config, err := pgx.ParseConfig(place)
	if err != nil {
		t.Fatal(err)
	}
	err = s.pool.AcquireFunc(t.Context(), func(c *pgxpool.Conn) error {
		handler := c.Conn().Config().BuildContextWatcherHandler(c.Conn().PgConn())
		if _, ok := handler.(*pgconn.DeadlineContextWatcherHandler); !ok {
			t.Errorf("the store's handler is %T", handler)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	config.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: time.Minute}
	}
	var notice string
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { notice = n.Code + ": " + n.Detail }
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	tx, err := conn.Begin(t.Context())
	if err == nil {
		_, err = tx.Exec(t.Context(), "insert into fever.written values ('cancelled')")
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, giveUp = context.WithCancel(t.Context())
	defer giveUp()
	go func() { ended <- tx.Commit(ctx) }()
	for !waits(conn.PgConn().PID()) {
	}
	giveUp()
	if err := <-ended; err != nil || !strings.HasPrefix(notice, "01000: The transaction has already committed locally, but might not have been replicated to the standby") {
		t.Errorf("error %v, notice %q", err, notice)
	}

	s.commitLimit = 2 * time.Second // more than the server needs until it waits
	if _, _, err := s.Apply(t.Context(), storetest.Snapshot("a", 2, storetest.Sample("a", 1, 2)), job); !errors.Is(err, store.ErrUncertain) {
		t.Errorf("error %v", err)
	}
	for answer[int](t, reader, "select revision from fever.meta, pg_sleep(0.01)") != 2 { // although nobody was told so
	}
	s.commitLimit = commitLimit
	set(t, primary, "synchronous_standby_names", "")
	storetest.Apply(t, s, storetest.Snapshot("a", 3, storetest.Sample("a", 1, 3)))
}

// TestWaitForNotification holds that pgx leaves a connection usable on which a wait has ended: the
// store asks on it whether the server is still there, and waits again.
func TestWaitForNotification(t *testing.T) {
	t.Parallel()
	conn := connect(t, postgrestest.Database(t))
	if _, err := conn.Exec(t.Context(), "listen fever"); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := conn.PgConn().WaitForNotification(ended); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	if _, err := conn.Exec(t.Context(), "notify fever, 'x'"); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.WaitForNotification(t.Context()); err != nil || n.Payload != "x" {
		t.Errorf("heard %v, %v", n, err)
	}
}

// TestReader reads with a user who has no right to write, as fever dump does.
func TestReader(t *testing.T) {
	t.Parallel()
	place := postgrestest.Database(t)
	storetest.Apply(t, open(t, place), storetest.Snapshot("a", 1, storetest.Sample("a", 1, 1)))
	sql(t, place, "do 'begin create role fever_read login; exception when duplicate_object or unique_violation then null; end'; grant usage on schema fever to fever_read; grant select on all tables in schema fever to fever_read")
	s, err := OpenReadOnly(t.Context(), with(t, place, "user", "fever_read"))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(storetest.Records(t, s, storetest.Everything)); n != 1 {
		t.Errorf("%d events", n)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
