package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fever/internal/postgrestest"
)

// fetch makes one request on a connection of its own.
func fetch(t *testing.T, url string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// TestStop stops while a request comes in. Those who watch are told for as long as that
// takes.
func TestStop(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	logs, errOut := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- Main(ctx, []string{
			"serve", "--no-sync", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--grace", "1m",
			"--log-format", "json", "--db", filepath.Join(t.TempDir(), "fever.db"),
		}, strings.NewReader(""), io.Discard, errOut)
		_ = errOut.Close() // a pipe closes without an error
	}()
	type logged struct{ Msg, Address, Ops string }
	var line logged
	scanner := bufio.NewScanner(logs)
	for line.Msg != "serving" {
		if !scanner.Scan() {
			t.Fatal("it ended without serving")
		}
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
	}
	last := make(chan string, 1)
	go func() {
		var line logged
		for scanner.Scan() {
			if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
				t.Error(err)
			}
		}
		last <- line.Msg
	}()
	if status, body := fetch(t, "http://"+line.Ops+"/readyz"); status != http.StatusOK || !strings.Contains(body, `"status":"ready"`) {
		t.Errorf("readyz: %d %s", status, body)
	}

	slow, err := new(net.Dialer).DialContext(ctx, "tcp", line.Address)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(slow, "GET /search HTTP/1.1\r\n"); err != nil {
		t.Fatal(err)
	}
	// Connections are accepted in their order: after this one, that one is.
	if status, body := fetch(t, "http://"+line.Address+"/search"); status != http.StatusOK {
		t.Errorf("search: %d %s", status, body)
	}
	stop()
	if status, body := fetch(t, "http://"+line.Ops+"/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, `"status":"stopping"`) {
		t.Errorf("readyz: %d %s", status, body)
	}
	if err := slow.Close(); err != nil {
		t.Fatal(err)
	}
	if got := <-code; got != exitDone {
		t.Errorf("exit code %d", got)
	}
	if got := <-last; got != "stopped" {
		t.Errorf("the last word is %q", got)
	}
}

// TestServeWithoutSocket serves a data file whose path is too long for a socket beside
// it.
func TestServeWithoutSocket(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	var log bytes.Buffer
	code := Main(stopped, []string{
		"serve", "--no-sync", "--listen", "127.0.0.1:0", "--ops-listen", "", "--db", filepath.Join(folder, "fever.db"),
	}, strings.NewReader(""), io.Discard, &log)
	if code != exitDone || !strings.Contains(log.String(), "health cannot reach this process") || !strings.Contains(log.String(), "107 bytes") {
		t.Errorf("exit code %d\n%s", code, log.String())
	}
}

// TestServeWaitsForDatabase starts while nobody listens where the database is to be: it says that
// it waits, until it is told to stop.
func TestServeWaitsForDatabase(t *testing.T) {
	t.Parallel()
	const db = "postgres://fever@127.0.0.1:1/fever?sslmode=disable"
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	log, errOut := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- Main(ctx, []string{"serve", "--no-sync", "--listen", "127.0.0.1:0", "--ops-listen", "", "--db", db}, strings.NewReader(""), io.Discard, errOut)
		_ = errOut.Close() // a pipe closes without an error
	}()
	lines := bufio.NewScanner(log)
	if !lines.Scan() || !strings.Contains(lines.Text(), "waiting for the database") {
		t.Errorf("it says %q", lines.Text())
	}
	stop()
	for lines.Scan() {
		t.Errorf("then it says %q", lines.Text())
	}
	if got := <-code; got != exitDone {
		t.Errorf("exit code %d", got)
	}
}

// TestServeRefused starts with a database whose server answers that there is none of the name.
func TestServeRefused(t *testing.T) {
	t.Parallel()
	place, err := url.Parse(postgrestest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	place.Path = "/none"
	if _, errOut := run(t, exitFailed, "serve", "--listen", "127.0.0.1:0", "--ops-listen", "", "--db", place.String()); !strings.Contains(errOut, `"none"`) {
		t.Errorf("it says %q", errOut)
	}
}
