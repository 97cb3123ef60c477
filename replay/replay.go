// Package replay rebuilds what is stored from the documents in the archive, and says what differs
// from what is stored now.
package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"fever/archive"
	"fever/ingest"
	"fever/provider/feed"
	"fever/store"
)

// A Range says which jobs of a provider are replayed. The zero value is all that are in the archive.
type Range struct {
	Until time.Time // only jobs that began before; zero: all
	// Job is the id of the last job, which began at Started; 0: no job is. With Alone it is the only one. It is run
	// whatever became of it then, and its snapshot is not refused as suspect.
	Job     uint64
	Started time.Time
	Alone   bool
	// Store is what is stored now, as it was at the moment At; nil: nothing is. It says what became of
	// a job if the archive does not, and which jobs are not in the archive. Later ones are left.
	Store store.Store
	At    time.Time
}

// A Result says what came of the jobs of a provider.
type Result struct {
	Committed int // jobs
	Failed    int // also then
	Left      int // not run: they were stopped, or could not be stored, or nothing says that they were
	// From and To are when the first and the last of the committed jobs began; zero: there is none.
	From, To time.Time
	// Within says that the archive begins within a harvest of a feed of changes: it does not tell of the
	// events that only pages before its first one list. With UntilTheEnd no whole harvest is in the
	// archive after that.
	Within, UntilTheEnd bool
	// Wrong says what could not be read or run again, or is not in the archive: the first ones, and how
	// many More there are.
	Wrong []error
	More  int

	jobs map[uint64]uint64 // ids of then, by those of the replay; of several pages of changes, the last one's
	// The moments, in Unix milliseconds, as of which what was committed counts, and those at which its jobs began. Nil: they
	// are not known.
	moments map[int64]bool
	changes bool      // it is a feed of changes, of which a page has only some events
	lost    time.Time // when the last job began that changed something, and was not replayed; zero: none
}

// toldLater reports whether documents that were not replayed told of an event after all that were: what is stored of it,
// as was, came with such a document, and no later one that was replayed had the event.
func (r *Result) toldLater(was, is *store.Value, current bool) bool {
	if r.moments == nil || r.moments[was.LastChanged] || is.LastChanged >= was.LastChanged {
		return false
	}
	return r.changes || !current || r.To.UnixMilli() < was.LastChanged
}

// committed notes that documents were replayed, and what they changed was stored.
func (r *Result) committed(docs []archive.Document) {
	first := &docs[0]
	r.Committed++
	if r.From.IsZero() {
		r.From = first.Started
	}
	r.To = first.Started
	r.changes = first.Generation > 0
	r.moments[first.Started.UnixMilli()] = true
	for i := range docs {
		r.moments[cmp.Or(docs[i].Taken, docs[i].Began).UnixMilli()] = true
	}
}

// maxWrong bounds [Result.Wrong].
const maxWrong = 10

func (r *Result) wrong(err error) {
	if len(r.Wrong) < maxWrong {
		r.Wrong = append(r.Wrong, err)
	} else {
		r.More++
	}
}

// Provider runs jobs of a provider again with their documents from an archive. The
// store of g should have nothing of the provider. A job that cannot be run again is in the result; the
// error says that nothing more could be done.
func Provider(ctx context.Context, g *ingest.Ingester, place archive.Place, name string, of Range) (Result, error) {
	r := replayer{g: g, name: name, of: of, stored: make(map[int64][]*known)}
	r.jobs, r.moments = make(map[uint64]uint64), make(map[int64]bool)
	if of.Store != nil {
		g.Rows = of.Store.Row
		for job, err := range of.Store.Jobs(ctx, store.JobFilter{Provider: name}) {
			if err != nil {
				return r.Result, err
			}
			ms := job.Started.UnixMilli()
			r.stored[ms] = append(r.stored[ms], &known{Job: job})
		}
	}
	for docs, err := range jobs(ctx, place, name) {
		switch {
		case err != nil:
			r.wrong(err)
			continue
		case ctx.Err() != nil:
			return r.Result, ctx.Err()
		}
		if err := r.job(ctx, docs); err != nil {
			return r.Result, err
		}
		if r.ended && (of.Alone || !r.chosen(&docs[0])) {
			break
		}
	}
	for _, started := range slices.Sorted(maps.Keys(r.stored)) {
		for _, job := range r.stored[started] {
			if r.From.IsZero() || started < r.From.UnixMilli() || r.after(job.Started) || !job.Applied() || job.New+job.Changed+job.Gone == 0 {
				continue
			}
			if !r.moments[started] {
				r.lost = job.Started
			}
			if !job.archived {
				r.wrong(fmt.Errorf("job %d of %s: its documents are not in the archive", job.ID, job.Started.Format(time.RFC3339)))
			}
		}
	}
	return r.Result, nil
}

// jobs yields the documents of one job after the other, or, of a feed of changes, those that were committed
// together.
func jobs(ctx context.Context, place archive.Place, name string) func(yield func([]archive.Document, error) bool) {
	return func(yield func([]archive.Document, error) bool) {
		var docs []archive.Document
		for doc, err := range archive.Documents(ctx, place, name) {
			if err != nil {
				if !yield(nil, err) {
					return
				}
				continue
			}
			if len(docs) > 0 && (docs[0].Job != doc.Job || !docs[0].Started.Equal(doc.Started) || docs[0].Outcome != doc.Outcome) {
				if !yield(docs, nil) {
					return
				}
				docs = nil
			}
			docs = append(docs, doc)
		}
		if len(docs) > 0 {
			yield(docs, nil)
		}
	}
}

// A replayer replays jobs of a provider.
type replayer struct {
	Result
	g    *ingest.Ingester
	name string
	of   Range
	// What is stored now of its jobs, by the milliseconds at which they began. If a replay has made the store
	// their ids are others. If another provider was renamed to this one, several may have begun at a time.
	stored map[int64][]*known
	ended  bool // the last job of the range was run
}

// A known job is one that is stored now.
type known struct {
	store.Job
	archived bool // there are documents of it
}

// storedJob returns the job that got a document, if it is stored now, and notes that there are documents of it.
func (r *replayer) storedJob(doc *archive.Document) *known {
	all := r.stored[doc.Started.UnixMilli()]
	if i := slices.IndexFunc(all, func(k *known) bool { return k.ID == doc.Job }); i >= 0 {
		all = all[i : i+1]
	}
	for _, k := range all {
		k.archived = true
	}
	if len(all) == 0 {
		return new(known)
	}
	return all[0]
}

// after reports whether a job that began at a time is not replayed since it is too late.
func (r *replayer) after(started time.Time) bool {
	return !r.of.Until.IsZero() && !started.Before(r.of.Until)
}

// chosen reports whether a document is of the last job of the range.
func (r *replayer) chosen(doc *archive.Document) bool {
	return r.of.Job > 0 && doc.Job == r.of.Job && doc.Started.Equal(r.of.Started)
}

func (r *replayer) job(ctx context.Context, docs []archive.Document) error {
	first := &docs[0]
	stored := r.storedJob(first)
	chosen := r.chosen(first)
	switch {
	case r.after(first.Started) || r.of.Alone && !chosen || r.ended && !chosen:
		return nil
	case first.GoneBefore != "":
		return r.forget(ctx, first)
	}
	r.ended = r.ended || chosen
	committed, run := r.fate(first, stored.State == store.Completed)
	switch {
	case !run && !chosen:
		r.Left++
		return nil
	case first.Outcome.Failure == feed.KindSuspect && r.Committed == 0 && !chosen: // what it was compared with is not there
		r.Failed++
		return nil
	}
	job, err := r.g.Replay(ctx, r.name, docs, committed || chosen)
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case job.State == store.Completed:
		r.jobs[job.ID] = first.Job
		r.committed(docs)
		if first.Generation > 0 {
			r.harvested()
		}
	case committed || chosen:
		r.wrong(fmt.Errorf("job %d of %s, %s: %s", first.Job, first.Started.UTC().Format(time.RFC3339), was(committed, &first.Outcome), job.Message))
	default:
		r.Failed++
	}
	return nil
}

// harvested notes of a feed of changes whether the archive tells all of it.
func (r *replayer) harvested() {
	h := r.g.Harvest(r.name)
	within := h.Began.IsZero()
	r.Within = r.Within || within
	r.UntilTheEnd = within || r.UntilTheEnd && !h.Complete
}

// was says what became of a job, for people.
func was(committed bool, outcome *archive.Outcome) string {
	switch {
	case committed:
		return "which completed then"
	case !outcome.Known():
		return "of which the archive does not say whether it completed"
	}
	return "which failed then, too"
}

// forget forgets again what a person had forgotten.
func (r *replayer) forget(ctx context.Context, doc *archive.Document) error {
	before, err := store.ParseCutoff(doc.GoneBefore)
	if err != nil {
		r.wrong(fmt.Errorf("forget what was gone: %w", err))
		return nil
	}
	_, err = r.g.Forget(ctx, store.Forgetting{Provider: r.name, GoneBefore: before, At: doc.Started})
	if errors.Is(err, store.ErrNothing) {
		return nil
	}
	return err
}

// fate returns whether a job was committed, given its first document and whether it is stored as completed, and
// whether it is to be run again.
func (r *replayer) fate(doc *archive.Document, completed bool) (committed, run bool) {
	outcome := &doc.Outcome
	switch {
	case !outcome.Known() || r.of.Store != nil && outcome.At.After(r.of.At):
		return completed, completed
	case outcome.Failure == "":
		return true, true
	}
	switch outcome.Failure {
	case feed.KindCanceled, feed.KindStore, feed.KindInterrupted:
		return false, false
	}
	return false, true
}

// An Archived is a job with documents in the archive.
type Archived struct {
	Provider string
	Job      uint64
	Started  time.Time
	Failure  feed.Kind // why it was not committed; empty: it was, or nobody knows
	Changes  bool      // it took pages of a feed of changes
	Before   uint64    // the last job before it that was committed; 0: there is none in the archive
}

// Find returns the job with an id, of one of the providers. If several stores had one archive in turn, the
// latest counts. The error is ErrNotArchived (wrapped) if the archive does not have it.
func Find(ctx context.Context, place archive.Place, providers []string, id uint64) (found Archived, err error) {
	for _, provider := range providers {
		before := uint64(0)
		for docs, damaged := range jobs(ctx, place, provider) {
			if damaged != nil {
				err = damaged // it may have had the job
				continue
			}
			first := &docs[0]
			if first.Job == id && !first.Started.Before(found.Started) && (found.Job == 0 || !first.Started.Equal(found.Started)) {
				found = Archived{provider, id, first.Started, first.Outcome.Failure, first.Generation > 0, before}
			}
			if first.Job != 0 && first.Job != id && first.Outcome.Known() && first.Outcome.Failure == "" {
				before = first.Job
			}
		}
	}
	if found.Job == 0 {
		return found, errors.Join(fmt.Errorf("job %d: %w", id, ErrNotArchived), err)
	}
	return found, nil
}

// ErrNotArchived is returned for a job without documents.
var ErrNotArchived = errors.New("the archive has no documents of it: it got none, or nothing new, or they were too old to be kept; fever dump --jobs says what it did")
