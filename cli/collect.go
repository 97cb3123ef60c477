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

// A collector runs jobs and returns their records, in this process or in a server. An error
// means that no job was run.
type collector interface {
	// runNow runs a job that fetches from a provider. If it goes on where the job before has left
	// a feed of changes, force is not for it.
	runNow(ctx context.Context, provider string, goesOn bool) (store.Job, error)
	// importFile runs a job for the named file, or for in if the name is "-".
	importFile(ctx context.Context, provider, name string, in io.Reader) (store.Job, error)
	// progress returns how far the jobs are that were started by hand, and what they wait
	// for. Their labels are the providers.
	progress(ctx context.Context) []jobProgress
}

// A localCollector is a collector in this process.
type localCollector struct {
	*ingest.Ingester
	providers []config.Provider
	force     bool
}

func (o *localCollector) runNow(ctx context.Context, provider string, goesOn bool) (store.Job, error) {
	return whenFree(ctx, func() (store.Job, error) { return o.RunNow(ctx, provider, store.Manual, o.force && !goesOn) })
}

func (o *localCollector) importFile(ctx context.Context, name, file string, in io.Reader) (store.Job, error) {
	i := slices.IndexFunc(o.providers, func(p config.Provider) bool { return p.Name == name })
	return whenFree(ctx, func() (store.Job, error) {
		return o.Import(ctx, name, o.force, func(ctx context.Context, p *feed.Progress) (*feed.Document, error) {
			return readSnapshot(ctx, o.providers[i].Provider, file, in, p)
		})
	})
}

func (o *localCollector) progress(context.Context) (jobs []jobProgress) {
	for _, s := range o.Status() {
		if s.State != "" {
			jobs = append(jobs, jobProgress{label: s.Name, state: s.State, page: s.Page, attempt: s.Attempt, bytes: s.Bytes, rows: s.Rows, started: s.Started})
		}
	}
	return jobs
}

// A remoteCollector is a collector in the fever serve that holds the data file.
type remoteCollector struct {
	*control.Client
	force   bool
	waiting sync.Map // providers whose current job must end first
}

func newRemoteCollector(client *control.Client, force bool) *remoteCollector {
	s := &remoteCollector{Client: client, force: force}
	client.Waiting = func(provider string, waits bool) {
		if waits {
			s.waiting.Store(provider, nil)
		} else {
			s.waiting.Delete(provider)
		}
	}
	return s
}

func (s *remoteCollector) runNow(ctx context.Context, provider string, goesOn bool) (store.Job, error) {
	return s.Sync(ctx, provider, s.force && !goesOn)
}

func (s *remoteCollector) importFile(ctx context.Context, provider, name string, in io.Reader) (store.Job, error) {
	started := time.Now()
	document, err := openDocument(ctx, name, in)
	if err != nil {
		return unread(provider, started, err), nil
	}
	defer func() { _ = document.Close() }() // opened for reading
	body := &errorReader{Reader: document}
	job, err := s.Snapshot(ctx, provider, s.force, body)
	if failed := body.failed.Load(); err != nil && failed != nil {
		return unread(provider, started, *failed), nil
	}
	return job, err
}

// progress leaves out scheduled jobs of the server unless one of ours waits for them.
func (s *remoteCollector) progress(ctx context.Context) (jobs []jobProgress) {
	providers, err := s.Providers(ctx)
	if err != nil {
		return nil // the jobs themselves will fail with the reason
	}
	for i := range providers {
		p := &providers[i]
		job := jobProgress{label: p.Name, state: store.State(p.State), page: p.Page, attempt: p.Attempt, bytes: p.Bytes, rows: p.Rows, started: p.Started}
		_, waits := s.waiting.Load(p.Name)
		switch {
		case waits && job.state == store.Running && p.LastJob != nil: // the last job is the running one
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

// collectOnce runs one job of every provider, or as many as its feed of changes needs. If there
// are files, it runs one job of the first provider for each file instead, in turn.
func collectOnce(ctx context.Context, c collector, providers, files []string, std streams) (failed error) {
	var fetches []jobRun
	for _, name := range providers {
		fetches = append(fetches, jobRun{name, name, func(goesOn bool) (store.Job, error) { return c.runNow(ctx, name, goesOn) }})
	}
	if len(files) == 0 {
		return runAll(ctx, c, fetches, std)
	}
	for _, file := range files {
		label := file
		if file == "-" {
			label = "standard input"
		}
		imported := jobRun{providers[0], label, func(bool) (store.Job, error) { return c.importFile(ctx, providers[0], file, std.in) }}
		failed = cmp.Or(runAll(ctx, c, []jobRun{imported}, std), failed)
	}
	return failed
}

// A jobRun is a function that runs a job of a provider, with a label for people. It is called
// again, and told so, as long as the job leaves pages of a feed of changes for the next one.
type jobRun struct {
	provider, label string
	job             func(goesOn bool) (store.Job, error)
}

// runAll runs jobs in parallel and shows their progress. It prints their outcomes in the given
// order, each as soon as possible.
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
			defer close(results[i])
			for goesOn := false; ; goesOn = true {
				job, err := r.job(goesOn)
				results[i] <- result{job, err}
				if err != nil || !job.More {
					return
				}
			}
		}()
	}
	out := showProgress(ctx, std.err, std.out, func(ctx context.Context, now time.Time, s screen) []string {
		jobs := slices.DeleteFunc(c.progress(ctx), func(job jobProgress) bool { return labels[job.label] == "" })
		for i := range jobs {
			jobs[i].label = labels[jobs[i].label]
		}
		return jobLines(jobs, now, s)
	})
	defer out.stop()
	for i, r := range runs { // wait for all of them, as they use the store
		for result := range results[i] {
			failed = cmp.Or(report(out, r.label, &result.job, result.err), failed)
		}
	}
	return failed
}

// report prints the outcome of a job, or err, the reason why it was not run. It returns
// errReported unless the job completed and its feed was of use.
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
