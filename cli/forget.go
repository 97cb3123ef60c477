package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"fever/config"
	"fever/event"
	"fever/ops/control"
	"fever/store"
	"fever/store/bolt"
)

// editFlags holds the common settings of fever forget and fever rename.
type editFlags struct {
	config.DataFile
	dryRun bool
}

func (e *editFlags) register(flags *pflag.FlagSet) {
	e.Register(flags)
	e.RegisterTimeZone(flags)
	flags.BoolVar(&e.dryRun, "dry-run", false, "print what would be done, and change nothing")
}

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
conditional requests, and the outcomes of its jobs. With --gone-before it removes only
events that are not in the provider's latest snapshot and ended before that time. A
date is the beginning of that day in the provider's time zone: that of the server's
settings, of --config or of --timezone, or else of the latest snapshot.

The removal is recorded among the outcomes: see fever dump --jobs. Only a backup brings
back what was removed, so try --dry-run first. If fever still collects from the
provider, the next job stores what it sells again, as new.

While fever serve holds the data file, it does the work, and searches no longer find the
events when this returns. If a job of the provider is running, this waits for its end.`,
		Example: `  fever forget --provider feverupp --dry-run
  fever forget --provider feverupp
  fever forget --provider feverup --gone-before 2020-01-01`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := useFile(cmd, &f.DataFile); err != nil {
				return err
			}
			return f.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	f.register(flags)
	flags.StringVar(&f.provider, "provider", "", "the `name` of the provider (required)")
	flags.StringVar(&f.goneBefore, "gone-before", "", "only events that are gone and ended before this `time`: a date or RFC 3339")
	return cmd
}

func (f *forgetCommand) run(ctx context.Context, out io.Writer) error {
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
	done, err := edit(ctx, &f.editFlags, what, (*bolt.Store).Forget, (*control.Client).Forget)
	if err != nil {
		return err
	}
	return f.print(out, &done)
}

func (f *forgetCommand) print(out io.Writer, done *store.Forgotten) error {
	p := &printer{w: out}
	verb := "forgot"
	if f.dryRun {
		verb = "would forget"
	}
	p.printf("%s: %s %s", f.provider, verb, selected(&done.Selection))
	if f.goneBefore != "" {
		p.printf(" that had left the feed and ended before %s\n", f.goneBefore)
	} else {
		p.printf(", and %s\n", plural(done.Jobs, "outcome of a job", "outcomes of jobs"))
	}
	p.first(&done.Selection)
	p.end(f.dryRun, &done.Record)
	if f.goneBefore == "" && !f.dryRun {
		p.printf("If fever still collects from %s, what it sells now comes again with the next job.\n", f.provider)
	}
	return p.err
}

// edit changes what is stored: here, or there, in the fever serve that holds the data file.
func edit[What, Done any](ctx context.Context, e *editFlags, what What,
	here func(*bolt.Store, context.Context, What) (Done, error), there func(*control.Client, context.Context, What) (Done, error),
) (done Done, err error) {
	st, client, err := openOrReach(ctx, e.DB, func() (*bolt.Store, error) { return openToEdit(e.DB, e.dryRun) })
	switch {
	case err != nil:
		return done, noFile(err)
	case st != nil:
		defer closing(st, &err)
		st.Zones = e.Locations
		return here(st, ctx, what)
	}
	done, err = there(client, ctx, what)
	if errors.Is(err, control.ErrBroken) {
		err = fmt.Errorf("%w; fever dump --jobs says whether it was done", err)
	}
	return done, err
}

// openToEdit opens an existing data file. It keeps all outcomes of jobs, since --keep-jobs is
// a setting of other commands.
func openToEdit(db string, dryRun bool) (*bolt.Store, error) {
	st, err := bolt.OpenReadOnly(db)
	if err != nil || dryRun {
		return st, err
	}
	if err := st.Close(); err != nil {
		return nil, err
	}
	return bolt.Open(db, math.MaxInt)
}

// A printer writes lines, and keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

// first prints the first of the events.
func (p *printer) first(sel *store.Selection) {
	for _, r := range sel.First {
		p.printf("  %-19s  %s  (%s/%s)\n", r.Start, cell(r.Title, 60), r.BaseID, r.EventID)
	}
	if more := sel.Events - len(sel.First); more > 0 {
		p.printf("  and %d more, to the one that ends %s\n", more, sel.To.Format(time.RFC3339))
	}
}

// end prints whether something was changed.
func (p *printer) end(dryRun bool, record *store.Job) {
	switch {
	case dryRun:
		p.printf("Nothing was changed: leave out --dry-run to do it.\n")
	case record.ID == 0:
		p.printf("Nothing was changed.\n")
	default:
		p.printf("It is recorded as job %d.\n", record.ID)
	}
}

// selected returns how many events there are, and how many of them are current.
func selected(sel *store.Selection) string {
	text := plural(sel.Events, "event", "events")
	if sel.Current > 0 {
		text += fmt.Sprintf(", %d of them in the latest snapshot", sel.Current)
	}
	return text
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
