package ingest

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"fever/internal/feedtest"
	"fever/provider/feed"
	"fever/store"
)

// TestFirstSnapshots follows two providers from a blank store on, and over restarts.
func TestFirstSnapshots(t *testing.T) {
	t.Parallel()
	type result struct {
		snapshot *feed.Feed
		err      error
	}
	fails := result{err: failure(feed.KindConnection)}
	empty := result{snapshot: &feed.Feed{HTTPStatus: 200}}
	one := result{snapshot: feedOf(t, "1")}
	one.snapshot.Events[0].Provider = "a"
	const settled, waits = true, false
	type step struct {
		do        string // provider, or "restart" or "document"
		result    result
		collected bool
		want      []bool // a, b
	}
	for _, test := range []struct {
		name  string
		steps []step
	}{
		{"both fail, then one comes", []step{
			{"a", fails, false, []bool{waits, waits}},
			{"b", fails, false, []bool{waits, waits}},
			{"restart", result{}, false, []bool{waits, waits}},
			{"a", one, true, []bool{settled, settled}}, // b's first job has ended, before the restart
		}},
		{"an empty feed is a snapshot", []step{
			{"a", empty, true, []bool{settled, waits}},
			{"b", empty, true, []bool{settled, settled}},
			{"restart", result{}, true, []bool{settled, settled}},
		}},
		{"one fails after the other came", []step{
			{"a", one, true, []bool{settled, waits}},
			{"restart", result{}, true, []bool{settled, waits}},
			{"b", fails, true, []bool{settled, settled}},
			{"restart", result{}, true, []bool{settled, settled}},
			{"a", fails, true, []bool{settled, settled}},
		}},
		{"a job that is cut off says nothing", []step{
			{"a", one, true, []bool{settled, waits}},
			{"b", result{err: failure(feed.KindCanceled)}, true, []bool{settled, waits}},
			{"restart", result{}, true, []bool{settled, waits}},
		}},
		{"a document is a snapshot, and its failure says nothing", []step{
			{"b", fails, false, []bool{waits, waits}},
			{"document", fails, false, []bool{waits, waits}},
			{"document", one, true, []bool{settled, settled}},
			{"restart", result{}, true, []bool{settled, settled}},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			st := openStore(t, filepath.Join(t.TempDir(), "fever.db"))
			var next result
			fetch := func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
				return next.snapshot, next.err
			}
			load := func(names ...string) *Ingester {
				t.Helper()
				var all []Provider
				for _, name := range names {
					all = append(all, Provider{Name: name, Location: time.UTC, Every: time.Minute, MaxInterval: time.Hour, Attempts: 1, Get: feedtest.Get(fetch), Decode: feedtest.Decode})
				}
				g := New(st, slog.New(slog.DiscardHandler), 1, all...)
				if err := g.Load(t.Context()); err != nil {
					t.Fatal(err)
				}
				return g
			}
			g := load("a", "b")
			for i, step := range test.steps {
				next = step.result
				var err error
				switch step.do {
				case "restart":
					g = load("a", "b")
				case "document":
					_, err = g.Import(t.Context(), "a", false, feedtest.Given(func(context.Context, *feed.Progress) (*feed.Feed, error) { return next.snapshot, next.err }))
				default:
					_, err = g.RunNow(t.Context(), step.do, store.Schedule, false)
				}
				if err != nil {
					t.Fatal(err)
				}
				var got []bool
				for _, s := range g.Status() {
					got = append(got, s.Settled)
				}
				if !slices.Equal(got, step.want) || g.Collected.Load() != step.collected {
					t.Errorf("step %d, %s: settled %v, want %v; collected %v, want %v", i, step.do, got, step.want, g.Collected.Load(), step.collected)
				}
			}
		})
	}
}

// TestInterruptedBeforeTheFirstSnapshot restarts after a kill: that job says nothing.
func TestInterruptedBeforeTheFirstSnapshot(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(context.Context, feed.Validators, *feed.Progress) (*feed.Feed, error) {
		return feedOf(t, "1"), nil
	})
	if _, err := f.bolt.Begin(t.Context(), store.Job{Provider: "feverup", Trigger: store.StartUp, Started: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if n, err := f.bolt.Interrupt(t.Context(), time.Now()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if err := f.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.Collected.Store(true) // by another provider
	if f.Status()[0].Settled {
		t.Error("it counts as tried")
	}
	f.once(t)
	if !f.Status()[0].Settled {
		t.Error("its snapshot does not count")
	}
}
