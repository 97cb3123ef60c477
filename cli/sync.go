package cli

import (
	"cmp"
	"context"
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
	collecting
	logging
	once bool
}

func newSync() *cobra.Command {
	var s syncing
	cmd := &cobra.Command{
		Use:   "sync [--once [file...]]",
		Short: "Collect without serving: on schedule, or once",
		Long: `Sync fetches the provider's feed and keeps what is new. With --once it does so one
time and prints what came of it. Files given as arguments (- is standard input) are
taken, in order, as the provider's snapshots instead.

It exits with 1 when any snapshot failed; the others are kept all the same.`,
		Example: `  fever sync --once
  fever sync --once monday.xml tuesday.xml
  curl -s https://example.com/feed.xml | fever sync --once -
  fever sync --every 5m                    # until it is stopped`,
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
			p, err := s.provider()
			if err != nil {
				return err
			}
			log, err := s.logger(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return s.run(cmd.Context(), p, files, cmd.InOrStdin(), cmd.OutOrStdout(), log)
		},
	}
	flags := cmd.Flags()
	s.collecting.register(flags)
	s.logging.register(flags)
	flags.BoolVar(&s.once, "once", false, "collect one time and print the outcome")
	return cmd
}

func (s *syncing) run(ctx context.Context, p *provider.Provider, files []string, in io.Reader, out io.Writer, log *slog.Logger) (err error) {
	st, err := store.Open(s.db)
	if err != nil {
		return err
	}
	defer func() {
		if e := st.Close(); err == nil {
			err = e
		}
	}()
	c := s.collector(p, st, log)
	if !s.once {
		log.Info("collecting", "provider", p.Name, "every", s.every, "db", s.db)
		c.Run(ctx, s.every)
		log.Info("stopped")
		return nil
	}

	c.Log = slog.New(slog.DiscardHandler) // the outcome is printed instead
	if len(files) == 0 {
		return once(ctx, c, p.Name, out)
	}
	var failed error
	for _, name := range files {
		c.Fetch = func(ctx context.Context) (*provider.Feed, error) { return readFile(ctx, p, name, in) }
		label := name
		if name == "-" {
			label = "standard input"
		}
		if err := once(ctx, c, label, out); err != nil {
			failed = err
		}
	}
	return failed
}

// once runs one job and prints its outcome. The error is errReported when it failed.
func once(ctx context.Context, c *ingest.Collector, label string, out io.Writer) error {
	o := c.Once(ctx, ingest.Manual)
	if err := printOutcome(out, label, &o); err != nil {
		return err
	}
	if o.Err != nil {
		return errReported
	}
	return nil
}

// readFile reads one snapshot of p from a file, or from in when the name is "-".
func readFile(ctx context.Context, p *provider.Provider, name string, in io.Reader) (*provider.Feed, error) {
	if name == "-" {
		return p.Read(ctx, in)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, &provider.Error{Provider: p.Name, Kind: provider.KindConnection, Doing: "read a document", Err: err}
	}
	defer func() { _ = f.Close() }() // only read from
	return p.Read(ctx, f)
}

// printOutcome tells people what a job did.
func printOutcome(w io.Writer, label string, o *ingest.Outcome) error {
	took := o.Finished.Sub(o.Started).Round(100 * time.Microsecond)
	if o.Err != nil {
		_, err := fmt.Fprintf(w, "%s: failed after %v: %s: %v\n", label, took, o.Kind(), o.Err)
		return err
	}
	_, err := fmt.Fprintf(w, "%s: completed in %v: %d seen: %d new, %d changed, %d unchanged, %d not online, %d rejected; %d gone\n",
		label, took, o.Seen, o.New, o.Changed, o.Unchanged, o.Ignored, o.Rejected, o.Gone)
	for _, r := range o.Rejections {
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "  rejected: line %d, event %s/%s: %s\n", r.Line, cmp.Or(r.BaseID, "?"), cmp.Or(r.EventID, "?"), r.Reason)
	}
	if more := o.Rejected - len(o.Rejections); more > 0 && err == nil {
		_, err = fmt.Fprintf(w, "  and %d more rejected\n", more)
	}
	return err
}
