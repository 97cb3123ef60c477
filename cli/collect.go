package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"fever/config"
	"fever/ingest"
	"fever/ops/control"
	"fever/provider/feed"
	"fever/store"
)

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

func (o *own) underWay(context.Context) (jobs []working) {
	for _, s := range o.Status() {
		if s.State != "" {
			jobs = append(jobs, working{label: s.Name, state: s.State, attempt: s.Attempt, bytes: s.Bytes, rows: s.Rows, started: s.Started})
		}
	}
	return jobs
}

// A server is a collector in the fever serve that holds the data file.
type server struct {
	*control.Client
	force   bool
	waiting sync.Map // names of providers for whose jobs to end it is waited
}

func newServer(client *control.Client, force bool) *server {
	s := &server{Client: client, force: force}
	client.Waiting = func(provider string, waits bool) {
		if waits {
			s.waiting.Store(provider, nil)
		} else {
			s.waiting.Delete(provider)
		}
	}
	return s
}

func (s *server) fetch(ctx context.Context, provider string) (store.Job, error) {
	return s.Sync(ctx, provider, s.force)
}

func (s *server) take(ctx context.Context, provider, name string, in io.Reader) (store.Job, error) {
	started := time.Now()
	document, err := openDocument(ctx, name, in)
	if err != nil {
		return unread(provider, started, err), nil
	}
	defer func() { _ = document.Close() }() // only read from
	body := &watched{Reader: document}
	job, err := s.Snapshot(ctx, provider, s.force, body)
	if failed := body.failed.Load(); err != nil && failed != nil {
		return unread(provider, started, *failed), nil
	}
	return job, err
}

// underWay leaves out the jobs of the server's own schedule that nobody waits for.
func (s *server) underWay(ctx context.Context) (jobs []working) {
	providers, err := s.Providers(ctx)
	if err != nil {
		return nil // nothing to show; what is wrong, the work itself will find out
	}
	for i := range providers {
		p := &providers[i]
		job := working{label: p.Name, state: store.State(p.State), attempt: p.Attempt, bytes: p.Bytes, rows: p.Rows, started: p.Started}
		_, waits := s.waiting.Load(p.Name)
		switch {
		case waits && job.state == store.Running && p.LastJob != nil: // it is the one that runs
			job.behind = fmt.Sprintf("job %d (%s)", p.LastJob.ID, p.Trigger)
		case waits && job.state == store.Pending:
			job.behind = fmt.Sprintf("a job (%s)", p.Trigger)
		case p.Trigger != store.Manual && p.Trigger != store.Document:
			continue
		}
		jobs = append(jobs, job)
	}
	return jobs
}

// collectOnce runs one job of every provider or, when there are files, one of the first
// for each of them in turn.
func collectOnce(ctx context.Context, c collector, providers, files []string, std streams) (failed error) {
	var fetches []jobRun
	for _, name := range providers {
		fetches = append(fetches, jobRun{name, name, func() (store.Job, error) { return c.fetch(ctx, name) }})
	}
	if len(files) == 0 {
		return runAll(ctx, c, fetches, std)
	}
	for _, file := range files {
		label := file
		if file == "-" {
			label = "standard input"
		}
		take := jobRun{providers[0], label, func() (store.Job, error) { return c.take(ctx, providers[0], file, std.in) }}
		failed = cmp.Or(runAll(ctx, c, []jobRun{take}, std), failed)
	}
	return failed
}

// A jobRun runs a job of a provider; people know it by its label.
type jobRun struct {
	provider, label string
	job             func() (store.Job, error)
}

// runAll runs jobs at once, and shows how far they are. It prints their outcomes in this
// order, each as soon as it is its turn.
func runAll(ctx context.Context, c collector, runs []jobRun, std streams) (failed error) {
	type result struct {
		job store.Job
		err error
	}
	results := make([]chan result, len(runs))
	labels := make(map[string]string)
	for i, r := range runs {
		labels[r.provider] = r.label
		results[i] = make(chan result, 1)
		go func() {
			job, err := r.job()
			results[i] <- result{job, err}
		}()
	}
	out := showProgress(ctx, std.err, std.out, func(ctx context.Context, now time.Time, s screen) []string {
		jobs := slices.DeleteFunc(c.underWay(ctx), func(job working) bool { return labels[job.label] == "" })
		for i := range jobs {
			jobs[i].label = labels[jobs[i].label]
		}
		return jobLines(jobs, now, s)
	})
	defer out.stop()
	for i, r := range runs { // all of them, whatever happens: they use the store
		result := <-results[i]
		failed = cmp.Or(report(out, r.label, &result.job, result.err), failed)
	}
	return failed
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
