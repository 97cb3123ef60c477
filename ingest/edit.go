package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"fever/archive"
	"fever/store"
)

// Forget is Forget of the [store.Store] beside jobs: none of the provider runs meanwhile, and when
// it returns without an error, searches find nothing of what was removed. The error is
// ErrBusy, ErrClosed or the store's.
func (g *Ingester) Forget(ctx context.Context, f store.Forgetting) (done store.Forgotten, err error) {
	err = g.edit(ctx, store.Forget, f.DryRun, []string{f.Provider}, func() (store.Job, error) {
		if g.Archive != nil && !f.DryRun {
			if err := ForgetDocuments(ctx, g.Archive, f); err != nil {
				return store.Job{}, err
			}
		}
		done, err = g.store.Forget(ctx, f)
		return done.Record, err
	})
	return done, err
}

// ForgetDocuments has the archive forget what a store is to forget, before that does.
func ForgetDocuments(ctx context.Context, a *archive.Archive, f store.Forgetting) error {
	if f.GoneBefore.IsZero() {
		return a.Forget(ctx, f.Provider)
	}
	return a.ForgetGone(ctx, f.Provider, f.GoneBefore.String())
}

// Rename is Rename of the [store.Store] beside jobs, as [Ingester.Forget] is: searches find the
// events under their new ids. The error may be [store.ErrOtherKind].
func (g *Ingester) Rename(ctx context.Context, r store.Renaming) (done store.Renamed, err error) {
	err = g.edit(ctx, store.Rename, r.DryRun, []string{r.From, r.To}, func() (store.Job, error) {
		changes := make(map[string]bool)
		for _, t := range g.targets {
			changes[t.Name] = t.Changes
		}
		if err := r.Check(ctx, g.store, changes); err != nil {
			return store.Job{}, err
		}
		if g.Archive != nil && !r.DryRun {
			if err := g.Archive.Rename(ctx, r.From, r.To); err != nil {
				return store.Job{}, err
			}
		}
		done, err = g.store.Rename(ctx, r)
		return done.Record, err
	})
	return done, err
}

// edit has do change what is stored of the named providers, and publishes it. Do returns
// what is recorded of it, or the zero value when nothing was changed.
func (g *Ingester) edit(ctx context.Context, trigger store.Trigger, dryRun bool, names []string, do func() (store.Job, error)) error {
	if dryRun {
		_, err := do()
		return err
	}
	if g.stopping() {
		return ErrClosed
	}
	var claimed []*target
	defer func() {
		for _, t := range claimed {
			t.release()
		}
	}()
	for _, t := range g.targets {
		if slices.Contains(names, t.Name) {
			if _, err := t.claim(trigger, g.now()); err != nil {
				return err
			}
			claimed = append(claimed, t)
		}
	}
	// What is done is finished whatever ctx says by then.
	record, err := do()
	ctx = context.WithoutCancel(ctx)
	if errors.Is(err, store.ErrUncertain) {
		return errors.Join(err, g.publish(ctx))
	}
	if errors.Is(err, store.ErrBusy) {
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	if err != nil || record.ID == 0 {
		return err
	}
	g.log.LogAttrs(ctx, slog.LevelWarn, "what was stored has been changed by hand", slog.Uint64("job", record.ID),
		slog.String("provider", record.Provider), slog.String("trigger", string(record.Trigger)), slog.String("message", record.Message))
	for _, t := range claimed {
		if err := g.recallAgain(ctx, t); err != nil {
			g.log.WarnContext(ctx, "it is not known when the last job completed", "provider", t.Name, "error", err)
		}
	}
	if err := g.publish(ctx); err != nil {
		return fmt.Errorf("it is done, and recorded as job %d, but searches do not know of it yet: %w", record.ID, err)
	}
	return nil
}
