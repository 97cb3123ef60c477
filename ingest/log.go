package ingest

import (
	"context"
	"log/slog"
	"time"

	"fever/provider/feed"
	"fever/store"
)

// logJob writes the one line of a job, and at the debug level one for each of the
// rejected rows that its record lists.
//
// It says how long the job took to the end of it all. The record of one that brought a
// snapshot was made before that was on disk and published.
func (g *Ingester) logJob(ctx context.Context, job *store.Job, took time.Duration) {
	attrs := []slog.Attr{
		slog.Uint64("job", job.ID),
		slog.String("provider", job.Provider),
		slog.String("trigger", string(job.Trigger)),
		slog.Duration("took", took.Round(time.Microsecond)),
		slog.Int("attempts", job.Attempts),
		slog.Int("http_status", job.HTTPStatus),
		slog.Int64("bytes", job.Bytes),
	}
	if job.State == store.Failed {
		level := slog.LevelWarn
		switch job.Kind {
		case feed.KindCanceled:
			level = slog.LevelInfo // we were asked to stop
		case feed.KindStore, feed.KindInternal:
			level = slog.LevelError // ours, not the provider's
		}
		g.log.LogAttrs(ctx, level, "job failed", append(attrs, slog.String("kind", string(job.Kind)), slog.String("error", job.Message))...)
		return
	}
	level := slog.LevelInfo
	if job.Suspect != "" {
		level = slog.LevelWarn
		attrs = append(attrs, slog.String("suspect", job.Suspect), slog.String("reason", Suspicion(job.Suspect).String()))
	}
	g.log.LogAttrs(ctx, level, "job completed", append(attrs,
		slog.Bool("not_modified", job.NotModified),
		slog.Int("seen", job.Seen),
		slog.Int("new", job.New),
		slog.Int("changed", job.Changed),
		slog.Int("unchanged", job.Unchanged),
		slog.Int("ignored", job.Ignored),
		slog.Int("rejected", job.Rejected),
		slog.Int("gone", job.Gone),
	)...)
	for _, r := range job.Rejections {
		g.log.LogAttrs(ctx, slog.LevelDebug, "row rejected", slog.String("provider", job.Provider), slog.Int("line", r.Line),
			slog.String("base_id", r.BaseID), slog.String("event_id", r.EventID), slog.String("reason", r.Reason))
	}
}
