package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"fever/config"
	httpserver "fever/httpapi/server"
	"fever/internal/pipe"
	"fever/ops/control"
	"fever/store"
	"fever/store/bolt"
)

// held returns a data file that is held by a server which answers as h does.
func held(t *testing.T, h http.HandlerFunc) (db string) {
	t.Helper()
	db = filepath.Join(pipe.SocketFolder(t), "fever.db")
	st, err := bolt.Open(db, 1)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := control.ListenSocket(control.SocketPath(db))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- httpserver.Serve(ctx, ln, h, 0, slog.New(slog.DiscardHandler), nil) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// cutOff answers with a part of what it promises.
func cutOff(part string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, part)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

const dumpedLine = `{"id":"aec3273c-efd9-5b77-b7b0-5e93a06c7d90","provider":"feverup","base_id":"291","event_id":"291","title":"A",` +
	`"start":"2021-06-30T21:00:00","sold_out":false,"zones":[],"first_seen":"2021-01-01T00:00:00Z","last_changed":"2021-01-01T00:00:00Z","current":true}` + "\n"

// TestServerBreaksOff has servers end their answers half-way. No command takes what
// came for all there is.
func TestServerBreaksOff(t *testing.T) {
	t.Parallel()
	const broken = "did not answer to the end: "
	for _, test := range []struct {
		args string
		part string
		says string // on either output
	}{
		{"dump --format csv", dumpedLine, broken + "unexpected EOF"},
		{"dump --format csv", dumpedLine + `{"id":"`, broken + "unexpected EOF"},
		{"dump --jobs", `{"data":{"jobs":[`, broken},
		{"sync --once", `{"data":{"providers":[{"name":"a"}`, broken},
		{"backup -", "\x00\x00", broken + "unexpected EOF"},
		{"backup $DIR/copy.db", "\x00\x00", "copy.db: the server that holds $DIR/fever.db " + broken + "unexpected EOF"},
	} {
		t.Run(test.args, func(t *testing.T) {
			t.Parallel()
			db := held(t, cutOff(test.part))
			replace := strings.NewReplacer("$DIR", filepath.Dir(db)).Replace
			stdout, stderr := run(t, exitFailed, append(strings.Fields(replace(test.args)), "--db", db)...)
			if !strings.Contains(stderr, replace(test.says)) {
				t.Errorf("it says %q and %q", stdout, stderr)
			}
			if files, err := filepath.Glob(filepath.Join(filepath.Dir(db), "*copy*")); err != nil || len(files) > 0 {
				t.Errorf("it left %v, %v", files, err)
			}
			if files, err := os.ReadDir(filepath.Dir(db)); err != nil || len(files) != 2 {
				t.Errorf("it left %v, %v", files, err)
			}
		})
	}
}

// TestBackupIsChecked gets a copy that is none.
func TestBackupIsChecked(t *testing.T) {
	t.Parallel()
	db := held(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 64<<10)) })
	path := filepath.Join(filepath.Dir(db), "copy.db")
	if _, stderr := run(t, exitFailed, "backup", "--db", db, path); !strings.Contains(stderr, path+": the copy is of no use, and was removed: ") {
		t.Error(stderr)
	}
	if files, err := os.ReadDir(filepath.Dir(db)); err != nil || len(files) != 2 {
		t.Errorf("it left %v, %v", files, err)
	}
}

// TestServerRefuses shows a server's errors to who asked.
func TestServerRefuses(t *testing.T) {
	t.Parallel()
	db := held(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/backup" {
			http.NotFound(w, r) // another version's
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"error":{"code":"x","message":"come back later"},"data":null}`)
	})
	for args, says := range map[string]string{
		"dump":        "fever: come back later\n",
		"dump --jobs": "fever: come back later\n",
		"sync --once": "fever: come back later\n",
		"backup -":    "fever: the server answers 404 Not Found to GET /backup\n",
		"health":      "fever: not ready: the answer is 503 Service Unavailable\n",
	} {
		if stdout, stderr := run(t, exitFailed, append(strings.Fields(args), "--db", db)...); stderr != says || stdout != "" {
			t.Errorf("%s: %q and %q", args, stdout, stderr)
		}
	}
}

// TestServerBreaksOffEvents has a server end in the middle of many events. What is printed
// by then does not look like a whole dump.
func TestServerBreaksOffEvents(t *testing.T) {
	t.Parallel()
	const events = 2000 // more than is held back
	db := held(t, func(w http.ResponseWriter, _ *http.Request) {
		for range events {
			_, _ = io.WriteString(w, `{"provider":"a","base_id":"b","event_id":"e","title":"t","start":"2026-01-01","zones":[]}`+"\n")
		}
		panic(http.ErrAbortHandler)
	})
	for form, ends := range map[string]string{"ndjson": `"end"`, "json": "]\n"} {
		stdout, stderr := run(t, exitFailed, "dump", "--db", db, "--format", form)
		if !strings.Contains(stderr, control.ErrBroken.Error()) {
			t.Errorf("%s: %s", form, stderr)
		}
		if strings.Count(stdout, "base_id") < 100 || strings.HasSuffix(stdout, ends) || strings.Contains(stdout, `"dump":"end"`) {
			t.Errorf("%s: %d bytes were printed, and they look whole", form, len(stdout))
		}
	}
}

// TestServerJobs asks for more jobs than are in one answer.
func TestServerJobs(t *testing.T) {
	t.Parallel()
	const all = 2500
	db := held(t, func(w http.ResponseWriter, r *http.Request) {
		limit, err := strconv.Atoi(r.FormValue("limit"))
		if err != nil || limit < 1 || limit > 1000 || r.URL.Path != "/jobs" || r.FormValue("provider") != "a" {
			http.Error(w, r.URL.String(), http.StatusBadRequest)
			return
		}
		last := all + 1
		if before := r.FormValue("before"); before != "" {
			if last, err = strconv.Atoi(before); err != nil {
				http.Error(w, r.URL.String(), http.StatusBadRequest)
				return
			}
		}
		_, _ = io.WriteString(w, `{"error":null,"data":{"jobs":[`)
		separator := ""
		for n := 0; n < min(limit, 999) && last > 1; n++ { // a page may have fewer
			last--
			_, _ = fmt.Fprintf(w, `%s{"id":%d,"provider":"a","state":"running","started":"2021-01-01T00:00:00Z"}`, separator, last)
			separator = ","
		}
		next := "null"
		if last > 1 {
			next = strconv.Itoa(last)
		}
		_, _ = io.WriteString(w, `],"next":`+next+`}}`)
	})
	for limit, want := range map[string]int{"0": all, "1": 1, "999": 999, "1000": 1000, "2000": 2000, "9000": all} {
		out, _ := run(t, exitDone, "dump", "--jobs", "--provider", "a", "--format", "csv", "--db", db, "--limit", limit)
		lines := strings.Split(strings.TrimSpace(out), "\n")[1:]
		if len(lines) != want || !strings.HasPrefix(lines[0], "2500,") || !strings.HasPrefix(lines[want-1], strconv.Itoa(all+1-want)+",") {
			t.Errorf("limit %s: %d lines, the last %q", limit, len(lines), lines[len(lines)-1])
		}
	}
}

// TestServerBusy gives a document to a server that is busy twice before it takes it, and
// has one fetch.
func TestServerBusy(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	db := held(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/providers":
			_, _ = io.WriteString(w, `{"data":{"providers":[{"name":"a"}]},"error":null}`)
		case asked.Add(1)%3 != 0:
			w.WriteHeader(http.StatusConflict)
		case r.URL.Path == "/sync":
			_, _ = io.WriteString(w, `{"data":{"jobs":[{"id":8,"state":"completed","seen":43,"started":"2021-01-01T00:00:00Z","finished":"2021-01-01T00:00:00Z"}]},"error":null}`)
		default:
			document, err := io.ReadAll(r.Body)
			if err != nil || string(document) != "the document" {
				t.Errorf("it is given %q, %v", document, err)
			}
			_, _ = io.WriteString(w, `{"data":{"job":{"id":7,"state":"completed","seen":42}},"error":null}`)
		}
	})
	var out bytes.Buffer
	code := Main(t.Context(), []string{"sync", "--once", "--db", db, "-"}, strings.NewReader("the document"), &out, &out)
	if code != exitDone || !strings.Contains(out.String(), "standard input: completed in 0 s: 42 seen") || asked.Load() != 3 {
		t.Errorf("%d, after %d attempts: %s", code, asked.Load(), out.String())
	}
	if out, _ := run(t, exitDone, "sync", "--once", "--db", db); !strings.Contains(out, "a: completed in 0 s: 43 seen") || asked.Load() != 6 {
		t.Errorf("after %d attempts: %s", asked.Load(), out)
	}
}

// TestServerUnderWay shows the jobs of a server that concern a command: those begun by
// hand, and those that it waits for.
func TestServerUnderWay(t *testing.T) {
	t.Parallel()
	db := held(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"error":null,"data":{"providers":[
			{"name":"idle","state":"idle","last_job":null},
			{"name":"hand","state":"running","trigger":"manual","page":12,"attempt":2,"bytes":3,"rows":4,"last_job":{"id":11}},
			{"name":"given","state":"running","trigger":"document","last_job":{"id":10}},
			{"name":"turn","state":"running","trigger":"schedule","last_job":{"id":12}},
			{"name":"behind","state":"running","trigger":"schedule","last_job":{"id":13}},
			{"name":"queue","state":"pending","trigger":"start-up","last_job":{"id":9}}]}}`)
	})
	s := newRemoteCollector(control.NewClient(db), false)
	s.Waiting("behind", true)
	s.Waiting("queue", true)
	s.Waiting("turn", true)
	s.Waiting("turn", false)
	want := []jobProgress{
		{label: "hand", state: store.Running, page: 12, attempt: 2, bytes: 3, rows: 4},
		{label: "given", state: store.Running},
		{label: "behind", state: store.Running, behind: "job 13 (schedule)"},
		{label: "queue", state: store.Pending, behind: "a job (start-up)"},
	}
	if got := s.progress(t.Context()); !slices.Equal(got, want) {
		t.Errorf("under way are\n%+v, want\n%+v", got, want)
	}
}

// TestOpenOrReach finds a file that is held while its server starts, or stops. In a bubble
// no time passes between its attempts.
func TestOpenOrReach(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testOpenOrReach)
}

func testOpenOrReach(t *testing.T) {
	folder := pipe.SocketFolder(t)
	var ln net.Listener
	for name, later := range map[string]func(db string) (store.Store, error){
		"stops": func(db string) (store.Store, error) { return openStore(t.Context(), config.Place(db), 1, 0) },
		"starts": func(db string) (_ store.Store, err error) {
			ln, err = control.ListenSocket(control.SocketPath(db))
			return nil, errors.Join(err, store.ErrLocked)
		},
	} {
		db, n := filepath.Join(folder, name), 0
		st, server, err := openOrReach(t.Context(), config.Place(db), func() (store.Store, error) {
			if n++; n < 3 {
				return nil, store.ErrLocked
			}
			return later(db)
		})
		if err != nil || (st != nil) != (name == "stops") || (server != nil) != (name == "starts") || n != 3 {
			t.Errorf("%s: store %v, server %v, %v after %d attempts", name, st, server, err, n)
		}
		if st != nil {
			if err := st.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
}

// TestHeldAndStopped stops commands before they could ask the server: that says nothing
// of it.
func TestHeldAndStopped(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	db := held(t, nil)
	for _, args := range []string{"backup -", "dump", "sync --once"} {
		var out bytes.Buffer
		code := Main(ctx, append(strings.Fields(args), "--db", db), strings.NewReader(""), &out, &out)
		if code != exitFailed || out.String() != "fever: context canceled\n" {
			t.Errorf("%s: %d: %s", args, code, out.String())
		}
	}
}

// TestServerGivenNothing stops a command that waits for standard input, where nothing
// comes.
func TestServerGivenNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	db := held(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/providers" {
			_, _ = io.WriteString(w, `{"data":{"providers":[{"name":"a"}]},"error":null}`)
			return
		}
		go cancel()
		_, _ = io.ReadAll(r.Body)
	})
	in, pipe := io.Pipe()
	defer func() { _ = pipe.Close() }()
	var out bytes.Buffer
	if code := Main(ctx, []string{"sync", "--once", "--db", db, "-"}, in, &out, &out); code != exitFailed || !strings.Contains(out.String(), "context canceled") {
		t.Errorf("%d: %s", code, out.String())
	}
}

// TestDocumentStopped reads standard input, where nothing comes, until it is stopped.
func TestDocumentStopped(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	in, pipe := io.Pipe()
	defer func() { _ = pipe.Close() }()
	document, err := openDocument(ctx, "-", in)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.ReadAll(document); !errors.Is(err, context.Canceled) {
		t.Errorf("reading ends with %v", err)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	db := held(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" && r.URL.Path != "/healthz" {
			w.WriteHeader(http.StatusNotFound)
		}
	})
	broken := held(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, "only a restart helps: "+strings.Repeat("x", 2<<20))
		}
	})
	const why = "fever: not ready: only a restart helps: xxx"
	if _, stderr := run(t, exitFailed, "health", "--db", broken); !strings.HasPrefix(stderr, why) || len(stderr) > 2*maxWhy {
		t.Errorf("it says %q", stderr)
	}
	var out bytes.Buffer
	for range 5 { // on a busy machine it may not wait long enough
		if code := Main(t.Context(), []string{"health", "--db", db}, strings.NewReader(""), &out, io.Discard); code == exitDone {
			break
		}
	}
	if out.String() != "ready\n" {
		t.Errorf("it says %q", out.String())
	}
	nobody := filepath.Join(t.TempDir(), "fever.db")
	if _, stderr := run(t, exitFailed, "health", "--db", nobody); !strings.HasPrefix(stderr, "fever: not ready: no fever serve that holds "+nobody+" can be reached: dial unix ") {
		t.Errorf("it says %q", stderr)
	}
	if _, stderr := run(t, exitFailed, "health", "--url", "http://127.0.0.1:1"); !strings.HasPrefix(stderr, "fever: not ready: dial tcp ") {
		t.Errorf("it says %q", stderr)
	}
	for _, url := range []string{"127.0.0.1:9090", "ftp://127.0.0.1", "http://", "http://%zz"} {
		run(t, exitUsage, "health", "--url", url)
	}
}
