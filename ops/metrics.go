package ops

import (
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"fever/httpapi/server"
	"fever/index"
	"fever/index/follow"
	"fever/ingest"
	"fever/ops/page"
	"fever/store"
)

// Metrics counts what the service does. It is the [http.Handler] of the scrapes of
// Prometheus. docs/operations.md lists the metrics. Use [NewMetrics] to make it.
//
// The number of time series is bounded: the values of labels are words of closed sets, and
// names of providers in the configuration.
type Metrics struct {
	InFlight    atomic.Int64       // searches under way, for httpapi.Search
	Shed        atomic.Int64       // searches refused, likewise
	Connections server.Connections // of the public listener, for server.Serve

	Follower *follow.Follower // that brings what is stored into the index
	Replicas *Replicas        // nil: the store is not shared

	searches *searchMetrics
	jobs     jobMetrics
	handler  http.Handler
}

// NewMetrics returns the metrics of a process of this version. The caller connects them: the
// search handler gets [Metrics.Search], InFlight and Shed, its listener gets Connections, and
// the ingester gets [Metrics.JobEnded]. Follower must be set before the first scrape.
func NewMetrics(version string, x *index.Index, g *ingest.Ingester, st store.Store, log *slog.Logger) *Metrics {
	m := &Metrics{
		searches: newSearchMetrics(),
		jobs:     newJobMetrics(),
	}
	for _, status := range g.Status() {
		m.jobs.begin(status.Name)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.searches.durations,
		&present{version, m, x, g, st},
	)
	registry.MustRegister(m.jobs.all()...)
	m.handler = promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog:      slog.NewLogLogger(log.Handler(), slog.LevelError),
		ErrorHandling: promhttp.ContinueOnError, // while something fails the other metrics matter most
	})
	return m
}

// Search counts a search that ends now. It is called for each, and costs hardly anything.
func (m *Metrics) Search(status int, took time.Duration) { m.searches.add(status, took) }

// traffic returns how searches went in the last minute.
func (m *Metrics) traffic() page.Traffic {
	t := m.searches.lastMinute()
	t.InFlight = int(m.InFlight.Load())
	return t
}

// JobEnded counts a job.
func (m *Metrics) JobEnded(job store.Job) { m.jobs.ended(&job) }

// ServeHTTP answers a scrape.
func (m *Metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) { m.handler.ServeHTTP(w, r) }
