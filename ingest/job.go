package ingest

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"fever/event"
	"fever/provider/feed"
	"fever/store"
)

// run takes a pending job through its life. Whatever happens is in its record.
func (g *Ingester) run(ctx context.Context, t *task) {
	t.job.State, t.job.Started = store.Running, time.Now()
	t.running(t.job.Started)
	begun, err := g.store.Begin(ctx, t.job)
	if err != nil {
		err = storeError(ctx, t.collected, err)
		t.ended(err)
		fail(&t.job, err) // not recorded: there is nothing to record it in
		t.tell()
		return
	}
	t.job = begun
	t.tell()
	err = g.collect(ctx, t)
	t.ended(err)
	if err == nil {
		return
	}
	fail(&t.job, err)
	// A stop must not keep the outcome of what it stopped from being recorded.
	if err := g.store.Finish(context.WithoutCancel(ctx), t.job, nil); err != nil {
		g.log.ErrorContext(ctx, "the outcome of a job was not recorded", "provider", t.Name, "error", err)
	}
}

// collect fetches, commits and publishes. It keeps in the job what is known of it.
func (g *Ingester) collect(ctx context.Context, t *task) (err error) {
	c, job := t.collected, &t.job
	// A bug in one format must not end the jobs of the others.
	defer func() {
		if p := recover(); p != nil {
			g.log.ErrorContext(ctx, "a job panicked", "provider", c.Name, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = &feed.Error{Provider: c.Name, Kind: feed.KindInternal, Op: "run the job", Err: fmt.Errorf("panic: %v", p)}
		}
	}()
	if err := g.catchUp(ctx); err != nil {
		return storeError(ctx, c, err)
	}
	last, err := g.validators(ctx, c)
	switch {
	case err != nil:
		return storeError(ctx, c, err)
	case t.force:
		last = feed.Validators{}
	case c.wantsWhole(job.Started):
		last.ETag, last.LastModified = "", ""
	}
	got, err := fetch(ctx, t, last)
	if err != nil {
		return err
	}
	job.State = store.Completed
	if got.NotModified {
		job.NotModified, job.Finished, job.Suspect = true, time.Now(), string(c.suspicion())
		v := storedValidators(c, got)
		if err := g.store.Finish(ctx, *job, &v); err != nil {
			return storeError(ctx, c, err)
		}
		return nil
	}
	job.Seen, job.Ignored, job.Rejected = got.Seen, got.Ignored, got.Rejected
	job.Rejections = got.Rejections
	return g.commit(ctx, t, got)
}

// commit stores what the feed brought, with the outcome, and then publishes it, unless it
// is refused as a whole.
//
// The index falls behind when the commit failed and is in the file all the same, or when
// publishing it panics. Then the next job loads the index again.
func (g *Ingester) commit(ctx context.Context, t *task, got *feed.Feed) error {
	c, job := t.collected, &t.job
	snap := snapshot(c, got, job.Started)
	snap.Accept = t.accept
	g.commits.RLock()
	defer g.commits.RUnlock()
	applied, completed, err := g.store.Apply(ctx, snap, *job)
	if refusal, ok := refused(err); ok {
		return refusal // nothing was written
	}
	if err != nil {
		if errors.Is(err, store.ErrUncertain) {
			g.behind.Store(true)
		}
		return storeError(ctx, c, err)
	}
	published := false
	defer func() {
		if !published {
			g.behind.Store(true)
		}
	}()
	completed.Suspect = job.Suspect
	*job = completed
	// What is committed is published whatever the context says by now.
	if g.index != nil && len(applied.Events) > 0 {
		entries := make([]*event.Entry, len(applied.Events))
		for i, e := range applied.Events {
			entries[i] = event.NewEntry(e, c.Location)
		}
		g.index.Apply(entries)
	}
	published = true
	return nil
}

// catchUp loads the index again if it may have fallen behind.
func (g *Ingester) catchUp(ctx context.Context) error {
	if !g.behind.Load() || g.index == nil {
		return nil
	}
	g.commits.Lock()
	defer g.commits.Unlock()
	if !g.behind.Load() { // another job has done it meanwhile
		return nil
	}
	if err := g.load(ctx); err != nil {
		return err
	}
	g.behind.Store(false)
	return nil
}

// snapshot is what the store is to keep of a feed.
func snapshot(c *collected, got *feed.Feed, taken time.Time) store.Snapshot {
	return store.Snapshot{
		Provider:   c.Name,
		TimeZone:   c.Location.String(),
		Events:     got.Events,
		Past:       got.Past,
		Taken:      taken,
		Validators: storedValidators(c, got),
	}
}

// storedValidators are a feed's validators as they are stored. They count for the time
// zone as well as for the source: a feed that is the same under another zone is to be
// stored again.
func storedValidators(c *collected, got *feed.Feed) feed.Validators {
	v := got.Validators
	v.Source += " " + c.Location.String()
	return v
}

// validators returns those of the last snapshot, as far as they count.
func (g *Ingester) validators(ctx context.Context, c *collected) (feed.Validators, error) {
	v, err := g.store.Validators(ctx, c.Name)
	if err != nil {
		return feed.Validators{}, err
	}
	source, ours := strings.CutSuffix(v.Source, " "+c.Location.String())
	if !ours {
		return feed.Validators{}, nil
	}
	v.Source = source
	return v, nil
}

// storeError is the failure of a job that could not be committed, for the reason err.
func storeError(ctx context.Context, c *collected, err error) error {
	kind := feed.KindStore
	if ctx.Err() != nil {
		kind = feed.KindCanceled
	}
	return &feed.Error{Provider: c.Name, Kind: kind, Op: "commit", Err: err}
}

// kindOf returns the kind of a job's failure.
func kindOf(err error) feed.Kind {
	if failure, ok := errors.AsType[*feed.Error](err); ok {
		return failure.Kind
	}
	return feed.KindInternal
}

// fail makes the job the record of one that changed nothing.
func fail(job *store.Job, err error) {
	job.State, job.Finished = store.Failed, time.Now()
	job.Kind, job.Message = kindOf(err), err.Error()
	job.Seen, job.New, job.Changed, job.Unchanged, job.Ignored, job.Rejected, job.Gone = 0, 0, 0, 0, 0, 0, 0
	job.NotModified, job.Rejections = false, nil
}
