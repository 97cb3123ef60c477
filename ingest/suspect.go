package ingest

import (
	"context"
	"errors"
	"fmt"

	"fever/provider/feed"
	"fever/store"
)

// A Suspicion says in one word why a snapshot that is in order, row by row, is suspect as
// a whole. Empty is one that is not.
type Suspicion string

// The suspicions, from the most to the least certain.
const (
	AllRejected   Suspicion = "all_rejected"   // no row can be used, and some cannot be understood
	AllIgnored    Suspicion = "all_ignored"    // no row is sold online
	NotUnderstood Suspicion = "not_understood" // no row, and something else instead
	Emptied       Suspicion = "emptied"        // nothing, of a provider that had events
	Shrunk        Suspicion = "shrunk"         // less than half of the events of the snapshot before
)

// Suspicions are all that there are.
var Suspicions = []Suspicion{AllRejected, AllIgnored, NotUnderstood, Emptied, Shrunk}

// Useless reports whether nothing of the feed could be used.
func (s Suspicion) Useless() bool { return s != "" && s != Shrunk }

// String says it of a feed, in a few words for people.
func (s Suspicion) String() string {
	switch s {
	case AllRejected:
		return "no row of it can be used"
	case AllIgnored:
		return "no row of it is sold online"
	case NotUnderstood:
		return "it has no rows, and something that is not known"
	case Emptied:
		return "it has no events any more"
	case Shrunk:
		return "it has less than half of the events before it"
	}
	return "nothing is suspect"
}

// A Policy says what becomes of a suspect snapshot.
type Policy string

// The policies. The empty one is Warn.
const (
	Warn   Policy = "warn"   // it is applied, and the provider is suspect until a good one comes
	Refuse Policy = "refuse" // the job fails with feed.KindSuspect, and nothing is changed
	Off    Policy = "off"    // nothing is suspect: a provider that has seasons, say
)

// judge judges the snapshot of a job as a whole, given what it changed. A snapshot that is
// applied is what the next one is compared with, also a shrunk one.
func judge(job *store.Job, a *store.Applied) Suspicion {
	known := a.Changed + a.Unchanged
	switch {
	case 2*a.Current < a.Before && a.Current > 0:
		return Shrunk
	case a.Current > 0:
		return ""
	case a.New+known > 0: // all that could be used is past
		if known+a.Gone > 0 {
			return Emptied
		}
		return ""
	case job.Rejected > 0:
		return AllRejected
	case job.Ignored > 0:
		return AllIgnored
	case len(job.Rejections) > 0:
		return NotUnderstood
	case a.Known:
		return Emptied
	}
	return ""
}

// judgeAgain judges the latest snapshot again, given the record of its job. Those of its
// events that were known count as current in the one before it: of some that were back
// that is not so.
func (g *Ingester) judgeAgain(ctx context.Context, c *collected, job *store.Job) (Suspicion, error) {
	if c.Suspect == Off {
		return "", nil
	}
	had, err := g.store.Known(ctx, c.Name)
	if err != nil {
		return "", err
	}
	current := g.store.Stats().Current[c.Name] // the others that it brought are past
	return judge(job, &store.Applied{
		New: job.New, Changed: job.Changed, Unchanged: job.Unchanged, Gone: job.Gone,
		Before: job.Gone + min(job.Changed+job.Unchanged, current), Current: current, Known: had,
	}), nil
}

// accepted returns the number of a job's rows that were taken.
func accepted(job *store.Job) int { return job.New + job.Changed + job.Unchanged }

// accept is what the store is to ask before it applies the snapshot of the task. It keeps
// in the job what the snapshot is suspect of.
func (t *task) accept(a store.Applied) error {
	job := &t.job
	suspicion := judge(job, &a)
	if suspicion == "" || t.Suspect == Off {
		return nil
	}
	job.Suspect = string(suspicion)
	if t.Suspect != Refuse || t.force {
		return nil
	}
	err := fmt.Errorf("%s: %d events, %d before", suspicion, a.Current, a.Before)
	if len(job.Rejections) > 0 {
		r := job.Rejections[0]
		err = fmt.Errorf("%w; line %d: %s", err, r.Line, r.Reason)
	}
	return &feed.Error{Provider: t.Name, Kind: feed.KindSuspect, Op: "judge the feed", Err: err}
}

// refused returns the error of a snapshot that was not accepted, if that is what err is.
func refused(err error) (*feed.Error, bool) {
	refusal, ok := errors.AsType[*feed.Error](err)
	return refusal, ok && refusal.Kind == feed.KindSuspect
}
