package ops

import (
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"fever/ops/page"
)

// searchBuckets are upper bounds in seconds. A search takes tens of microseconds. A client
// that reads slowly can make it last for the server's limit of 30 s.
//
// They are classic buckets, which everybody can read. A native histogram costs half as much
// again. It has no buckets in the text form, which a terminal, an older Prometheus, and a
// Prometheus without the setting for native histograms get. And a Prometheus that stores
// only the native form finds nothing for a query of _bucket.
var searchBuckets = [...]float64{
	10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6,
	1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3,
	1, 2.5, 10,
}

// searchMetrics counts searches in one histogram. The status page shows the last minute of
// it, since there may be no Prometheus to keep a history. For that, a sample of the
// histogram is kept of the beginning of each second that had a search.
type searchMetrics struct {
	durations *prometheus.HistogramVec
	byStatus  map[int]prometheus.Observer // of the statuses that searches have
	gatherer  prometheus.Gatherer         // of durations alone

	second  atomic.Int64 // Unix time of the newest sample
	mu      sync.Mutex   // guards what follows
	samples []searchSample
}

// A searchSample is the contents of the histogram when a second began.
type searchSample struct {
	second int64
	searchCounts
}

// searchCounts are numbers of searches since the start.
type searchCounts struct {
	shed, failed, answered uint64
	within                 [len(searchBuckets)]uint64 // answered within each of searchBuckets, cumulative
}

func newSearchMetrics() *searchMetrics {
	m := &searchMetrics{
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "fever_search_duration_seconds",
			Help:    "Time from a search's header to the last byte of its answer, by HTTP status.",
			Buckets: searchBuckets[:],
		}, []string{"code"}),
		byStatus: make(map[int]prometheus.Observer),
	}
	for _, status := range []int{
		http.StatusOK, http.StatusNotModified, http.StatusBadRequest,
		http.StatusInternalServerError, http.StatusServiceUnavailable,
	} {
		m.byStatus[status] = m.durations.WithLabelValues(strconv.Itoa(status))
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(m.durations)
	m.gatherer = registry
	return m
}

// add counts a search that ends now. Only the first search of a second takes a lock and
// allocates.
func (m *searchMetrics) add(status int, took time.Duration) {
	if now := time.Now().Unix(); m.second.Load() != now {
		m.sample(now)
	}
	durations := m.byStatus[status]
	if durations == nil {
		durations = m.durations.WithLabelValues(strconv.Itoa(status))
	}
	durations.Observe(took.Seconds())
}

// sample keeps the contents of the histogram before the first search of a second is added.
func (m *searchMetrics) sample(now int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.second.Load() == now {
		return
	}
	m.samples = append(slices.DeleteFunc(m.samples, func(s searchSample) bool { return !s.recent(now) }), searchSample{now, m.counts()})
	m.second.Store(now)
}

// recent reports whether the sample is of the last minute, which ends with the second now.
func (s *searchSample) recent(now int64) bool { return s.second > now-60 && s.second <= now }

// counts reads the histogram.
func (m *searchMetrics) counts() (c searchCounts) {
	families, _ := m.gatherer.Gather() // it fails only for collectors that contradict each other
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			h := metric.GetHistogram()
			switch metric.GetLabel()[0].GetValue() {
			case strconv.Itoa(http.StatusServiceUnavailable):
				c.shed = h.GetSampleCount()
			case strconv.Itoa(http.StatusInternalServerError):
				c.failed = h.GetSampleCount()
			default:
				c.answered += h.GetSampleCount()
				for i, bucket := range h.GetBucket() {
					c.within[i] += bucket.GetCumulativeCount()
				}
			}
		}
	}
	return c
}

// lastMinute returns how searches went in the last minute.
func (m *searchMetrics) lastMinute() page.Traffic {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now().Unix()
	first := slices.IndexFunc(m.samples, func(s searchSample) bool { return s.recent(now) })
	if first < 0 {
		return page.Traffic{}
	}
	before, c := &m.samples[first], m.counts()
	c.answered -= before.answered
	for i := range c.within {
		c.within[i] -= before.within[i]
	}
	return page.Traffic{
		Answered: int(c.answered), Shed: int(c.shed - before.shed), Failed: int(c.failed - before.failed),
		P50: c.quantile(0.50), P99: c.quantile(0.99),
	}
}

// quantile estimates the time within which a part of the searches were answered, in the way
// of Prometheus' histogram_quantile: it assumes that the searches of a bucket are spread
// evenly over it. Without searches it is 0.
func (c *searchCounts) quantile(part float64) time.Duration {
	rank, least, fewer := part*float64(c.answered), 0.0, 0.0
	for i, most := range searchBuckets {
		if within := float64(c.within[i]); within >= rank && within > fewer {
			return time.Duration((least + (most-least)*(rank-fewer)/(within-fewer)) * float64(time.Second))
		}
		least, fewer = most, float64(c.within[i])
	}
	if c.answered == 0 {
		return 0
	}
	return time.Duration(least * float64(time.Second)) // the time is beyond the last bucket: it is this much or more
}
