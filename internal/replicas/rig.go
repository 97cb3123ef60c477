package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"fever/internal/harness"
	"fever/internal/postgrestest"
)

// options are what a scenario needs.
type options struct {
	replicas int      // 0: three
	standby  string   // synchronous or asynchronous; empty: there is none
	pooler   string   // pool_mode of a PgBouncer in between; empty: there is none
	late     bool     // the scenario starts the replicas
	skews    []int    // seconds by which the replicas' clocks are ahead
	settings []string // of the server
	disk     int      // size of the server's in MB; 0: that of the machine
}

const (
	database = "fever"

	synchronous, asynchronous = "synchronous", "asynchronous"
	standbyName               = "second"

	mostConnections = 40 // of the server

	// lease is how long a claim lasts that nobody renews, in package postgres.
	lease = 15 * time.Second
)

// A rig is what a scenario runs on: a server or two, replicas with proxies of their own, feeds,
// and searches.
type rig struct {
	options
	out     io.Writer
	fever   string // binary
	dir     string
	began   time.Time
	primary *postgrestest.Server
	standby *postgrestest.Server
	pool    *postgrestest.Server
	feeds   *feeds

	replicas []*replica
	lossy    bool // commits that were acknowledged may be lost
	faults   []fault
	closers  []func() error

	searching sync.WaitGroup
	end       context.CancelFunc
}

// A fault is a time in which something was broken.
type fault struct {
	what     string
	from, to time.Duration
}

// run builds a rig, runs a scenario on it, and judges what it left.
func (s *scenario) run(ctx context.Context, out io.Writer, fever, dir string) (err error) {
	r := &rig{options: s.options, out: out, fever: fever, dir: dir, began: time.Now()}
	defer func() { err = errors.Join(err, r.close()) }()
	err = r.build(ctx)
	if err == nil {
		err = s.play(ctx, r)
	}
	if err == nil {
		err = r.settle(ctx)
	}
	r.report()
	if err != nil {
		err = errors.Join(err, r.logs())
	}
	return err
}

// build starts everything.
func (r *rig) build(ctx context.Context) (err error) {
	r.feeds = newFeeds()
	if err := r.serve(ctx); err != nil {
		return err
	}
	skewedFever := ""
	if len(r.skews) > 0 {
		r.say("fever is built with another clock")
		if skewedFever, err = skewed(ctx, r.dir); err != nil {
			return err
		}
	}
	searching, end := context.WithCancel(ctx)
	r.end = end
	for n := range max(r.options.replicas, 3) {
		x := &replica{name: fmt.Sprintf("r%d", n+1), fever: r.fever}
		if x.proxy, err = postgrestest.NewProxy(r.front()); err != nil {
			return err
		}
		r.closers = append(r.closers, func() error { x.proxy.Stop(); return nil })
		url := x.proxy.URL(database)
		if r.pooler == "transaction" {
			url += "&default_query_exec_mode=exec"
		}
		if err := x.configure(r.dir, url); err != nil {
			return err
		}
		env, stop, err := r.feeds.through(ctx, x.name)
		if err != nil {
			return err
		}
		r.closers = append(r.closers, func() error { stop(); return nil })
		if n < len(r.skews) {
			x.fever = skewedFever
			env = append(env, fmt.Sprintf("%s=%d", skewVariable, r.skews[n]))
		}
		x.env = env
		r.replicas = append(r.replicas, x)
		r.searching.Go(func() { x.run(searching, r.began) })
	}
	if r.late {
		return nil
	}
	return r.start(ctx, r.replicas...)
}

// start starts replicas at the same time, and waits until all have something of each provider.
func (r *rig) start(ctx context.Context, all ...*replica) error {
	for _, x := range all {
		if err := x.launch(ctx); err != nil {
			return err
		}
		r.closers = append(r.closers, func() error { x.ask(""); x.Kill(); return nil })
	}
	for _, x := range all {
		if err := x.serve(ctx); err != nil {
			return err
		}
	}
	_, err := r.progress(ctx)
	return err
}

// serve starts the database.
func (r *rig) serve(ctx context.Context) (err error) {
	// Processes end here, and never the machine: what they wrote is there without fsync.
	settings := append([]string{"fsync=off", fmt.Sprint("max_connections=", mostConnections), "log_min_messages=fatal"}, r.settings...)
	if r.disk > 0 {
		if err := r.mount(ctx); err != nil {
			return err
		}
	}
	if r.primary, err = postgrestest.Start(settings...); err != nil {
		return err
	}
	r.closers = append(r.closers, r.primary.Stop)
	if _, err := r.primary.Query("postgres", "create database "+database); err != nil {
		return err
	}
	if r.options.standby != "" {
		if r.standby, err = r.primary.Standby(standbyName); err != nil {
			return err
		}
		r.closers = append(r.closers, r.standby.Stop)
	}
	if r.options.standby == synchronous {
		if err := r.synchronize(ctx); err != nil {
			return err
		}
	}
	if r.pooler != "" {
		if r.pool, err = r.primary.Pooler(r.pooler); err != nil {
			return err
		}
		r.closers = append(r.closers, r.pool.Stop)
	}
	return nil
}

// synchronize has commits wait for the standby, and returns when they do.
func (r *rig) synchronize(ctx context.Context) error {
	if err := r.primary.Set("synchronous_standby_names", standbyName); err != nil {
		return err
	}
	ctx, cancel := within(ctx, patience, "the standby is synchronous")
	defer cancel()
	for {
		state, err := r.primary.Query(database, "select sync_state from pg_stat_replication")
		if err != nil || state == "sync" {
			return err
		}
		if wait(ctx, 20*time.Millisecond) != nil {
			return fmt.Errorf("the standby is %q: %w", state, context.Cause(ctx))
		}
	}
}

// front is what the proxies are in front of.
func (r *rig) front() *postgrestest.Server {
	if r.pool != nil {
		return r.pool
	}
	return r.primary
}

// close ends everything.
func (r *rig) close() (err error) {
	if r.end != nil {
		r.end()
	}
	r.searching.Wait()
	for _, c := range slices.Backward(r.closers) {
		err = errors.Join(err, c())
	}
	return err
}

// say prints a line of what happens.
func (r *rig) say(format string, args ...any) {
	_, _ = fmt.Fprintf(r.out, "%8.1fs  %s\n", time.Since(r.began).Seconds(), fmt.Sprintf(format, args...)) // who reads it is gone
}

// fault has something broken while f runs.
func (r *rig) fault(what string, f func() error) error {
	from := time.Since(r.began)
	r.say("%s", what)
	err := f()
	r.faults = append(r.faults, fault{what, from, time.Since(r.began)})
	if err != nil {
		err = fmt.Errorf("%s: %w", what, err)
	}
	return err
}

// patience bounds every wait for what must come. It is for what hangs: on a busy machine things take
// their time.
const patience = 5 * time.Minute

// progress waits until a version of each provider that nobody has asked for yet is found by the
// searches of all replicas that run, and returns how long that took.
func (r *rig) progress(ctx context.Context) (time.Duration, error) {
	since := time.Now()
	err := r.until(ctx, r.feeds.versions(), false)
	return time.Since(since), err
}

// until waits until all replicas that run show later versions than those, or these themselves.
func (r *rig) until(ctx context.Context, want versions, these bool) error {
	limit := time.Now().Add(patience)
	for {
		behind := r.behind(want, these)
		if behind == "" {
			return nil
		}
		if time.Now().After(limit) {
			return fmt.Errorf("not within %s: %s", patience, behind)
		}
		if !harness.Pause(ctx, 20*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// behind names a replica that does not show versions yet.
func (r *rig) behind(want versions, these bool) string {
	for _, x := range r.replicas {
		if x.Process == nil || !x.asked() {
			continue
		}
		shown := x.now()
		for p := range want {
			if shown[p] < want[p] || !these && shown[p] == want[p] {
				return fmt.Sprintf("%s shows version %d of %s, and %d was there", x.name, shown[p], providerName(p), want[p])
			}
		}
	}
	return ""
}

// recovered waits for progress, and says how long it took.
func (r *rig) recovered(ctx context.Context) error {
	took, err := r.progress(ctx)
	if err != nil {
		return err
	}
	r.say("   all replicas have new snapshots of all providers after %.1fs", took.Seconds())
	return nil
}

// wait lets time pass.
func wait(ctx context.Context, d time.Duration) error {
	if !harness.Pause(ctx, d) {
		return ctx.Err()
	}
	return nil
}

// queries are searches that all replicas must answer alike.
var queries = []string{
	everything,
	everything + "?limit=50",
	everything + "?starts_at=2030-01-10T00:00:00Z&ends_at=2030-02-10T00:00:00Z",
	everything + "?starts_at=2030-01-10T10:15:00Z&ends_at=2030-01-10T10:20:00Z&match=overlap",
}

// settle gives each provider a last version, and checks what is left when all replicas have it:
// their answers, the jobs, and the events.
func (r *rig) settle(ctx context.Context) error {
	last := r.feeds.freeze(true)
	if err := r.until(ctx, last, true); err != nil {
		return fmt.Errorf("the last versions: %w", err)
	}
	for _, query := range queries {
		var body []byte
		var tag string
		for _, x := range r.replicas {
			if x.Process == nil || !x.asked() {
				continue
			}
			b, t, err := search(ctx, http.DefaultTransport, x.address, query)
			if err != nil {
				return fmt.Errorf("%s: %s: %w", x.name, query, err)
			}
			if body == nil {
				body, tag = b, t
			}
			if string(b) != string(body) || t != tag {
				return fmt.Errorf("%s: %s: an answer of %d bytes with the entity tag %s, and another replica's has %d bytes and %s", x.name, query, len(b), t, len(body), tag)
			}
		}
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	if err := r.examine(ctx); err != nil {
		return err
	}
	for _, x := range r.replicas {
		x.state.Lock()
		failed := x.failed
		x.state.Unlock()
		if len(failed) > 0 {
			return fmt.Errorf("%d searches of %s failed, the first after %.1fs: %w", len(failed), x.name, failed[0].at.Seconds(), failed[0].err)
		}
		if err := x.wrong(); err != nil {
			return err
		}
	}
	return nil
}

// logs returns the newest lines of all replicas' logs, as an error.
func (r *rig) logs() error {
	var b strings.Builder
	for _, x := range r.replicas {
		x.mu.Lock()
		fmt.Fprintf(&b, "\nthe log of %s, without completed jobs:\n%s", x.name, strings.Join(x.lines, "\n"))
		x.mu.Unlock()
	}
	return errors.New(b.String())
}

// report says how searches went.
func (r *rig) report() {
	var calm, broken []took
	failed, went := 0, 0
	for _, x := range r.replicas {
		x.state.Lock()
		failed += len(x.failed)
		went += x.went
		for _, t := range x.took {
			if slices.ContainsFunc(r.faults, func(f fault) bool { return t.at+t.time >= f.from && t.at <= f.to }) {
				broken = append(broken, t)
			} else {
				calm = append(calm, t)
			}
		}
		x.state.Unlock()
	}
	c, b := paceOf(calm), paceOf(broken)
	r.say("%d searches, %d failed; without a fault p99 %s and the slowest %s, during faults %s and %s", c.searches+b.searches, failed,
		short(c.p99), short(c.slowest), short(b.p99), short(b.slowest))
	if went > 0 {
		r.say("searches of replicas went back %d times, as the database did", went)
	}
}

func short(d time.Duration) string { return d.Round(100 * time.Microsecond).String() }
