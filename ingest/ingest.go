// Package ingest runs the collecting. One job fetches a provider's feed, commits
// what changed to the store and then, only then, publishes it to those who search.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"fever/event"
	"fever/provider"
	"fever/store"
)

// Kinds of failure that arise here; those of fetching are in package provider.
const (
	KindStore    provider.Kind = "store"    // the snapshot could not be committed
	KindInternal provider.Kind = "internal" // a bug: the job panicked
)

// A Trigger says why a job runs.
type Trigger string

// The triggers.
const (
	StartUp  Trigger = "start-up"
	Schedule Trigger = "schedule"
	Manual   Trigger = "manual"
)

// A Collector runs the jobs of one provider.
type Collector struct {
	Provider string
	Location *time.Location // of the provider's local times
	// Fetch brings one snapshot. Beside an error the feed says what is known of the
	// attempt, or is nil.
	Fetch func(context.Context) (*provider.Feed, error)
	Store *store.Store
	// Publish is told of the new and changed events after they are committed. Nil when
	// nobody searches.
	Publish func([]*event.Entry)
	Log     *slog.Logger // one line for each job
}

// An Outcome says what one job did. It completed when Err is nil; otherwise nothing
// was changed.
type Outcome struct {
	Provider   string
	Trigger    Trigger
	Started    time.Time
	Finished   time.Time
	HTTPStatus int   // 0 when there was no answer
	Bytes      int64 // read, after decompression

	Seen      int // occurrences in the feed: new, changed, unchanged, ignored and rejected
	New       int
	Changed   int
	Unchanged int
	Ignored   int // not sold online
	Rejected  int
	Gone      int // in the provider's last snapshot, absent from this one

	Rejections []provider.Rejection // the first of the rejected
	Err        error
}

// Kind returns the kind of failure, or "" for a job that completed.
func (o *Outcome) Kind() provider.Kind {
	if o.Err == nil {
		return ""
	}
	if failure, ok := errors.AsType[*provider.Error](o.Err); ok {
		return failure.Kind
	}
	return KindInternal
}

// Once runs one job from beginning to end and returns what it did. An error of any
// sort is in the outcome, and has changed neither the store nor the index.
func (c *Collector) Once(ctx context.Context, trigger Trigger) Outcome {
	o := Outcome{Provider: c.Provider, Trigger: trigger, Started: time.Now()}
	o.Err = c.run(ctx, &o)
	o.Finished = time.Now()
	c.log(ctx, &o)
	return o
}

func (c *Collector) run(ctx context.Context, o *Outcome) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &provider.Error{Provider: c.Provider, Kind: KindInternal, Doing: "run the job", Err: fmt.Errorf("it panicked: %v\n%s", p, debug.Stack())}
		}
	}()

	feed, err := c.Fetch(ctx)
	if feed != nil {
		o.HTTPStatus, o.Bytes = feed.HTTPStatus, feed.Bytes
	}
	if err != nil {
		return err
	}
	applied, err := c.Store.Apply(ctx, store.Snapshot{
		Provider: c.Provider,
		TimeZone: c.Location.String(),
		Events:   feed.Events,
		Taken:    o.Started,
	})
	if err != nil {
		kind := KindStore
		if ctx.Err() != nil {
			kind = provider.KindCanceled
		}
		return &provider.Error{Provider: c.Provider, Kind: kind, Doing: "commit", Err: err}
	}
	o.Seen, o.Ignored, o.Rejected, o.Rejections = feed.Seen, feed.Ignored, feed.Rejected, feed.Rejections
	o.New, o.Changed, o.Unchanged, o.Gone = applied.New, applied.Changed, applied.Unchanged, applied.Gone

	// What is committed is published whatever the context says by now: memory must not
	// fall behind the store.
	if c.Publish != nil && len(applied.Events) > 0 {
		entries := make([]*event.Entry, len(applied.Events))
		for i, e := range applied.Events {
			entries[i] = event.NewEntry(e, c.Location)
		}
		c.Publish(entries)
	}
	return nil
}

// Run runs a job at once and then one every interval until ctx ends. A turn that
// comes while a job runs is skipped. A job that fails leaves everything as it was.
func (c *Collector) Run(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for trigger := StartUp; ; trigger = Schedule {
		c.Once(ctx, trigger)
		select {
		case <-ticker.C: // came while the job ran
		default:
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (c *Collector) log(ctx context.Context, o *Outcome) {
	attrs := []slog.Attr{
		slog.String("provider", o.Provider),
		slog.String("trigger", string(o.Trigger)),
		slog.Duration("took", o.Finished.Sub(o.Started).Round(time.Microsecond)),
		slog.Int("http_status", o.HTTPStatus),
		slog.Int64("bytes", o.Bytes),
	}
	if o.Err != nil {
		attrs = append(attrs, slog.String("kind", string(o.Kind())), slog.String("error", o.Err.Error()))
		level := slog.LevelWarn
		switch o.Kind() {
		case provider.KindCanceled:
			level = slog.LevelInfo // we were asked to stop
		case KindStore, KindInternal:
			level = slog.LevelError // ours, not the provider's
		}
		c.Log.LogAttrs(ctx, level, "job failed", attrs...)
		return
	}
	c.Log.LogAttrs(ctx, slog.LevelInfo, "job completed", append(attrs,
		slog.Int("seen", o.Seen),
		slog.Int("new", o.New),
		slog.Int("changed", o.Changed),
		slog.Int("unchanged", o.Unchanged),
		slog.Int("ignored", o.Ignored),
		slog.Int("rejected", o.Rejected),
		slog.Int("gone", o.Gone),
	)...)
	for _, r := range o.Rejections {
		c.Log.LogAttrs(ctx, slog.LevelDebug, "row rejected", slog.String("provider", o.Provider),
			slog.String("base_id", r.BaseID), slog.String("event_id", r.EventID), slog.String("reason", r.Reason))
	}
}
