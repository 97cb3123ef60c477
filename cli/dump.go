package cli

import (
	"bufio"
	"context"
	"io"
	"iter"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"fever/config"
	"fever/event"
	"fever/explain"
	"fever/ops/control"
	"fever/store"
)

// dumpCommand holds the settings of fever dump.
type dumpCommand struct {
	config.DataFile
	jobs     bool
	history  string
	form     form
	provider string
	startsAt string
	endsAt   string
	limit    int
}

func newDump() *cobra.Command {
	var d dumpCommand
	cmd := &cobra.Command{
		Use:   "dump",
		Short: "Print what is stored",
		Long: `Dump prints the stored events in the order of a search: by start, end and id. With
--jobs it prints the outcomes of the jobs instead, the newest first. The form is a
table for people, json (one array), ndjson (one a line, between a first and a last line
of its own) or csv. The json forms of a job list the rejected rows of its feed.

With --history it prints what one event is and was, as far as it is kept (see --history
of fever serve): the newest change first, since when each counts, and which job brought
it. The table says what changed, and of the oldest version what it was. The other forms
have each version as it was.

Of a database, times count in the time zones of the latest snapshots.

While fever serve holds the data file, it is asked for the events, and times count in
the time zones of its settings, as in a search. Otherwise they count in those of
--config or --timezone, or else in that of the latest snapshot. The times of an event
with a time zone of its own count there: its name is beside them. When the clocks go
back, they show some times twice; the second has [fold=1] behind it. A plus behind the
number of tickets says that there are more, and that the provider does not say how many.`,
		Example: `  fever dump
  fever dump --starts-at 2021-02-01T00:00:00Z --ends-at 2022-07-03T00:00:00Z
  fever dump --format ndjson | jq -r 'select(.current) | .title'
  fever dump --format csv --limit 1000 > events.csv
  fever dump --history feverup/291/291
  fever dump --jobs --limit 20
  fever dump --jobs --provider feverup --format ndjson | jq 'select(.state == "failed") | .kind'`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := useFile(cmd, &d.DataFile); err != nil {
				return err
			}
			return d.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	d.register(cmd.Flags())
	return cmd
}

func (d *dumpCommand) register(flags *pflag.FlagSet) {
	d.Register(flags)
	d.RegisterTimeZone(flags)
	flags.BoolVar(&d.jobs, "jobs", false, "print the outcomes of jobs instead of events")
	flags.StringVar(&d.history, "history", "", "print the versions of one `event` instead: its public id, or provider/base id/event id")
	d.form.register(flags, "`form`: table, json, ndjson or csv (default table on a terminal, else ndjson)")
	flags.StringVar(&d.provider, "provider", "", "only events or jobs of the provider with this `name`")
	flags.StringVar(&d.startsAt, "starts-at", "", "only events that start at this RFC 3339 `time` or later")
	flags.StringVar(&d.endsAt, "ends-at", "", "only events that end at this RFC 3339 `time` or earlier")
	flags.IntVar(&d.limit, "limit", 0, "at most this `number` of events, jobs or versions (0: all)")
}

func (d *dumpCommand) run(ctx context.Context, out, errOut io.Writer) (err error) {
	filter, err := d.filter()
	if err != nil {
		return err
	}
	usual := "ndjson"
	if isTerminal(out) {
		usual = "table"
	}
	form, err := d.form.choose(usual, "table", "json", "ndjson", "csv")
	if err != nil {
		return err
	}
	var events iter.Seq2[event.Record, error]
	var jobs iter.Seq2[store.Job, error]
	var versions iter.Seq2[store.Version, error]
	newest := store.JobFilter{Provider: d.provider, Limit: d.limit}
	st, client, err := readOrReach(ctx, d.DB)
	switch {
	case err != nil:
		return err
	case st != nil:
		defer closing(st, &err)
		if err := inZones(ctx, st, &d.DataFile); err != nil {
			return err
		}
		events, jobs, versions = st.Records(ctx, filter), st.Jobs(ctx, newest), explain.Versions(ctx, st, d.history)
	default:
		asked := control.Events{Provider: d.provider, StartsAt: d.startsAt, EndsAt: d.endsAt, Limit: d.limit}
		events, jobs, versions = client.Records(ctx, asked), client.Jobs(ctx, newest), client.Versions(ctx, d.history)
	}
	buffered := bufio.NewWriterSize(out, 64<<10)
	switch {
	case d.jobs:
		err = jobForms.write(buffered, form, jobs)
	case d.history != "":
		err = historyForms.write(buffered, form, withBefore(versions, d.limit))
	default:
		if !isTerminal(out) {
			var stop func()
			events, stop = showCount(ctx, errOut, events)
			defer stop()
		}
		err = eventForms.write(buffered, form, withIDs(events))
	}
	if err != nil {
		return err
	}
	return buffered.Flush()
}

func (d *dumpCommand) filter() (store.Filter, error) {
	f := store.Filter{Provider: d.provider, Window: event.Always, Limit: d.limit}
	if d.limit < 0 {
		return f, usagef("--limit must not be negative")
	}
	if d.provider != "" && event.ValidProvider(d.provider) != nil {
		return f, usagef("--provider: %w", event.ValidProvider(d.provider))
	}
	if d.history != "" && (d.jobs || d.provider != "" || d.startsAt != "" || d.endsAt != "") {
		return f, usagef("--history is about one event: leave out --jobs, --provider, --starts-at and --ends-at")
	}
	if d.jobs && (d.startsAt != "" || d.endsAt != "") {
		return f, usagef("--starts-at and --ends-at are about events: leave them out with --jobs")
	}
	var from, to event.Instant
	if d.startsAt != "" {
		at, err := event.ParseInstant(d.startsAt)
		if err != nil {
			return f, usagef("--starts-at %q: %w; write it like 2021-06-30T21:00:00Z", d.startsAt, err)
		}
		from, f.Window.From = at, at.Ceil()
	}
	if d.endsAt != "" {
		at, err := event.ParseInstant(d.endsAt)
		if err != nil {
			return f, usagef("--ends-at %q: %w; write it like 2021-06-30T22:00:00Z", d.endsAt, err)
		}
		to, f.Window.To = at, at.Floor()
	}
	if d.startsAt != "" && d.endsAt != "" && from.Compare(to) > 0 {
		return f, usagef("--starts-at %s is after --ends-at %s", d.startsAt, d.endsAt)
	}
	return f, nil
}

// manyEvents is the least number of events of which a dump shows its progress.
const manyEvents = 10_000

// showCount returns the same events, and shows on w how many have passed if they are many.
func showCount(ctx context.Context, w io.Writer, events iter.Seq2[event.Record, error]) (counted iter.Seq2[event.Record, error], stop func()) {
	var n atomic.Int64
	began := time.Now()
	m := showProgress(ctx, w, nil, func(_ context.Context, now time.Time, s screen) []string {
		if n.Load() < manyEvents {
			return nil
		}
		return []string{eventLine(n.Load(), now.Sub(began), s)}
	})
	return func(yield func(event.Record, error) bool) {
		for r, err := range events {
			n.Add(1)
			if !yield(r, err) {
				return
			}
		}
	}, m.stop
}
