package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"fever/archive"
	"fever/provider/feed"
	"fever/store"
)

// This file is what jobs and the archive have to do with each other. A job's documents go to the
// archive while they are decoded, and are on disk there before the job commits. What is wrong with the
// archive is logged and counted, and never keeps a snapshot out of the store.

// beginArchive has the archive take the documents of a job. It says of the provider's last job what
// became of it, if a process ended before that was written.
func (g *Ingester) beginArchive(ctx context.Context, j *job) {
	if g.Archive == nil {
		return
	}
	j.archive = g.Archive.Begin(ctx, j.Name)
	last := g.Archive.Begin(ctx, j.Name)
	head, err := last.Unsettled()
	if err == nil && head != nil {
		var outcome archive.Outcome
		if outcome, err = g.outcomeOf(ctx, j, head); err == nil && outcome.Known() {
			err = last.End(outcome)
		}
	}
	err = errors.Join(err, last.Close())
	if err == nil {
		err = g.checkOwner(ctx, j, last.Committed())
	}
	if err == nil && g.owes(j, last.Committed()) {
		j.owed = true
		g.log.InfoContext(ctx, "the archive lacks the latest snapshot: the whole feed is fetched", "job", j.record.ID, "provider", j.Name)
	}
	g.unreached(ctx, j, err)
}

// checkOwner logs, once for each provider, if the archive has documents that were committed after all that is stored. The
// newest job of such documents began at a time.
func (g *Ingester) checkOwner(ctx context.Context, j *job, committed time.Time) error {
	j.mu.Lock()
	committed = committed.Truncate(time.Millisecond)
	known := j.foreign || j.Changes || !committed.After(j.snapshotBegan) // a job of a feed of changes may fail, and have committed pages
	j.mu.Unlock()
	if known {
		return nil
	}
	for record, err := range g.store.Jobs(ctx, store.JobFilter{Provider: j.Name, State: store.Completed}) {
		switch {
		case err != nil:
			return err
		case record.NotModified || !record.Trigger.Collects():
			continue
		case record.Started.Before(committed):
			j.foreign = true
			g.log.ErrorContext(ctx, "the archive has documents of a later job than any that is stored: another data file or database uses it, "+
				"and needs an archive of its own, or this one was restored from a backup", "provider", j.Name, "began", committed)
		}
		return nil
	}
	return nil
}

// betweenOwed is how long no job asks again for what the archive lacks: it may fail for long.
const betweenOwed = time.Hour

// owes reports whether a job is to get the whole feed, even if that has not changed, because the archive lacks the
// documents of the latest snapshot. The newest job whose documents it has began at a time.
func (g *Ingester) owes(j *job, committed time.Time) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.snapshot == 0, !committed.Truncate(time.Millisecond).Before(j.snapshotBegan.Truncate(time.Millisecond)):
		return false
	case j.Changes: // the page cannot be had again
		return false
	case g.shared != nil && !g.Archive.Shared() && j.brought != j.snapshot: // it may be in the archive of another process
		return false
	case j.record.Started.Before(j.unowed), g.Archive.Full() != nil:
		return false
	}
	j.unowed = j.record.Started.Add(betweenOwed)
	return true
}

// outcomeOf finds out whether the document with a head, the last one before a process ended, was
// committed. It is unknown if the store does not have that job, or not any more.
func (g *Ingester) outcomeOf(ctx context.Context, j *job, head *archive.Head) (archive.Outcome, error) {
	if head.Generation > 0 {
		stream, err := g.store.Stream(ctx, j.Name)
		var c cursor
		if err != nil || json.Unmarshal(stream.Cursor, &c) != nil {
			return archive.Outcome{}, err
		}
		// Pages are committed one by one: the last commit came after this one was asked for, or before.
		if c.Last.After(head.Taken) {
			return archive.Outcome{At: c.Last}, nil
		}
		return archive.Outcome{At: head.Taken, Failure: feed.KindInterrupted}, nil
	}
	for job, err := range g.store.Jobs(ctx, store.JobFilter{Provider: j.Name, Before: head.Job + 1, Limit: 1}) {
		if err != nil || job.ID != head.Job || !job.Started.Equal(head.Started.Truncate(time.Millisecond)) {
			return archive.Outcome{}, err
		}
		if job.State == store.Completed {
			return archive.Outcome{At: job.Finished}, nil
		}
		return archive.Outcome{At: head.Started, Failure: feed.KindInterrupted}, nil
	}
	return archive.Outcome{}, nil
}

// decode decodes a document, and keeps it in the archive with what came of that. A document that does
// not come whole is not kept.
func (j *job) decode(doc *feed.Document) (*feed.Feed, error) {
	if j.archive == nil || doc.NotModified {
		return j.Decode(doc)
	}
	w := j.archive.Document()
	defer w.Drop() // unless it is kept
	head := archive.HeadOf(doc)
	head.Job, head.Started, head.Attempt = j.record.ID, j.record.Started, j.record.Attempts
	head.Generation, head.Taken, head.Imported = j.generation, j.taken, j.imported
	body := doc.Body
	doc.Body = archived{io.TeeReader(body, w), body}
	got, err := j.Decode(doc)
	if err != nil {
		head.Failure = kindOf(err)
	}
	if _, failed := io.Copy(io.Discard, doc.Body); failed == nil { // Decode may have stopped before the end
		w.Keep(head)
	} else if err == nil {
		j.unkept = fmt.Errorf("the rest of page %d: %w", head.Page, failed)
	}
	return got, err
}

// An archived body is one that the archive gets, too.
type archived struct {
	io.Reader
	io.Closer
}

// syncArchive has the documents of a job on disk, if that is possible, before it commits.
func (g *Ingester) syncArchive(ctx context.Context, j *job) {
	if j.archive != nil {
		g.unarchived(ctx, j, errors.Join(j.archive.Sync(), j.unkept))
		j.unkept = nil
	}
}

// settleArchive says what became of the documents that a job has got since it was called before: they
// were committed, or not for the reason err. If they brought nothing new they are dropped.
func (g *Ingester) settleArchive(ctx context.Context, j *job, err error, nothing bool) {
	switch {
	case j.archive == nil, errors.Is(err, store.ErrUncertain): // the next job finds out
	case err == nil && nothing:
		g.unreached(ctx, j, j.archive.Drop())
	default:
		outcome := archive.Outcome{At: time.Now()}
		if err != nil {
			outcome.Failure = kindOf(err)
		}
		g.unarchived(ctx, j, j.archive.End(outcome))
	}
}

// endArchive is settleArchive at the end of a job.
func (g *Ingester) endArchive(ctx context.Context, j *job, err error) {
	if j.archive != nil {
		g.settleArchive(ctx, j, err, j.record.NotModified)
		failed := j.archive.Close()
		if err == nil && j.record.NotModified {
			g.unreached(ctx, j, failed)
		} else {
			g.unarchived(ctx, j, failed)
		}
	}
}

// unarchived logs and counts an error of the archive, if it is one. A job that is cancelled brings nothing.
func (g *Ingester) unarchived(ctx context.Context, j *job, err error) {
	if err != nil && (ctx.Err() == nil || !errors.Is(err, context.Canceled)) {
		g.Unarchived.Add(1)
		g.log.ErrorContext(ctx, "documents are not in the archive; the job goes on", "job", j.record.ID, "provider", j.Name, "error", err)
	}
}

// unreached logs an error of the archive, if it is one, for which no document is missing.
func (g *Ingester) unreached(ctx context.Context, j *job, err error) {
	if err != nil && ctx.Err() == nil {
		g.log.WarnContext(ctx, "the archive cannot be used; no document is missing so far", "job", j.record.ID, "provider", j.Name, "error", err)
	}
}
