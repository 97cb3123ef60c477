package replay_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fever/archive"
	"fever/event"
	"fever/ingest"
	"fever/internal/feedtest"
	"fever/provider"
	"fever/provider/feed"
	"fever/provider/simulator"
	"fever/replay"
	"fever/store"
	"fever/store/bolt"
)

// A harvest is a store that takes a feed of changes, whose items may take their titles from a table.
type harvest struct {
	testing.TB
	dir         string
	feed, table *simulator.Changes
	broken      bool // the documents that come
	st          *bolt.Store
	g           *ingest.Ingester
}

func newHarvest(t testing.TB) *harvest {
	h := &harvest{TB: t, dir: filepath.Join(t.TempDir(), "archive"), feed: simulator.NewChanges("/feed", 2), table: simulator.NewChanges("/table", 2)}
	h.st = openStore(t, filepath.Join(t.TempDir(), "stored.db"))
	h.g = h.ingester(h.st)
	h.table.Put("p", `{"title": "Parent ", "events": 0}`)
	return h
}

func (h *harvest) ingester(st store.Store) *ingest.Ingester {
	h.Helper()
	p, err := provider.New(provider.Config{
		Name: "p", URL: "http://feed.example/feed", Format: feedtest.Changes, Timeout: time.Minute, MaxBytes: 1 << 20,
		Tables: []provider.Table{{Name: "parent", URL: "http://feed.example/table"}},
	})
	if err != nil {
		h.Fatal(err)
	}
	return ingest.New(st, slog.New(slog.DiscardHandler), 1, ingest.Provider{
		Name: "p", Location: time.UTC, Every: time.Hour, MaxInterval: time.Hour, Attempts: 1, Changes: true, Tables: []string{"parent"},
		Refresh: 7 * 24 * time.Hour, JobTime: time.Hour, JobBytes: 1 << 30, Source: p.Source,
		Begin: p.Begin, Resume: p.Resume, Again: p.DecodeAgain, Decode: p.Decode, GetPage: h.get,
	})
}

func (h *harvest) get(_ context.Context, page *feed.Page, progress *feed.Progress) (*feed.Document, error) {
	from := h.feed
	if page.URL.Path == "/table" {
		from = h.table
	}
	status, body := from.Answer(page.URL)
	if h.broken {
		body = body[:len(body)/2]
	}
	return &feed.Document{Body: io.NopCloser(bytes.NewReader(body)), Page: *page, URL: page.URL, HTTPStatus: status, Op: "fetch", Progress: progress}, nil
}

// archive has the documents kept that come.
func (h *harvest) archive() {
	h.Helper()
	h.g.Archive = openArchive(h, h.dir)
}

// take runs a job.
func (h *harvest) take(want store.State) {
	h.Helper()
	time.Sleep(time.Minute)
	job, err := h.g.RunNow(h.Context(), "p", store.Schedule, false)
	if err != nil || job.State != want {
		h.Fatalf("%+v, %v", job, err)
	}
}

// replay replays all, and returns the merge with what is stored. Nothing may differ.
func (h *harvest) replay() (*replay.Merge, replay.Result) {
	h.Helper()
	if err := h.g.Archive.Close(); err != nil {
		h.Fatal(err)
	}
	made := openStore(h, filepath.Join(h.TempDir(), "replayed.db"))
	result, err := replay.Provider(h.Context(), h.ingester(made), archive.Folder(h.dir), "p", replay.Range{Store: h.st, At: time.Now()})
	if err != nil {
		h.Fatal(err)
	}
	m := &replay.Merge{Stored: h.st, Replayed: made, Results: map[string]replay.Result{"p": result}}
	if got := differences(h, m); len(got) > 0 || len(result.Wrong) > 0 {
		h.Fatalf("differences: %s\nresult: %+v", strings.Join(got, "\n"), result)
	}
	return m, result
}

// titles returns those of the current events.
func titles(t testing.TB, st store.Store) (all []string) {
	t.Helper()
	for r, err := range st.Records(t.Context(), store.Filter{Window: event.Always}) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Current {
			all = append(all, r.Title)
		}
	}
	slices.Sort(all)
	return all
}

// TestFirstPageFailed replays a feed of changes whose first page could not be read at first.
func TestFirstPageFailed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarvest(t)
		h.archive()
		h.feed.Put("1", `{"title": "a", "parent": "p", "events": 1}`)
		h.broken = true
		h.take(store.Failed)
		h.broken = false
		h.take(store.Completed)
		if _, result := h.replay(); result.Failed != 1 || result.Committed == 0 || result.Within {
			t.Errorf("result: %+v", result)
		}
	})
}

// TestWithinHarvest replays a feed of changes of which the archive lacks the first pages: those of the table, and of
// items that have not changed since, or have been deleted.
func TestWithinHarvest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarvest(t)
		for _, id := range []string{"1", "2", "3"} {
			h.feed.Put(id, `{"title": "`+id+`", "parent": "p", "events": 1}`)
		}
		h.take(store.Completed)
		h.archive()
		h.feed.Put("2", `{"title": "two", "parent": "p", "events": 1}`)
		h.feed.Delete("3")
		h.take(store.Completed)
		h.feed.Put("4", `{"title": "4", "parent": "p", "events": 1}`)
		h.take(store.Completed)
		h.table.Put("p", `{"title": "Parents ", "events": 0}`)
		h.take(store.Completed)
		m, result := h.replay()
		if !result.Within || !result.UntilTheEnd {
			t.Errorf("result: %+v", result)
		}
		if got := titles(t, m.Replayed); !slices.Equal(got, []string{"Parents 4", "Parents two"}) {
			t.Errorf("replayed: %q", got)
		}
		// A job that goes on with it takes all of the feed: deletions of what the archive does not tell of count, too.
		filled := openStore(t, filepath.Join(t.TempDir(), "filled.db"))
		if err := filled.Fill(t.Context(), m.Parts(t.Context(), false)); err != nil {
			t.Fatal(err)
		}
		if err := filled.Check(); err != nil {
			t.Error(err)
		}
		h.st, h.g = filled, h.ingester(filled)
		h.feed.Delete("1")
		h.archive()
		h.take(store.Completed)
		if got := titles(t, filled); !slices.Equal(got, []string{"Parents 4", "Parents two"}) {
			t.Errorf("then current: %q", got)
		}
		// That whole harvest is in the archive.
		if _, result := h.replay(); !result.Within || result.UntilTheEnd {
			t.Errorf("result: %+v", result)
		}
	})
}
