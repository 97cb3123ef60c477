package ops

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fever/provider/feed"
)

// TestLongOutlivesTimeouts asks for what takes longer than the server lets others take.
// Time is that of the bubble.
func TestLongOutlivesTimeouts(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"GET /debug/pprof/heap?seconds=60", "POST /sync?wait=1"} {
		synctest.Test(t, func(t *testing.T) {
			d := idle(t, fetched("a", func(context.Context) (*feed.Feed, error) {
				time.Sleep(time.Minute) // it is slow
				return &feed.Feed{HTTPStatus: 200}, nil
			}))
			d.load(t)
			server := &http.Server{Handler: New(d.Ops), ReadTimeout: time.Second, WriteTimeout: time.Second}
			near, far := net.Pipe()
			connections := make(only, 1)
			connections <- far
			served := make(chan error, 1)
			go func() { served <- server.Serve(connections) }()
			begun := time.Now()
			if _, err := io.WriteString(near, target+" HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			response, err := http.ReadResponse(bufio.NewReader(near), nil)
			if err != nil {
				t.Fatalf("%s: %v", target, err)
			}
			body, err := io.ReadAll(response.Body)
			if took := time.Since(begun); err != nil || response.StatusCode != http.StatusOK || len(body) == 0 || took != time.Minute {
				t.Errorf("%s: after %v: %d %.100q, %v", target, took, response.StatusCode, body, err)
			}
			if err := errors.Join(near.Close(), server.Close()); err != nil {
				t.Error(err)
			}
			if err := <-served; !errors.Is(err, http.ErrServerClosed) {
				t.Error(err)
			}
		})
	}
}

// only is a listener with no other connections than those in it.
type only chan net.Conn

func (o only) Accept() (net.Conn, error) {
	conn, ok := <-o
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (o only) Close() error {
	close(o)
	return nil
}

func (only) Addr() net.Addr { return &net.UnixAddr{} }

func TestProfileBounds(t *testing.T) {
	t.Parallel()
	d := deploy(t, "", well("a"))
	for _, target := range []string{"profile", "trace", "heap"} {
		for _, seconds := range []string{"", "0", "-1", "121", "0.5", "1e1", "1e9", "NaN", "Inf", "x", "1&seconds=1"} {
			d.ask(t, http.MethodGet, "/debug/pprof/"+target+"?seconds="+seconds).failed(t, http.StatusBadRequest, "invalid_parameter")
		}
	}
}

// TestProfileAtStop begins to record for a long time. A stop ends it.
func TestProfileAtStop(t *testing.T) {
	t.Parallel()
	d := deploy(t, "", well("a"))
	d.stop()
	if got := d.ask(t, http.MethodGet, "/debug/pprof/trace?seconds=120"); got.status != http.StatusOK {
		t.Errorf("%d %.100q", got.status, got.body)
	}
}

// TestNoCommandLine looks for the arguments, which may be secrets.
func TestNoCommandLine(t *testing.T) {
	t.Parallel()
	d := deploy(t, "", well("a"))
	if got := d.ask(t, http.MethodGet, "/debug/pprof/cmdline"); got.status != http.StatusNotFound || strings.Contains(got.body, "-test.") {
		t.Errorf("%d %s", got.status, got.body)
	}
}
