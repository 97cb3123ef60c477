package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fever/archive"
	"fever/replay"
	"fever/store"
	"fever/store/bolt"
)

// diffCommand holds the settings of fever diff.
type diffCommand struct{ replaying }

func newDiff() *cobra.Command {
	var d diffCommand
	cmd := &cobra.Command{
		Use:   "diff job [job]",
		Short: "Say what differs between two snapshots of a provider",
		Long: `Diff decodes the documents of two jobs of a provider again, from the archive and with
the settings of now, and lists the events that are new, changed or removed in the second
one. With one job the other one is the last that was completed before it in the archive.
fever dump --jobs lists the jobs.

The snapshot of a job that was refused as suspect is compared, too: so it says what that
would have changed. Of a feed of changes it compares what was known after each of the
jobs, and an event that is no longer sold is one whose value "current" has changed.
The archive has to have a whole harvest before them, from its first page on.

It reads the archive of --archive, by default that beside --db, and nothing else.

` + configHelp,
		Example: `  fever diff 1432                     # what did this job change?
  fever diff 1400 1432
  fever diff --config fever.yaml 1432 --json | jq '.[] | select(.change == "removed") | .before.title'`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var ids []uint64
			for _, arg := range args {
				id, err := strconv.ParseUint(arg, 10, 64)
				if err != nil || id == 0 {
					return usagef("%.40q is no id of a job, which is a number from 1 on: fever dump --jobs lists them", arg)
				}
				ids = append(ids, id)
			}
			if err := d.complete(cmd); err != nil {
				return err
			}
			return d.run(cmd.Context(), ids, cmd.OutOrStdout(), newLog(&d.Config, cmd.ErrOrStderr()))
		},
	}
	d.register(cmd.Flags(), "print JSON")
	return cmd
}

func (d *diffCommand) run(ctx context.Context, ids []uint64, out io.Writer, log *slog.Logger) (err error) {
	place, done, err := archiveAt(ctx, &d.Archive)
	switch {
	case err != nil:
		return &usageError{err}
	case place == nil:
		return errNoArchive
	}
	defer done()
	older, newer, err := d.find(ctx, place, ids)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "fever-diff-")
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, os.RemoveAll(folder)) }()
	before, wrongBefore, err := d.snapshot(ctx, place, filepath.Join(folder, "before.db"), &older)
	if err != nil {
		return err
	}
	defer closing(before, &err)
	after, wrongAfter, err := d.snapshot(ctx, place, filepath.Join(folder, "after.db"), &newer)
	if err != nil {
		return err
	}
	defer closing(after, &err)
	told := ""
	for _, wrong := range []error{wrongBefore, wrongAfter} {
		if wrong != nil && wrong.Error() != told {
			told = wrong.Error()
			log.Warn("a part of the archive, with other jobs, cannot be read", "error", wrong)
		}
	}
	m := replay.Merge{Stored: before, Replayed: after, Results: map[string]replay.Result{newer.Provider: {Committed: 1}}}
	all := differences{all: ofSnapshots(m.Differences(ctx))}
	buffered := bufio.NewWriterSize(out, 64<<10)
	if d.asJSON {
		err = differenceForms.write(buffered, "json", all.yield)
		return cmp.Or(err, buffered.Flush())
	}
	p := &printer{w: buffered}
	p.printf("%s: %s\n", newer.Provider, nameOf(&newer))
	if older.Job == 0 {
		p.printf("the archive has nothing that was completed before it\n")
	} else {
		p.printf("compared with %s\n", nameOf(&older))
	}
	err = cmp.Or(p.err, differenceForms.write(buffered, "table", all.yield))
	p.printf("%s\n", &all)
	return cmp.Or(err, p.err, buffered.Flush())
}

// find returns the two jobs. The older one has no id if there is none.
func (d *diffCommand) find(ctx context.Context, place archive.Place, ids []uint64) (older, newer replay.Archived, err error) {
	names, err := archived(ctx, place)
	if err != nil {
		return older, newer, err
	}
	for _, id := range ids { // both, before one is decoded
		if newer, err = replay.Find(ctx, place, names, id); errors.Is(err, replay.ErrNotArchived) {
			return older, newer, fmt.Errorf("%w; there are documents %s", err, archivedJobs(ctx, place, names))
		} else if err != nil {
			return older, newer, err
		}
	}
	if _, err := choose(namesOf(d.Providers), []string{newer.Provider}, nil); err != nil {
		return older, newer, fmt.Errorf("job %d is of %s, which is not in the settings", newer.Job, newer.Provider)
	}
	before := newer.Before
	if len(ids) == 2 {
		before = ids[0]
	}
	if before == 0 {
		return older, newer, nil
	}
	older, err = replay.Find(ctx, place, names, before)
	if err == nil && older.Provider != newer.Provider {
		err = fmt.Errorf("job %d is of %s, and job %d of %s: only jobs of one provider can be compared", older.Job, older.Provider, newer.Job, newer.Provider)
	}
	return older, newer, err
}

// listedJobs bounds the jobs of a provider that archivedJobs names.
const listedJobs = 10

// archivedJobs says which jobs have documents in an archive, for people.
func archivedJobs(ctx context.Context, place archive.Place, providers []string) string {
	var all []string
	for _, provider := range providers {
		var ids []string
		for doc, err := range archive.Newest(ctx, place, provider) {
			if id := strconv.FormatUint(doc.Job, 10); err == nil && doc.Job > 0 && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
			if len(ids) > listedJobs {
				ids[listedJobs] = "older ones"
				break
			}
		}
		if len(ids) > 0 {
			all = append(all, fmt.Sprintf("of %s from the jobs %s", provider, strings.Join(ids, ", ")))
		}
	}
	if len(all) == 0 {
		return "of none"
	}
	return strings.Join(all, "; ")
}

// snapshot returns a new store with what a job brought or, of a feed of changes, with what was known
// after it. That needs the documents of all jobs before. Wrong says what of others is damaged.
func (d *diffCommand) snapshot(ctx context.Context, place archive.Place, path string, job *replay.Archived) (_ store.Store, wrong, err error) {
	st, err := bolt.Open(path, 1)
	if err != nil {
		return nil, nil, err
	}
	if job.Job == 0 {
		return st, nil, nil
	}
	g := newIngester(&d.Config, st, slog.New(slog.DiscardHandler), collected(&d.Config))
	result, err := replay.Provider(ctx, g, place, job.Provider, replay.Range{Job: job.Job, Started: job.Started, Alone: !job.Changes})
	wrong = errors.Join(result.Wrong...)
	switch {
	case err != nil:
	case wrong != nil && (job.Changes || result.Committed == 0):
		err = wrong
	case result.UntilTheEnd:
		err = fmt.Errorf("%s cannot be compared: the archive begins within a harvest of the feed of changes, and does not tell what was known before", nameOf(job))
	case wrong == nil && result.Committed == 0:
		err = fmt.Errorf("%s has no snapshot", nameOf(job))
	}
	if err != nil {
		return nil, nil, errors.Join(err, st.Close())
	}
	return st, wrong, nil
}

// ofSnapshots leaves out what is no difference between two snapshots: since when their events are
// known, of which the earlier time counts for both, and that an event is gone that was not sold before.
func ofSnapshots(all iter.Seq2[replay.Difference, error]) iter.Seq2[replay.Difference, error] {
	return func(yield func(replay.Difference, error) bool) {
		for d, err := range all {
			if err == nil && d.After == nil && d.Before != nil && !d.Before.Current {
				continue
			}
			if err == nil && d.Before != nil && d.After != nil {
				before, after := *d.Before, *d.After
				if after.FirstSeen.Before(before.FirstSeen) {
					before.FirstSeen = after.FirstSeen
				}
				after.FirstSeen = before.FirstSeen
				if before.Current == after.Current && reflect.DeepEqual(before.Event, after.Event) {
					continue
				}
				d.Before, d.After = &before, &after
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

// nameOf names a job for people.
func nameOf(job *replay.Archived) string {
	text := fmt.Sprintf("job %d of %s", job.Job, job.Started.UTC().Format(time.RFC3339))
	if job.Failure != "" {
		text += fmt.Sprintf(", which failed (%s)", job.Failure)
	}
	return text
}
