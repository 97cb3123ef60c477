package harness

import (
	"os"
	"strings"
	"sync/atomic"
	"testing"

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
