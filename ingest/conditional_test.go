package ingest

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"fever/provider"
	"fever/provider/feed/feverup"
	"fever/store"
)

const oneEvent = `<planList><output><base_plan base_plan_id="1" sell_mode="online" title="T">
	<plan plan_id="1" plan_start_date="2021-06-30T21:00:00" plan_end_date="2021-06-30T22:00:00"/>
	</base_plan></output></planList>`

// A feedServer is a provider that can be told how to answer.
type feedServer struct {
	mu     sync.Mutex
	answer func(w http.ResponseWriter, r *http.Request)
	asked  []string // If-None-Match of each request
}

func (s *feedServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.Header.Get("If-None-Match"))
	s.answer(w, r)
}

// collecting returns an ingester of one provider, feverup, at a real server.
func (s *feedServer) collecting(t *testing.T) *Ingester {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	p, err := provider.New(provider.Config{Format: feverup.New(0), Name: "feverup", URL: server.URL, Timeout: time.Minute, MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	st := openStore(t, filepath.Join(t.TempDir(), "fever.db"))
	return New(st, slog.New(slog.DiscardHandler), 1,
		Provider{Name: "feverup", Location: time.UTC, Every: time.Minute, MaxInterval: time.Hour, Attempts: 1, Get: p.Get, Decode: p.Decode})
}

func manual(t *testing.T, g *Ingester) store.Job {
	t.Helper()
	job, err := g.RunNow(t.Context(), "feverup", store.Manual, false)
	if err != nil || job.State != store.Completed {
		t.Fatalf("%+v, %v", job, err)
	}
	return job
}

// TestNewestTagIsAskedWith shows that the tag of an answer counts from then on, also when
// the answer changed nothing: that with the same body, and a 304.
func TestNewestTagIsAskedWith(t *testing.T) {
	t.Parallel()
	s := &feedServer{}
	n := 0
	sameBody := func(w http.ResponseWriter, _ *http.Request) {
		n++
		w.Header().Set("ETag", fmt.Sprintf(`"%d"`, n))
		_, _ = w.Write([]byte(oneEvent))
	}
	unchanged := func(w http.ResponseWriter, r *http.Request) {
		n++
		if r.Header.Get("If-None-Match") == "" {
			t.Error("no condition")
		}
		w.Header().Set("ETag", fmt.Sprintf(`"%d"`, n))
		w.WriteHeader(http.StatusNotModified)
	}
	g := s.collecting(t)
	s.answer = sameBody
	if job := manual(t, g); job.New != 1 {
		t.Fatalf("%+v", job)
	}
	for range 2 {
		if job := manual(t, g); !job.NotModified || job.HTTPStatus != 200 {
			t.Errorf("the same body: %+v", job)
		}
	}
	s.answer = unchanged
	for range 2 {
		if job := manual(t, g); !job.NotModified || job.HTTPStatus != 304 {
			t.Errorf("a 304: %+v", job)
		}
	}
	s.answer = sameBody
	if job := manual(t, g); !job.NotModified || job.HTTPStatus != 200 {
		t.Errorf("the same body after a 304: %+v", job)
	}
	if want := []string{"", `"1"`, `"2"`, `"3"`, `"4"`, `"5"`}; !slices.Equal(s.asked, want) {
		t.Errorf("asked with %q, want %q", s.asked, want)
	}

	// A tag that is gone is not asked with any more.
	s.answer = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(oneEvent)) }
	manual(t, g)
	if job := manual(t, g); !job.NotModified || s.asked[len(s.asked)-1] != "" {
		t.Errorf("%+v, asked with %q", job, s.asked)
	}
}
