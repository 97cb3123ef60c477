package cli

import (
	"context"
	"fmt"
	"io"
	"iter"
	"sync/atomic"
	"time"

	"fever/event"
	"fever/store"
)

// showJobs shows how far the jobs of c are. To label is said which provider a job is
// of; it returns what to call the job, and whether to show it.
func showJobs(ctx context.Context, std streams, c collector, label func(provider string) (string, bool)) *meter {
	return showProgress(ctx, std.err, std.out, func(ctx context.Context, now time.Time, s screen) []string {
		var jobs []working
		for _, job := range c.underWay(ctx) {
			var ours bool
			if job.label, ours = label(job.label); ours {
				jobs = append(jobs, job)
			}
		}
		return jobLines(jobs, now, s)
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

// manyEvents is the number of events from which on a dump shows how far it is.
const manyEvents = 10_000

// showCount yields the same events, and shows on w how many it were when they are many.
func showCount(ctx context.Context, w io.Writer, events iter.Seq2[event.Record, error]) (counted iter.Seq2[event.Record, error], stop func()) {
	var n atomic.Int64
	began := time.Now()
	m := showProgress(ctx, w, nil, func(_ context.Context, now time.Time, s screen) []string {
		if n.Load() < manyEvents {
			return nil
		}
		return []string{eventLine(n.Load(), now.Sub(began), s)}
	})
	return func(yield func(event.Record, error) bool) {
		for r, err := range events {
			n.Add(1)
			if !yield(r, err) {
				return
			}
		}
	}, m.stop
}
