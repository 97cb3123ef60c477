package cli

import (
	"context"
	"errors"
	"log/slog"
	"syscall"
	"time"

	"fever/store"
)

// claimPause is the time between two attempts to get what another process has.
const claimPause = 200 * time.Millisecond

// A patience says how long to wait for another process to end.
type patience struct {
	until time.Time
	log   *slog.Logger
}

// claim opens a file or an address. While another process has it, it tries again until
// the patience ends; the error is then the last one. When ctx ends there is neither a
// result nor an error.
func claim[T any](ctx context.Context, p patience, open func() (T, error)) (opened T, _ error) {
	for told := false; ; told = true {
		result, err := open()
		if err == nil {
			return result, nil
		}
		left := time.Until(p.until)
		if !errors.Is(err, store.ErrLocked) && !errors.Is(err, syscall.EADDRINUSE) || left <= 0 {
			return opened, err
		}
		if !told {
			p.log.InfoContext(ctx, "waiting for another process to end", "error", err, "for", left.Round(time.Millisecond))
		}
		select {
		case <-ctx.Done():
			return opened, nil
		case <-time.After(min(claimPause, left)):
		}
	}
}
