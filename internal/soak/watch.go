//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"fever/internal/harness"
)

// A watch runs everything at once for some time.
type watch struct {
	fever  *fever
	market *market
	pace

	clients []*client
	warm    chan struct{} // is closed at the end of the warm-up
	cold    int           // samples of the warm-up
	samples []sample
	metrics metrics // the last ones
}

// errEnough ends a run that went well.
var errEnough = errors.New("the time is over")

// run lasts as long as given after the warm-up. It ends at the first error, and returns it.
func (w *watch) run(ctx context.Context, length time.Duration) error {
	if err := w.loaded(ctx); err != nil {
		return err
	}
	w.clients = clients(w.fever, w.market)
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var all sync.WaitGroup
	begin := func(f func(context.Context) error) {
		all.Go(func() {
			if err := f(ctx); err != nil {
				fail(err)
			}
		})
	}
	for _, c := range w.clients {
		begin(c.run)
	}
	for _, s := range w.market.sources {
		if s.restart > 0 {
			begin(s.run)
		}
	}
	begin(w.doChores)
	begin(w.look)
	begin(func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return nil
		case <-w.warm:
		}
		if !harness.Pause(ctx, length) {
			return nil
		}
		return errEnough
	})
	begin(func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return nil
		case <-w.fever.Ended:
			return errors.New("fever ended by itself")
		}
	})
	all.Wait()
	if err := context.Cause(ctx); !errors.Is(err, errEnough) {
		return err
	}
	return nil
}

// loaded waits until the first feed of every provider is searchable.
func (w *watch) loaded(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		m, err := w.scrape(ctx)
		if err != nil {
			return err
		}
		events := int(m["fever_index_events"])
		if events == w.market.hours {
			return nil
		}
		if !harness.Pause(ctx, 100*time.Millisecond) {
			return fmt.Errorf("after a minute %d events are found, of %d", events, w.market.hours)
		}
	}
}

// warmUp is how many rounds of chores it takes until fever has all that it usually holds. A
// time would be too short on a loaded machine.
const warmUp = 2

// doChores does the chores one after the other, with pauses.
func (w *watch) doChores(ctx context.Context) error {
	for n := 0; harness.Pause(ctx, w.chore); n++ {
		if n == warmUp*len(chores) {
			close(w.warm)
		}
		// Finish a chore that was begun: a command that is cut off shows nothing.
		if err := chores[n%len(chores)](w, context.WithoutCancel(ctx)); err != nil {
			return err
		}
	}
	return nil
}
