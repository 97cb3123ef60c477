package ops

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"fever/provider/feed"
	"fever/store"
)

// failureKinds are the kinds of failure with which a job can end.
var failureKinds = []feed.Kind{
	feed.KindTimeout, feed.KindConnection, feed.KindDNS, feed.KindTLS,
	feed.KindHTTPStatus, feed.KindTooLarge, feed.KindMalformed, feed.KindDecode,
	feed.KindCanceled, feed.KindStore, feed.KindInternal, feed.KindSuspect,
}

// The values of the label result.
const (
	resultCompleted   = "completed"
	resultNotModified = "not_modified"
	resultFailed      = "failed"
)

// jobMetrics counts jobs by their provider.
type jobMetrics struct {
	total    *prometheus.CounterVec // provider, result, kind
	duration *prometheus.HistogramVec
	attempts *prometheus.CounterVec
	bytes    *prometheus.CounterVec
	rows     *prometheus.CounterVec // provider, outcome
	gone     *prometheus.CounterVec
}

func newJobMetrics() jobMetrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, append([]string{"provider"}, labels...))
	}
	return jobMetrics{
		total: counter("fever_jobs_total", "Jobs that ended, by result; kind says why one failed.", "result", "kind"),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "fever_job_duration_seconds",
			Help:    "Time that jobs ran, with all attempts and the waits between them.",
			Buckets: []float64{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300},
		}, []string{"provider"}),
		attempts: counter("fever_fetch_attempts_total", "Fetches tried by jobs that ended."),
		bytes:    counter("fever_fetched_bytes_total", "Bytes that jobs read over all attempts, after decompression."),
		rows:     counter("fever_rows_total", "Rows of the feeds that were applied, by what became of each.", "outcome"),
		gone:     counter("fever_events_gone_total", "Events that were in a provider's snapshot and not in its next."),
	}
}

// begin sets the counters of a provider to 0. Prometheus needs that to see their first
// increase.
func (m jobMetrics) begin(name string) {
	m.total.WithLabelValues(name, resultCompleted, "")
	m.total.WithLabelValues(name, resultNotModified, "")
	for _, kind := range failureKinds {
		m.total.WithLabelValues(name, resultFailed, string(kind))
	}
	m.duration.WithLabelValues(name)
	m.attempts.WithLabelValues(name)
	m.add(&store.Job{Provider: name})
}

// ended counts a job. Of the import of a document it counts only the contents, since it
// tells nothing about the provider.
func (m jobMetrics) ended(job *store.Job) {
	if job.Trigger == store.Document {
		m.add(job)
		return
	}
	result, kind := resultCompleted, feed.Kind("")
	switch {
	case job.State == store.Failed:
		result, kind = resultFailed, job.Kind
		if !slices.Contains(failureKinds, kind) {
			kind = feed.KindInternal
		}
	case job.NotModified:
		result = resultNotModified
	}
	m.total.WithLabelValues(job.Provider, result, string(kind)).Inc()
	m.duration.WithLabelValues(job.Provider).Observe(job.Finished.Sub(job.Started).Seconds())
	m.attempts.WithLabelValues(job.Provider).Add(float64(job.Attempts))
	m.add(job)
}

// add counts what a job read.
func (m jobMetrics) add(job *store.Job) {
	m.bytes.WithLabelValues(job.Provider).Add(float64(job.Bytes))
	m.gone.WithLabelValues(job.Provider).Add(float64(job.Gone))
	for outcome, rows := range map[string]int{
		"new": job.New, "changed": job.Changed, "unchanged": job.Unchanged, "ignored": job.Ignored, "rejected": job.Rejected,
	} {
		m.rows.WithLabelValues(job.Provider, outcome).Add(float64(rows))
	}
}

func (m jobMetrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.total, m.duration, m.attempts, m.bytes, m.rows, m.gone}
}
