package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fever/config"
	"fever/ingest"
	"fever/ops/control"
	"fever/provider/feed"
	"fever/store"
	"fever/store/bolt"
)

// syncing holds the settings of fever sync.
type syncing struct {
	config.Config
	once  bool
	force bool
	names []string
	given []string // flags on the command line
}

func newSync() *cobra.Command {
	var s syncing
	cmd := &cobra.Command{
		Use:   "sync [--once [file...]]",
		Short: "Collect without serving: on schedule, or once",
		Long: `Sync fetches the providers' feeds and keeps what is new. With --once it does so one
time and prints what came of it. Files given as arguments (- is standard input) are
taken, in order, as snapshots of the one provider instead.

It exits with 1 when any snapshot failed, or nothing in it could be used; the others
are kept all the same. How
far slow ones are is shown on standard error: on a terminal at once, and without
colours if NO_COLOR is set, elsewhere every 10 seconds.

While fever serve holds the data file it is asked to do the work of --once, as it is
configured, and what it took is searchable at once. While a job of the provider's
schedule runs this waits for its end. The server finishes the jobs that it has begun,
also when this command is stopped.

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
			if s.force && !s.once {
				return usagef("--force is for what is done once: add --once")
			}
			if err := s.Complete(cmd.Flags()); err != nil {
				return &usageError{err}
			}
			logStrangers(cmd, newLog(&s.Config, cmd.ErrOrStderr()), s.Variables)
			s.given = config.Given(cmd.Flags()) // the environment may be the server's own
			return s.run(cmd.Context(), files, streams{cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()})
		},
	}
	flags := cmd.Flags()
	s.Register(flags)
	flags.BoolVar(&s.once, "once", false, "collect one time and print the outcome")
	flags.BoolVar(&s.force, "force", false, "with --once: fetch and read feeds even if they have not changed, and refuse none as suspect")
	flags.StringArrayVar(&s.names, "provider", nil, "only the provider with this `name`; may be repeated")
	return cmd
}

// streams are the standard ones.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

func (s *syncing) run(ctx context.Context, files []string, std streams) (err error) {
	open := func() (*bolt.Store, error) { return bolt.Open(s.DB, s.KeepJobs) }
	var st *bolt.Store
	var holder *control.Client
	switch unknown := s.choose(files); {
	case unknown != nil && s.once: // which providers there are is for a server to say, if one holds the file
		if holder, err = reach(ctx, s.DB, unknown); err != nil {
			return unknown
		}
	case unknown != nil:
		return unknown
	case s.once:
		st, holder, err = openOrReach(ctx, s.DB, open)
	default:
		st, err = open()
	}
	if err != nil {
		return err
	}
	if holder != nil {
		return s.ask(ctx, holder, files, std)
	}
	defer closing(st, &err)
	return s.collect(ctx, st, files, std)
}

// choose leaves only the providers to collect from.
func (s *syncing) choose(files []string) error {
	names, err := choose(s.known(), s.names, files)
	if err != nil {
		return err
	}
	s.Providers = slices.DeleteFunc(s.Providers, func(p config.Provider) bool { return !slices.Contains(names, p.Name) })
	return nil
}

// known returns the names of the providers.
func (s *syncing) known() (names []string) {
	for i := range s.Providers {
		names = append(names, s.Providers[i].Name)
	}
	return names
}

// choose returns those of the known providers that are asked for, in their order: all
// of them when none is. It must be one when there are files.
func choose(known, asked, files []string) (names []string, err error) {
	for _, name := range asked {
		if !slices.Contains(known, name) {
			return nil, usagef("--provider %.40q is none of %s", name, strings.Join(known, ", "))
		}
	}
	for _, name := range known {
		if len(asked) == 0 || slices.Contains(asked, name) {
			names = append(names, name)
		}
	}
	if len(files) > 0 && len(names) > 1 {
		return nil, usagef("files are snapshots of one provider: say with --provider of which")
	}
	return names, nil
}

// collect does the work with a data file of its own.
func (s *syncing) collect(ctx context.Context, st *bolt.Store, files []string, std streams) error {
	log := newLog(&s.Config, std.err)
	interrupt(ctx, st, log)
	if s.once {
		log = quiet
	}
	g := ingest.New(st, nil, log, s.Workers, collected(&s.Config)...)
	if err := g.Load(ctx); err != nil {
		return err
	}
	if !s.once {
		log.Info("collecting", "providers", len(s.Providers), "db", s.DB)
		g.Run(ctx)
		log.Info("stopped")
		return nil
	}
	c := &own{g, s.Providers, s.force}
	return collectOnce(ctx, c, s.known(), files, std)
}

// quiet is the log of jobs whose outcome is printed instead.
var quiet = slog.New(slog.DiscardHandler)

// ask has the server do the work, with its own configuration.
func (s *syncing) ask(ctx context.Context, client *control.Client, files []string, std streams) error {
	for _, name := range s.given {
		if !slices.Contains([]string{"db", "config", "once", "force", "provider", "log-format", "log-level"}, name) {
			return usagef("--%s has no effect: the fever serve that holds %s collects as it is configured; leave the flag out, or stop that", name, s.DB)
		}
	}
	providers, err := client.Providers(ctx)
	if err != nil {
		return err
	}
	var known []string
	for i := range providers {
		known = append(known, providers[i].Name)
	}
	names, err := choose(known, s.names, files)
	if err != nil {
		return err
	}
	return collectOnce(ctx, newServer(client, s.force), names, files, std)
}

// A collector runs one job and returns its record: an ingester of our own, or a
// server. An error says why none was run.
type collector interface {
	// fetch collects from a provider.
	fetch(ctx context.Context, provider string) (store.Job, error)
	// take takes the named file as a snapshot of a provider, or in when that is "-".
	take(ctx context.Context, provider, name string, in io.Reader) (store.Job, error)
	// underWay returns how far the jobs begun by hand are, and what they wait for, labelled
	// with their provider.
	underWay(ctx context.Context) []working
}

// own is a collector in this process.
type own struct {
	*ingest.Ingester
	providers []config.Provider
	force     bool
}

func (o *own) fetch(ctx context.Context, provider string) (store.Job, error) {
	return o.RunNow(ctx, provider, store.Manual, o.force)
}

func (o *own) take(ctx context.Context, name, file string, in io.Reader) (store.Job, error) {
	i := slices.IndexFunc(o.providers, func(p config.Provider) bool { return p.Name == name })
	return o.Import(ctx, name, o.force, func(ctx context.Context, p *feed.Progress) (*feed.Document, error) {
		return readSnapshot(ctx, o.providers[i].Provider, file, in, p)
	})
}

// collectOnce runs one job of every provider or, when there are files, one of the
// first for each of them.
func collectOnce(ctx context.Context, c collector, providers, files []string, std streams) error {
	if len(files) > 0 {
		return takeFiles(ctx, c, providers[0], files, std)
	}
	return fetchOnce(ctx, c, providers, std)
}

// fetchOnce runs one job of every provider, and prints their outcomes in the
// configured order, each as soon as it is its turn.
func fetchOnce(ctx context.Context, c collector, providers []string, std streams) error {
	type result struct {
		job store.Job
		err error
	}
	results := make([]chan result, len(providers))
	for i, name := range providers {
		results[i] = make(chan result, 1)
		go func() {
			job, err := c.fetch(ctx, name)
			results[i] <- result{job, err}
		}()
	}
	out := showJobs(ctx, std, c, func(provider string) (string, bool) { return provider, slices.Contains(providers, provider) })
	defer out.stop()
	var failed error
	for i, name := range providers { // all of them, whatever happens: they use the store
		r := <-results[i]
		if err := report(out, name, &r.job, r.err); err != nil {
			failed = err
		}
	}
	return failed
}

// takeFiles runs one job for each file, in order.
func takeFiles(ctx context.Context, c collector, provider string, files []string, std streams) error {
	var failed error
	for _, name := range files {
		if err := takeFile(ctx, c, provider, name, std); err != nil {
			failed = err
		}
	}
	return failed
}

func takeFile(ctx context.Context, c collector, provider, name string, std streams) error {
	label := name
	if name == "-" {
		label = "standard input"
	}
	out := showJobs(ctx, std, c, func(of string) (string, bool) { return label, of == provider })
	defer out.stop()
	job, err := c.take(ctx, provider, name, std.in)
	return report(out, label, &job, err)
}

// report prints the outcome of a job. The error is errReported when it failed, or did
// not run for the reason err.
func report(out io.Writer, label string, job *store.Job, err error) error {
	if err != nil {
		what := "not run"
		if errors.Is(err, control.ErrBroken) {
			what = "not known to have run"
		}
		_, e := fmt.Fprintf(out, "%s: %s: %v\n", label, what, err)
		return errors.Join(errReported, e)
	}
	if err := printOutcome(out, label, job); err != nil {
		return err
	}
	if job.State != store.Completed || ingest.Suspicion(job.Suspect).Useless() {
		return errReported
	}
	return nil
}

// interrupt sees to the jobs of a process that died. A file that cannot be written
// makes jobs fail one by one, and is no reason not to start.
func interrupt(ctx context.Context, st *bolt.Store, log *slog.Logger) {
	n, err := st.Interrupt(ctx, time.Now())
	if err != nil {
		log.ErrorContext(ctx, "interrupted jobs were not recorded", "error", err)
	} else if n > 0 {
		log.WarnContext(ctx, "the last process ended while jobs ran", "jobs", n)
	}
}
