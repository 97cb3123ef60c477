package ingest

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"fever/event"
	"fever/index"
	"fever/index/follow"
	"fever/provider"
	"fever/provider/feed"
	"fever/provider/feed/feverup"
	"fever/provider/simulator"
	"fever/store"
	"fever/store/bolt"
)

// TestFaults plays every fault of a provider to a whole job, between two good answers:
// what is stored and what searches find is byte for byte the same, and the next good
// answer is applied.
func TestFaults(t *testing.T) {
	t.Parallel()
	before, after := feedFile(t, "event-list-1.xml"), feedFile(t, "event-list-2.xml")
	for _, fault := range simulator.Faults(before) {
		t.Run(fault.Name, func(t *testing.T) {
			t.Parallel()
			limit := time.Hour
			if fault.Kind == string(feed.KindTimeout) {
				limit = time.Second
			}
			sim := simulator.New(t, simulator.Body(before))
			st := openStore(t, filepath.Join(t.TempDir(), "fever.db"))
			x := index.New()
			follower := follow.New(st, x, slog.New(slog.DiscardHandler))
			collect := func(limit time.Duration) store.Job {
				p, err := provider.New(provider.Config{Format: feverup.New(0), Name: "feverup", URL: sim.URL, Timeout: limit, MaxBytes: simulator.MaxBytes})
				if err != nil {
					t.Fatal(err)
				}
				g := New(st, slog.New(slog.DiscardHandler), 1,
					Provider{Name: "feverup", Location: time.UTC, Every: time.Minute, MaxInterval: time.Hour, Attempts: 1, Get: p.Get, Decode: p.Decode})
				g.Publish = follower.CatchUp
				if err := g.Load(t.Context()); err != nil {
					t.Fatal(err)
				}
				job, err := g.RunNow(t.Context(), "feverup", store.Schedule, false)
				if err != nil {
					t.Fatal(err)
				}
				return job
			}
			if job := collect(time.Hour); job.State != store.Completed || job.New != 3 {
				t.Fatalf("the first good answer: %+v", job)
			}
			data, answer := everything(t, st), search(x)

			sim.Play(fault.Steps...)
			if job := collect(limit); job.State != store.Failed || string(job.Kind) != fault.Kind {
				t.Errorf("the fault: %+v, want a failure of kind %s", job, fault.Kind)
			}
			if !bytes.Equal(everything(t, st), data) {
				t.Error("the fault changed what is stored")
			}
			if !bytes.Equal(search(x), answer) {
				t.Error("the fault changed what searches find")
			}

			sim.Play(simulator.Body(after))
			if job := collect(time.Hour); job.State != store.Completed || job.Changed != 2 || job.Gone != 1 {
				t.Errorf("the next good answer: %+v", job)
			}
			if bytes.Equal(search(x), answer) {
				t.Error("the next good answer did not change what searches find")
			}
		})
	}
}

func feedFile(t *testing.T, name string) []byte {
	t.Helper()
	doc, err := os.ReadFile(filepath.Join("..", "testdata", "feeds", name))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// everything returns all that is stored of events, with their history.
func everything(t *testing.T, st *bolt.Store) []byte {
	t.Helper()
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	for r, err := range st.Records(t.Context(), store.Filter{Window: event.Always}) {
		if err == nil {
			err = encoder.Encode(r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// search returns the summaries of all events in the index.
func search(x *index.Index) []byte {
	var a index.Result
	x.Snapshot().Search(index.Query{Window: event.Always}, &a)
	var b []byte
	for r := range a.Runs {
		b = append(b, r.Text()...)
	}
	return b
}
