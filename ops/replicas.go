package ops

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"fever/ops/page"
	"fever/store"
)

// Replicas are the processes that serve searches from a shared store. This one reports itself, and
// asks for the others. Its Store must be set.
type Replicas struct {
	Store    store.Shared
	Version  string
	Settings string                // see store.Replica
	Revision func() store.Revision // of what searches find; it waits for nothing
	Log      *slog.Logger

	mu    sync.Mutex
	known page.Replicas
}

// Run reports and asks every few seconds, until ctx ends. It logs when the store stops answering,
// each minute that it does not, and when it answers again.
func (r *Replicas) Run(ctx context.Context) {
	tick := time.NewTicker(store.ReplicaReports)
	defer tick.Stop()
	var down, logged time.Time
	for {
		err := r.look(ctx)
		switch now := time.Now(); {
		case ctx.Err() != nil:
			return
		case err != nil && now.Sub(logged) >= time.Minute:
			if down.IsZero() {
				down = now
			}
			logged = now
			r.Log.ErrorContext(ctx, "the database does not answer: searches go on from memory", "error", err, "since", down)
		case err == nil && !down.IsZero():
			r.Log.InfoContext(ctx, "the database answers again", "down", now.Sub(down).Round(time.Second))
			down, logged = time.Time{}, time.Time{}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (r *Replicas) look(ctx context.Context) error {
	id, err := r.Store.Report(ctx, store.Replica{Version: r.Version, Revision: r.Revision(), Settings: r.Settings})
	if err != nil {
		return err
	}
	all, now, err := r.Store.Replicas(ctx)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known = page.Replicas{All: all, Self: id, Now: now}
	return nil
}

// read returns what is known of the replicas. It waits for nothing.
func (r *Replicas) read() page.Replicas {
	if r == nil {
		return page.Replicas{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.known
}

// collect is called for each scrape.
func (r *Replicas) collect(s scraping) {
	known := r.read()
	alive := 0
	for i := range known.All {
		if known.Now.Sub(known.All[i].Seen) < store.ReplicaLives {
			alive++
		}
	}
	s.gauge("fever_replicas", "Processes that serve searches from the database, as far as this one has heard.", float64(alive))
	if i := slices.IndexFunc(known.All, func(other store.Replica) bool { return other.ID == known.Self }); i >= 0 {
		s.gauge("fever_follow_lag_seconds", "How long ago the first change was committed that searches do not find yet; 0: they find all.", known.All[i].Behind.Seconds())
	}
}
