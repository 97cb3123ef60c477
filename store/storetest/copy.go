package storetest

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"fever/event"
	"fever/store"
)

// copied fills a store with all that another one holds, and compares what both say.
func copied(t interface {
	Helper()
	Context() context.Context
	Fatalf(string, ...any)
}, from, to store.Store,
) {
	t.Helper()
	ctx := t.Context()
	if err := to.Fill(ctx, from.Parts(ctx, true)); err != nil {
		t.Fatalf("%v", err)
	}
	if err := to.Check(); err != nil {
		t.Fatalf("%v", err)
	}
	said := func(s store.Store) (all []any) {
		for r, err := range s.Records(ctx, Everything) {
			all = append(all, r, err)
			for v, err := range s.Versions(ctx, r.Key) {
				all = append(all, v, err)
			}
		}
		for job, err := range s.Jobs(ctx, store.JobFilter{}) {
			all = append(all, job, err)
		}
		items, at, err := s.Published(ctx, "", 0, nil, 1000)
		all = append(all, at, err)
		for _, item := range items {
			item.Location = nil // another pointer
			all = append(all, item)
		}
		return all
	}
	if got, want := said(to), said(from); !reflect.DeepEqual(got, want) {
		t.Fatalf("the copy says\n%+v\nnot\n%+v", got, want)
	}
}

// testCopy copies a store with a bit of everything over one that holds something else, and
// from there to a third one, which goes on.
func testCopy(t *testing.T, place func(*testing.T) Place) {
	a, b, c := open(t, place), open(t, place), open(t, place)
	Apply(t, a, Snapshot("a", 1, Sample("a", 1, 2), Sample("a", 2, 1)))
	Apply(t, a, zoned(Snapshot("a", 2, Sample("a", 2, 3)), "Europe/Lisbon")) // a rewriting
	Apply(t, a, Snapshot("a-b", 3, Sample("a-b", 1, 1)))
	runs := Begin(t, a, "a-b")
	Apply(t, b, Snapshot("b", 1, Sample("b", 1, 1)))
	if err := b.Fill(t.Context(), a.Parts(t.Context(), false)); err != nil {
		t.Fatal(err)
	}
	if got, want := Jobs(t, b, store.JobFilter{}), Jobs(t, a, store.JobFilter{}); len(got) != 4 || !reflect.DeepEqual(got, want) {
		t.Errorf("jobs %+v, not %+v", got, want)
	}
	if n, err := b.Interrupt(t.Context(), time.UnixMilli(9)); n != 1 || err != nil {
		t.Errorf("%d jobs were interrupted: %v", n, err)
	}
	copied(t, b, c)
	if applied := Apply(t, c, zoned(Snapshot("a", 4, Sample("a", 2, 3), Sample("a", 3, 1)), "Europe/Lisbon")); applied.New != 1 || applied.Unchanged != 1 || applied.Revision != 4 {
		t.Errorf("applied %+v", applied)
	}
	if job := Begin(t, c, "b"); job.ID != runs.ID+2 {
		t.Errorf("job %d", job.ID)
	}
}

// testCopyStopped has a copy end early, in every way.
func testCopyStopped(t *testing.T, place func(*testing.T) Place) {
	from := open(t, place)
	Apply(t, from, Snapshot("a", 1, Sample("a", 1, 2), Sample("a", 2, 1)))
	total := 0
	for _, err := range from.Parts(t.Context(), true) {
		if total++; err != nil {
			t.Fatal(err)
		}
	}
	failure := errors.New("it cannot be read")
	to := must(place(t)(Keep, History))
	for n := range total {
		ctx, cancel := context.WithCancel(t.Context())
		parts := func(cause func() error) func(yield func(store.Part, error) bool) {
			return func(yield func(store.Part, error) bool) {
				given := 0
				for p, err := range from.Parts(ctx, true) {
					if given == n && err == nil {
						err = cause()
					}
					if given++; !yield(p, err) {
						return
					}
				}
			}
		}
		if err := to.Fill(ctx, parts(func() error { return failure })); !errors.Is(err, failure) {
			t.Errorf("after %d parts: %v", n, err)
		}
		err := to.Fill(ctx, parts(func() error {
			cancel()
			return nil
		}))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled after %d parts: %v", n, err)
		}
	}
	if err := to.Close(); err != nil {
		t.Error(err)
	}
	if got := Records(t, from, store.Filter{Window: event.Always}); len(got) != 2 {
		t.Errorf("%d events", len(got))
	}
}
