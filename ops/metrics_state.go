package ops

import (
	"runtime"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"fever/index"
	"fever/index/follow"
	"fever/ingest"
	"fever/store"
)

// present collects the values of this moment at each scrape. Nothing in it waits for a job
// or a transaction.
type present struct {
	version  string
	metrics  *Metrics
	index    *index.Index
	ingester *ingest.Ingester
	store    store.Store
}

// Describe sends nothing, which makes this an unchecked collector: which metrics there are
// depends on the providers, and on whether the index is loaded.
func (p *present) Describe(chan<- *prometheus.Desc) {}

// scraping is where the metrics of a scrape go. Labels are pairs of names and values.
type scraping chan<- prometheus.Metric

func (s scraping) gauge(name, help string, value float64, labels ...string) {
	s.send(prometheus.GaugeValue, name, help, value, labels)
}

func (s scraping) counter(name, help string, value float64, labels ...string) {
	s.send(prometheus.CounterValue, name, help, value, labels)
}

func (s scraping) send(kind prometheus.ValueType, name, help string, value float64, labels []string) {
	var names, values []string
	for pair := range slices.Chunk(labels, 2) {
		names, values = append(names, pair[0]), append(values, pair[1])
	}
	s <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, names, nil), kind, value, values...)
}

// duration sends the number of some durations, and their sum.
func (s scraping) duration(name, help string, count uint64, sum time.Duration) {
	s <- prometheus.MustNewConstSummary(prometheus.NewDesc(name, help, nil, nil), count, sum.Seconds(), nil)
}

// Collect is called for each scrape.
func (p *present) Collect(metrics chan<- prometheus.Metric) {
	s := scraping(metrics)
	p.collectRequests(s)
	p.collectProviders(s)
	s.counter("fever_archive_errors_total", "Errors of the archive: documents that are not in it, and damage.", float64(p.ingester.Unarchived.Load()))
	if snapshot := p.index.Snapshot(); snapshot != nil {
		s.gauge("fever_index_events", "Events that searches can find: all that were ever stored.", float64(snapshot.Events))
		s.gauge("fever_index_segments", "Pieces of neighbouring events that answers are cut from, and changes write anew.", float64(snapshot.Segments))
		s.gauge("fever_index_text_bytes", "Size of all events as searches answer with them.", float64(snapshot.TextBytes))
		s.gauge("fever_index_packed_bytes", "Size of the same, ready compressed.", float64(snapshot.PackedBytes))
		s.duration("fever_index_publish_duration_seconds",
			"Time that changes took to become what searches find; the count is the version of the index.", snapshot.Version, snapshot.Work)
	}
	p.collectStore(s)
}

func (p *present) collectStore(s scraping) {
	follower := p.metrics.Follower
	s.gauge("fever_index_revision", "The revision of the store that searches find.", float64(follower.Revision()))
	for reason, word := range follow.Reasons {
		s.counter("fever_follow_loads_total", "Times that everything stored was loaded, by why.", float64(follower.Loads(follow.Reason(reason))), "reason", word)
	}
	stats := p.store.Stats()
	if _, shared := p.store.(store.Shared); shared {
		p.collectShared(s, &stats)
	} else {
		s.gauge("fever_store_size_bytes", "Size of the data file.", float64(stats.Size))
		s.gauge("fever_store_free_bytes", "Of the data file, what holds nothing: it is used before the file grows.", float64(stats.Free))
		s.gauge("fever_store_broken", "1 when the data file cannot be used until a restart, else 0.", truth(stats.Broken != nil))
	}
	s.duration("fever_store_commit_duration_seconds",
		"Time that transactions took to write, until the disk had them.", stats.Commits, stats.CommitTime)
}

func (p *present) collectShared(s scraping, stats *store.Stats) {
	s.gauge("fever_store_up", "Whether the database answers: 1 or 0.", truth(stats.Down.IsZero()))
	s.gauge("fever_store_revision", "The latest revision that the database was heard to have.", float64(stats.Revision))
	for result, count := range map[string]uint64{"won": stats.Claims.Won - stats.Claims.Expired, "expired": stats.Claims.Expired, "busy": stats.Claims.Busy, "fenced": stats.Claims.Fenced} {
		s.counter("fever_claims_total", "Claims of providers, by what became of them.", float64(count), "result", result)
	}
	s.counter("fever_commit_unknown_total", "Commits of which nobody could tell in time whether they succeeded.", float64(stats.Uncertain))
	for state, connections := range map[string]int{"used": stats.Pool.Used, "idle": stats.Pool.Idle} {
		s.gauge("fever_store_pool_connections", "Connections to the database, by whether they are in use.", float64(connections), "state", state)
	}
	s.duration("fever_store_pool_wait_seconds", "Time that somebody waited for a connection to the database, as none was idle.", stats.Pool.Waits, stats.Pool.Waited)
	p.metrics.Replicas.collect(s)
}

func (p *present) collectRequests(s scraping) {
	m := p.metrics
	s.gauge("fever_build_info", "1, with the version of fever and of the Go that built it.", 1, "version", p.version, "goversion", runtime.Version())
	s.gauge("fever_searches_in_flight", "Searches under way.", float64(m.InFlight.Load()))
	s.counter("fever_searches_shed_total", "Searches refused with 503 because there were --max-in-flight of them.", float64(m.Shed.Load()))
	s.counter("fever_connections_refused_total",
		"Connections to /search refused with 503 because there were as many as there may be.", float64(m.Connections.Refused.Load()))
	for waitedFor, count := range map[string]int64{"request": m.Connections.Silent.Load(), "answer": m.Connections.Slow.Load()} {
		s.counter("fever_connections_cut_off_total",
			"Connections to /search cut off to make room for others, by what their clients kept it waiting for.", float64(count), "waited_for", waitedFor)
	}
}

func (p *present) collectProviders(s scraping) {
	current := p.store.Stats().Current
	states := map[store.State]int{store.Pending: 0, store.Running: 0}
	for _, status := range p.ingester.Status() {
		of := []string{"provider", status.Name}
		s.gauge("fever_provider_last_success_timestamp_seconds",
			"When the provider's newest completed job ended; 0 when none is known.", timestamp(status.LastSuccess), of...)
		s.gauge("fever_provider_max_age_seconds", "How long after its last success a provider counts as stale.", status.MaxAge.Seconds(), of...)
		s.gauge("fever_provider_consecutive_failures", "Jobs of the provider that failed since one completed.", float64(status.Failures), of...)
		s.gauge("fever_provider_interval_stretch_seconds", "By how much failures delay the provider's next turn.", status.Stretch.Seconds(), of...)
		s.counter("fever_provider_skipped_turns_total", "Turns left out because the provider's last job still ran.", float64(status.Skipped), of...)
		s.gauge("fever_provider_rejected_rows", "Rows of the provider's latest snapshot that were rejected.", float64(status.Rejected), of...)
		pages := status.Harvest.Pages
		if status.Harvest.Complete {
			pages = 0
		}
		s.gauge("fever_provider_harvest_pages", "Pages taken of the provider's feed of changes while its harvest is not complete, else 0.", float64(pages), of...)
		for _, reason := range ingest.Suspicions {
			s.gauge("fever_provider_suspect", "Whether the provider's latest snapshot is suspect as a whole, by the reason: 1 or 0.",
				truth(status.Suspect == reason), "provider", status.Name, "reason", string(reason))
		}
		current[status.Name] += 0 // so that it is there before the first snapshot
		if status.State != "" {
			states[status.State]++
		}
	}
	for name, events := range current {
		s.gauge("fever_provider_current_events", "Events in the provider's latest snapshot: what it sells now.", float64(events), "provider", name)
	}
	for state, jobs := range states {
		s.gauge("fever_jobs_under_way", "Jobs that have not ended: running, or pending until a worker is free.", float64(jobs), "state", string(state))
	}
}

// truth returns 1 for true, and else 0.
func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// timestamp returns t in seconds since the epoch, and 0 for the zero time.
func timestamp(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
