// Package harness has what the programs in internal share: they run the real binary, follow its
// log, stop it, serve providers to it, and read its answers.
package harness

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// A Line is one line of a log in JSON, with the fields that a program here reads.
type Line struct {
	Text string `json:"-"` // all of it

	Level, Msg, Error, Kind string
	Address, Ops            string // of "serving"

	// Of jobs that ended.
	Job         uint64
	Provider    string
	Took        time.Duration
	Bytes       int64
	NotModified bool `json:"not_modified"`
	Seen        int
	Changed     int
}

// A Process is a server that was started with [Start].
type Process struct {
	PID          int
	Address, Ops string        // where it serves; set when Serving is closed
	Serving      chan struct{} // closed when it says that it serves
	Ended        chan struct{} // closed when it has ended and its log has been read
	End          error         // how it ended, with its last words; set when Ended is closed, and never nil then

	cmd *exec.Cmd
}

// Command returns a command that is terminated when ctx ends, and gets no signals from the keys
// of a terminal. On Linux it is also killed when this process ends.
func Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = apart()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = patience
	return cmd
}

// patience is how long a process may take to stop. It is for one that hangs: on a busy machine it
// takes its time.
const patience = 2 * time.Minute

// Start starts a server that logs JSON on standard error. It calls follow, unless that is nil,
// with each line of the log, in order, from one goroutine that ends before Ended is closed. A
// line that is no JSON, such as that of a crash, has only a Text.
func Start(cmd *exec.Cmd, follow func(Line)) (*Process, error) {
	log, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s (make build): %w", cmd.Path, err)
	}
	p := &Process{Serving: make(chan struct{}), Ended: make(chan struct{}), cmd: cmd, PID: cmd.Process.Pid}
	go func() {
		last := p.follow(log, follow)
		_ = cmd.Wait() // ProcessState has how it ended
		p.End = fmt.Errorf("%s ended: %s: %s", cmd.Path, cmd.ProcessState, last)
		close(p.Ended)
	}()
	return p, nil
}

// follow reads the log to its end, and returns its last line.
func (p *Process) follow(log io.Reader, follow func(Line)) (last string) {
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		last = lines.Text()
		line := Line{Text: last}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			line = Line{Text: last}
		}
		if line.Msg == "serving" {
			p.Address, p.Ops = line.Address, line.Ops
			close(p.Serving)
		}
		if follow != nil {
			follow(line)
		}
	}
	_, _ = io.Copy(io.Discard, log) // after a line that is too long
	return last
}

// Serve waits until the process serves. The error says why it will not.
func (p *Process) Serve(ctx context.Context) error {
	select {
	case <-p.Serving:
		return nil
	case <-p.Ended:
		return p.End
	case <-ctx.Done():
		return ctx.Err()
	}
}

// State says how the process ended, such as "exit status 0". It must have ended.
func (p *Process) State() string { return p.cmd.ProcessState.String() }

// Stop terminates the process and waits for its end. An error means that it had to be killed;
// the caller judges how it ended.
func (p *Process) Stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.Ended:
		return nil
	case <-time.After(patience):
		p.Kill()
		return fmt.Errorf("%s did not stop by itself", p.cmd.Path)
	}
}

// Kill ends the process with SIGKILL and waits until nothing is left of it.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it fails when the process has ended by itself
	<-p.Ended
}

// Output runs a command and returns its standard output. The error has its standard error.
func Output(cmd *exec.Cmd) (string, error) {
	var out, said strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, said.String())
	}
	return out.String(), nil
}
