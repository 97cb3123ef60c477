package ingest

import (
	"context"
	"errors"
	"os"
	"reflect"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"fever/internal/feedtest"
	"fever/provider/feed"
	"fever/store"
	"fever/store/bolt"
)

// failWrite has the next write that is of a meta page, or the next that is not, be one
// that the disk says has failed. A meta page is written all the same: it is the last
// write of a commit, so readers find its data. bbolt has a hook for its own tests.
func failWrite(st *bolt.Store, ofMeta bool) {
	db := reflect.ValueOf(st).Elem().FieldByName("db").Elem()
	hook := (*func([]byte, int64) (int, error))(unsafe.Pointer(db.FieldByName("ops").FieldByName("writeAt").UnsafeAddr()))
	write := *hook
	*hook = func(b []byte, offset int64) (int, error) {
		if ofMeta != (offset < 2*int64(os.Getpagesize())) {
			return write(b, offset)
		}
		*hook = write
		if !ofMeta {
			return 0, syscall.ENOSPC
		}
		if n, err := write(b, offset); err != nil {
			return n, err
		}
		return 0, syscall.EIO
	}
}

// A tripwire is a context that calls onErr when it is asked for its error, once.
type tripwire struct {
	context.Context
	onErr func()
}

func (c *tripwire) Err() error {
	if f := c.onErr; f != nil {
		c.onErr = nil
		f()
	}
	return c.Context.Err()
}

// TestReload shows after which failures the index is loaded again: those alone that may
// have left something in the file. It is loaded once, by the next job.
func TestReload(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fail func(f *fixture, ctx *tripwire, stop context.CancelFunc, snapshot *feed.Feed)
		kind feed.Kind
		want int // events in the index that was loaded; -1: it was not
	}{
		"a stop": {
			func(_ *fixture, _ *tripwire, stop context.CancelFunc, _ *feed.Feed) { stop() },
			feed.KindCanceled, -1,
		},
		"a snapshot that the store refuses": {
			func(_ *fixture, _ *tripwire, _ context.CancelFunc, snapshot *feed.Feed) {
				snapshot.Events = append(snapshot.Events, snapshot.Events[0])
			},
			feed.KindStore, -1,
		},
		"a panic before the commit": {
			func(_ *fixture, ctx *tripwire, _ context.CancelFunc, _ *feed.Feed) {
				ctx.onErr = func() { panic("bug") }
			},
			feed.KindInternal, -1,
		},
		"a full disk": {
			func(f *fixture, _ *tripwire, _ context.CancelFunc, _ *feed.Feed) { failWrite(f.store, false) },
			feed.KindStore, -1,
		},
		"a commit that fails at its end": {
			func(f *fixture, _ *tripwire, _ context.CancelFunc, _ *feed.Feed) { failWrite(f.store, true) },
			feed.KindStore, 1,
		},
		"a panic after the commit": {
			func(f *fixture, _ *tripwire, _ context.CancelFunc, _ *feed.Feed) {
				f.onApply = func() { panic("bug") }
			},
			feed.KindInternal, 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			within, stop := context.WithCancel(t.Context())
			defer stop()
			ctx := &tripwire{Context: within}
			var fetch func() *feed.Feed
			f := newFixture(t, func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
				return fetch(), nil
			})
			fetch = func() *feed.Feed {
				snapshot := feedOf(t, "1")
				tc.fail(f, ctx, stop, snapshot)
				return snapshot
			}
			job, err := f.RunNow(ctx, "feverup", store.Manual, false)
			if err != nil || job.State != store.Failed || job.Kind != tc.kind {
				t.Fatalf("job %+v, error %v", job, err)
			}
			if len(f.loaded) != 0 {
				t.Fatal("the index was loaded by the job that failed")
			}
			fetch = func() *feed.Feed { return &feed.Feed{NotModified: true, HTTPStatus: 304} }
			for range 3 {
				if job := f.once(t); job.State != store.Completed {
					t.Errorf("job %+v", job)
				}
			}
			got := -1
			if len(f.loaded) > 0 {
				got = len(f.loaded[0])
			}
			if len(f.loaded) > 1 || got != tc.want {
				t.Errorf("loaded %d times, the first time %d events; want %d", len(f.loaded), got, tc.want)
			}
		})
	}
}

// TestReloadFails shows that loading the index again is tried until it works.
func TestReloadFails(t *testing.T) {
	t.Parallel()
	fetched := 0
	f := newFixture(t, func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
		fetched++
		return feedOf(t, "1"), nil
	})
	f.onApply = func() { panic("bug") }
	f.once(t)
	f.onApply = nil
	f.onLoad = func() error { return errors.New("by design") }
	for range 2 {
		if job := f.once(t); job.State != store.Failed || job.Kind != feed.KindStore || fetched != 1 {
			t.Errorf("job %+v, fetched %d times", job, fetched)
		}
	}
	f.onLoad = nil
	if job := f.once(t); job.State != store.Completed || len(f.loaded) != 1 {
		t.Errorf("job %+v, loaded %d times", job, len(f.loaded))
	}
}

// TestNoJobWaits holds up one provider's job while its snapshot is compared, and while it
// is published. Another provider's job comes to its end meanwhile.
func TestNoJobWaits(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"comparing", "publishing"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			reached, goOn := make(chan struct{}), make(chan struct{})
			hold := func() {
				close(reached)
				<-goOn
			}
			ctx := &tripwire{Context: t.Context()}
			var f *fixture
			f = newFixture(t, func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
				if where == "comparing" {
					ctx.onErr = hold
				} else {
					f.onApply = func() {
						f.onApply = nil
						hold()
					}
				}
				return feedOf(t, "1"), nil
			})
			f.workers = make(chan struct{}, 2)
			f.targets = append(f.targets, &target{moved: make(chan struct{}, 1), Provider: Provider{
				Name: "other", Location: time.UTC, Every: time.Minute, MaxInterval: time.Hour,
				Get: feedtest.Get(func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
					snapshot := feedOf(t, "2")
					snapshot.Events[0].Provider = "other"
					return snapshot, nil
				}), Decode: feedtest.Decode,
			}})
			ended := make(chan store.Job, 1)
			go func() {
				job, err := f.RunNow(ctx, "feverup", store.Manual, false)
				if err != nil {
					t.Error(err)
				}
				ended <- job
			}()
			<-reached
			if job, err := f.RunNow(t.Context(), "other", store.Manual, false); err != nil || job.New != 1 {
				t.Errorf("job %+v, error %v", job, err)
			}
			close(goOn)
			if job := <-ended; job.New != 1 {
				t.Errorf("job %+v", job)
			}
			if len(f.published) != 2 {
				t.Errorf("published %v", f.published)
			}
		})
	}
}
