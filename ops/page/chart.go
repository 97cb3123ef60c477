package page

import (
	"fmt"
	"time"

	"fever/ops/human"
	"fever/store"
)

// chartRuns is the number of jobs that a chart shows.
const chartRuns = 40

// The measures of a chart, in units of its view box.
const (
	chartSlot    = 8  // from one bar to the next
	chartAbove   = 44 // for durations
	chartBelow   = 22 // for changes
	chartLeast   = 2  // height of a bar, so that it is visible
	chartCross   = 6  // the mark of a failure
	chartMargins = 1
)

// A chart shows the last jobs of a provider, the newest at the right. Durations go up from
// the axis, and numbers of changes go down. A failed job has a mark instead: its duration
// depends on the time limit, and would make the other bars small.
type chart struct {
	Runs               []run
	Width, Axis, Floor int
	Longest            time.Duration // of the completed jobs
	Most               int           // changes
	Failed             int
}

// A run is the bar of a job.
type run struct {
	X, Up, Down int // heights from the axis
	Failed      bool
	Title       string
}

// newChart returns the chart of jobs that have ended, the newest first.
func newChart(jobs []store.Job) chart {
	jobs = jobs[:min(len(jobs), chartRuns)]
	c := chart{Width: chartRuns*chartSlot - 2, Axis: chartAbove + chartMargins, Floor: chartAbove + chartBelow + 2*chartMargins}
	for i := range jobs {
		if jobs[i].State == store.Failed {
			c.Failed++
			continue
		}
		c.Longest = max(c.Longest, took(&jobs[i]))
		c.Most = max(c.Most, changes(&jobs[i]))
	}
	for i := range jobs {
		job := &jobs[i]
		r := run{X: (chartRuns - 1 - i) * chartSlot, Failed: job.State == store.Failed}
		when := job.Started.UTC().Format("2 Jan 15:04:05")
		if r.Failed {
			r.Up = chartAbove
			r.Title = fmt.Sprintf("%s: failed after %s, %s", when, human.Duration(took(job)), job.Kind)
		} else {
			r.Up = chartLeast + scale(float64(took(job)), float64(c.Longest), chartAbove-chartLeast)
			if n := changes(job); n > 0 {
				r.Down = chartLeast + scale(float64(n), float64(c.Most), chartBelow-chartLeast)
			}
			r.Title = fmt.Sprintf("%s: %s, %s", when, human.Duration(took(job)), amount(changes(job), "change"))
		}
		c.Runs = append(c.Runs, r)
	}
	return c
}

// scale returns the height for a part of a whole.
func scale(part, whole float64, height int) int {
	if whole == 0 {
		return 0
	}
	return int(part / whole * float64(height))
}

// Y returns the top of the bar above the axis.
func (r run) Y() int { return chartMargins + chartAbove - r.Up }

// Cross returns the path of the mark of a failure.
func (r run) Cross() string {
	return fmt.Sprintf("M%d %dl%d %dm0 %dl%d %d", r.X, chartMargins+1, chartCross, chartCross, -chartCross, -chartCross, chartCross)
}

// Label describes the chart for people who cannot see it.
func (c chart) Label() string {
	label := fmt.Sprintf("The last %s: %d failed", amount(len(c.Runs), "run"), c.Failed)
	if c.Failed == len(c.Runs) {
		return label
	}
	return label + fmt.Sprintf(", the longest of the others took %s, the most changes at once were %s", human.Duration(c.Longest), number(c.Most))
}
