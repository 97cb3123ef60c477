package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"fever/config"
	"fever/replay"
	"fever/store"
	"fever/store/bolt"
)

// replayCommand holds the settings of fever replay.
type replayCommand struct {
	replaying
	into    string
	until   string
	names   []string
	dryRun  bool
	compare bool
}

func newReplay() *cobra.Command {
	var r replayCommand
	cmd := &cobra.Command{
		Use:   "replay --into place",
		Short: "Rebuild what is stored from the documents in the archive",
		Long: `Replay makes a new data file, or fills an empty database, from the documents in the
archive. It runs the jobs again that got them, as of then, with the settings and the
decoders of now. So it is the remedy after a wrong time zone or a mended mapping: the new
file is what fever would have stored. With the same settings it has what --db has, but
for the history that --history does not keep. The next fever serve with the new file
keeps as many outcomes of jobs as --keep-jobs says.

It changes neither the archive nor what is stored at --db, and a fever serve may run
meanwhile. To use the new file, stop fever serve and name the file with --db.

What the archive cannot tell comes from --db: events that were gone before the first
document in the archive, when others were first seen, what missing documents told of
them, the outcomes of jobs, and all of the providers that are not replayed. With
--until, or if there is nothing at --db, the new file has what the archive tells, and
nothing else. Then there is nothing to compare it with. What fever forget has removed
stays removed, but with --until a time before a fever forget --gone-before: what that
removed was there then.

Replay prints what it did for each provider, and how many events differ from --db. With
--dry-run it lists them instead of writing anything. It exits with 1 if a job that
completed then fails now, or its documents are not in the archive. With --compare it
does so, too, if anything differs.

` + configHelp,
		Example: `  fever replay --timezone Europe/Madrid --dry-run
  fever replay --timezone Europe/Madrid --into mended.db
  fever replay --config fever.yaml --provider feverup --into mended.db
  fever replay --config fever.yaml --until 2026-11-27T00:00:00Z --into then.db
  fever replay --config fever.yaml --compare          # has a change of a mapping any effect?`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := r.complete(cmd); err != nil {
				return err
			}
			return r.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	r.register(flags, "print what would differ as JSON")
	flags.StringVar(&r.into, "into", "", "the new data `file`, or the URL of an empty PostgreSQL database")
	flags.StringArrayVar(&r.names, "provider", nil, "only the provider with this `name`; may be repeated")
	flags.StringVar(&r.until, "until", "", "only jobs that began before this RFC 3339 `time`")
	flags.BoolVar(&r.dryRun, "dry-run", false, "list what would differ from --db, and write nothing")
	flags.BoolVar(&r.compare, "compare", false, "--dry-run that exits with 1 if anything differs")
	return cmd
}

// A replaying holds the common settings of fever replay and fever diff. They change neither what is
// stored nor the archive.
type replaying struct {
	config.Config
	asJSON bool
}

// register adds the flags. Help says what is printed as JSON.
func (r *replaying) register(flags *pflag.FlagSet, help string) {
	r.Register(flags)
	flags.Lookup("db").Usage = "the data `file`, or the URL of a PostgreSQL database (postgres://...); nothing is written there"
	flags.BoolVar(&r.asJSON, "json", false, help)
}

func (r *replaying) complete(cmd *cobra.Command) error {
	if err := r.Complete(cmd.Flags()); err != nil {
		return &usageError{err}
	}
	logUnknownVariables(cmd, newLog(&r.Config, cmd.ErrOrStderr()), r.Variables)
	return nil
}

var errNoArchive = usagef("there is no archive: say with --archive where it is")

// check returns an error unless the flags make sense together.
func (r *replayCommand) check() error {
	r.dryRun = r.dryRun || r.compare
	switch {
	case r.dryRun && r.into != "":
		return usagef("--into is where something is written: leave out --dry-run and --compare, or it")
	case !r.dryRun && r.into == "":
		return usagef("--into is missing: say where the new data file is to be, or add --dry-run")
	case r.compare && r.until != "":
		return usagef("--compare is with what is stored now: leave out --until, or say --dry-run")
	case r.asJSON && !r.dryRun:
		return usagef("--json is for --dry-run and --compare")
	case r.Archive.At == "":
		return errNoArchive
	case config.Place(r.into) == r.DB:
		return usagef("--into is what --db says: name another place")
	}
	return nil
}

func (r *replayCommand) run(ctx context.Context, out, errOut io.Writer) (err error) {
	if err := r.check(); err != nil {
		return err
	}
	var until time.Time
	if r.until != "" {
		if until, err = time.Parse(time.RFC3339, r.until); err != nil {
			return usagef("--until: %.40q is no time like 2026-11-27T21:00:00Z", r.until)
		}
	}
	names, err := choose(namesOf(r.Providers), r.names, nil)
	if err != nil {
		return err
	}
	place, done, err := archiveAt(ctx, &r.Archive)
	if err != nil {
		return &usageError{err}
	}
	defer done()
	kept, err := archived(ctx, place)
	if err != nil {
		return err
	}
	if !r.dryRun { // now, and not after the work
		if err := r.write(ctx, nil); err != nil {
			return err
		}
	}
	folder, err := os.MkdirTemp("", "fever-replay-")
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, os.RemoveAll(folder)) }()
	of := replay.Range{Until: until, At: time.Now()}
	if r.until == "" {
		of.Store, err = r.copyStored(ctx, filepath.Join(folder, "stored.db"), errOut)
		if err != nil {
			return err
		}
		switch {
		case of.Store != nil:
			defer closing(of.Store, &err)
		case r.compare:
			return fmt.Errorf("there is nothing at %s to compare with", r.DB)
		}
	}
	made, err := bolt.Open(filepath.Join(folder, "replayed.db"), r.KeepJobs)
	if err != nil {
		return err
	}
	defer closing(made, &err)
	made.History = r.History
	p := &printer{w: out}
	if r.asJSON {
		p.w = errOut
	}
	m := replay.Merge{
		Stored: of.Store, Replayed: made, Since: of.At.Add(-r.History), Results: make(map[string]replay.Result),
	}
	g := newIngester(&r.Config, made, slog.New(slog.DiscardHandler), collected(&r.Config))
	var failed error
	replayed := 0 // jobs
	for _, name := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(kept, names)))) {
		switch {
		case !slices.Contains(names, name):
			if len(r.names) == 0 {
				p.printf("%s: not replayed: it is not in the settings\n", name)
			}
			continue
		case !slices.Contains(kept, name):
			p.printf("%s: not replayed: the archive has no document of it\n", name)
			continue
		}
		result, err := replay.Provider(ctx, g, place, name, of)
		if err != nil {
			return fmt.Errorf("replay %s: %w", name, err)
		}
		m.Results[name] = result
		replayed += result.Committed
		if p.result(name, &result); len(result.Wrong) > 0 {
			failed = errReported
		}
	}
	if replayed == 0 && len(m.Results) >= min(len(kept), 1) { // and some provider is in the settings
		if err := r.missing(ctx, of.Store); err != nil {
			return cmp.Or(p.err, err)
		}
	}
	all := differences{all: m.Differences(ctx)}
	if err := r.list(out, &all); err != nil {
		return err
	}
	if m.Kept > 0 {
		p.printf("%s as stored: no document in the archive tells of %s\n", count(m.Kept, "event stays", "events stay"), english.PluralWord(m.Kept, "it", "them"))
	}
	if m.Later > 0 {
		p.printf("%s as stored: documents that are missing were the last to change %s\n", count(m.Later, "event stays", "events stay"), english.PluralWord(m.Later, "it", "them"))
	}
	switch {
	case of.Store != nil:
		p.printf("compared with %s: %s\n", r.DB, &all)
	case r.until != "":
		p.printf("compared with nothing, as of --until: %s\n", &all)
	default:
		p.printf("compared with nothing, since nothing is at %s: %s\n", r.DB, &all)
	}
	if r.dryRun {
		if r.compare && all.any > 0 {
			failed = errReported
		}
		return cmp.Or(p.err, failed)
	}
	if err := r.write(ctx, m.Parts(ctx, all.any > 0)); err != nil {
		return err
	}
	p.printf("%s: written, and checked\n", config.Place(r.into))
	return cmp.Or(p.err, failed)
}

// write fills the new data file, or the empty database. Without parts it finds out whether it can.
func (r *replayCommand) write(ctx context.Context, parts iter.Seq2[store.Part, error]) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("replay into %s: %w", config.Place(r.into), err)
		}
	}()
	if into := config.Place(r.into); into.Database() {
		var st store.Store
		if st, err = openStore(ctx, into, 1, 0); err != nil {
			return err
		}
		defer closing(st, &err)
		if err := isEmpty(ctx, st); err != nil || parts == nil {
			return err
		}
		return st.Fill(ctx, parts)
	}
	file := newFile{path: r.into, of: r.DB}
	if parts == nil {
		return file.try()
	}
	_, err = file.write(ctx, func(f *os.File) error { return fillFile(ctx, f.Name(), parts) })
	return err
}

// missing returns an error if no job was replayed, unless that is right: all was forgotten.
func (r *replayCommand) missing(ctx context.Context, stored store.Store) error {
	if stored != nil {
		known, _, err := stored.Locations(ctx)
		if err != nil || len(known) == 0 {
			return err
		}
	}
	return fmt.Errorf("nothing was replayed: the archive in %s has no job that completed, of these providers and in that time", r.Archive.At)
}

// list prints the differences in a dry run, and otherwise counts them.
func (r *replayCommand) list(out io.Writer, all *differences) error {
	if !r.dryRun {
		for _, err := range all.yield {
			if err != nil {
				return err
			}
		}
		return nil
	}
	form := "table"
	if r.asJSON {
		form = "json"
	}
	buffered := bufio.NewWriterSize(out, 64<<10)
	if err := differenceForms.write(buffered, form, all.yield); err != nil {
		return err
	}
	return buffered.Flush()
}

// result prints what came of the jobs of a provider.
func (p *printer) result(name string, r *replay.Result) {
	p.printf("%s: %s", name, count(r.Committed, "job replayed", "jobs replayed"))
	if r.Committed > 0 {
		p.printf(", which began from %s to %s", r.From.UTC().Format(time.RFC3339), r.To.UTC().Format(time.RFC3339))
	} else {
		p.printf(", so nothing of it changes")
	}
	p.printf("; %d failed as they did then, %d not run\n", r.Failed, r.Left)
	for _, err := range r.Wrong {
		p.printf("  %s\n", cell(err.Error(), 1000))
	}
	if r.More > 0 {
		p.printf("  and %s\n", count(r.More, "more like that", "more like these"))
	}
}

// copyStored copies what is stored at --db, as it is now, and opens the copy. It returns nil if there is
// nothing.
func (r *replayCommand) copyStored(ctx context.Context, path string, errOut io.Writer) (store.Store, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	b := backupCommand{DataFile: config.DataFile{DB: r.DB}}
	err = b.write(ctx, f, errOut)
	err = cmp.Or(err, f.Close())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read what is stored: %w", err)
	}
	return opened(bolt.OpenReadOnly(path))
}
