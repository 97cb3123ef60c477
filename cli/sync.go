package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"fever/ingest"
	"fever/provider"
	"fever/store"
)

// syncing holds the settings of fever sync.
type syncing struct {
	config
	once  bool
	names []string
}

func newSync() *cobra.Command {
	var s syncing
	cmd := &cobra.Command{
		Use:   "sync [--once [file...]]",
		Short: "Collect without serving: on schedule, or once",
		Long: `Sync fetches the providers' feeds and keeps what is new. With --once it does so one
time and prints what came of it. Files given as arguments (- is standard input) are
taken, in order, as snapshots of the one provider instead.

It exits with 1 when any snapshot failed; the others are kept all the same.

` + configHelp,
		Example: `  fever sync --once
  fever sync --once monday.xml tuesday.xml
  curl -s https://example.com/feed.xml | fever sync --once -
  fever sync --every 5m                    # until it is stopped
  fever sync --config fever.yaml --once --provider feverup --provider other`,
		Args: func(_ *cobra.Command, files []string) error {
			stdin := 0
			for _, name := range files {
				if name == "-" {
					stdin++
				}
			}
			if stdin > 1 {
				return usagef("standard input (-) can be read only once")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, files []string) error {
			if len(files) > 0 && !s.once {
				return usagef("files are snapshots to take once: add --once")
			}
			if err := s.complete(cmd.Flags()); err != nil {
				return err
			}
			if err := s.choose(s.names); err != nil {
				return err
			}
			if len(files) > 0 && len(s.providers) > 1 {
				return usagef("files are snapshots of one provider: say with --provider of which")
			}
			return s.run(cmd.Context(), files, cmd.InOrStdin(), cmd.OutOrStdout(), s.logger(cmd.ErrOrStderr()))
		},
	}
	flags := cmd.Flags()
	s.register(flags)
	flags.BoolVar(&s.once, "once", false, "collect one time and print the outcome")
	flags.StringArrayVar(&s.names, "provider", nil, "only the provider with this `name`; may be repeated")
	return cmd
}

func (s *syncing) run(ctx context.Context, files []string, in io.Reader, out io.Writer, log *slog.Logger) (err error) {
	st, err := store.Open(s.db, s.keepJobs)
	if err != nil {
		return err
	}
	defer closing(st, &err)
	interrupt(ctx, st, log)
	if !s.once {
		log.Info("collecting", "providers", len(s.providers), "db", s.db)
		ingest.New(st, nil, log, s.workers, s.collected()...).Run(ctx)
		log.Info("stopped")
		return nil
	}
	if len(files) > 0 {
		return s.takeFiles(ctx, st, files, in, out)
	}
	return s.fetchOnce(ctx, st, out)
}

// quiet is the log of jobs whose outcome is printed instead.
var quiet = slog.New(slog.DiscardHandler)

// fetchOnce runs one job of every provider, and prints their outcomes in the
// configured order, each as soon as it is its turn.
func (s *syncing) fetchOnce(ctx context.Context, st *store.Store, out io.Writer) error {
	x := ingest.New(st, nil, quiet, s.workers, s.collected()...)
	type result struct {
		job store.Job
		err error
	}
	results := make([]chan result, len(s.providers))
	for i := range s.providers {
		results[i] = make(chan result, 1)
		go func() {
			job, err := x.Once(ctx, s.providers[i].name, store.Manual)
			results[i] <- result{job, err}
		}()
	}
	var failed error
	for i := range s.providers { // all of them, whatever happens: they use the store
		r := <-results[i]
		if err := report(out, s.providers[i].name, &r.job, r.err); err != nil {
			failed = err
		}
	}
	return failed
}

// takeFiles runs one job for each file, in order.
func (s *syncing) takeFiles(ctx context.Context, st *store.Store, files []string, in io.Reader, out io.Writer) error {
	source := &s.providers[0]
	var failed error
	for _, name := range files {
		c := source.collected()
		c.Attempts = 1 // a file is the same a moment later, and standard input is gone
		c.Fetch = func(ctx context.Context, _ provider.Validators) (*provider.Feed, error) {
			return readSnapshot(ctx, source.Provider, name, in)
		}
		label := name
		if name == "-" {
			label = "standard input"
		}
		job, err := ingest.New(st, nil, quiet, 1, c).Once(ctx, source.name, store.Manual)
		if err := report(out, label, &job, err); err != nil {
			failed = err
		}
	}
	return failed
}

// report prints the outcome of a job. The error is errReported when it failed, or did
// not run for the reason err.
func report(out io.Writer, label string, job *store.Job, err error) error {
	if err != nil {
		_, e := fmt.Fprintf(out, "%s: not run: %v\n", label, err)
		return errors.Join(errReported, e)
	}
	if err := printOutcome(out, label, job); err != nil {
		return err
	}
	if job.State != store.Completed {
		return errReported
	}
	return nil
}

// readSnapshot reads one snapshot of p from a file, or from in when the name is "-".
func readSnapshot(ctx context.Context, p *provider.Provider, name string, in io.Reader) (*provider.Feed, error) {
	if name == "-" {
		return readInput(ctx, p, in)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, &provider.Error{Provider: p.Name, Kind: provider.KindConnection, Doing: "read a document", Err: err}
	}
	defer func() { _ = f.Close() }() // only read from
	return p.Read(ctx, f)
}

// readInput reads one snapshot from standard input, where nothing may ever come. A read
// that waits there cannot be ended: when ctx does, it is left to end with the process.
func readInput(ctx context.Context, p *provider.Provider, in io.Reader) (*provider.Feed, error) {
	done := make(chan struct{})
	var read *provider.Feed
	var failed error
	go func() {
		defer close(done)
		read, failed = p.Read(ctx, in)
	}()
	select {
	case <-done:
		return read, failed
	case <-ctx.Done():
		return nil, &provider.Error{Provider: p.Name, Kind: provider.KindCanceled, Doing: "read standard input", Err: ctx.Err()}
	}
}

// interrupt sees to the jobs of a process that died. A file that cannot be written
// makes jobs fail one by one, and is no reason not to start.
func interrupt(ctx context.Context, st *store.Store, log *slog.Logger) {
	n, err := st.Interrupt(ctx, time.Now())
	if err != nil {
		log.ErrorContext(ctx, "interrupted jobs were not recorded", "error", err)
	} else if n > 0 {
		log.WarnContext(ctx, "the last process ended while jobs ran", "jobs", n)
	}
}
