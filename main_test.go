package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/rogpeppe/go-internal/testscript"

	"fever/internal/harness"
	"fever/internal/leak"
	"fever/internal/postgrestest"
)

var update = flag.Bool("update", false, "write what the program prints into the scripts' files")

func TestMain(m *testing.M) {
	testscript.Main(leakTested{m}, map[string]func(){"fever": main})
}

// leakTested are tests that fail when they leave a goroutine behind.
type leakTested struct{ *testing.M }

// Run is for [testscript.Main].
func (l leakTested) Run() int {
	for _, setting := range os.Environ() { // of those who run the tests
		if name, _, _ := strings.Cut(setting, "="); strings.HasPrefix(name, "FEVER_") {
			if err := os.Unsetenv(name); err != nil {
				panic(err)
			}
		}
	}
	return leak.Check(postgrestest.Run(l.M))
}

// TestScript runs the real program as testdata/script/*.txtar write it, with
// more commands:
//
//	provide FILE...    start a provider that answers with each file in turn, the last one for ever;
//	                   "-" is a 503. Its URL is $PROVIDER.
//	hang               start a provider that never answers. Its URL is $PROVIDER.
//	asked              wait until that provider has been asked
//	release [FILE]     have it answer after all, with a file or 404
//	start [NAME=VALUE]... FLAG...
//	                   start fever serve with that environment and wait until it serves.
//	                   Its address is $ADDRESS, that for ops is $OPS.
//	begin MESSAGE [NAME=VALUE]... FLAG...
//	                   start it, and wait for a line with that message in its log
//	nohup              start the next one with SIGHUP ignored
//	free NAME          set the variable to an address that is free
//	database           make an empty PostgreSQL database. Its URL is $DB. [postgres] says whether there can be one.
//	bucket             make an empty bucket named kept in an object store, and have the environment say where it is
//	swap               have the commands go to the other one of two servers
//	await MESSAGE      wait for a line with that message in the log of fever serve
//	get TARGET         GET http://$ADDRESS/TARGET: the body and a line feed to stdout, the status, entity tag, cache control, Vary and Link to stderr
//	ask METHOD TARGET [FIELD: VALUE]...
//	                   a request to http://$OPS/TARGET: the body to stdout, the status to stderr
//	health [FLAG]...   run fever health, again where the machine was too busy for an answer in time
//	signal SIGNAL      send TERM, INT, HUP or KILL to fever serve
//	end SIGNAL         send it and wait for the end; but for KILL it must give exit code 0
//	insist SIGNAL      send it again and again until fever serve has ended by it
func TestScript(t *testing.T) {
	t.Parallel()
	if signal.Ignored(syscall.SIGHUP) { // under nohup: then what is started here ignored it, too
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	feeds, err := filepath.Abs(filepath.Join("testdata", "feeds"))
	if err != nil {
		t.Fatal(err)
	}
	documents, err := filepath.Abs(filepath.Join("testdata", "archive"))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("FEEDS", feeds)
			env.Setenv("DOCUMENTS", documents)
			env.Setenv("GORACE", os.Getenv("GORACE"))
			env.Values[running{}] = &server{}
			env.Values[other{}] = &server{}
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name != "postgres" {
				return false, fmt.Errorf("no such condition: %s", name)
			}
			return postgrestest.Available(), nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"database": func(ts *testscript.TestScript, _ bool, _ []string) { ts.Setenv("DB", postgrestest.Database(t)) },
			"bucket":   bucket,
			"provide":  provide,
			"hang":     hang,
			"asked":    asked,
			"release":  release,
			"start":    start,
			"begin":    begin,
			"nohup":    nohup,
			"free":     free,
			"swap":     swap,
			"signal":   send,
			"insist":   insist,
			"await":    await,
			"get":      get,
			"ask":      ask,
			"health":   health,
			"end":      end,
		},
	})
}

// running is the key of a script's server, and other that of a second one.
type (
	running struct{}
	other   struct{}
)

// A server is a running fever serve.
type server struct {
	cmd   *exec.Cmd
	log   *bufio.Scanner
	hung  *hung
	nohup bool

	address, ops string // where it answers; empty: it has not begun
}

// A hung provider answers nobody until it is released.
type hung struct {
	asked    chan struct{} // gets an element for each request
	released chan struct{}

	mu     sync.Mutex
	answer []byte // nil: 404
}

func provide(ts *testscript.TestScript, _ bool, files []string) {
	var answers [][]byte
	for _, name := range files {
		var answer []byte
		if name != "-" {
			answer = []byte(ts.ReadFile(name))
		}
		answers = append(answers, answer)
	}
	var mu sync.Mutex
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		answer := answers[0]
		if len(answers) > 1 {
			answers = answers[1:]
		}
		mu.Unlock()
		if answer == nil {
			http.Error(w, "out of order", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write(answer)
	}))
	ts.Defer(provider.Close)
	ts.Setenv("PROVIDER", provider.URL)
}

func bucket(ts *testscript.TestScript, _ bool, _ []string) {
	backend := s3mem.New()
	ts.Check(backend.CreateBucket("kept"))
	objects := httptest.NewServer(gofakes3.New(backend).Server())
	ts.Defer(objects.Close)
	ts.Setenv("AWS_ENDPOINT_URL", objects.URL)
	ts.Setenv("AWS_ACCESS_KEY_ID", "id")
	ts.Setenv("AWS_SECRET_ACCESS_KEY", "very secret")
}

func hang(ts *testscript.TestScript, _ bool, _ []string) {
	h := &hung{asked: make(chan struct{}, 100), released: make(chan struct{})}
	ts.Value(running{}).(*server).hung = h
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.asked <- struct{}{}
		select {
		case <-h.released:
		case <-r.Context().Done():
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.answer == nil {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(h.answer)
	}))
	ts.Defer(provider.Close)
	ts.Setenv("PROVIDER", provider.URL)
}

func asked(ts *testscript.TestScript, _ bool, _ []string) {
	<-ts.Value(running{}).(*server).hung.asked
}

func release(ts *testscript.TestScript, _ bool, files []string) {
	h := ts.Value(running{}).(*server).hung
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answer = nil
	if len(files) > 0 {
		h.answer = []byte(ts.ReadFile(files[0]))
	}
	select {
	case <-h.released:
	default:
		close(h.released)
	}
}

func start(ts *testscript.TestScript, _ bool, args []string) {
	s := launch(ts, args)
	line := s.await(ts, "serving")
	s.address, s.ops = line.Address, line.Ops
	s.choose(ts)
}

// choose has what follows in the script ask the server, if it has begun.
func (s *server) choose(ts *testscript.TestScript) {
	if s.address == "" {
		return
	}
	ts.Setenv("ADDRESS", s.address)
	ts.Setenv("OPS", s.ops)
}

func begin(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: begin MESSAGE [NAME=VALUE]... FLAG...")
	}
	s := launch(ts, args[1:])
	s.await(ts, args[0])
	s.address, s.ops = ts.Getenv("ADDRESS"), ts.Getenv("OPS") // it does not say them yet
}

// launch starts fever serve.
func launch(ts *testscript.TestScript, args []string) *server {
	s := ts.Value(running{}).(*server)
	if s.cmd != nil {
		ts.Fatalf("fever serve runs already")
	}
	first := slices.IndexFunc(append(args, "-"), func(arg string) bool { return strings.HasPrefix(arg, "-") })
	environment, args := args[:first], args[first:]
	if slices.Contains(args, "--provider-url") && !slices.Contains(args, "--timeout") {
		args = append([]string{"--timeout", "30m"}, args...) // what decodes waits for all other programs of the machine
	}
	args = append([]string{"fever", "serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--log-format", "json"}, args...)
	if s.nohup {
		args, s.nohup = append([]string{"sh", "-c", `trap "" HUP; exec "$0" "$@"`}, args...), false
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), environment...)
	stderr, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() {
		if cmd.ProcessState == nil { // the script did not stop it
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	s.cmd, s.log = cmd, bufio.NewScanner(stderr)
	return s
}

func nohup(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Value(running{}).(*server).nohup = true
}

func free(ts *testscript.TestScript, _ bool, args []string) {
	address, err := harness.Free(context.Background())
	ts.Check(err)
	ts.Setenv(args[0], address)
}

func swap(ts *testscript.TestScript, _ bool, _ []string) {
	a, b := ts.Value(running{}).(*server), ts.Value(other{}).(*server)
	*a, *b = *b, *a
	a.choose(ts)
}

func await(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: await MESSAGE")
	}
	ts.Value(running{}).(*server).await(ts, args[0])
}

// await reads the log up to the next line with the given message. A process that does not log it is
// killed after a while, so that the script can tell what it has logged.
func (s *server) await(ts *testscript.TestScript, message string) (line struct{ Msg, Address, Ops string }) {
	stuck := time.AfterFunc(20*time.Minute, func() { _ = s.cmd.Process.Kill() })
	defer stuck.Stop()
	for s.log.Scan() {
		ts.Logf("%s", s.log.Bytes())
		if err := json.Unmarshal(s.log.Bytes(), &line); err == nil && line.Msg == message {
			return line
		}
	}
	ts.Fatalf("fever serve ended without logging %q", message)
	return line
}

func get(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: get TARGET")
	}
	response, err := http.Get("http://" + ts.Getenv("ADDRESS") + args[0])
	ts.Check(err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	ts.Check(err)
	_, err = fmt.Fprintf(ts.Stdout(), "%s\n", body)
	ts.Check(err)
	_, err = fmt.Fprintln(ts.Stderr(), response.Status, response.Header.Get("ETag"), response.Header.Get("Cache-Control"), response.Header.Get("Vary"), response.Header.Get("Link"))
	ts.Check(err)
}

func ask(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: ask METHOD TARGET [FIELD: VALUE]...")
	}
	request, err := http.NewRequestWithContext(context.Background(), args[0], "http://"+ts.Getenv("OPS")+args[1], http.NoBody)
	ts.Check(err)
	for _, field := range args[2:] {
		name, value, _ := strings.Cut(field, ": ")
		request.Header.Add(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	ts.Check(err)
	defer func() { _ = response.Body.Close() }()
	_, err = io.Copy(ts.Stdout(), response.Body)
	ts.Check(err)
	_, err = fmt.Fprintln(ts.Stderr(), response.Status)
	ts.Check(err)
}

func health(ts *testscript.TestScript, neg bool, args []string) {
	for range 30 {
		err := ts.Exec("fever", append([]string{"health"}, args...)...)
		if err != nil && strings.Contains(ts.ReadFile("stderr"), context.DeadlineExceeded.Error()) {
			continue
		}
		if failed := err != nil; failed != neg {
			ts.Fatalf("fever health failed: %t", failed)
		}
		return
	}
	ts.Fatalf("fever health got no answer in time")
}

// sendSignal sends a signal and returns the server.
func sendSignal(ts *testscript.TestScript, args []string) *server {
	signals := map[string]os.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "HUP": syscall.SIGHUP, "KILL": syscall.SIGKILL}
	s := ts.Value(running{}).(*server)
	if len(args) != 1 || signals[args[0]] == nil || s.cmd == nil {
		ts.Fatalf("usage: signal, end or insist, with TERM, INT, HUP or KILL, after start")
	}
	ts.Check(s.cmd.Process.Signal(signals[args[0]]))
	return s
}

func send(ts *testscript.TestScript, _ bool, args []string) { sendSignal(ts, args) }

// ended reads the log to its end, so that Wait closes nothing under the reader.
func (s *server) ended(ts *testscript.TestScript) error {
	for s.log.Scan() {
		ts.Logf("%s", s.log.Bytes())
	}
	err := s.cmd.Wait()
	s.cmd, s.address = nil, ""
	return err
}

func end(ts *testscript.TestScript, _ bool, args []string) {
	err := sendSignal(ts, args).ended(ts)
	if args[0] != "KILL" {
		ts.Check(err)
	}
}

func insist(ts *testscript.TestScript, _ bool, args []string) {
	s := sendSignal(ts, args)
	process := s.cmd.Process // ended forgets it
	gone := make(chan error, 1)
	go func() { gone <- s.ended(ts) }()
	for {
		select {
		case err := <-gone:
			if err == nil || !strings.HasPrefix(err.Error(), "signal: ") {
				ts.Fatalf("it did not end by the signal: %v", err)
			}
			return
		case <-time.After(100 * time.Millisecond):
			_ = process.Signal(syscall.SIGTERM) // it may have ended
		}
	}
}
