//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"fever/internal/harness"
)

// A fever is a process of the binary that serves.
type fever struct {
	*harness.Process
	binary string
	config string   // file
	db     string   // file
	faults []string // errors in its log; set when it has ended
}

// start runs it on the market's providers, and returns when it serves.
func start(ctx context.Context, binary, dir string, m *market) (*fever, error) {
	f := &fever{binary: binary, config: filepath.Join(dir, "fever.yaml"), db: filepath.Join(dir, "fever.db")}
	if err := os.WriteFile(f.config, f.settings(m), 0o600); err != nil {
		return nil, err
	}
	var err error
	// It is told to stop once, by stop.
	if f.Process, err = harness.Start(f.command(context.WithoutCancel(ctx), "serve"), f.follow); err != nil {
		return nil, err
	}
	if err := f.Serve(ctx); err != nil {
		return nil, errors.Join(err, f.Stop())
	}
	return f, nil
}

// settings returns the configuration. Failures do not stretch the intervals, so that there are
// many jobs. The store keeps so few outcomes that the file soon reaches its full size.
func (f *fever) settings(m *market) []byte {
	var b []byte
	b = fmt.Appendf(b, "db: %s\nlisten: 127.0.0.1:0\nops-listen: 127.0.0.1:0\nlog-format: json\nready-after: load\nkeep-jobs: 10\nproviders:\n", f.db)
	for _, s := range m.sources {
		b = fmt.Appendf(b, "- {name: %s, url: 'http://%s/events', every: %s, max-interval: %s, timeout: 2s}\n",
			s.provider, s.address, s.every, s.every)
	}
	return b
}

// command returns a command of fever with the configuration.
func (f *fever) command(ctx context.Context, args ...string) *exec.Cmd {
	return harness.Command(ctx, f.binary, append(args, "--config", f.config)...)
}

// follow looks for faults. Failures of providers are logged as warnings; an error is a fault of
// fever, and a line that is no JSON is a crash.
func (f *fever) follow(line harness.Line) {
	const most = 20
	if (line.Msg == "" || line.Level == "ERROR") && len(f.faults) < most {
		f.faults = append(f.faults, line.Text)
	}
}

// stop terminates it, and returns what was wrong.
func (f *fever) stop() error {
	if err := f.Stop(); err != nil {
		return err
	}
	var wrong error
	if f.State() != "exit status 0" {
		wrong = f.End
	}
	if len(f.faults) > 0 {
		wrong = errors.Join(wrong, fmt.Errorf("fever logged errors: %s", strings.Join(f.faults, "\n")))
	}
	if _, err := os.Lstat(f.db + ".sock"); !errors.Is(err, os.ErrNotExist) {
		wrong = errors.Join(wrong, errors.New("the control socket is left behind"))
	}
	return wrong
}

// dump reads a data file, the one in use or a copy, and counts its events.
func (f *fever) dump(ctx context.Context, db string, m *market) error {
	out, err := harness.Output(f.command(ctx, "dump", "--format", "ndjson", "--db", db))
	if err != nil {
		return err
	}
	if events := strings.Count(out, "\n") - 2; events != m.hours { // without the first and the last line, which are no events
		return fmt.Errorf("%s holds %d events, not %d", db, events, m.hours)
	}
	return nil
}
