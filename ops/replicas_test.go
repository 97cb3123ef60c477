package ops

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"fever/ops/control"
	"fever/provider/feed"
	"fever/store"
	"fever/store/bolt"
)

// A sharedStore is a file that says what a database would.
type sharedStore struct {
	*bolt.Store
	others

	mu       sync.Mutex
	stats    store.Stats
	fails    error
	replicas []store.Replica
	reported []store.Replica
}

// others are what a file has no method for. Nobody calls those that a sharedStore has not.
type others struct{ store.Shared }

func (s *sharedStore) Stats() store.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats
	stats.Current = map[string]int{}
	return stats
}

func (s *sharedStore) Report(_ context.Context, r store.Replica) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reported = append(s.reported, r)
	return "self", s.fails
}

func (s *sharedStore) Replicas(context.Context) ([]store.Replica, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.replicas, noon, s.fails
}

func (s *sharedStore) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// shared returns the metrics of a process whose store is another, which was asked once.
func (w *watched) shared(t *testing.T, st *sharedStore) *Metrics {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	st.replicas = append(st.replicas, store.Replica{ID: "self", Seen: noon, Behind: 2500 * time.Millisecond})
	m := NewMetrics("v1.2.3", w.index, w.ingester, st, quiet)
	m.Follower = w.Follower
	m.Replicas = &Replicas{Store: st, Version: "v1.2.3", Settings: "abc", Revision: w.Follower.Revision, Log: quiet}
	if err := m.Replicas.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestMetricsShared scrapes a process with a database, whose answers it had before an outage.
func TestMetricsShared(t *testing.T) {
	t.Parallel()
	w := watch(t, map[string]func(context.Context) (*feed.Feed, error){"a": nil})
	st := &sharedStore{Store: w.store, replicas: []store.Replica{
		{ID: "other", Seen: noon.Add(-14 * time.Second)}, {ID: "lost", Seen: noon.Add(-15 * time.Second)},
	}}
	st.stats = store.Stats{Revision: 7, Uncertain: 3, Pool: store.Pool{Used: 1, Idle: 2, Waits: 4, Waited: time.Second}}
	st.stats.Claims.Won, st.stats.Claims.Expired, st.stats.Claims.Busy, st.stats.Claims.Fenced = 10, 1, 5, 2
	m := w.shared(t, st)
	want := map[string]float64{
		`fever_store_up`: 1, `fever_store_revision`: 7, `fever_index_revision`: 0, `fever_replicas`: 2, `fever_follow_lag_seconds`: 2.5,
		`fever_claims_total{result="won"}`: 9, `fever_claims_total{result="expired"}`: 1, `fever_claims_total{result="busy"}`: 5, `fever_claims_total{result="fenced"}`: 2,
		`fever_commit_unknown_total`: 3, `fever_store_pool_connections{state="used"}`: 1, `fever_store_pool_connections{state="idle"}`: 2,
		`fever_store_pool_wait_seconds_count`: 4, `fever_store_pool_wait_seconds_sum`: 1,
		`fever_follow_loads_total{reason="start"}`: 1, `fever_follow_loads_total{reason="history"}`: 0,
	}
	compare := func() {
		t.Helper()
		got, _ := scrape(t, m)
		for name, value := range want {
			if v, ok := got[name]; !ok || v != value {
				t.Errorf("%s is %v (%t), not %v", name, v, ok, value)
			}
		}
		if _, ok := got["fever_store_size_bytes"]; ok {
			t.Error("a database has the size of a file")
		}
	}
	compare()
	st.set(func() { st.stats.Down, st.stats.Why = time.Now(), errors.New("no route") })
	want["fever_store_up"] = 0
	compare()
}

// TestReplicasRun reports every five seconds, and logs an outage once a minute and its end.
func TestReplicasRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		st := &sharedStore{}
		r := &Replicas{Store: st, Version: "v1", Settings: "abc", Revision: func() store.Revision { return 5 }, Log: slog.New(slog.NewTextHandler(&log, nil))}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			r.Run(ctx)
		}()
		time.Sleep(12 * time.Second) // simulated
		synctest.Wait()
		if want := (store.Replica{Version: "v1", Settings: "abc", Revision: 5}); len(st.reported) != 3 || st.reported[2] != want || r.read().Self != "self" {
			t.Errorf("reported %+v, known %+v", st.reported, r.read())
		}
		if log.Len() > 0 {
			t.Errorf("logged %s", log.String())
		}
		st.set(func() { st.fails = errors.New("no route") })
		time.Sleep(2*time.Minute + 10*time.Second)
		synctest.Wait()
		if n := strings.Count(log.String(), "no route"); n != 3 || r.read().Self != "self" {
			t.Errorf("%d lines: %s", n, log.String())
		}
		st.set(func() { st.fails = nil })
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if !strings.Contains(log.String(), "answers again") {
			t.Errorf("logged %s", log.String())
		}
		stop()
		<-ended
	})
}

// TestReadyInOutage is ready while a database does not answer, and says since when.
func TestReadyInOutage(t *testing.T) {
	t.Parallel()
	w := watch(t, map[string]func(context.Context) (*feed.Feed, error){})
	st := &sharedStore{Store: w.store}
	st.stats.Down, st.stats.Why = noon, errors.New("no route to db.example.org")
	m := w.shared(t, st)
	handler := New(Ops{Server: control.Server{Index: w.index, Ingester: w.ingester, Store: st, Log: slog.New(slog.DiscardHandler)}, Metrics: m})
	get := func(path string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1"+path, http.NoBody)
		recorded := httptest.NewRecorder()
		handler.ServeHTTP(recorded, r)
		return recorded
	}
	recorded := get("/readyz")
	var state control.Readiness
	if err := json.Unmarshal(recorded.Body.Bytes(), &state); err != nil || recorded.Code != http.StatusOK {
		t.Fatal(recorded.Code, err)
	}
	if state.Status != "ready" || state.Store == nil || !state.Store.Down.Equal(noon) || state.Store.Why != "no route to db.example.org" {
		t.Errorf("%+v, store %+v", state, state.Store)
	}
	if recorded := get("/healthz"); recorded.Code != http.StatusOK {
		t.Errorf("a restart would not help, and /healthz is %d", recorded.Code)
	}
}
