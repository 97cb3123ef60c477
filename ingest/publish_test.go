package ingest

import (
	"context"
	"errors"
	"os"
	"reflect"
	"strings"
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

// TestPublishAfterFailures shows that what is published is what the store holds, whatever the
// job says: after a commit that failed at its very end, its data are there.
func TestPublishAfterFailures(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fail func(f *fixture, ctx *tripwire, stop context.CancelFunc, snapshot *feed.Feed)
		kind feed.Kind
		want int // events published
	}{
		"a stop": {
			func(_ *fixture, _ *tripwire, stop context.CancelFunc, _ *feed.Feed) { stop() },
			feed.KindCanceled, 0,
		},
		"a snapshot that the store refuses": {
			func(_ *fixture, _ *tripwire, _ context.CancelFunc, snapshot *feed.Feed) {
				snapshot.Events = append(snapshot.Events, snapshot.Events[0])
			},
			feed.KindStore, 0,
		},
		"a panic before the commit": {
			func(_ *fixture, ctx *tripwire, _ context.CancelFunc, _ *feed.Feed) {
				ctx.onErr = func() { panic("bug") }
			},
			feed.KindInternal, 0,
		},
		"a full disk": {
			func(f *fixture, _ *tripwire, _ context.CancelFunc, _ *feed.Feed) { failWrite(f.bolt, false) },
			feed.KindStore, 0,
		},
		"a commit that fails at its end": {
			func(f *fixture, _ *tripwire, _ context.CancelFunc, _ *feed.Feed) { failWrite(f.bolt, true) },
			feed.KindStore, 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			within, stop := context.WithCancel(t.Context())
			defer stop()
			ctx := &tripwire{Context: within}
			var f *fixture
			f = newFixture(t, func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
				snapshot := feedOf(t, "1")
				tc.fail(f, ctx, stop, snapshot)
				return snapshot, nil
			})
			job, err := f.RunNow(ctx, "feverup", store.Manual, false)
			if err != nil || job.State != store.Failed || job.Kind != tc.kind {
				t.Fatalf("job %+v, error %v", job, err)
			}
			got := 0
			for _, entries := range f.published {
				got += len(entries)
			}
			if got != tc.want || got != len(stored(t, f.bolt)) {
				t.Errorf("published %d events, want %d; stored %v", got, tc.want, stored(t, f.bolt))
			}
		})
	}
}

// TestPublishFails shows that a job whose snapshot is stored has completed, also when
// searches cannot be told: the log says so, and the next publishing makes up for it.
func TestPublishFails(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func() error{
		"an error": func() error { return errors.New("by design") },
		"a panic":  func() error { panic("by design") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id := "1"
			f := newFixture(t, func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
				return feedOf(t, id), nil
			})
			f.onPublish = fail
			if job := f.once(t); job.State != store.Completed || job.New != 1 {
				t.Errorf("job %+v", job)
			}
			if log := f.logged.String(); !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "by design") {
				t.Errorf("logged %s", log)
			}
			f.onPublish, id = nil, "2"
			if job := f.once(t); job.New != 1 || len(f.published) != 1 || len(f.published[0]) != 2 {
				t.Errorf("job %+v, published %v", job, f.published)
			}
		})
	}
}

// TestNoJobWaits holds up one provider's job while its snapshot is compared. Another
// provider's job comes to its end meanwhile.
func TestNoJobWaits(t *testing.T) {
	t.Parallel()
	reached, goOn := make(chan struct{}), make(chan struct{})
	ctx := &tripwire{Context: t.Context()}
	f := newFixture(t, func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
		ctx.onErr = func() {
			close(reached)
			<-goOn
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
}
