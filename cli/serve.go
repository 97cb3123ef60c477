package cli

import (
	"context"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"fever/httpapi"
	"fever/index"
	"fever/ingest"
	"fever/store"
)

// serving holds the settings of fever serve.
type serving struct {
	config
	listen      string
	noSync      bool
	maxAge      time.Duration
	maxInFlight int
	grace       time.Duration
}

func newServe() *cobra.Command {
	var s serving
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Collect on schedule and serve /search",
		Long: `Serve fetches the providers' feeds at once and then on schedule, and answers
GET /search?starts_at=...&ends_at=... from memory. What is stored is searchable
before the first fetch, whatever the provider does.

It stops on SIGTERM or SIGINT: requests in flight are finished first.

` + configHelp,
		Example: `  fever serve
  fever serve --listen 127.0.0.1:8080 --timezone Europe/Madrid --every 30s
  fever serve --config /etc/fever.yaml     # several providers
  fever serve --no-sync                    # search what is stored, fetch nothing
  curl 'http://localhost:8080/search?starts_at=2021-02-01T00:00:00Z&ends_at=2022-07-03T00:00:00Z'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.complete(cmd.Flags()); err != nil {
				return err
			}
			return s.run(cmd.Context(), s.logger(cmd.ErrOrStderr()))
		},
	}
	s.register(cmd.Flags())
	return cmd
}

func (s *serving) register(flags *pflag.FlagSet) {
	s.config.register(flags)
	flags.StringVar(&s.listen, "listen", ":8080", "`address` to serve /search on")
	flags.BoolVar(&s.noSync, "no-sync", false, "search only: fetch nothing")
	flags.DurationVar(&s.maxAge, "max-age", 5*time.Second, "how long caches may keep an answer")
	flags.IntVar(&s.maxInFlight, "max-in-flight", 1024, "`number` of requests at once, past which the answer is 503")
	flags.DurationVar(&s.grace, "grace", 10*time.Second, "how long a stop waits for requests in flight")
}

// complete does for the settings of serving what it does for those of collecting.
func (s *serving) complete(flags *pflag.FlagSet) error {
	if err := s.config.complete(flags); err != nil {
		return err
	}
	_, _, err := net.SplitHostPort(s.listen)
	switch {
	case err != nil:
		return usagef("%s %.80q is not an address such as :8080 or 127.0.0.1:8080", origin(flags, "listen"), s.listen)
	case s.maxAge < 0:
		return usagef("%s must not be negative", origin(flags, "max-age"))
	case s.maxInFlight < 1:
		return usagef("%s must be at least 1", origin(flags, "max-in-flight"))
	case s.grace < 0:
		return usagef("%s must not be negative", origin(flags, "grace"))
	}
	return nil
}

func (s *serving) run(ctx context.Context, log *slog.Logger) (err error) {
	// The address and the file come first: either may be taken, and then nothing at all
	// should have happened.
	listener, err := httpapi.Listen(s.listen)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }() // closed by then, unless we fail on the way
	st, err := store.Open(s.db, s.keepJobs)
	if err != nil {
		return err
	}
	defer closing(st, &err)

	defer paceCollector()()

	// Connections wait in the listener's queue until what is stored is loaded, so that
	// the first answer is a whole one.
	started := time.Now()
	x := index.New()
	c := ingest.New(st, x, log, s.workers, s.collected()...)
	if err := c.Load(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // a stop that came early
		}
		return err
	}
	debug.FreeOSMemory() // what loading took is garbage now, and more than what is kept
	log.Info("loaded", "db", s.db, "events", x.Snapshot().Events, "took", time.Since(started).Round(time.Microsecond))

	// A stop goes the way of the data, backwards: finish the requests, then cancel the
	// job, then close the store.
	collecting, stopCollecting := context.WithCancel(context.WithoutCancel(ctx))
	var wait sync.WaitGroup
	if !s.noSync {
		interrupt(ctx, st, log)
		wait.Go(func() { c.Run(collecting) })
	}

	log.Info("serving", "address", listener.Addr().String(), "providers", len(s.providers), "sync", !s.noSync)
	handler := httpapi.NewSearch(httpapi.Search{Index: x, MaxAge: s.maxAge, MaxInFlight: s.maxInFlight, Log: log})
	err = httpapi.Serve(ctx, listener, handler, s.grace, log)
	stopCollecting()
	wait.Wait()
	log.Info("stopped")
	return err
}
