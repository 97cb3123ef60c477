package ingest

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"fever/provider/feed"
	"fever/store"
)

// snapshots is a store that counts the events of the newest snapshot. The digests that it returns
// are those that it has been given, if any.
type snapshots struct {
	store.Store

	held, unchanged int
	digests         *store.Digests
}

func (s *snapshots) Apply(ctx context.Context, snap store.Snapshot, job store.Job) (store.Applied, store.Job, error) {
	s.held, s.unchanged = len(snap.Events), len(snap.Unchanged)
	return s.Store.Apply(ctx, snap, job)
}

func (s *snapshots) Digests(ctx context.Context, provider string) (*store.Digests, error) {
	if s.digests != nil {
		return s.digests, nil
	}
	return s.Store.Digests(ctx, provider)
}

// TestUnchangedEvents collects a feed of which one event changes: the values of the others are not
// held, and the counts are the same.
func TestUnchangedEvents(t *testing.T) {
	t.Parallel()
	server := &feedServer{}
	g := server.collecting(t)
	st := &snapshots{Store: g.store}
	g.store = st
	serve := func(capacities ...int) {
		server.answer = func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprint(w, `<planList><output><base_plan base_plan_id="1" sell_mode="online" title="T">`)
			for i, n := range capacities {
				_, _ = fmt.Fprintf(w, `<plan plan_id="%d" plan_start_date="2021-06-30T21:00:00"><zone zone_id="1" capacity="%d" price="2"/></plan>`, i, n)
			}
			_, _ = fmt.Fprint(w, `</base_plan></output></planList>`)
		}
	}
	check := func(what string, job store.Job, newer, changed, unchanged, gone, held int) {
		t.Helper()
		if job.State != store.Completed || job.New != newer || job.Changed != changed || job.Unchanged != unchanged || job.Gone != gone {
			t.Errorf("%s: %+v", what, job)
		}
		if st.held != held || st.held+st.unchanged != newer+changed+unchanged {
			t.Errorf("%s: %d events have their values, %d are unchanged", what, st.held, st.unchanged)
		}
	}
	serve(1, 2, 3)
	check("first", manual(t, g), 3, 0, 0, 0, 3)
	before, err := g.store.Digests(t.Context(), "feverup")
	if err != nil {
		t.Fatal(err)
	}
	serve(1, 5, 3)
	check("one changed", manual(t, g), 0, 1, 2, 0, 1)
	serve(1, 5)
	check("one gone", manual(t, g), 0, 0, 2, 1, 0)
	serve(1, 5, 3)
	check("one is back", manual(t, g), 0, 0, 3, 0, 1)
	job, err := g.RunNow(t.Context(), "feverup", store.Manual, true)
	if err != nil {
		t.Fatal(err)
	}
	check("forced", job, 0, 0, 3, 0, 3)

	// What another process may have changed meanwhile costs the job, and nothing that is stored.
	st.digests = before
	serve(1, 2, 3, 4)
	if job, err = g.RunNow(t.Context(), "feverup", store.Manual, false); err != nil || job.Kind != feed.KindStore || !strings.Contains(job.Message, store.ErrStale.Error()) {
		t.Errorf("with the digests of another time: %+v, %v", job, err)
	}
	st.digests = nil
	check("after that", manual(t, g), 1, 1, 2, 0, 2)
}
