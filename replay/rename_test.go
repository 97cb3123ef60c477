package replay_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"fever/provider/simulator"
	"fever/store"
)

// TestRenamedHarvest replays a feed of changes whose provider was renamed: the harvest that begins then has the number
// of the one before, and lists less.
func TestRenamedHarvest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarvest(t)
		h.archive()
		for _, id := range []string{"1", "2"} {
			h.feed.Put(id, `{"title": "`+id+`", "parent": "p", "events": 1}`)
		}
		h.take(store.Completed)
		if err := h.g.Archive.Close(); err != nil {
			t.Fatal(err)
		}
		// There and back again, which leaves the stream behind, too.
		a := openArchive(t, h.dir)
		for _, r := range []store.Renaming{{From: "p", To: "q"}, {From: "q", To: "p"}} {
			if err := a.Rename(t.Context(), r.From, r.To); err != nil {
				t.Fatal(err)
			}
			if _, err := h.st.Rename(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		h.g = h.ingester(h.st)
		h.archive()
		h.feed = simulator.NewChanges("/feed", 2)
		h.feed.Put("1", `{"title": "one", "parent": "p", "events": 1}`)
		time.Sleep(time.Minute)
		h.take(store.Completed)
		if got := titles(t, h.st); !slices.Equal(got, []string{"Parent one"}) {
			t.Fatalf("stored: %q", got)
		}
		h.replay()
	})
}
