package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fever/config"
	"fever/ops/control"
	"fever/store"
)

// syncCommand holds the settings of fever sync.
type syncCommand struct {
	config.Config
	once  bool
	force bool
	names []string
	given []string // flags on the command line
}

func newSync() *cobra.Command {
	var s syncCommand
	cmd := &cobra.Command{
		Use:   "sync [--once [file...]]",
		Short: "Collect without serving: on schedule, or once",
		Long: `Sync fetches the providers' feeds and stores what is new. With --once it does so one
time and prints the outcomes. Files given as arguments (- is standard input) are taken
instead, in order, as snapshots of the one provider.

It exits with 1 if a snapshot failed or nothing in it could be used. The other snapshots
are stored all the same. The progress of slow jobs is shown on standard error: on a
terminal at once, without colours if NO_COLOR is set, and elsewhere every 10 seconds.

While fever serve holds the data file, it does the work of --once, with its own
settings, and the events can be searched at once. If a scheduled job of the provider is
running, sync waits for its end. The server finishes the jobs that it has begun, even
if you stop this command.

With a database sync does the work itself, beside all that share it. If one of them
runs a job of the provider, it waits for its end. What is new can be searched
everywhere when it ends, or it says after 5 seconds who has not got it yet.

` + configHelp,
		Example: `  fever sync --once
  fever sync --once monday.xml tuesday.xml
  curl -s https://example.com/feed.xml | fever sync --once -
  fever sync --every 5m                    # until it is stopped
  fever sync --config fever.yaml --once --provider feverup --provider other`,
		Args: func(_ *cobra.Command, files []string) error {
			if i := slices.Index(files, "-"); i >= 0 && slices.Contains(files[i+1:], "-") {
				return usagef("standard input (-) can be read only once")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, files []string) error {
			if len(files) > 0 && !s.once {
				return usagef("files are snapshots to take once: add --once")
			}
			for _, name := range files {
				if info, err := os.Stat(name); err == nil && info.IsDir() {
					return usagef("%s is a folder: name the documents in it", name)
				}
			}
			if s.force && !s.once {
				return usagef("--force is for what is done once: add --once")
			}
			if err := s.Complete(cmd.Flags()); err != nil {
				return &usageError{err}
			}
			logUnknownVariables(cmd, newLog(&s.Config, cmd.ErrOrStderr()), s.Variables)
			s.given = config.Given(cmd.Flags()) // the environment may be that of the server, too
			return s.run(cmd.Context(), files, streams{cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()})
		},
	}
	flags := cmd.Flags()
	s.Register(flags)
	flags.BoolVar(&s.once, "once", false, "collect one time and print the outcome")
	flags.BoolVar(&s.force, "force", false, "with --once: fetch and decode feeds even if they have not changed, and refuse none as suspect")
	flags.StringArrayVar(&s.names, "provider", nil, "only the provider with this `name`; may be repeated")
	return cmd
}

// streams are the standard streams.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

func (s *syncCommand) run(ctx context.Context, files []string, std streams) (err error) {
	names, unknown := choose(namesOf(s.Providers), s.names, files)
	s.Providers = slices.DeleteFunc(s.Providers, func(p config.Provider) bool { return !slices.Contains(names, p.Name) })
	open := func() (store.Store, error) { return openStore(ctx, s.DB, s.KeepJobs, s.History) }
	var st store.Store
	var holder *control.Client
	switch {
	case unknown != nil && s.once && !s.DB.Database(): // a fever serve that holds the file may know them
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
	return s.collect(ctx, st, names, files, std)
}

// namesOf returns the names of providers.
func namesOf(providers []config.Provider) (names []string) {
	for i := range providers {
		names = append(names, providers[i].Name)
	}
	return names
}

// choose returns the known providers that were asked for, or all, in the order of known. If
// there are files, it must be one.
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

// collect does the work in this process.
func (s *syncCommand) collect(ctx context.Context, st store.Store, names, files []string, std streams) error {
	log := newLog(&s.Config, std.err)
	interrupt(ctx, st, log)
	if s.once {
		errorsOnly := s.Config
		errorsOnly.LogLevel = slog.LevelError // the outcomes are printed
		log = newLog(&errorsOnly, std.err)
	}
	g := newIngester(&s.Config, st, log, collected(&s.Config))
	place, leavePlace, err := archiveAt(ctx, &s.Archive)
	if err != nil {
		return err
	}
	defer leavePlace()
	closeArchive, err := keepDocuments(g, place, &s.Archive, log)
	if err != nil {
		return err
	}
	defer closeArchive()
	if err := g.Load(ctx); err != nil {
		return err
	}
	if !s.once {
		log.Info("collecting", "providers", len(s.Providers), "db", s.DB.String())
		g.Run(ctx)
		log.Info("stopped")
		return nil
	}
	shared, isShared := st.(store.Shared)
	if !isShared {
		return collectOnce(ctx, &localCollector{g, s.Providers, s.force}, names, files, std)
	}
	_, before, err := st.Locations(ctx)
	if err != nil {
		return err
	}
	failed := collectOnce(ctx, &localCollector{g, s.Providers, s.force}, names, files, std)
	return errors.Join(failed, shown(ctx, shared, before, std.err))
}

// shownLimit is how long sync waits for replicas to have what it has stored.
const shownLimit = 5 * time.Second

// shown waits until the searches of all replicas that live find what a store has, if that is more
// than before, or says that they do not yet.
func shown(ctx context.Context, st store.Shared, before store.Revision, out io.Writer) error {
	_, now, err := st.Locations(ctx)
	for until := time.Now().Add(shownLimit); err == nil && now > before; {
		var replicas []store.Replica
		var at time.Time
		replicas, at, err = st.Replicas(ctx)
		behind := slices.IndexFunc(replicas, func(r store.Replica) bool { return r.Revision < now && at.Sub(r.Seen) < store.ReplicaLives })
		if err != nil || behind < 0 {
			break
		}
		if time.Now().After(until) {
			_, err = fmt.Fprintf(out, "not all replicas have said that they find it yet: %s\n", replicas[behind].Host)
			break
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(claimPause):
		}
	}
	return err
}

// ask makes the server do the work, with its own configuration.
func (s *syncCommand) ask(ctx context.Context, client *control.Client, files []string, std streams) error {
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
	return collectOnce(ctx, newRemoteCollector(client, s.force), names, files, std)
}

// interrupt records jobs of a process that died as interrupted. In a database the jobs of others
// run: there the next job of the provider does it. An error does not prevent the start: if the
// file cannot be written, each job fails and says so.
func interrupt(ctx context.Context, st store.Store, log *slog.Logger) {
	if _, shared := st.(store.Shared); shared {
		return
	}
	n, err := st.Interrupt(ctx, time.Now())
	if err != nil {
		log.ErrorContext(ctx, "interrupted jobs were not recorded", "error", err)
	} else if n > 0 {
		log.WarnContext(ctx, "the last process ended while jobs ran", "jobs", n)
	}
}
