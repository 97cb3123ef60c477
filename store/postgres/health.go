package postgres

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// A health knows whether the database answers. pgx tells it of every connection that is made and
// of every question, so none can be forgotten. Whoever follows asks every few seconds.
type health struct {
	mu   sync.Mutex
	down time.Time // since when it has not answered; zero: it does
	why  error
}

// heard counts how an attempt ended. An error after which the connection can still be used is an
// answer. An attempt that its caller gave up says nothing, but one that took too long does.
func (h *health) heard(err error, closed bool) {
	if errors.Is(err, context.Canceled) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case err == nil || !closed:
		h.down, h.why = time.Time{}, nil
	case h.down.IsZero():
		h.down, h.why = time.Now(), err
	default:
		h.why = err
	}
}

func (h *health) read() (down time.Time, why error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.down, h.why
}

func (h *health) TraceConnectStart(ctx context.Context, _ pgx.TraceConnectStartData) context.Context {
	return ctx
}

// TraceConnectEnd leaves it to the first question whether a new connection is of use.
func (h *health) TraceConnectEnd(_ context.Context, data pgx.TraceConnectEndData) {
	if data.Err != nil {
		h.heard(data.Err, true)
	}
}

func (h *health) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

func (h *health) TraceQueryEnd(_ context.Context, conn *pgx.Conn, data pgx.TraceQueryEndData) {
	h.heard(data.Err, conn.IsClosed())
}

func (h *health) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

func (h *health) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

func (h *health) TraceBatchEnd(_ context.Context, conn *pgx.Conn, data pgx.TraceBatchEndData) {
	h.heard(data.Err, conn.IsClosed())
}
