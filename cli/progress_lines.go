package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"fever/store"
)

// A working is how far a job is, for people.
type working struct {
	label   string
	state   store.State // pending or running
	attempt int
	bytes   int64
	rows    int64
	started time.Time // zero while it is pending
	behind  string    // another job that this one waits for; then the others are of that
}

// The colours of lines: of a job that waits, and of one that had to try again.
const (
	faint  = "\x1b[2m"
	yellow = "\x1b[33m"
	plain  = "\x1b[m"
)

// leastLabel is what is left of a label, in columns, before the numbers are cut.
const leastLabel = 12

// jobLines describes each job in one line: how far it is, at which rate on average, and
// for how long it has run. Those that run come before those that wait, and what the
// screen has no lines for is counted in the last line. Without a screen only those that
// run are worth a line.
func jobLines(jobs []working, now time.Time, s screen) (lines []string) {
	var running, waiting []working
	for _, job := range jobs {
		if job.state == store.Running {
			running = append(running, job)
		} else if s.lines > 0 {
			waiting = append(waiting, job)
		}
	}
	jobs = slices.Concat(running, waiting)
	more := 0
	if most := s.lines - 1; s.lines > 0 && len(jobs) > most { // one line is the cursor's
		most = max(most-1, 0)
		jobs, more = jobs[:most], len(jobs)-most
	}
	facts := make([]string, len(jobs))
	labels, room := 0, s.columns-1
	for i := range jobs {
		facts[i] = jobs[i].facts(now)
		labels = max(labels, columnsOf(cell(jobs[i].label, maxLabel)))
	}
	if s.columns > 0 {
		labels = min(labels, max(leastLabel, room-factsColumns))
	}
	for i, job := range jobs {
		label := cut(cell(job.label, maxLabel), labels)
		line := label + strings.Repeat(" ", labels-columnsOf(label)) + facts[i]
		lines = append(lines, s.fit(line, job.color()))
	}
	if more > 0 {
		lines = append(lines, s.fit(fmt.Sprintf("and %d more", more), faint))
	}
	return lines
}

// maxLabel bounds labels, in characters: one may be a file's path.
const maxLabel = 200

// factsColumns is the usual width of facts.
var factsColumns = len((&working{state: store.Running}).facts(time.Time{}))

// facts returns what stands behind the label of a job.
func (w *working) facts(now time.Time) string {
	if w.behind != "" {
		return "  waiting for " + w.behind
	}
	if w.state != store.Running {
		return "  waiting"
	}
	state := "running"
	if w.attempt > 1 {
		state = fmt.Sprintf("attempt %d", w.attempt)
	}
	took := max(now.Sub(w.started), 0)
	return fmt.Sprintf("  %-9s  %7.1f MB  %7d rows  %6.1f MB/s  %7s",
		state, float64(w.bytes)/1e6, w.rows, perSecond(w.bytes, took)/1e6, clock(took))
}

func (w *working) color() string {
	switch {
	case w.state != store.Running, w.behind != "":
		return faint
	case w.attempt > 1:
		return yellow
	}
	return ""
}

// eventLine describes how far a dump is.
func eventLine(n int64, took time.Duration, s screen) string {
	return s.fit(fmt.Sprintf("%d events  %.0f/s  %s", n, perSecond(n, took), clock(took)), "")
}

// fit cuts a line for the screen, and colours it if that is wanted. The last column
// stays free: some terminals go on to the next line behind it.
func (s screen) fit(line, color string) string {
	if s.columns > 0 {
		line = cut(line, s.columns-1)
	}
	if s.color && color != "" {
		return color + line + plain
	}
	return line
}

// cut shortens a text to so many columns.
func cut(text string, most int) string {
	if columnsOf(text) <= most {
		return text
	}
	used := 1 // for the ellipsis
	for i, r := range text {
		if used += columnsOfRune(r); used > most {
			return text[:i] + "…"
		}
	}
	return text
}

func columnsOf(text string) (n int) {
	for _, r := range text {
		n += columnsOfRune(r)
	}
	return n
}

// columnsOfRune takes every character for a wide one that is not of the Latin script:
// a line that is too short does no harm.
func columnsOfRune(r rune) int {
	if r < 0x300 || r == '…' {
		return 1
	}
	return 2
}

// perSecond returns the average rate of n over a time.
func perSecond(n int64, took time.Duration) float64 {
	if took <= 0 {
		return 0
	}
	return float64(n) / took.Seconds()
}

// clock writes a duration as minutes and seconds, or hours too.
func clock(d time.Duration) string {
	seconds := int64(d / time.Second)
	if seconds < 3600 {
		return fmt.Sprintf("%d:%02d", seconds/60, seconds%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60)
}
