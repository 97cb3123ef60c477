package cli

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"fever/httpapi"
	"fever/index"
	"fever/ingest"
	"fever/ops"
	"fever/store"
)

// serving holds the settings of fever serve.
type serving struct {
	config
	listen      string
	opsListen   string // empty: nowhere
	opsToken    string // a secret
	noSync      bool
	readyAfter  string
	maxAge      time.Duration
	staleAsking time.Duration // stale-while-revalidate
	staleError  time.Duration
	maxInFlight int
	grace       time.Duration
	drain       time.Duration
	wait        time.Duration
}

// What --ready-after can be.
const (
	afterSnapshots = "snapshots"
	afterLoad      = "load"
)

func newServe() *cobra.Command {
	var s serving
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Collect on schedule and serve /search",
		Long: `Serve fetches the providers' feeds at once and then on schedule, and answers
GET /search?starts_at=...&ends_at=... from memory. What is stored is searchable
before the first fetch, whatever the provider does.

On the address of --ops-listen, http://127.0.0.1:9090 unless that says another, it
shows how it is doing: a status page, /readyz, /metrics, /jobs and more. POST /sync
there fetches now. Only this machine can reach it, unless another address is set.

/readyz says ready when what is stored is loaded and each provider has had a first
snapshot, now or before the start, or its first job has failed and another provider has
had one. Searches are answered earlier; as long as nothing was ever collected no cache
may keep the answers. With --ready-after load, and with --no-sync, it does not wait for
snapshots.

While it holds the data file, fever sync --once, dump, backup, forget, rename and
health ask it, over the socket beside the file. Only its own user can. Where no socket
can be made, as its path would have more than some 100 bytes or its folder takes no
new files, it warns and does without.

It stops on SIGTERM, SIGINT or SIGHUP: for the time of --drain, /readyz says that it is
draining, searches are answered as ever and no job begins; then it accepts no more, and
requests in flight are finished. A second signal ends it at once.

While another process has the data file, or an address, it is refused; or with --wait it
waits for the end of that.

` + configHelp,
		Example: `  fever serve
  fever serve --listen 127.0.0.1:8080 --timezone Europe/Madrid --every 30s
  fever serve --config /etc/fever.yaml     # several providers
  fever serve --no-sync                    # search what is stored, fetch nothing
  FEVER_OPS_TOKEN=... fever serve --ops-listen :9090    # to watch it from elsewhere
  curl 'http://localhost:8080/search?starts_at=2021-02-01T00:00:00Z&ends_at=2022-07-03T00:00:00Z'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.complete(cmd.Flags()); err != nil {
				return err
			}
			log := s.logger(cmd.ErrOrStderr())
			logStrangers(cmd, log, s.variables)
			return s.run(cmd.Context(), log)
		},
	}
	s.register(cmd.Flags())
	return cmd
}

func (s *serving) register(flags *pflag.FlagSet) {
	s.config.register(flags)
	flags.StringVar(&s.listen, "listen", ":8080", "`address` to serve /search on")
	flags.StringVar(&s.opsListen, "ops-listen", "127.0.0.1:9090", "`address` of the status page, metrics and the like; empty for none")
	emptyCounts(flags, "ops-listen")
	flags.StringVar(&s.opsToken, "ops-token", "", "`secret` that those need who use the ops address; better set as FEVER_OPS_TOKEN, as all on this machine can read the command line")
	flags.BoolVar(&s.noSync, "no-sync", false, "search only: fetch nothing on schedule")
	flags.StringVar(&s.readyAfter, "ready-after", afterSnapshots, "`what` /readyz waits for: snapshots (see above) or load")
	flags.DurationVar(&s.maxAge, "max-age", 5*time.Second, "how long caches may keep an answer: 0, or a second and more")
	flags.DurationVar(&s.staleAsking, "stale-while-revalidate", 5*time.Second, "how much longer they may use it while they ask anew; not longer than --max-age unless it is set")
	flags.DurationVar(&s.staleError, "stale-if-error", 5*time.Minute, "how much longer they may use it while there is no answer, or an error")
	flags.IntVar(&s.maxInFlight, "max-in-flight", 1024, "`number` of requests at once, past which the answer is 503")
	flags.DurationVar(&s.drain, "drain", 0, "how long a stop goes on answering first, not ready, until load balancers have noticed")
	flags.DurationVar(&s.wait, "wait", 0, "how long to wait for the data file and the addresses when another process has them")
	flags.DurationVar(&s.grace, "grace", 10*time.Second, "how long a stop waits for requests in flight")
}

// complete does for the settings of serving what it does for those of collecting.
func (s *serving) complete(flags *pflag.FlagSet) error {
	if err := s.config.complete(flags); err != nil {
		return err
	}
	if err := expandSetting(flags, "ops-token", expand); err != nil {
		return err
	}
	_, _, err := net.SplitHostPort(s.listen)
	switch {
	case err != nil:
		return usagef("%s %.80q is not an address such as :8080 or 127.0.0.1:8080", origin(flags, "listen"), s.listen)
	case strings.ContainsFunc(s.opsToken, func(r rune) bool { return r <= ' ' || r > '~' }):
		return usagef("%s must have no spaces and nothing else that is not printable ASCII: it goes into a header", origin(flags, "ops-token"))
	case s.readyAfter != afterSnapshots && s.readyAfter != afterLoad:
		return usagef("%s %.40q is neither %s nor %s", origin(flags, "ready-after"), s.readyAfter, afterSnapshots, afterLoad)
	case s.maxInFlight < 1:
		return usagef("%s must be at least 1", origin(flags, "max-in-flight"))
	case s.grace < 0:
		return usagef("%s must not be negative", origin(flags, "grace"))
	case s.drain < 0:
		return usagef("%s must not be negative", origin(flags, "drain"))
	case s.wait < 0:
		return usagef("%s must not be negative", origin(flags, "wait"))
	}
	for _, age := range []struct {
		name string
		time.Duration
	}{{"max-age", s.maxAge}, {"stale-while-revalidate", s.staleAsking}, {"stale-if-error", s.staleError}} {
		switch {
		case age.Duration < 0:
			return usagef("%s must not be negative", origin(flags, age.name))
		case age.Duration > 0 && age.Duration < time.Second:
			return usagef("%s %v is less than a second, which is the least that can be told to caches: make it 0, or 1s and more", origin(flags, age.name), age.Duration)
		}
	}
	if !isSet(flags.Lookup("stale-while-revalidate")) {
		s.staleAsking = min(s.staleAsking, s.maxAge)
	}
	return s.checkOps(flags)
}

// checkOps refuses an ops address that others could use.
func (s *serving) checkOps(flags *pflag.FlagSet) error {
	if s.opsListen == "" {
		return nil
	}
	if _, _, err := net.SplitHostPort(s.opsListen); err != nil {
		return usagef("%s %.80q is not an address such as 127.0.0.1:9090", origin(flags, "ops-listen"), s.opsListen)
	}
	if s.opsToken == "" && !ops.Loopback(s.opsListen) {
		return usagef("%s %.80q may be reached from other machines: set FEVER_OPS_TOKEN to a secret that is needed to use it (openssl rand -hex 32 makes one), or use an address such as 127.0.0.1:9090",
			origin(flags, "ops-listen"), s.opsListen)
	}
	return nil
}

// opsGrace is how long a stop waits for answers of the ops listener. Those that take
// long end by themselves when it begins.
const opsGrace = time.Second

func (s *serving) run(ctx context.Context, log *slog.Logger) (err error) {
	// The addresses and the file come first: each may be taken, and then nothing should
	// have happened. Searches that come early wait in the listener's queue.
	waits := patience{time.Now().Add(s.wait), log}
	listener, err := claim(ctx, waits, func() (net.Listener, error) { return httpapi.Listen(s.listen) })
	if listener == nil {
		return err
	}
	defer func() { _ = listener.Close() }() // closed by then, unless we fail on the way
	var opsListener net.Listener
	opsAddress := ""
	if s.opsListen != "" {
		opsListener, err = claim(ctx, waits, func() (net.Listener, error) { return httpapi.Listen(s.opsListen) })
		if opsListener == nil {
			return err
		}
		defer func() { _ = opsListener.Close() }() // as above
		opsAddress = opsListener.Addr().String()
	}

	// Those who watch see the start and the stop, too.
	watching, unwatch := context.WithCancel(context.WithoutCancel(ctx))
	var watchers sync.WaitGroup
	watch := func(l net.Listener, h http.Handler) {
		watchers.Go(func() {
			if err := httpapi.Serve(watching, l, h, min(s.grace, opsGrace), log, nil); err != nil {
				log.Error("nobody can watch any more, or steer", "error", err) // searches go on
			}
		})
	}
	stopWatching := func() { unwatch(); watchers.Wait() }
	defer stopWatching()
	var shown door // of the ops listener
	if opsListener != nil {
		shown.lead(ops.NewWaiting(ops.Ops{Token: s.opsToken, Log: log}))
		watch(opsListener, &shown)
	}

	st, err := claim(ctx, waits, func() (*store.Store, error) { return store.Open(s.db, s.keepJobs) })
	if st == nil {
		return err
	}
	defer closing(st, &err)
	control, err := ops.ListenSocket(socketPath(s.db)) // under the lock on the file, which is made by then
	switch {
	case err == nil:
		defer func() { _ = control.Close() }() // as above
	case errors.Is(err, ops.ErrNoSocket):
		log.Warn("fever sync --once, dump, backup and health cannot reach this process", "error", err)
	default:
		return err
	}

	defer paceCollector()()
	started := time.Now()
	stopping, stop := s.drained(ctx, log)
	defer stop()
	x := index.New()
	c := ingest.New(st, x, log, s.workers, s.collected()...)
	metrics := ops.NewMetrics(buildVersion(), x, c, st, log)
	c.Ended, c.Stopping = metrics.JobEnded, ctx.Done()
	search := httpapi.NewSearch(httpapi.Search{
		Index: x, Collected: &c.Collected, MaxInFlight: s.maxInFlight, Log: log,
		MaxAge: s.maxAge, StaleWhileRevalidate: s.staleAsking, StaleIfError: s.staleError,
		InFlight: &metrics.InFlight, Shed: &metrics.Shed, Observe: metrics.Search,
	})
	watched := ops.Ops{
		Index: x, Ingester: c, Store: st, Search: search, Metrics: metrics,
		Token: s.opsToken, Version: buildVersion(), ReadyWhenLoaded: s.noSync || s.readyAfter == afterLoad,
		Draining: ctx.Done(), Stopping: stopping.Done(), Log: log,
	}

	shown.lead(ops.New(watched))
	if control != nil {
		watch(control, ops.NewControl(watched, s.readers()...))
	}
	defer stopWatching() // while the store is open

	interrupt(context.WithoutCancel(ctx), st, log) // while no job can begin
	// Connections wait in the listener's queue until what is stored is loaded, so that
	// the first answer is a whole one.
	if err := c.Load(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // a stop that came early
		}
		return err
	}
	debug.FreeOSMemory() // what loading took is garbage now, and more than what is kept
	log.Info("loaded", "db", s.db, "events", x.Snapshot().Events, "took", time.Since(started).Round(time.Microsecond))

	// A stop goes the way of the data, backwards: finish the requests, then cancel the
	// jobs, then close the store.
	collecting, stopCollecting := context.WithCancel(context.WithoutCancel(ctx))
	var wait sync.WaitGroup
	if !s.noSync {
		wait.Go(func() { c.Run(collecting) })
	}

	log.Info("serving", "address", listener.Addr().String(), "ops", opsAddress, "providers", len(s.providers), "sync", !s.noSync)
	err = httpapi.Serve(stopping, listener, search, s.grace, log, &metrics.Connections)
	stopWatching()
	stopCollecting()
	wait.Wait()
	c.Close()
	log.Info("stopped")
	return err
}

// drained returns a context that ends when a stop has drained: --drain after ctx. The
// function releases what belongs to it.
func (s *serving) drained(ctx context.Context, log *slog.Logger) (context.Context, func()) {
	if s.drain == 0 {
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
		log.Info("draining", "for", s.drain)
		timer := time.NewTimer(s.drain)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-stopping.Done():
		}
	})
	return stopping, func() { stop(); wait.Wait() }
}

// A door is a handler that leads to another one, which can change.
type door struct{ to atomic.Pointer[http.Handler] }

func (d *door) lead(to http.Handler) { d.to.Store(&to) }

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) { (*d.to.Load()).ServeHTTP(w, r) }
