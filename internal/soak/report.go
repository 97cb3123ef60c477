//go:build linux

package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"sort"
	"strings"
	"text/tabwriter"
	"time"
)

// A bound says how much a measure may grow from the first third to the last.
type bound struct {
	name, unit string
	share      float64 // of the first
	slack      float64 // in any case: the usual variation
}

// The bounds are far below what a leak in each job, or in each thousand searches, adds up to in
// a minute.
var bounds = [measures]bound{
	anonymous:  {"memory", "MiB", 0.15, 24},
	goroutines: {"goroutines", "", 0, 8},
	files:      {"open files", "", 0, 8},
	size:       {"data file", "MiB", 0.05, 16}, // it grows in steps of up to 16 MiB
	free:       {"free in it", "MiB", 0.25, 16},
}

// A finding says how a measure developed.
type finding struct {
	bound
	first, last float64 // the least of each third, when nothing passing was in it: a leak stays
	most        float64
}

// limit is the most that the last third may have.
func (f finding) limit() float64 { return f.first*(1+f.share) + f.slack }

// err returns an error when the measure grew by more than its bound.
func (f finding) err() error {
	if f.last <= f.limit() {
		return nil
	}
	return fmt.Errorf("%s: from %.1f to %.1f, where at most %.1f is right (%s)", f.name, f.first, f.last, f.limit(), cmp.Or(f.unit, "a number"))
}

// thirds returns the samples of the first and of the last third of the time.
func thirds(samples []sample) (first, last []sample) {
	if len(samples) == 0 {
		return nil, nil
	}
	begin, end := samples[0].at, samples[len(samples)-1].at
	from := func(third time.Duration) int {
		return sort.Search(len(samples), func(i int) bool { return samples[i].at >= begin+(end-begin)*third/3 })
	}
	return samples[:from(1)], samples[from(2):]
}

// judge returns how all measures developed after the warm-up. Too few samples are an error.
func judge(samples []sample) ([]finding, error) {
	first, last := thirds(samples)
	if min(len(first), len(last)) < 5 {
		return nil, fmt.Errorf("%d looks at the process are too few to judge it", len(samples))
	}
	all := make([]finding, 0, measures)
	var failed error
	for i, b := range bounds {
		f := finding{bound: b, first: least(first, i), last: least(last, i)}
		for _, s := range samples {
			f.most = max(f.most, s.values[i])
		}
		all = append(all, f)
		failed = errors.Join(failed, f.err())
	}
	return all, failed
}

func least(samples []sample, measure int) float64 {
	least := math.Inf(1)
	for _, s := range samples {
		least = min(least, s.values[measure])
	}
	return least
}

// report prints and draws the results.
func (w *watch) report(out io.Writer, plot string) error {
	if len(w.samples) == 0 {
		return nil // it ended before, and that is told
	}
	if _, err := io.WriteString(out, w.deeds()); err != nil {
		return err
	}
	findings, failed := judge(w.samples[w.cold:])
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(format string, args ...any) {
		if _, err := fmt.Fprintf(table, format+"\n", args...); err != nil {
			failed = errors.Join(failed, err)
		}
	}
	line("\nHELD\tFIRST THIRD\tLAST THIRD\tMAY BE\tMOST\t\t")
	for _, f := range findings {
		verdict := "ok"
		if f.err() != nil {
			verdict = "GROWS"
		}
		line("%s\t%.1f\t%.1f\t%.1f\t%.1f\t%s\t%s", f.name, f.first, f.last, f.limit(), f.most, f.unit, verdict)
	}
	failed = errors.Join(failed, table.Flush())
	if plot != "" {
		failed = errors.Join(failed, os.WriteFile(plot, []byte(draw(w.samples, w.cold)), 0o600))
	}
	return failed
}

// deeds says what happened.
func (w *watch) deeds() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s of everything at once.\n", w.samples[len(w.samples)-1].at.Round(time.Second))
	var searches, notModified int64
	for _, c := range w.clients {
		searches += c.searches.Load()
		notModified += c.notModified.Load()
	}
	fmt.Fprintf(&b, "%d searches, each answer checked, %d of them not modified\n", searches, notModified)
	jobs, attempts := make(map[string]float64), 0.0
	for name, value := range w.metrics {
		if strings.HasPrefix(name, "fever_fetch_attempts_total{") {
			attempts += value
		}
		if labels, ok := strings.CutPrefix(name, "fever_jobs_total{"); ok && value > 0 {
			jobs[outcome(labels)] += value
		}
	}
	fmt.Fprintf(&b, "%.0f fetches tried\n", attempts)
	for _, name := range slices.Sorted(maps.Keys(jobs)) {
		fmt.Fprintf(&b, "%.0f jobs %s\n", jobs[name], name)
	}
	return b.String()
}

// outcome returns the result and the kind from the labels of a counter of jobs.
func outcome(labels string) string {
	label := func(name string) string {
		_, value, _ := strings.Cut(labels, name+`="`)
		value, _, _ = strings.Cut(value, `"`)
		return value
	}
	return strings.TrimSuffix(label("result")+": "+label("kind"), ": ")
}
