package control

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"testing"

	"fever/httpapi/server"
	"fever/internal/pipe"
)

// listen answers on the socket of a data file as h does until the test ends, and returns
// its client.
func listen(t *testing.T, h http.Handler) *Client {
	t.Helper()
	db := filepath.Join(pipe.SocketFolder(t), "fever.db")
	ln, err := ListenSocket(SocketPath(db))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, ln, h, 0, slog.New(slog.DiscardHandler), nil) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return NewClient(db)
}

// TestClientStaysBusy stops waiting for the end of a job.
func TestClientStaysBusy(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	asked, waiting := 0, false
	c := listen(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if waiting {
			t.Error("it waits")
		}
		asked++
		w.WriteHeader(http.StatusConflict)
	}))
	c.Waiting = func(provider string, waits bool) {
		if waiting = waits; provider != "a" {
			t.Errorf("it waits for %s", provider)
		}
		if waits && asked == 2 {
			cancel()
		}
	}
	if _, err := c.Sync(ctx, "a", false); !waiting || asked != 2 || !errors.Is(err, context.Canceled) {
		t.Errorf("after %d attempts: %v, %v", asked, waiting, err)
	}
}
