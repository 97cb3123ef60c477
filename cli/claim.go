package cli

import (
	"context"
	"errors"
	"log/slog"
	"syscall"
	"time"

	"fever/store"
)

// claimPause is the time between two attempts of claim.
const claimPause = 200 * time.Millisecond

// claim opens a file or an address. While another process has it, claim tries again until
// the given time, and then returns the last error. When ctx ends it returns neither a
// result nor an error.
func claim[T any](ctx context.Context, until time.Time, log *slog.Logger, open func() (T, error)) (opened T, _ error) {
	for told := false; ; told = true {
		result, err := open()
		if err == nil {
			return result, nil
		}
		left := time.Until(until)
		if !errors.Is(err, store.ErrLocked) && !errors.Is(err, syscall.EADDRINUSE) || left <= 0 {
			return opened, err
		}
		if !told {
			log.InfoContext(ctx, "waiting for another process to end", "error", err, "for", left.Round(time.Millisecond))
		}
		select {
		case <-ctx.Done():
			return opened, nil
		case <-time.After(min(claimPause, left)):
		}
	}
}

// await opens a store. While a database does not answer, await tries again, however long that takes,
// and says so each minute. When ctx ends it returns neither a store nor an error.
func await(ctx context.Context, log *slog.Logger, open func() (store.Store, error)) (store.Store, error) {
	const longest = 5 * time.Second
	var told time.Time
	for pause := claimPause; ; pause = min(2*pause, longest) {
		st, err := open()
		if !errors.Is(err, store.ErrUnavailable) {
			return st, err
		}
		if time.Since(told) > time.Minute {
			told = time.Now()
			log.WarnContext(ctx, "waiting for the database", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil, nil //nolint:nilnil // nobody needs it any more
		case <-time.After(pause):
		}
	}
}

// whenFree calls do, again and again while another process that shares the store runs a job of the
// provider. Jobs of the schedule begin and end without anybody's doing.
func whenFree[T any](ctx context.Context, do func() (T, error)) (T, error) {
	for {
		done, err := do()
		if !errors.Is(err, store.ErrBusy) {
			return done, err
		}
		select {
		case <-ctx.Done():
			return done, err
		case <-time.After(claimPause):
		}
	}
}
