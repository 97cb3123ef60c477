package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"fever/archive"
	"fever/event"
	"fever/ops/control"
	"fever/store"
)

// renameCommand holds the settings of fever rename.
type renameCommand struct {
	editFlags
	from, to string
}

func newRename() *cobra.Command {
	var r renameCommand
	cmd := &cobra.Command{
		Use:   "rename old new",
		Short: "Move what is stored of a provider to another name",
		Long: `Rename moves all that is stored of a provider to another name: its events, its
validators for conditional requests, the outcomes of its jobs, and its documents in the
archive. Without --archive and --config it finds only the archive beside --db.

Use it after you have changed the name of a provider in the settings: its events are
stored twice then, since their ids follow from the name. They get the ids of the new
name.

If the new name has data already, the later of the two latest snapshots counts. An event
that both names have keeps the earlier time at which it was first seen. It takes the
values of that snapshot or, if it is not in it, those that changed last. If one of the
two has a feed of changes and the other has not, nothing is done.

The move is recorded among the outcomes: see fever dump --jobs. Only a backup undoes it,
so try --dry-run first. Change the settings before: as long as fever collects from the
provider under the old name, its events will be stored twice again.

While fever serve holds the data file, it does the work, and searches find the events
under their new ids when this returns. If a job of one of the two is running, this waits
for its end.`,
		Example: `  fever rename feverupp feverup --dry-run
  fever rename feverupp feverup`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, names []string) error {
			if err := useFile(cmd, &r.DataFile); err != nil {
				return err
			}
			r.from, r.to = names[0], names[1]
			return r.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	r.register(cmd.Flags())
	return cmd
}

func (r *renameCommand) run(ctx context.Context, out io.Writer) error {
	for _, name := range []string{r.from, r.to} {
		if err := event.ValidProvider(name); err != nil {
			return usagef("%w", err)
		}
	}
	if r.from == r.to {
		return usagef("%s is to be renamed to itself", r.from)
	}
	names := store.Renaming{From: r.from, To: r.to, DryRun: r.dryRun}
	changes, err := r.haveChanges()
	if err != nil {
		return err
	}
	rename := edit[store.Renaming, store.Renamed]{
		editFlags: &r.editFlags, what: names, here: store.Store.Rename, there: (*control.Client).Rename,
		check:     func(st store.Store) error { return names.Check(ctx, st, changes) },
		provider:  r.from,
		documents: func(a *archive.Archive) error { return a.Rename(ctx, r.from, r.to) }, again: true,
	}
	done, err := rename.do(ctx)
	if err != nil {
		return err
	}
	p := &printer{w: out}
	verb := "renamed"
	if r.dryRun {
		verb = "would rename"
	}
	p.printf("%s: %s to %s: %s, and %s\n", r.from, verb, r.to, selected(&done.Selection), count(done.Jobs, "outcome of a job", "outcomes of jobs"))
	if done.Known > 0 {
		p.printf("%s has %d of the events already: %d of these get the values stored under %s\n", r.to, done.Known, done.Changed, r.from)
	}
	p.first(&done.Selection)
	if done.OldTimeZone != done.TimeZone && done.OldTimeZone != "" {
		p.printf("Their local times count in %s then, the time zone of %s, and not in %s.\n", done.TimeZone, r.to, done.OldTimeZone)
	}
	p.end(r.dryRun, &done.Record)
	if !r.dryRun {
		p.printf("The events have new ids, which follow from the name.\n")
	}
	p.elsewhere(&r.editFlags)
	return p.err
}

// haveChanges says of the providers in the file of the settings whether their feeds are feeds of changes.
func (r *renameCommand) haveChanges() (map[string]bool, error) {
	changes := make(map[string]bool)
	if r.File == "" { // the only provider may have another name
		return changes, nil
	}
	formats, err := r.Formats()
	if err != nil {
		return nil, &usageError{err}
	}
	for name, format := range formats {
		changes[name] = format.Changes
	}
	return changes, nil
}
