package bolt

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"fever/store"
)

// TestWait waits in several goroutines, and none of them looks before something has happened:
// the time of the test stands still.
func TestWait(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	apply(t, s, snapshot("a", 1, sample("a", 1, 1)))
	synctest.Test(t, func(t *testing.T) {
		if err := s.Wait(t.Context(), 0); err != nil {
			t.Error(err)
		}
		ended := make(chan error, 20)
		wait := func(ctx context.Context, since store.Revision, n int) {
			for range n {
				go func() { ended <- s.Wait(ctx, since) }()
			}
			synctest.Wait()
			if len(ended) > 0 {
				t.Fatalf("it did not wait: %v", <-ended)
			}
		}
		expect := func(n int, want func(error) bool) {
			t.Helper()
			synctest.Wait()
			if len(ended) != n {
				t.Fatalf("%d have ended, not %d", len(ended), n)
			}
			for range n {
				if err := <-ended; !want(err) {
					t.Errorf("error %v", err)
				}
			}
		}
		wait(t.Context(), 1, 5)
		wait(t.Context(), 2, 3)
		apply(t, s, snapshot("a", 1, sample("a", 1, 1))) // changes nothing
		expect(0, nil)
		apply(t, s, snapshot("a", 1, sample("a", 2, 1)))
		expect(5, func(err error) bool { return err == nil })
		ctx, cancel := context.WithCancel(t.Context())
		wait(ctx, 2, 2)
		cancel()
		expect(2, func(err error) bool { return errors.Is(err, context.Canceled) })
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		expect(3, func(err error) bool { return err != nil && !errors.Is(err, context.Canceled) })
		if err := s.Wait(t.Context(), 0); err == nil {
			t.Error("a closed store has something new")
		}
	})
}
