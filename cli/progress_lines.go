package cli

import (
	"fmt"
	"slices"
	"time"

	"github.com/mattn/go-runewidth"

	"fever/ops/human"
	"fever/store"
)

// A jobProgress describes how far a job is.
type jobProgress struct {
	label   string
	state   store.State // pending or running
	page    int         // from 1
	attempt int         // to get it
	bytes   int64
	rows    int64
	started time.Time // zero while it is pending
	behind  string    // if set, the job that this one waits for, which the other fields then describe
}

// Colours of lines: faint for a job that waits, yellow for one that retries.
const (
	faint  = "\x1b[2m"
	yellow = "\x1b[33m"
	plain  = "\x1b[m"
)

// leastLabel is the width to which labels are cut on a narrow screen, in columns. If that is
// not enough, the numbers are cut.
const leastLabel = 12

// jobLines describes each job in one line: how far it is, its average rate, and how long it
// has run. Running jobs come before waiting ones. If the screen has too few lines, the last
// one counts the remaining jobs. Without a screen waiting jobs are left out.
func jobLines(jobs []jobProgress, now time.Time, s screen) (lines []string) {
	var running, waiting []jobProgress
	labels := 0 // columns
	for _, job := range jobs {
		job.label = cell(job.label, maxLabel)
		switch {
		case job.state == store.Running:
			running = append(running, job)
		case s.lines > 0:
			waiting = append(waiting, job)
		}
	}
	jobs = slices.Concat(running, waiting)
	more := 0
	if s.lines > 0 && len(jobs) >= s.lines { // the cursor needs one line
		most := max(s.lines-2, 0)
		jobs, more = jobs[:most], len(jobs)-most
	}
	for _, job := range jobs {
		labels = max(labels, runewidth.StringWidth(job.label))
	}
	if s.columns > 0 {
		labels = min(labels, max(leastLabel, s.columns-1-factsColumns))
	}
	for _, job := range jobs {
		label := runewidth.FillRight(runewidth.Truncate(job.label, labels, "…"), labels)
		lines = append(lines, s.fit(label+job.facts(now), job.color()))
	}
	if more > 0 {
		lines = append(lines, s.fit(fmt.Sprintf("and %d more", more), faint))
	}
	return lines
}

// maxLabel bounds labels, which may be paths, in characters.
const maxLabel = 200

// factsColumns is the usual width of facts.
var factsColumns = len((&jobProgress{state: store.Running}).facts(time.Time{}))

// facts returns the text after the label of a job.
func (w *jobProgress) facts(now time.Time) string {
	if w.behind != "" {
		return "  waiting for " + w.behind
	}
	if w.state != store.Running {
		return "  waiting"
	}
	state := "running"
	switch {
	case w.attempt > 1:
		state = fmt.Sprintf("attempt %d", w.attempt)
	case w.page > 1:
		state = fmt.Sprintf("page %d", w.page)
	}
	took := max(now.Sub(w.started), 0)
	return fmt.Sprintf("  %-9s  %7.1f MB  %7d rows  %6.1f MB/s  %10s",
		state, float64(w.bytes)/1e6, w.rows, perSecond(w.bytes, took)/1e6, human.Duration(took.Round(time.Second)))
}

func (w *jobProgress) color() string {
	switch {
	case w.state != store.Running, w.behind != "":
		return faint
	case w.attempt > 1:
		return yellow
	}
	return ""
}

// eventLine describes the progress of a dump.
func eventLine(n int64, took time.Duration, s screen) string {
	return s.fit(fmt.Sprintf("%d events  %.0f/s  %s", n, perSecond(n, took), human.Duration(took.Round(time.Second))), "")
}

// fit cuts a line to the width of the screen, and colours it. The last column stays free,
// because some terminals wrap after it.
func (s screen) fit(line, color string) string {
	if s.columns > 0 {
		line = runewidth.Truncate(line, s.columns-1, "…")
	}
	if s.color && color != "" {
		return color + line + plain
	}
	return line
}

// perSecond returns the average rate of n over a time.
func perSecond(n int64, took time.Duration) float64 {
	if took <= 0 {
		return 0
	}
	return float64(n) / took.Seconds()
}
