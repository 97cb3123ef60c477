package harness

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fever/internal/leak"
)

func TestMain(m *testing.M) { os.Exit(leak.Check(m.Run())) }

const script = `echo '{"msg":"serving","address":"127.0.0.1:1","ops":"127.0.0.1:2"}' >&2
echo '{"msg":"job completed","job":7,"not_modified":true}' >&2
echo panic: no line of a log >&2
`

func TestStart(t *testing.T) {
	t.Parallel()
	var lines []Line
	p, err := Start(Command(t.Context(), "/bin/sh", "-c", script+"exit 3"), func(line Line) { lines = append(lines, line) })
	if err != nil {
		t.Fatal(err)
	}
	<-p.Ended
	if err := p.Serve(t.Context()); err != nil && err.Error() != p.End.Error() {
		t.Error(err)
	}
	if p.Address != "127.0.0.1:1" || p.Ops != "127.0.0.1:2" {
		t.Errorf("serves on %s and %s", p.Address, p.Ops)
	}
	if got := p.End.Error(); !strings.Contains(got, "exit status 3") || !strings.Contains(got, "no line of a log") {
		t.Errorf("it ended: %v", got)
	}
	if len(lines) != 3 || lines[1].Job != 7 || !lines[1].NotModified || lines[2].Msg != "" || !strings.HasPrefix(lines[2].Text, "panic") {
		t.Errorf("followed %+v", lines)
	}
}

func TestServeOfOneThatEnds(t *testing.T) {
	t.Parallel()
	p, err := Start(Command(t.Context(), "/bin/sh", "-c", "echo no port >&2"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Serve(t.Context()); err == nil || !strings.Contains(err.Error(), "no port") {
		t.Errorf("serves: %v", err)
	}
}

func TestStop(t *testing.T) {
	t.Parallel()
	var ready atomic.Bool
	p, err := Start(Command(t.Context(), "/bin/sh", "-c", `trap 'exit 0' TERM; `+script+`while :; do sleep 0.05; done`), func(Line) { ready.Store(true) })
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Serve(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(); err != nil || p.State() != "exit status 0" || !ready.Load() {
		t.Errorf("stopped: %v, %s", err, p.State())
	}
	if err := p.Stop(); err != nil {
		t.Errorf("stopped again: %v", err)
	}
}

func TestKill(t *testing.T) {
	t.Parallel()
	p, err := Start(Command(t.Context(), "/bin/sh", "-c", script+`exec sleep 60`), nil)
	if err != nil {
		t.Fatal(err)
	}
	p.Kill()
	if p.State() != "signal: killed" {
		t.Error(p.State())
	}
}

func TestOutput(t *testing.T) {
	t.Parallel()
	if out, err := Output(Command(t.Context(), "/bin/sh", "-c", "echo yes")); err != nil || out != "yes\n" {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := Output(Command(t.Context(), "/bin/sh", "-c", "echo because >&2; exit 1")); err == nil || !strings.Contains(err.Error(), "because") {
		t.Error(err)
	}
	if _, err := Start(Command(t.Context(), "/no/such/binary"), nil); err == nil {
		t.Error("started nothing")
	}
}

func TestPublicID(t *testing.T) {
	t.Parallel()
	// An id that fever has given.
	if got := PublicID("feverup", "291", "291").String(); got != "aec3273c-efd9-5b77-b7b0-5e93a06c7d90" {
		t.Fatal(got)
	}
}

func TestListen(t *testing.T) {
	t.Parallel()
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, "here")
	})
	address := ""
	for range 2 { // the second time where it was before
		at, stop, err := Listen(t.Context(), address, h)
		if err != nil {
			t.Fatal(err)
		}
		address = at
		if body, err := Get(t.Context(), "http://"+at+"/"); err != nil || string(body) != "here" {
			t.Errorf("%q, %v", body, err)
		}
		if _, err := Get(t.Context(), "http://"+at+"/x"); err == nil || !strings.Contains(err.Error(), "404") {
			t.Errorf("a page that is not there: %v", err)
		}
		stop()
		if _, err := Get(t.Context(), "http://"+at+"/"); err == nil {
			t.Error("it answers after its end")
		}
	}
}

func TestFree(t *testing.T) {
	t.Parallel()
	address, err := Free(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, stop, err := Listen(t.Context(), address, http.NotFoundHandler())
	if err != nil {
		t.Fatal(err)
	}
	stop()
}

func TestInTemp(t *testing.T) {
	t.Parallel()
	var folder string
	err := InTemp(func(dir string) error {
		folder = dir
		return os.WriteFile(filepath.Join(dir, "x"), nil, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is left behind: %v", err)
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	if !Pause(ctx, time.Millisecond) {
		t.Error("it ended before its context")
	}
	stop()
	if Pause(ctx, time.Hour) {
		t.Error("it outlives its context")
	}
}
