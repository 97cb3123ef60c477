//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A fever is the binary, serving.
type fever struct {
	binary  string
	config  string // file
	db      string // file
	address string
	ops     string
	cmd     *exec.Cmd
	ended   chan struct{} // closed when it has ended
	end     error         // how, then
	faults  []string      // lines of its log that should not be there, then
}

// start runs it on the market's providers, and returns when it serves.
func start(ctx context.Context, binary, dir string, m *market) (*fever, error) {
	f := &fever{
		binary: binary, config: filepath.Join(dir, "fever.yaml"), db: filepath.Join(dir, "fever.db"),
		ended: make(chan struct{}),
	}
	if err := os.WriteFile(f.config, f.settings(m), 0o600); err != nil {
		return nil, err
	}
	f.cmd = f.command(context.WithoutCancel(ctx), "serve") // it is told to stop once, by stop
	log, err := f.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := f.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start fever (make build): %w", err)
	}
	serving := make(chan struct{})
	go func() {
		f.follow(log, serving)
		f.end = f.cmd.Wait()
		close(f.ended)
	}()
	select {
	case <-serving:
		return f, nil
	case <-f.ended:
		return nil, fmt.Errorf("fever did not start: %w: %s", f.end, strings.Join(f.faults, "\n"))
	}
}

// settings returns the configuration. Turns that failures would stretch come all the
// same: there should be many of them. So few outcomes are kept that the file soon has all.
func (f *fever) settings(m *market) []byte {
	var b []byte
	b = fmt.Appendf(b, "db: %s\nlisten: 127.0.0.1:0\nops-listen: 127.0.0.1:0\nlog-format: json\nkeep-jobs: 10\nproviders:\n", f.db)
	for _, s := range m.sources {
		b = fmt.Appendf(b, "- {name: %s, url: 'http://%s/events', every: %s, max-interval: %s, timeout: 2s}\n",
			s.provider, s.address, s.every, s.every)
	}
	return b
}

// command returns a command of fever's that ends with ctx and with this process, and that
// the keys of a terminal do not reach.
func (f *fever) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, f.binary, append(args, "--config", f.config)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 15 * time.Second
	return cmd
}

// follow reads the log to its end. What failed is for the providers to answer for, and
// comes as warnings; an error is fever's own, and what is no line of its log a crash.
func (f *fever) follow(log io.Reader, serving chan<- struct{}) {
	const most = 20
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		var line struct{ Level, Msg, Address, Ops string }
		err := json.Unmarshal(lines.Bytes(), &line)
		if line.Msg == "serving" {
			f.address, f.ops = line.Address, line.Ops
			close(serving)
		}
		if (err != nil || line.Level == "ERROR") && len(f.faults) < most {
			f.faults = append(f.faults, lines.Text())
		}
	}
	_, _ = io.Copy(io.Discard, log) // after a line that is too long
}

// stop ends it in the way that is meant for that, and returns what was wrong with it.
func (f *fever) stop() error {
	if err := f.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-f.ended:
	case <-time.After(20 * time.Second):
		err := f.cmd.Process.Kill()
		<-f.ended
		return errors.Join(errors.New("fever did not stop by itself"), err)
	}
	if f.end != nil {
		f.end = fmt.Errorf("fever ended: %w", f.end)
	}
	if len(f.faults) > 0 {
		f.end = errors.Join(f.end, fmt.Errorf("fever logged errors: %s", strings.Join(f.faults, "\n")))
	}
	if _, err := os.Lstat(f.db + ".sock"); !errors.Is(err, os.ErrNotExist) {
		f.end = errors.Join(f.end, errors.New("the control socket is left behind"))
	}
	return f.end
}

// dump reads a data file, the one that is in use or a copy, and counts what is in it.
func (f *fever) dump(ctx context.Context, db string, m *market) error {
	out, err := f.output(f.command(ctx, "dump", "--format", "ndjson", "--db", db))
	if err != nil {
		return err
	}
	if events := strings.Count(out, "\n"); events != m.hours {
		return fmt.Errorf("%s holds %d events, not %d", db, events, m.hours)
	}
	return nil
}

// output runs a command and returns what it prints.
func (f *fever) output(cmd *exec.Cmd) (string, error) {
	var out, said strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, said.String())
	}
	return out.String(), nil
}
