// Package postgrestest is for tests: it starts PostgreSQL servers in folders of their own.
package postgrestest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Required is the variable that must be "required" where tests may not be skipped for lack of
// PostgreSQL.
const Required = "TEST_POSTGRES"

// Programs is the variable that names the folder of PostgreSQL's programs, if they are not in
// one of the usual places.
const Programs = "PGBIN"

// usual are the patterns of the folders of PostgreSQL's programs in Debian, in Red Hat's
// packages, from source, and in Homebrew.
var usual = []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin", "/opt/homebrew/opt/postgresql*/bin"}

// programs returns the folder of PostgreSQL's programs: of several the last one.
func programs() (string, error) {
	if folder := os.Getenv(Programs); folder != "" {
		return folder, nil
	}
	if found, err := exec.LookPath("postgres"); err == nil {
		found, err = filepath.EvalSymlinks(found) // the others are beside it
		return filepath.Dir(found), err
	}
	for _, pattern := range usual {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		if len(found) > 0 {
			return slices.Max(found), nil
		}
	}
	return "", fmt.Errorf("there is no PostgreSQL in %q: set %s", usual, Programs)
}

// A Server is a PostgreSQL server with a unix socket, and nothing on the network. It trusts
// everybody who can reach the socket. Nothing of it outlives the process.
type Server struct {
	bin      string
	folder   string
	user     *user.User // that it runs as; nil: that of this process
	settings []string
	command  *exec.Cmd
	alive    io.WriteCloser // the server stops when this is closed, at the latest by the end of the process
	log      bytes.Buffer

	mu   sync.Mutex
	made int      // databases
	free []string // of these
}

// begin makes a server with a folder.
func begin(bin, pattern string) (*Server, error) {
	s := &Server{bin: bin}
	var err error
	if s.user, err = lowered(); err == nil {
		s.folder, err = os.MkdirTemp("", pattern)
	}
	if err == nil {
		err = giveAway(s.folder, s.user)
	}
	return s, err
}

// start makes a cluster, and runs a server on it with the settings, each "name=value".
func start(bin string, settings ...string) (*Server, error) {
	return launched(bin, settings, "initdb", "--no-sync", "--auth=trust", "--username=fever", "--encoding=UTF8", "--locale=C")
}

// launched runs a server on the cluster that a program of PostgreSQL makes.
func launched(bin string, settings []string, maker string, arguments ...string) (_ *Server, err error) {
	s, err := begin(bin, "fever-postgres-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop())
		}
	}()
	s.settings = settings
	if out, err := s.as(filepath.Join(s.bin, maker), append(arguments, "--pgdata="+s.data())...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", maker, err, out)
	}
	return s, s.Up()
}

// data returns the folder of the cluster.
func (s *Server) data() string { return filepath.Join(s.folder, "data") }

func (s *Server) socket() string { return filepath.Join(s.folder, ".s.PGSQL.5432") }

// Up starts the server, which does not run, and waits until it answers.
func (s *Server) Up() error {
	arguments := []string{"-D", s.data(), "-k", s.folder, "-c", "listen_addresses="}
	for _, setting := range s.settings {
		arguments = append(arguments, "-c", setting)
	}
	return s.launch(filepath.Join(s.bin, "postgres"), arguments...)
}

// launch runs a program that is to serve the socket in the folder, and waits until it does. A
// shell is between this process and the program: its input ends when this process does, in
// whatever way. Then it stops the program and removes the folder. A line of input names the
// signal to stop it with, and keeps the folder.
func (s *Server) launch(name string, arguments ...string) error {
	s.command = s.as("sh", append([]string{"-c", `"$@" </dev/null & read -r how; kill -${how:-INT} $!; wait $!; [ "$how" ] || rm -rf "$0"`, s.folder, name}, arguments...)...)
	s.command.Stdout, s.command.Stderr = &s.log, &s.log
	alive, err := s.command.StdinPipe()
	if err != nil {
		return err
	}
	s.alive = alive
	if err := s.command.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // for a program that hangs
	defer cancel()
	for {
		err := exec.CommandContext(ctx, filepath.Join(s.bin, "pg_isready"), "--quiet", "--host="+s.folder).Run()
		if _, asked := errors.AsType[*exec.ExitError](err); err == nil || !asked {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w", name, errors.Join(s.Stop(), errors.New(s.log.String())))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop stops the server, if it runs, and removes its folder.
func (s *Server) Stop() error {
	var err error
	if s.alive != nil {
		_ = s.Resume() // it stops only if it goes on; a pooler has no such processes
		err, s.alive = s.alive.Close(), nil
		_ = s.command.Wait() // the status is that of a server which was told to stop
	}
	return errors.Join(err, os.RemoveAll(s.folder))
}

// Pooler starts PgBouncer in front of the server of a database until the end of the test, and
// returns the URL of the database through it. Mode is its pool_mode. Without PgBouncer the test
// is skipped, or fails where PostgreSQL is required.
func Pooler(t testing.TB, place, mode string) string {
	t.Helper()
	u, err := url.Parse(place)
	if err != nil {
		t.Fatal(err)
	}
	s, err := pooler(sharedServer(t).bin, u.Query().Get("host"), mode)
	if errors.Is(err, exec.ErrNotFound) && os.Getenv(Required) != "required" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("%s", &s.log)
		}
	})
	return s.URL(strings.TrimPrefix(u.Path, "/"))
}

// Pooler runs PgBouncer in front of the server. Mode is its pool_mode. What it returns can
// only be stopped, and asked for the URL of a database.
func (s *Server) Pooler(mode string) (*Server, error) { return pooler(s.bin, s.folder, mode) }

func pooler(bin, host, mode string) (*Server, error) {
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/pgbouncer") // which is not in everybody's path
	}
	if err != nil {
		return nil, err
	}
	s, err := begin(bin, "fever-pgbouncer-")
	if err != nil {
		return nil, err
	}
	settings := filepath.Join(s.folder, "pgbouncer.ini")
	err = os.WriteFile(settings, fmt.Appendf(nil, "[databases]\n* = host=%s user=fever\n[pgbouncer]\nunix_socket_dir = %s\nlisten_port = 5432\nlisten_addr =\nauth_type = any\npool_mode = %s\nserver_idle_timeout = 1\n",
		host, s.folder, mode), 0o600)
	if err == nil {
		err = giveAway(settings, s.user)
	}
	if err == nil {
		err = s.launch(program, settings)
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// unprivileged is the user that a server runs as when the process is the superuser's, as which
// PostgreSQL refuses to run.
const unprivileged = "nobody"

// lowered returns the user that servers run as, or nil if that is the user of this process.
func lowered() (*user.User, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // nobody else
	}
	return user.Lookup(unprivileged)
}

// as returns a command that runs as the server's user.
func (s *Server) as(name string, arguments ...string) *exec.Cmd {
	if u := s.user; u != nil {
		arguments = append([]string{"--reuid=" + u.Uid, "--regid=" + u.Gid, "--clear-groups", "--", name}, arguments...)
		name = "setpriv"
	}
	command := exec.CommandContext(context.Background(), name, arguments...) // Stop ends it
	command.Dir = s.folder
	return command
}

// giveAway makes a user the owner of a file or a folder.
func giveAway(path string, u *user.User) error {
	if u == nil {
		return nil
	}
	id, err1 := strconv.Atoi(u.Uid)
	group, err2 := strconv.Atoi(u.Gid)
	return errors.Join(err1, err2, os.Chown(path, id, group))
}

// Database returns the URL of a database that has no schema of fever's and that no other test
// uses. At the end of the test it is emptied for another one, which costs less than to make one.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var name string
	if last := len(s.free) - 1; last >= 0 {
		name, s.free = s.free[last], s.free[:last]
	} else {
		s.made++
		name = fmt.Sprintf("t%d", s.made)
		s.client(t, "createdb", name)
	}
	t.Cleanup(func() {
		s.client(t, "psql", "--quiet", "--no-psqlrc", "--set=client_min_messages=error", "--command=drop schema if exists fever cascade", name)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.free = append(s.free, name)
	})
	return s.URL(name)
}

func (s *Server) client(t testing.TB, program string, arguments ...string) {
	t.Helper()
	command := exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(s.bin, program), append([]string{"--host=" + s.folder, "--username=fever"}, arguments...)...)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", program, err, out)
	}
}

// URL returns that of a database.
func (s *Server) URL(database string) string {
	return "postgres:///" + database + "?" + url.Values{"host": {s.folder}, "user": {"fever"}}.Encode()
}

// shared is the server for all tests of the process. What it holds need not outlive a crash.
var shared struct {
	sync.Mutex
	*Server
}

// Database returns one of a server that all tests of the process share: see [Server.Database].
// Without PostgreSQL the test is skipped, or fails where it is required. The tests must run
// in [Run].
func Database(t testing.TB) string {
	t.Helper()
	return sharedServer(t).Database(t)
}

// Available reports whether [Database] skips no test.
func Available() bool {
	_, err := programs()
	return err == nil || os.Getenv(Required) == "required"
}

// Exec runs statements in a database of [Database], as somebody else.
func Exec(t testing.TB, place string, statements ...string) {
	t.Helper()
	u, err := url.Parse(place)
	if err == nil {
		_, err = sharedServer(t).Query(strings.TrimPrefix(u.Path, "/"), statements...)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func sharedServer(t testing.TB) *Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.Server == nil {
		shared.Server = started(t, "fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_connections=200")
	}
	return shared.Server
}

// Need skips a test on a machine without PostgreSQL, or fails it where PostgreSQL is required.
func Need(t testing.TB) {
	t.Helper()
	_, err := programs()
	if err != nil && os.Getenv(Required) != "required" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// started starts a server, or skips the test.
func started(t testing.TB, settings ...string) *Server {
	t.Helper()
	Need(t)
	s, err := Start(settings...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Durable is [Database] of a server that only this test uses, with the settings that PostgreSQL
// has by itself: each commit waits for the disk. It is for benchmarks.
func Durable(t testing.TB) string {
	t.Helper()
	s := started(t)
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s.Database(t)
}

// Run runs the tests of a package, and stops what [Database] started. It returns the exit code.
func Run(m *testing.M) int {
	code := m.Run()
	if shared.Server == nil {
		return code
	}
	if err := shared.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop PostgreSQL:", err)
		return max(code, 1)
	}
	return code
}
