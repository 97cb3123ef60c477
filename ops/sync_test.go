package ops

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"fever/provider/feed"
	"fever/store"
)

// answered is the data of /sync.
type answered struct {
	Jobs []store.Job
	Busy []string
}

// states says which jobs there are, and how far.
func (a answered) states() string {
	var all []string
	for _, job := range a.Jobs {
		all = append(all, job.Provider+":"+string(job.State))
	}
	return strings.Join(all, " ")
}

func (d *deployment) sync(t *testing.T, query string, status int, want string, busy ...string) answered {
	t.Helper()
	got := d.ask(t, http.MethodPost, "/sync"+query)
	if got.status != status {
		t.Fatalf("%s: %d %s, not %d", query, got.status, got.body, status)
	}
	var data answered
	got.decode(t, &data)
	if data.states() != want || !slices.Equal(data.Busy, busy) {
		t.Errorf("%s: %s and %v busy; not %s and %v", query, data.states(), data.Busy, want, busy)
	}
	return data
}

func TestSync(t *testing.T) {
	t.Parallel()
	busy, release := slow("c")
	d := deploy(t, "", well("a"), ill("b"), busy)

	began := d.sync(t, "?provider=c", http.StatusAccepted, "c:running")
	if job := began.Jobs[0]; job.ID == 0 || job.Trigger != store.Manual || job.Started.IsZero() {
		t.Errorf("%+v", job)
	}
	message := d.ask(t, http.MethodPost, "/sync?provider=c&wait=1").failed(t, http.StatusConflict, "busy")
	if !strings.HasSuffix(message, ": c") {
		t.Error(message)
	}
	ended := d.sync(t, "?wait=1", http.StatusOK, "a:completed b:failed", "c")
	if job := ended.Jobs[1]; job.Kind != "timeout" || job.Finished.IsZero() {
		t.Errorf("%+v", job)
	}
	d.sync(t, "?provider=a&wait=1", http.StatusOK, "a:completed")
	d.sync(t, "?provider=b&wait=1", http.StatusOK, "b:failed")
	d.sync(t, "?wait=1", http.StatusOK, "a:completed b:failed", "c")
	release()

	message = d.ask(t, http.MethodPost, "/sync?provider=x").failed(t, http.StatusNotFound, "unknown_provider")
	if !strings.Contains(message, "a, b, c") {
		t.Error(message)
	}
	for _, query := range []string{"?wait=yes", "?wait=", "?wait=1&wait=1", "?provider=", "?provider=A", "?provider=a&provider=b"} {
		d.ask(t, http.MethodPost, "/sync"+query).failed(t, http.StatusBadRequest, "invalid_parameter")
	}
}

// TestSyncTakesNoBody sends a body slowly: nobody waits for it.
func TestSyncTakesNoBody(t *testing.T) {
	t.Parallel()
	d := deploy(t, "", well("a"))
	var wait sync.WaitGroup // each takes as long as a whole request may
	for _, field := range []string{"Content-Length: 10", "Transfer-Encoding: chunked"} {
		wait.Go(func() {
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(d.url, "http://"))
			if err != nil {
				t.Error(err)
				return
			}
			_, err = io.WriteString(conn, "POST /sync HTTP/1.1\r\nHost: localhost\r\n"+field+"\r\n\r\n")
			all, readErr := io.ReadAll(conn) // to the end of the connection
			if err := errors.Join(err, readErr, conn.Close()); err != nil {
				t.Error(err)
			}
			if text := string(all); !strings.HasPrefix(text, "HTTP/1.1 400 ") || !strings.Contains(text, `"unexpected_body"`) {
				t.Errorf("%s: %s", field, text)
			}
		})
	}
	wait.Wait()
	var page pageOfJobs
	if d.ask(t, http.MethodGet, "/jobs").decode(t, &page); page.ids() != "" {
		t.Errorf("there are jobs: %s", page.ids())
	}
}

// TestSyncAllBusy has every provider's job run: nothing is begun.
func TestSyncAllBusy(t *testing.T) {
	t.Parallel()
	a, releaseA := slow("a")
	b, releaseB := slow("b")
	d := deploy(t, "", a, b)
	d.sync(t, "", http.StatusAccepted, "a:running b:running")
	message := d.ask(t, http.MethodPost, "/sync?wait=1").failed(t, http.StatusConflict, "busy")
	if !strings.HasSuffix(message, ": a, b") {
		t.Error(message)
	}
	releaseA()
	releaseB()
}

// TestSyncWaitsForWorker begins more jobs than there are workers.
func TestSyncWaitsForWorker(t *testing.T) {
	t.Parallel()
	a, releaseA := slow("a")
	b, releaseB := slow("b")
	d := deploy(t, "", a, b, well("c"))
	began := d.sync(t, "", http.StatusAccepted, "a:running b:running c:pending")
	if began.Jobs[2].ID != 0 {
		t.Errorf("%+v", began.Jobs[2])
	}
	releaseA()
	releaseB()
}

// TestSyncWaitsAtStop asks for the end of a job that has none. A stop does not wait.
func TestSyncWaitsAtStop(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	d := deploy(t, "", fetched("a", func(ctx context.Context) (*feed.Feed, error) {
		close(begun)
		<-ctx.Done()
		return nil, ctx.Err()
	}))
	answers := make(chan exchange, 1)
	go func() { answers <- d.ask(t, http.MethodPost, "/sync?wait=1") }()
	<-begun
	d.stop()
	(<-answers).failed(t, http.StatusServiceUnavailable, "stopping")
}
