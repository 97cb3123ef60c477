package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"fever/archive"
	"fever/config"
	"fever/explain"
	"fever/httpapi"
	httpserver "fever/httpapi/server"
	"fever/index"
	"fever/index/follow"
	"fever/ingest"
	"fever/ingest/sandbox"
	"fever/ops"
	"fever/ops/control"
	"fever/provider"
	"fever/store"
	"fever/store/bolt"
)

// serveCommand holds the settings of fever serve.
type serveCommand struct{ config.Serve }

func newServe() *cobra.Command {
	var s serveCommand
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Collect on schedule and serve /search",
		Long: `Serve fetches the providers' feeds, at once and then on schedule, and answers
GET /search?starts_at=...&ends_at=... from memory. Stored events can be searched
before the first fetch, and whatever the providers do.

With match=overlap it finds what is on at some time of the window. With limit=N it gives
the first N events, and a Link to the next ones. Pages of other web sites can read the
answers in a browser when --allow-origin names them.

The address of --ops-listen, by default http://127.0.0.1:9090, has a status page,
/readyz, /metrics, /jobs and more. POST /sync there fetches now. Only this machine can
reach it unless you set another address.

/readyz answers that it is ready when the stored events are loaded and each provider has
had a first snapshot, now or before the start. A provider whose first job has failed
does not count if another one has had a snapshot. Searches are answered earlier, but as
long as nothing was ever collected no cache may keep the answers. With --ready-after load
or --no-sync it does not wait for snapshots.

The commands sync --once, dump, backup, forget, rename and health ask a running fever
serve over a socket beside the data file. Only the user of the process can use it. Where
no socket can be made, because its path would have more than some 100 bytes or its folder
takes no new files, fever serve logs a warning and does without.

The documents that were got are kept beside the data file, or in the folder or the bucket
that --archive names: docs/archive.md. The region, the endpoint and the keys of a bucket
come from AWS_REGION, AWS_ENDPOINT_URL and so on, as for other programs.

It stops on SIGTERM, SIGINT or SIGHUP. First, for the time of --drain, /readyz answers
that it is draining; searches are still answered, and no job begins. Then it accepts no
more connections and finishes the requests in flight. A second signal ends it at once.

With --db postgres://... what is stored is in a PostgreSQL database. Several fever serve,
also on other machines, can share one: each serves all of it from memory. Commands use a
database directly. Its password belongs into PGPASSWORD, PGPASSFILE or, as
${env:NAME} in the URL, the file of --config: everybody on a machine can read the
command line.

It fails if another process has the data file or an address. With --wait it waits for
the end of that process. For a database that does not answer it waits in any case.

` + configHelp,
		Example: `  fever serve
  fever serve --listen 127.0.0.1:8080 --timezone Europe/Madrid --every 30s
  fever serve --config /etc/fever.yaml     # several providers
  fever serve --no-sync                    # search what is stored, fetch nothing
  FEVER_OPS_TOKEN=... fever serve --ops-listen :9090    # to watch it from elsewhere
  curl 'http://localhost:8080/search?starts_at=2021-02-01T00:00:00Z&ends_at=2022-07-03T00:00:00Z'`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.complete(cmd.Flags()); err != nil {
				return &usageError{err}
			}
			log := newLog(&s.Config, cmd.ErrOrStderr())
			logUnknownVariables(cmd, log, s.Variables)
			return s.run(cmd.Context(), log)
		},
	}
	s.Register(cmd.Flags())
	return cmd
}

// complete completes the settings, and refuses an ops address that other machines can reach
// without a token.
func (s *serveCommand) complete(flags *pflag.FlagSet) error {
	if err := s.Complete(flags); err != nil {
		return err
	}
	if s.OpsListen != "" && s.OpsToken == "" && !ops.Loopback(s.OpsListen) {
		return fmt.Errorf("%s %.80q may be reached from other machines: set FEVER_OPS_TOKEN to a secret that is needed to use it (openssl rand -hex 32 makes one), or use an address such as 127.0.0.1:9090",
			config.Origin(flags, "ops-listen"), s.OpsListen)
	}
	return nil
}

// explainTime is how long an answer may read documents of the archive. Whoever asks waits for it.
const explainTime = 10 * time.Second

// documents returns what is needed to read the documents of the archive again, in one process of their
// own at a time.
func (s *serveCommand) documents(place archive.Place, log *slog.Logger) (d explain.Documents, err error) {
	d = explain.Documents{Archive: place, Readers: make(map[string]explain.Reader), Time: explainTime, Turn: make(chan struct{}, 1)}
	for i := range s.Providers {
		p := &s.Providers[i]
		box, err := newSandbox(p, log)
		if err != nil {
			return d, err
		}
		d.Readers[p.Name] = explain.Reader{Find: box.Find, Tables: p.Format.Again != nil, Done: box.Close}
	}
	return d, nil
}

// opsGrace is how long a stop waits for answers of the ops listener. The slow ones end by
// themselves when a stop begins.
const opsGrace = time.Second

func (s *serveCommand) run(ctx context.Context, log *slog.Logger) (err error) {
	// Claim the addresses and the file first: if one is taken, nothing must have happened.
	// Early connections wait in the listener's queue.
	until := time.Now().Add(s.Wait)
	listener, err := claim(ctx, until, log, func() (net.Listener, error) { return httpserver.Listen(s.Listen) })
	if listener == nil {
		return err
	}
	defer func() { _ = listener.Close() }() // already closed unless run fails early
	var opsListener net.Listener
	opsAddress := ""
	if s.OpsListen != "" {
		opsListener, err = claim(ctx, until, log, func() (net.Listener, error) { return httpserver.Listen(s.OpsListen) })
		if opsListener == nil {
			return err
		}
		defer func() { _ = opsListener.Close() }() // as above
		opsAddress = opsListener.Addr().String()
	}

	// The ops listener and the socket also answer during the start and the stop.
	watching, unwatch := context.WithCancel(context.WithoutCancel(ctx))
	var watchers sync.WaitGroup
	watch := func(l net.Listener, h http.Handler) {
		watchers.Go(func() {
			if err := httpserver.Serve(watching, l, h, min(s.Grace, opsGrace), log, nil); err != nil {
				log.Error("nobody can watch any more, or steer", "error", err) // searches go on
			}
		})
	}
	stopWatching := func() { unwatch(); watchers.Wait() }
	defer stopWatching()
	var opsHandler atomic.Pointer[http.Handler] // changes when the store is open
	setHandler := func(h http.Handler) { opsHandler.Store(&h) }
	if opsListener != nil {
		setHandler(ops.NewWaiting(ops.Ops{Token: s.OpsToken, Server: control.Server{Log: log}}))
		watch(opsListener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*opsHandler.Load()).ServeHTTP(w, r) }))
	}

	st, err := claim(ctx, until, log, func() (store.Store, error) {
		return await(ctx, log, func() (store.Store, error) { return openStore(ctx, s.DB, s.KeepJobs, s.History) })
	})
	if st == nil {
		return err
	}
	defer closing(st, &err)
	var socket net.Listener
	file, holds := st.(*bolt.Store)
	if holds {
		socket, err = control.ListenSocket(control.SocketPath(string(s.DB))) // the file exists now, and is locked
		switch {
		case err == nil:
			defer func() { _ = socket.Close() }() // as above
		case errors.Is(err, control.ErrNoSocket):
			log.Warn("fever sync --once, dump, backup and health cannot reach this process", "error", err)
		default:
			return err
		}
	}

	defer paceCollector()()
	started := time.Now()
	stopping, stop := s.drained(ctx, log)
	defer stop()
	x := index.New()
	follower := follow.New(st, x, log)
	providers, err := sandboxed(&s.Config, log)
	if err != nil {
		return err
	}
	place, leavePlace, err := archiveAt(ctx, &s.Archive)
	if err != nil {
		return err
	}
	defer leavePlace()
	documents, err := s.documents(place, log)
	if err != nil {
		return err
	}
	c := newIngester(&s.Config, st, log, providers)
	c.Publish = follower.CatchUp
	closeArchive, err := keepDocuments(c, place, &s.Archive, log)
	if err != nil {
		return err
	}
	defer closeArchive()
	metrics := ops.NewMetrics(buildVersion(), x, c, st, log)
	metrics.Follower = follower
	shared, isShared := st.(store.Shared)
	if isShared {
		metrics.Replicas = &ops.Replicas{Store: shared, Version: buildVersion(), Settings: s.Digest(), Revision: follower.Revision, Log: log}
	}
	c.Ended, c.Stopping = metrics.JobEnded, ctx.Done()
	search := httpapi.NewSearch(httpapi.Search{
		Index: x, Collected: &c.Collected, MaxInFlight: s.MaxInFlight, MaxAnswer: s.MaxAnswer, AllowOrigins: s.AllowOrigins, Log: log,
		MaxAge: s.MaxAge, StaleWhileRevalidate: s.StaleWhileRevalidate, StaleIfError: s.StaleIfError,
		InFlight: &metrics.InFlight, Shed: &metrics.Shed, Observe: metrics.Search,
	})
	watched := ops.Ops{
		Server: control.Server{Index: x, Ingester: c, Store: st, Documents: documents, Draining: ctx.Done(), Stopping: stopping.Done(), Log: log},
		Search: search, Metrics: metrics, OpenAPI: httpapi.OpenAPI,
		Token: s.OpsToken, Version: buildVersion(), ReadyWhenLoaded: s.NoSync || s.ReadyAfter == config.AfterLoad,
		Entry: func(settings []byte, most int64) (*sandbox.Sandbox, error) {
			p, err := config.ParseEntry(settings, most)
			if err != nil {
				return nil, err
			}
			return newSandbox(&p, log)
		},
	}

	setHandler(ops.New(watched))
	if socket != nil {
		var readers []*provider.Provider
		for i := range s.Providers {
			readers = append(readers, s.Providers[i].Provider)
		}
		watched.Spool = file.Spool
		watch(socket, ops.NewControl(watched, readers...))
	}
	defer stopWatching() // while the store is open

	interrupt(context.WithoutCancel(ctx), st, log) // while no job can begin
	// Connections wait in the listener's queue until the stored events are loaded, so that
	// the first answer is complete.
	if err := s.load(ctx, c, log); err != nil {
		if ctx.Err() != nil {
			return nil // stopped while loading
		}
		return err
	}
	if x.Snapshot().Events > 0 { // if only of a provider that is no longer configured
		c.Collected.Store(true)
	}
	log.Info("loaded", "db", s.DB.String(), "events", x.Snapshot().Events, "took", time.Since(started).Round(time.Microsecond))

	// A stop ends things against the flow of data: first the requests, then the jobs, then
	// the store.
	collecting, stopCollecting := context.WithCancel(context.WithoutCancel(ctx))
	var wait sync.WaitGroup
	wait.Go(func() { follower.Run(collecting) })
	if isShared {
		wait.Go(func() { metrics.Replicas.Run(collecting) })
	}
	if !s.NoSync {
		wait.Go(func() { c.Run(collecting) })
	}

	log.Info("serving", "address", listener.Addr().String(), "ops", opsAddress, "providers", len(s.Providers), "sync", !s.NoSync)
	err = httpserver.Serve(stopping, listener, search, s.Grace, log, &metrics.Connections)
	stopWatching()
	stopCollecting()
	wait.Wait()
	c.Close()
	log.Info("stopped")
	return err
}

// load brings what is stored into the index. A connection to a database can break at any time, so
// load tries again until it succeeds, unless what it reads is damaged.
func (s *serveCommand) load(ctx context.Context, c *ingest.Ingester, log *slog.Logger) error {
	const longest = 5 * time.Second
	for pause := longest / 16; ; pause = min(2*pause, longest) {
		err := c.Load(ctx)
		if err == nil || ctx.Err() != nil || !s.DB.Database() || errors.Is(err, store.ErrDamaged) {
			return err
		}
		log.WarnContext(ctx, "the stored events are not loaded yet", "error", err, "retry", pause)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// drained returns a context that ends --drain after ctx does, and a function that releases
// it.
func (s *serveCommand) drained(ctx context.Context, log *slog.Logger) (context.Context, func()) {
	if s.Drain == 0 {
		return ctx, func() {}
	}
	stopping, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wait sync.WaitGroup
	wait.Go(func() {
		defer stop()
		select {
		case <-ctx.Done():
		case <-stopping.Done():
			return
		}
		log.Info("draining", "for", s.Drain)
		select {
		case <-time.After(s.Drain):
		case <-stopping.Done():
		}
	})
	return stopping, func() { stop(); wait.Wait() }
}
