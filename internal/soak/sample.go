//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"fever/internal/harness"
)

// A sample has what the process held at one moment.
type sample struct {
	at     time.Duration // since the first
	values [measures]float64
}

// The measures.
const (
	anonymous  = iota // memory of its own, in MiB
	goroutines        // number
	files             // number of descriptors that are open
	size              // of the data file, in MiB
	free              // of that, in MiB
	measures          // number of measures
)

// look takes samples until ctx ends.
func (w *watch) look(ctx context.Context) error {
	began := time.Now()
	for {
		s, err := w.take(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the end came first
		}
		if err != nil {
			return err
		}
		s.at = time.Since(began)
		w.samples = append(w.samples, s)
		select {
		case <-w.warm:
		default:
			w.cold = len(w.samples)
		}
		if !harness.Pause(ctx, w.sample) {
			return nil
		}
	}
}

func (w *watch) take(ctx context.Context) (s sample, err error) {
	m, err := w.scrape(ctx)
	if err != nil {
		return s, err
	}
	w.metrics = m
	for i, name := range map[int]string{goroutines: "go_goroutines", size: "fever_store_size_bytes", free: "fever_store_free_bytes"} {
		value, ok := m[name]
		if !ok {
			return s, fmt.Errorf("/metrics has no %s", name)
		}
		s.values[i] = value
	}
	const mib = 1 << 20
	s.values[size] /= mib
	s.values[free] /= mib
	memory, err := w.fever.Memory()
	if err != nil {
		return s, err
	}
	s.values[anonymous] = float64(memory.Anonymous) / mib
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", w.fever.PID))
	s.values[files] = float64(len(open))
	return s, err
}

// metrics are values by name, with labels as they are written.
type metrics map[string]float64

// scrape asks for all metrics, as Prometheus does.
func (w *watch) scrape(ctx context.Context) (metrics, error) {
	text, err := harness.Get(ctx, "http://"+w.fever.Ops+"/metrics")
	if err != nil {
		return nil, err
	}
	m := make(metrics)
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if strings.HasPrefix(line, "#") || !ok {
			continue
		}
		if i := strings.LastIndex(line, "} "); i >= 0 { // labels may have spaces
			name, value = line[:i+1], strings.TrimSpace(line[i+2:])
		}
		if m[name], err = strconv.ParseFloat(value, 64); err != nil {
			return nil, fmt.Errorf("/metrics: %w", err)
		}
	}
	return m, nil
}
