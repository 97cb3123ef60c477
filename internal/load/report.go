//go:build linux

package main

import (
	"cmp"
	"runtime"
	"slices"
	"time"

	"fever/internal/harness"
)

// A report has all the figures, as they are saved.
type report struct {
	Go         string     `json:"go"`
	Processors int        `json:"processors"`
	Turns      int        `json:"turns"`
	Seconds    float64    `json:"seconds"` // that it all took
	Rows       []row      `json:"rows"`
	Memory     []weight   `json:"memory"`
	Ingested   *ingestion `json:"ingested,omitempty"`
	Job        *jobWeight `json:"job,omitempty"`
	Targets    []target   `json:"targets"`
}

// A row has the figures of one measure: medians of the turns.
type row struct {
	key
	Events    float64   `json:"events,omitempty"` // mean of an answer
	PerSecond float64   `json:"requests_per_second"`
	CPU       float64   `json:"cpu_us"`             // user and system time of the server, per request
	ToPlain   float64   `json:"to_plain,omitempty"` // its ratio to that of the bare handler
	ToAlike   float64   `json:"to_alike,omitempty"` // to that of the one that is built like fever
	P50       float64   `json:"p50_ms"`             // latency
	P99       float64   `json:"p99_ms"`             //
	P999      float64   `json:"p999_ms"`            //
	Slowest   float64   `json:"slowest_ms"`         // of all turns
	Wire      float64   `json:"bytes_on_the_wire"`  // of a response, with its header
	Turns     []float64 `json:"cpu_us_of_turns"`
}

// A weight is the memory of a server after the attacks.
type weight struct {
	stock
	Ingested  bool  `json:"ingested,omitempty"` // a big feed meanwhile
	Summaries int64 `json:"summaries"`          // bytes of all
	harness.Memory
}

// An ingestion says what fever ingested under attack.
type ingestion struct {
	Jobs    int     `json:"jobs"`
	Bytes   int64   `json:"bytes"`   // of one feed
	Seconds float64 `json:"seconds"` // mean of a job
}

func (b *bench) report() *report {
	r := &report{Go: runtime.Version(), Processors: runtime.NumCPU(), Turns: b.rounds}
	for _, m := range b.measures {
		r.Rows = append(r.Rows, m.row())
	}
	slices.SortStableFunc(r.Rows, func(x, y row) int {
		return cmp.Or(cmp.Compare(x.Rate, y.Rate), cmp.Compare(x.Size, y.Size), x.rank()-y.rank())
	})
	for i := range r.Rows {
		x := &r.Rows[i]
		bare := x.of(plain)
		if x.Rate > 0 {
			bare.State = idle
		}
		x.ToPlain = x.to(r.find(bare))
		bare.Server = alike
		x.ToAlike = x.to(r.find(bare))
	}
	for events, s := range b.stored {
		r.Memory = append(r.Memory, weight{stock: events, Summaries: s.summaries, Memory: s.Memory})
	}
	slices.SortFunc(r.Memory, func(v, w weight) int { return cmp.Compare(v.Stored+v.first(), w.Stored+w.first()) })
	if c := b.collecting; c != nil {
		r.Memory = append(r.Memory, weight{stock: stock{Stored: len(c.data)}, Ingested: true, Summaries: c.summaries, Memory: c.Memory})
		if jobs := int64(c.jobs); jobs > 0 {
			r.Ingested = &ingestion{c.jobs, c.ingested / jobs, c.took.Seconds() / float64(jobs)}
		}
		r.Job = c.weight
	}
	r.judge()
	return r
}

// row returns the figures of a measure.
func (m *measure) row() row {
	of := func(figure func(*sample) float64) (all []float64) {
		for i := range m.samples {
			all = append(all, figure(&m.samples[i]))
		}
		return all
	}
	latency := func(share float64) float64 {
		return median(of(func(s *sample) float64 { return milliseconds(percentile(s.latencies, share)) }))
	}
	each := func(total float64, s *sample) float64 { return total / float64(max(s.requests, 1)) }
	x := row{
		key:       m.key,
		Events:    m.lesson.events,
		PerSecond: median(of(func(s *sample) float64 { return float64(s.requests) / s.elapsed.Seconds() })),
		P50:       latency(0.5),
		P99:       latency(0.99),
		P999:      latency(0.999),
		Slowest:   slices.Max(of(func(s *sample) float64 { return milliseconds(percentile(s.latencies, 1)) })),
		Wire:      median(of(func(s *sample) float64 { return each(float64(s.wire), s) })),
		Turns:     of(func(s *sample) float64 { return each(float64(s.cpu)/float64(time.Microsecond), s) }),
	}
	x.CPU = median(x.Turns)
	return x
}

// rank orders the servers: fever comes last.
func (x *row) rank() int { return slices.Index([]string{nginx, plain, alike, fever}, x.Server) }

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// to returns the ratio of the processor time to that of another row: the median over the turns,
// or 0 without another row.
func (x *row) to(other *row) float64 {
	if other == nil {
		return 0
	}
	var ratios []float64
	for i, cpu := range x.Turns {
		ratios = append(ratios, cpu/other.Turns[i])
	}
	return median(ratios)
}

// find returns the row of a measure, or nil.
func (r *report) find(k key) *row {
	for i := range r.Rows {
		if r.Rows[i].key == k {
			return &r.Rows[i]
		}
	}
	return nil
}
