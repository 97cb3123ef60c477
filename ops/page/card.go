package page

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"fever/ingest"
	"fever/ops/human"
	"fever/store"
)

// A state is the condition of a provider.
type state struct{ Class, Text string } // a class of the style sheet, and words for people

var (
	stateFine    = state{"fine", "Up to date"}
	stateFailing = state{"failing", "Failing"} // its last job failed
	stateStale   = state{"stale", "Stale"}     // no success for longer than its MaxAge
	stateNew     = state{"new", "No data yet"}
	stateOff     = state{"off", "Not collected"} // nothing is scheduled

	stateSuspect   = state{"suspect", "Suspect"}         // its latest snapshot as a whole
	stateRejecting = state{"rejecting", "Rows rejected"} // an unusual share of its latest snapshot
)

// A card is the part of the page about one provider.
type card struct {
	ingest.Status
	Now      time.Time
	State    state
	Level    level
	Next     string     // when the next job is due
	Last     *store.Job // the newest job that has ended; nil: none has
	Chart    chart
	Rejected *store.Job // the job of the latest snapshot, if it lists rejected rows, or else nil
}

// newCard returns the card of a provider. Jobs are its latest ones, the newest first, and
// snapshot is the job of its latest snapshot, or nil if that is not known.
func newCard(now time.Time, status ingest.Status, jobs []store.Job, snapshot *store.Job) card {
	c := card{Status: status, Now: now}
	var ended []store.Job
	for _, job := range jobs {
		if job.State != store.Running && job.Trigger.Collects() {
			ended = append(ended, job)
		}
	}
	if snapshot != nil && len(snapshot.Rejections) > 0 {
		c.Rejected = snapshot
	}
	if len(ended) > 0 {
		c.Last = &ended[0]
	}
	c.Chart = newChart(ended)
	c.State, c.Level = condition(now, status)
	c.Next = next(now, status)
	return c
}

func condition(now time.Time, s ingest.Status) (state, level) {
	switch {
	case s.Failures > 0, s.Kind != "":
		return stateFailing, levelBad
	case s.State == "" && s.Due.IsZero():
		return stateOff, levelOff
	case s.LastSuccess.IsZero(), s.Harvest.Generation > 0 && !s.Settled:
		return stateNew, levelWait
	case now.Sub(s.LastSuccess) > s.MaxAge:
		return stateStale, levelBad
	case s.Suspect.Useless():
		return stateSuspect, levelBad
	case s.Suspect != "":
		return stateSuspect, levelWait
	case s.Rejected > 0 && s.Accepted == 0:
		return stateRejecting, levelBad
	case rejectsMany(&s):
		return stateRejecting, levelWait
	default:
		return stateFine, levelOK
	}
}

// rejectsMany reports whether more than a tenth of the rows were rejected. The alert
// FeverRowsRejected has the same limit.
func rejectsMany(s *ingest.Status) bool { return 10*s.Rejected > s.Rejected+s.Accepted }

func next(now time.Time, s ingest.Status) string {
	switch {
	case s.State == store.Running:
		return "runs now"
	case s.State == store.Pending:
		return "waits for a worker"
	case s.Due.IsZero():
		return "not scheduled"
	case s.Due.Sub(now) < time.Second:
		return "now"
	default:
		return "in " + rough(s.Due.Sub(now))
	}
}

// changes returns the number of events that a job added or changed.
func changes(job *store.Job) int { return job.New + job.Changed }

// took returns the duration of a job. Its times are recorded in milliseconds, so it is at
// least one.
func took(job *store.Job) time.Duration { return max(job.Finished.Sub(job.Started), time.Millisecond) }

// Progress describes how far the job under way is.
func (c card) Progress() string {
	text := "Runs for " + rough(c.Now.Sub(c.Started)) + ": " + size(c.Bytes) + ", " + amount(int(c.Rows), "row")
	if c.Page > 1 {
		text += fmt.Sprintf(", page %d", c.Page)
	}
	return text
}

// Outcome describes the outcome of the last job in a few words.
func (c card) Outcome() string {
	switch job := c.Last; {
	case job.State == store.Failed:
		return "failed after " + human.Duration(took(job)) + " and " + amount(job.Attempts, "attempt")
	case job.NotModified:
		return "completed in " + human.Duration(took(job)) + ": nothing was modified"
	default:
		return "completed in " + human.Duration(took(job)) + ": " + counts(job)
	}
}

// counts describes what a job did with the rows of its feed, and how many events left it.
func counts(job *store.Job) string {
	var parts []string
	for _, c := range []struct {
		n    int
		what string
	}{
		{job.New, "new"},
		{job.Changed, "changed"},
		{job.Unchanged, "unchanged"},
		{job.Rejected, "rejected"},
		{job.Gone, "gone"},
	} {
		if c.n > 0 {
			parts = append(parts, number(c.n)+" "+c.what)
		}
	}
	return cmp.Or(strings.Join(parts, ", "), "it was empty")
}

// trouble describes in a few words what is wrong. They follow the name.
func (c card) trouble() string {
	if c.State == stateSuspect {
		return c.Suspect.String()
	}
	if c.State == stateRejecting {
		return fmt.Sprintf("%s of %s of its feed", number(c.Status.Rejected), amount(c.Status.Rejected+c.Accepted, "row"))
	}
	if c.State == stateNew && c.Harvest.Generation > 0 {
		return "first harvest under way, " + amount(c.Harvest.Pages, "page") + " so far"
	}
	text := "no success yet"
	if !c.LastSuccess.IsZero() {
		text = "last success " + ago(c.Now, c.LastSuccess)
	}
	if c.State == stateFailing && c.Kind != "" {
		text = strings.ReplaceAll(string(c.Kind), "_", " ") + ", " + text
	}
	return text
}
