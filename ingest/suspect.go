package ingest

import (
	"context"
	"fmt"

	"fever/provider/feed"
	"fever/store"
)

// A Suspicion says in one word why a snapshot is suspect as a whole, though each of its rows
// is in order. Empty: it is not suspect.
type Suspicion string

// The suspicions, from the most to the least certain.
const (
	AllRejected   Suspicion = "all_rejected"   // no row can be used, and some cannot be understood
	AllIgnored    Suspicion = "all_ignored"    // no row is sold online
	NotUnderstood Suspicion = "not_understood" // no row, and something else instead
	Emptied       Suspicion = "emptied"        // nothing, of a provider that had events
	Shrunk        Suspicion = "shrunk"         // less than half of the events of the snapshot before
)

// Suspicions lists all suspicions.
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

// A Policy decides about a suspect snapshot.
type Policy string

// The policies. The empty one is Warn.
const (
	Warn   Policy = "warn"   // it is applied, and the provider is suspect until a good one comes
	Refuse Policy = "refuse" // the job fails with feed.KindSuspect, and nothing is changed
	Off    Policy = "off"    // nothing is suspect: a provider that has seasons, say
)

// judge judges the snapshot of a job as a whole, given what it changed. Each snapshot is
// compared with the one applied before it, also when that had shrunk.
func judge(record *store.Job, a *store.Applied) Suspicion {
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
	case record.Rejected > 0:
		return AllRejected
	case record.Ignored > 0:
		return AllIgnored
	case len(record.Rejections) > 0:
		return NotUnderstood
	case a.Known:
		return Emptied
	}
	return ""
}

// judgeAgain judges the latest snapshot again, from the record of its job. It takes the known
// events of that snapshot for current in the one before, which is an estimate: some may have
// come back.
func (g *Ingester) judgeAgain(ctx context.Context, t *target, record *store.Job) (Suspicion, error) {
	if t.Suspect == Off {
		return "", nil
	}
	had, err := g.store.Known(ctx, t.Name)
	if err != nil {
		return "", err
	}
	current := g.store.Stats().Current[t.Name] // the rest of what it brought is past
	return judge(record, &store.Applied{
		New: record.New, Changed: record.Changed, Unchanged: record.Unchanged, Gone: record.Gone,
		Before: record.Gone + min(record.Changed+record.Unchanged, current), Current: current, Known: had,
	}), nil
}

// accepted returns the number of a job's rows that were taken.
func accepted(record *store.Job) int { return record.New + record.Changed + record.Unchanged }

// accept is what the store asks before it applies the snapshot of the job. It keeps in the
// record why the snapshot is suspect.
func (j *job) accept(record *store.Job, a *store.Applied) error {
	suspicion := judge(record, a)
	if suspicion == "" || j.Suspect == Off {
		return nil
	}
	record.Suspect = string(suspicion)
	if j.Suspect != Refuse || j.force {
		return nil
	}
	err := fmt.Errorf("%s: %d events, %d before", suspicion, a.Current, a.Before)
	if len(record.Rejections) > 0 {
		r := record.Rejections[0]
		err = fmt.Errorf("%w; line %d: %s", err, r.Line, r.Reason)
	}
	return &feed.Error{Provider: j.Name, Kind: feed.KindSuspect, Op: "judge the feed", Err: err}
}
