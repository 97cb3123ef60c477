package ops

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"fever/index"
	"fever/ingest"
	"fever/store"
	"fever/store/bolt"
)

// present is what is asked for at each scrape: how things are now. None of it waits for
// a job or a transaction.
type present struct {
	index    *index.Index
	ingester *ingest.Ingester
	store    *bolt.Store
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	lastSuccessDesc = describe("fever_provider_last_success_timestamp_seconds",
		"When the provider's newest completed job ended; 0 when none is known.", "provider")
	maxAgeDesc = describe("fever_provider_max_age_seconds",
		"How long after its last success a provider counts as stale.", "provider")
	failuresDesc = describe("fever_provider_consecutive_failures",
		"Jobs of the provider that failed since one completed.", "provider")
	stretchDesc = describe("fever_provider_interval_stretch_seconds",
		"By how much failures delay the provider's next turn.", "provider")
	skippedDesc = describe("fever_provider_skipped_turns_total",
		"Turns left out because the provider's last job still ran.", "provider")
	currentEventsDesc = describe("fever_provider_current_events",
		"Events in the provider's latest snapshot: what it sells now.", "provider")
	rejectedRowsDesc = describe("fever_provider_rejected_rows",
		"Rows of the provider's latest snapshot that were rejected.", "provider")
	suspectDesc = describe("fever_provider_suspect",
		"Whether the provider's latest snapshot is suspect as a whole, by the reason: 1 or 0.", "provider", "reason")
	underWayDesc = describe("fever_jobs_under_way",
		"Jobs that have not ended: running, or pending until a worker is free.", "state")

	indexEventsDesc   = describe("fever_index_events", "Events that searches can find: all that were ever stored.")
	indexSegmentsDesc = describe("fever_index_segments",
		"Pieces of neighbouring events that answers are cut from, and changes write anew.")
	indexTextDesc    = describe("fever_index_text_bytes", "Size of all events as searches answer with them.")
	indexPackedDesc  = describe("fever_index_packed_bytes", "Size of the same, ready compressed.")
	indexPublishDesc = describe("fever_index_publish_duration_seconds",
		"Time that changes took to become what searches find; the count is the version of the index.")

	storeSizeDesc = describe("fever_store_size_bytes", "Size of the data file.")
	storeFreeDesc = describe("fever_store_free_bytes",
		"Of the data file, what holds nothing: it is used before the file grows.")
	storeBrokenDesc = describe("fever_store_broken",
		"1 when the data file cannot be used until a restart, else 0.")
	storeCommitsDesc = describe("fever_store_commit_duration_seconds",
		"Time that transactions took to write, until the disk had them.")
)

// Describe and Collect make a [prometheus.Collector].
func (p *present) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{
		lastSuccessDesc, maxAgeDesc, failuresDesc, stretchDesc, skippedDesc, currentEventsDesc, rejectedRowsDesc, suspectDesc, underWayDesc,
		indexEventsDesc, indexSegmentsDesc, indexTextDesc, indexPackedDesc, indexPublishDesc, storeSizeDesc, storeFreeDesc, storeBrokenDesc, storeCommitsDesc,
	} {
		descs <- desc
	}
}

// Collect is called for each scrape.
func (p *present) Collect(metrics chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	stats := p.store.Stats()
	states := map[store.State]int{store.Pending: 0, store.Running: 0}
	for _, s := range p.ingester.Status() {
		gauge(lastSuccessDesc, timestamp(s.LastSuccess), s.Name)
		gauge(maxAgeDesc, s.MaxAge.Seconds(), s.Name)
		gauge(failuresDesc, float64(s.Failures), s.Name)
		gauge(stretchDesc, s.Stretch.Seconds(), s.Name)
		metrics <- prometheus.MustNewConstMetric(skippedDesc, prometheus.CounterValue, float64(s.Skipped), s.Name)
		gauge(rejectedRowsDesc, float64(s.Rejected), s.Name)
		for _, reason := range ingest.Suspicions {
			value := 0.0
			if s.Suspect == reason {
				value = 1
			}
			gauge(suspectDesc, value, s.Name, string(reason))
		}
		stats.Current[s.Name] += 0 // also when it has no snapshot yet
		if s.State != "" {
			states[s.State]++
		}
	}
	for state, jobs := range states {
		gauge(underWayDesc, float64(jobs), string(state))
	}

	if snapshot := p.index.Snapshot(); snapshot != nil {
		gauge(indexEventsDesc, float64(snapshot.Events))
		gauge(indexSegmentsDesc, float64(snapshot.Segments))
		gauge(indexTextDesc, float64(snapshot.TextBytes))
		gauge(indexPackedDesc, float64(snapshot.PackedBytes))
		metrics <- prometheus.MustNewConstSummary(indexPublishDesc, snapshot.Version, snapshot.Work.Seconds(), nil)
	}

	for name, events := range stats.Current {
		gauge(currentEventsDesc, float64(events), name)
	}
	gauge(storeSizeDesc, float64(stats.Size))
	gauge(storeFreeDesc, float64(stats.Free))
	broken := 0.0
	if p.store.Broken() != nil {
		broken = 1
	}
	gauge(storeBrokenDesc, broken)
	metrics <- prometheus.MustNewConstSummary(storeCommitsDesc, stats.Commits, stats.CommitTime.Seconds(), nil)
}

// timestamp returns t in seconds since the epoch, and 0 for the zero time.
func timestamp(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
