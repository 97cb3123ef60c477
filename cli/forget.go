package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"fever/archive"
	"fever/event"
	"fever/ingest"
	"fever/ops/control"
	"fever/store"
)

// forgetCommand holds the settings of fever forget.
type forgetCommand struct {
	editFlags
	provider   string
	goneBefore string
}

func newForget() *cobra.Command {
	var f forgetCommand
	cmd := &cobra.Command{
		Use:   "forget",
		Short: "Remove what is stored of a provider",
		Long: `Forget removes all that is stored of a provider: its events, its validators for
conditional requests, the outcomes of its jobs, and its documents in the archive. With
--gone-before it removes only events that are not in the provider's latest snapshot and
ended before that time, and no documents. A
date is the beginning of that day in the provider's time zone: that of the server's
settings, of --config or of --timezone, or else of the latest snapshot.

Without --archive and --config it finds only the archive beside --db.

The removal is recorded among the outcomes: see fever dump --jobs. Only a backup brings
back what was removed, so try --dry-run first. If fever still collects from the
provider, the next job stores what it sells again, as new.

While fever serve holds the data file, it does the work, and searches no longer find the
events when this returns. If a job of the provider is running, this waits for its end.`,
		Example: `  fever forget --provider feverupp --dry-run
  fever forget --provider feverupp
  fever forget --provider feverup --gone-before 2020-01-01`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := useFile(cmd, &f.DataFile); err != nil {
				return err
			}
			return f.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	f.register(flags)
	flags.StringVar(&f.provider, "provider", "", "the `name` of the provider (required)")
	flags.StringVar(&f.goneBefore, "gone-before", "", "only events that are gone and ended before this `time`: a date or RFC 3339")
	return cmd
}

func (f *forgetCommand) run(ctx context.Context, out, errOut io.Writer) error {
	if f.provider == "" {
		return usagef("--provider is missing: say whose events are to be forgotten")
	}
	if err := event.ValidProvider(f.provider); err != nil {
		return usagef("--provider: %w", err)
	}
	what := store.Forgetting{Provider: f.provider, DryRun: f.dryRun}
	if f.goneBefore != "" {
		var err error
		if what.GoneBefore, err = store.ParseCutoff(f.goneBefore); err != nil {
			return usagef("--gone-before: %w", err)
		}
	}
	documents := func(a *archive.Archive) error {
		a.Failed = func(err error) {
			_, _ = fmt.Fprintf(errOut, "fever: the archive has a fault, and the forgetting is noted all the same: %v\n", err) // nobody needs it
		}
		return ingest.ForgetDocuments(ctx, a, what)
	}
	forget := edit[store.Forgetting, store.Forgotten]{
		editFlags: &f.editFlags, what: what, here: store.Store.Forget, there: (*control.Client).Forget,
		provider: what.Provider, documents: documents, again: what.GoneBefore.IsZero(),
	}
	done, err := forget.do(ctx)
	if err != nil {
		return err
	}
	p := &printer{w: out}
	verb := "forgot"
	if f.dryRun {
		verb = "would forget"
	}
	p.printf("%s: %s %s", f.provider, verb, selected(&done.Selection))
	if f.goneBefore != "" {
		p.printf(" that had left the feed and ended before %s\n", f.goneBefore)
	} else {
		p.printf(", and %s\n", count(done.Jobs, "outcome of a job", "outcomes of jobs"))
	}
	p.first(&done.Selection)
	p.end(f.dryRun, &done.Record)
	if f.goneBefore == "" && !f.dryRun {
		p.printf("If fever still collects from %s, what it sells now comes again with the next job.\n", f.provider)
	}
	p.elsewhere(&f.editFlags)
	return p.err
}
