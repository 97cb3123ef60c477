package cli

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"fever/httpapi"
	"fever/index"
	"fever/provider"
	"fever/store"
)

// serving holds the settings of fever serve.
type serving struct {
	collecting
	logging
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
		Long: `Serve fetches the provider's feed at once and then on schedule, and answers
GET /search?starts_at=...&ends_at=... from memory. What is stored is searchable
before the first fetch, whatever the provider does.

It stops on SIGTERM or SIGINT: requests in flight are finished first.`,
		Example: `  fever serve
  fever serve --listen 127.0.0.1:8080 --timezone Europe/Madrid --every 30s
  fever serve --no-sync                    # search what is stored, fetch nothing
  curl 'http://localhost:8080/search?starts_at=2021-02-01T00:00:00Z&ends_at=2022-07-03T00:00:00Z'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.check(); err != nil {
				return err
			}
			p, err := s.provider()
			if err != nil {
				return err
			}
			log, err := s.logger(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return s.run(cmd.Context(), p, log)
		},
	}
	flags := cmd.Flags()
	s.collecting.register(flags)
	s.logging.register(flags)
	flags.StringVar(&s.listen, "listen", ":8080", "`address` to serve /search on")
	flags.BoolVar(&s.noSync, "no-sync", false, "search only: fetch nothing")
	flags.DurationVar(&s.maxAge, "max-age", 5*time.Second, "how long caches may keep an answer")
	flags.IntVar(&s.maxInFlight, "max-in-flight", 4096, "`number` of requests at once, past which the answer is 503")
	flags.DurationVar(&s.grace, "grace", 10*time.Second, "how long a stop waits for requests in flight")
	return cmd
}

// check refuses settings that parse but make no sense.
func (s *serving) check() error {
	switch {
	case s.maxAge < 0:
		return usagef("--max-age must not be negative")
	case s.maxInFlight < 1:
		return usagef("--max-in-flight must be at least 1")
	case s.grace < 0:
		return usagef("--grace must not be negative")
	}
	return nil
}

func (s *serving) run(ctx context.Context, p *provider.Provider, log *slog.Logger) (err error) {
	// The address and the file come first: either may be taken, and then nothing at all
	// should have happened.
	listener, err := httpapi.Listen(s.listen)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }() // closed by then, unless we fail on the way
	st, err := store.Open(s.db)
	if err != nil {
		return err
	}
	defer func() {
		if e := st.Close(); err == nil {
			err = e
		}
	}()

	// Connections wait in the listener's queue until what is stored is loaded, so that
	// the first answer is a whole one.
	started := time.Now()
	x, err := load(ctx, st, map[string]*time.Location{p.Name: s.timeZone.Location})
	if err != nil {
		return err
	}
	log.Info("loaded", "db", s.db, "events", x.Snapshot().Len(), "took", time.Since(started).Round(time.Microsecond))

	// A stop goes the way of the data, backwards: finish the requests, then cancel the
	// job, then close the store.
	collecting, stopCollecting := context.WithCancel(context.WithoutCancel(ctx))
	var wait sync.WaitGroup
	defer wait.Wait()
	defer stopCollecting()
	if !s.noSync {
		c := s.collector(p, st, log)
		c.Publish = x.Apply
		wait.Go(func() { c.Run(collecting, s.every) })
	}

	log.Info("serving", "address", listener.Addr().String(), "provider", p.Name, "sync", !s.noSync)
	handler := httpapi.NewSearch(httpapi.Search{Index: x, MaxAge: s.maxAge, MaxInFlight: s.maxInFlight, Log: log})
	err = httpapi.Serve(ctx, listener, handler, s.grace, log)
	log.Info("stopped")
	return err
}

// load returns an index of what is stored.
func load(ctx context.Context, st *store.Store, zones map[string]*time.Location) (*index.Index, error) {
	entries, err := st.Load(ctx, zones)
	if err != nil {
		return nil, err
	}
	x := index.New()
	return x, x.Load(entries)
}
