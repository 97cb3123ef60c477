package follow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"fever/event"
	"fever/index"
	"fever/store"
	"fever/store/bolt"
)

var quiet = slog.New(slog.DiscardHandler)

// openStore opens a new store, which is closed and checked at the end.
func openStore(t *testing.T) *bolt.Store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fever.db")
	st, err := bolt.Open(path, 10)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
		again, err := bolt.OpenReadOnly(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(again.Check(), again.Close()); err != nil {
			t.Error(err)
		}
	})
	return st
}

// A fataler is a *testing.T, or the one of a property.
type fataler interface {
	Helper()
	Fatal(args ...any)
}

// apply stores a snapshot of events with the given ids and starts, in one zone.
func apply(t fataler, st *bolt.Store, provider, zone string, starts map[string]string) {
	t.Helper()
	ctx := context.Background()
	snap := store.Snapshot{Provider: provider, TimeZone: zone, Taken: time.Now()}
	for id, start := range starts {
		local, err := event.ParseLocal(start)
		if err != nil {
			t.Fatal(err)
		}
		snap.Events = append(snap.Events, event.Event{
			Key: event.Key{Provider: provider, BaseID: "1", EventID: id}, Title: "T", Start: local, Zones: []event.Zone{},
		})
	}
	job, err := st.Begin(ctx, store.Job{Provider: provider, Trigger: store.Manual, Started: time.Now()})
	if err == nil {
		_, _, err = st.Apply(ctx, snap, job)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// found returns all that searches find.
func found(x *index.Index) []byte {
	var a index.Result
	x.Snapshot().Search(index.Query{Window: event.Always}, &a)
	defer a.Release()
	var b []byte
	for r := range a.Runs {
		b = append(b, r.Text()...)
	}
	return b
}

// holds fails unless the index is a new one of what is stored.
func holds(t fataler, st *bolt.Store, x *index.Index) {
	t.Helper()
	entries, _, err := st.Load(context.Background())
	fresh := index.New()
	if err := errors.Join(err, fresh.Load(entries)); err != nil {
		t.Fatal(err)
	}
	if got, want := found(x), found(fresh); !bytes.Equal(got, want) {
		t.Fatal(fmt.Sprintf("searches find\n%s\nstored is\n%s", got, want))
	}
}

// TestCatchUp follows a store through whatever can happen to it, one or several commits at
// a time: the index is always a new one of what is stored.
func TestCatchUp(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		path := filepath.Join(folder, "fever.db")
		st, err := bolt.Open(path, 10)
		if err != nil {
			rt.Fatal(err)
		}
		defer func() {
			if err := errors.Join(st.Check(), st.Close(), os.Remove(path)); err != nil {
				rt.Error(err)
			}
		}()
		x := index.New()
		f := New(st, x, quiet)
		providers := rapid.SampledFrom([]string{"a", "b", "c"})
		rt.Repeat(map[string]func(*rapid.T){
			"": func(rt *rapid.T) {
				if rapid.Bool().Draw(rt, "behind") {
					return
				}
				if err := f.CatchUp(t.Context()); err != nil {
					rt.Fatal(err)
				}
				holds(rt, st, x)
			},
			"apply": func(rt *rapid.T) {
				starts := rapid.MapOf(rapid.StringMatching("[1-9]"), rapid.StringMatching("2021-0[1-9]-1[0-9]T2[0-3]:00:00"))
				apply(rt, st, providers.Draw(rt, "provider"), rapid.SampledFrom([]string{"UTC", "Europe/Madrid"}).Draw(rt, "zone"), starts.Draw(rt, "starts"))
			},
			"forget": func(rt *rapid.T) {
				if _, err := st.Forget(t.Context(), store.Forgetting{Provider: providers.Draw(rt, "provider")}); err != nil && !errors.Is(err, store.ErrNothing) {
					rt.Fatal(err)
				}
			},
			"rename": func(rt *rapid.T) {
				from, to := providers.Draw(rt, "from"), providers.Draw(rt, "to")
				if from == to {
					return
				}
				if _, err := st.Rename(t.Context(), store.Renaming{From: from, To: to}); err != nil && !errors.Is(err, store.ErrNothing) {
					rt.Fatal(err)
				}
			},
		})
	})
}

// TestOnlyChanges shows that a few changes cost a few entries, and none cost no version.
func TestOnlyChanges(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	x := index.New()
	f := New(st, x, quiet)
	starts := map[string]string{"1": "2021-01-01", "2": "2021-02-01"}
	apply(t, st, "a", "UTC", starts)
	for range 2 {
		if err := f.CatchUp(t.Context()); err != nil || f.Revision() != 1 || x.Snapshot().Version != 1 {
			t.Fatal(err, f.Revision(), x.Snapshot().Version)
		}
	}
	starts["2"] = "2021-03-01"
	apply(t, st, "a", "UTC", starts)
	counted := &counting{Store: st}
	f.store = counted
	if err := f.CatchUp(t.Context()); err != nil || f.Revision() != 2 || counted.changes != 1 || counted.loads != 0 {
		t.Error(err, f.Revision(), counted)
	}
	holds(t, st, x)
}

// A counting store counts the entries that it gave.
type counting struct {
	Store
	changes, loads int
	fail           func() error
	tear           bool
}

func (c *counting) Load(ctx context.Context) ([]*event.Entry, store.Revision, error) {
	entries, at, err := c.Store.Load(ctx)
	c.loads += len(entries)
	return entries, at, err
}

func (c *counting) Changes(ctx context.Context, since store.Revision) ([]*event.Entry, store.Revision, error) {
	if c.fail != nil {
		if err := c.fail(); err != nil {
			return nil, 0, err
		}
	}
	entries, at, err := c.Store.Changes(ctx, since)
	c.changes += len(entries)
	if c.tear {
		c.tear = false
		entries = append(entries, nil)
	}
	return entries, at, err
}

// TestTorn shows that an index which panicked halfway is loaded again.
func TestTorn(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	x := index.New()
	counted := &counting{Store: st}
	f := New(counted, x, quiet)
	if err := f.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	apply(t, st, "a", "UTC", map[string]string{"1": "2021-01-01", "2": "2021-02-01"})
	counted.tear = true
	func() {
		defer func() {
			if recover() == nil {
				t.Error("it did not panic")
			}
		}()
		_ = f.CatchUp(t.Context())
	}()
	if err := f.CatchUp(t.Context()); err != nil || counted.loads != 2 {
		t.Error(err, counted.loads)
	}
	if f.Loads(Start) != 1 || f.Loads(Torn) != 1 {
		t.Errorf("%d loads at the start, %d of a torn index", f.Loads(Start), f.Loads(Torn))
	}
	holds(t, st, x)
}

// TestHistory shows that a store which was put back to an earlier state is loaded again, and that
// it is logged; and that what was forgotten is loaded, too, and no such thing.
func TestHistory(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	var log bytes.Buffer
	counted := &counting{Store: st}
	f := New(counted, index.New(), slog.New(slog.NewTextHandler(&log, nil)))
	for _, change := range []func(){
		func() {},
		func() { apply(t, st, "a", "UTC", map[string]string{"1": "2021-01-01"}) },
		func() {
			if _, err := st.Forget(t.Context(), store.Forgetting{Provider: "a"}); err != nil {
				t.Fatal(err)
			}
		},
		func() { counted.fail = func() error { return fmt.Errorf("by design: %w", store.ErrHistory) } },
	} {
		change()
		if err := f.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if f.Loads(Start) != 1 || f.Loads(Rewritten) != 1 || f.Loads(History) != 1 || f.Loads(Torn) != 0 {
		t.Errorf("loads: %d at the start, %d rewritten, %d of another history, %d torn", f.Loads(Start), f.Loads(Rewritten), f.Loads(History), f.Loads(Torn))
	}
	if n := strings.Count(log.String(), "put back to an earlier state"); n != 1 {
		t.Errorf("logged %s", log.String())
	}
}

// TestRun follows what others commit, and tries again after failures until it works.
func TestRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := openStore(t)
		x := index.New()
		failures := 0
		var log bytes.Buffer
		counted := &counting{Store: st}
		f := New(counted, x, slog.New(slog.NewTextHandler(&log, nil)))
		if err := f.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			f.Run(ctx)
		}()
		synctest.Wait()
		apply(t, st, "a", "UTC", map[string]string{"1": "2021-01-01"})
		synctest.Wait()
		holds(t, st, x)

		counted.fail = func() error {
			if failures++; failures <= 3 {
				return errors.New("by design")
			}
			return nil
		}
		apply(t, st, "a", "UTC", map[string]string{"1": "2021-01-02"})
		synctest.Wait()
		if bytes.Contains(found(x), []byte("2021-01-02")) {
			t.Error("it did not fail")
		}
		time.Sleep(3 * time.Second) // simulated
		synctest.Wait()
		holds(t, st, x)
		if n := strings.Count(log.String(), "by design"); n != 3 || failures != 4 {
			t.Errorf("%d failures, logged %s", failures, log.String())
		}
		stop()
		<-ended
	})
}

// TestRunEnds shows that a store that is closed ends the following.
func TestRunEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := openStore(t)
		f := New(st, index.New(), quiet)
		if err := f.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			f.Run(t.Context())
		}()
		synctest.Wait()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
		<-ended
		if err := f.CatchUp(t.Context()); err == nil {
			t.Error("it caught up with a closed store")
		}
	})
}
