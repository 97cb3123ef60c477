package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"fever/internal/harness"
	"fever/internal/postgrestest"
)

// A replica is a place at which one fever process after the other serves searches from the
// database, through a proxy of its own.
type replica struct {
	name   string
	fever  string // the binary
	config string // file
	env    []string
	proxy  *postgrestest.Proxy
	*harness.Process

	mu           sync.Mutex
	acknowledged []harness.Line // jobs that completed, as its log says
	gaveUp       []harness.Line // jobs that failed for certain
	refused      int            // jobs that were refused since another replica had taken the provider over
	full         int            // lines that speak of a full disk
	lines        []string       // the newest of its log that are not of completed jobs
	faults       []string       // lines that no fault explains

	searches
}

// start runs a process, and returns when it serves.
func (r *replica) start(ctx context.Context) error {
	if err := r.launch(ctx); err != nil {
		return err
	}
	return r.serve(ctx)
}

// launch runs a process.
func (r *replica) launch(ctx context.Context) error {
	// It is told to stop once, by stop.
	cmd := harness.Command(context.WithoutCancel(ctx), r.fever, "serve", "--config", r.config)
	cmd.Env = append(os.Environ(), r.env...)
	var err error
	r.Process, err = harness.Start(cmd, r.follow)
	return err
}

// serve waits until the process serves, and has searches ask it from then on.
func (r *replica) serve(ctx context.Context) error {
	if err := r.Serve(ctx); err != nil {
		return fmt.Errorf("%s: %w", r.name, err)
	}
	r.ask(r.Address)
	return nil
}

// configure writes the configuration. Failures do not stretch the intervals, so that there are
// many jobs.
func (r *replica) configure(dir, db string) error {
	b := fmt.Appendf(nil, "db: %q\nlisten: 127.0.0.1:0\nops-listen: 127.0.0.1:0\nlog-format: json\nready-after: load\nkeep-jobs: %d\nproviders:\n", db, keepJobs)
	for p := range providers {
		b = fmt.Appendf(b, "- {name: %s, url: 'http://%s/%[1]s', every: 1s, max-interval: 1s, timeout: 60s}\n", providerName(p), feedsHost)
	}
	r.config = filepath.Join(dir, r.name+".yaml")
	return os.WriteFile(r.config, b, 0o600)
}

// follow reads a line of the log.
func (r *replica) follow(line harness.Line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if line.Msg == "job failed" && !strings.Contains(line.Error, "perhaps not for good") {
		r.gaveUp = append(r.gaveUp, line)
	}
	switch {
	case line.Msg == "job completed":
		r.acknowledged = append(r.acknowledged, line)
		return
	case line.Msg == "" && !strings.HasPrefix(line.Text, "fever: "), strings.Contains(line.Msg, "panic"), line.Kind == "internal":
		r.faults = append(r.faults, line.Text)
	case strings.Contains(line.Text, "another job's now"):
		r.refused++
	case strings.Contains(line.Text, "No space left on device"):
		r.full++
	}
	const most = 15
	r.lines = append(r.lines, line.Text)
	r.lines = r.lines[max(0, len(r.lines)-most):]
}

// said returns the jobs that the log called completed, and those that it called failed.
func (r *replica) said() (completed, failed []harness.Line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.acknowledged), slices.Clone(r.gaveUp)
}

// fenced returns how many jobs were refused since another replica had taken the provider over.
func (r *replica) fenced() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refused
}

// starved returns how many lines of the log speak of a full disk.
func (r *replica) starved() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.full
}

// wrong returns what is wrong in the log.
func (r *replica) wrong() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.faults) > 0 {
		return fmt.Errorf("%s said: %s", r.name, strings.Join(r.faults, "\n"))
	}
	return nil
}

// kill ends the process with SIGKILL. Its searches end before.
func (r *replica) kill() {
	r.ask("")
	r.Kill()
}

// terminate ends the process as an administrator would.
func (r *replica) terminate() error {
	r.ask("")
	err := r.Stop()
	if err == nil && r.State() != "exit status 0" {
		err = r.End
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", r.name, err)
	}
	return err
}

// pause stops the process without its notice, and returns a function that has it go on.
// Nobody searches there meanwhile.
func (r *replica) pause() (resume func() error, err error) {
	address := r.ask("")
	if err := syscall.Kill(r.PID, syscall.SIGSTOP); err != nil {
		return nil, err
	}
	return sync.OnceValue(func() error {
		err := syscall.Kill(r.PID, syscall.SIGCONT)
		r.ask(address)
		return err
	}), nil
}
