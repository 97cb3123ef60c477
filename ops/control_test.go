package ops

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"fever/event"
	"fever/httpapi/server"
	"fever/internal/pipe"
	"fever/ops/control"
	"fever/provider"
	"fever/provider/feed/feverup"
	"fever/store"
	"fever/store/bolt"
)

// A controlled deployment is asked over its control socket.
type controlled struct {
	*deployment
	http.Client
}

// reader returns a provider for documents, with a limit of a MiB.
func reader(t *testing.T, name string) *provider.Provider {
	t.Helper()
	p, err := provider.New(provider.Config{Format: feverup.New(0), Name: name, URL: "http://127.0.0.1:1/", Timeout: time.Second, MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// steer serves the control socket of d until the test ends.
func steer(t *testing.T, d *deployment, providers ...*provider.Provider) *controlled {
	t.Helper()
	ln, err := control.ListenSocket(filepath.Join(pipe.SocketFolder(t), "fever.db.sock"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, ln, NewControl(d.Ops, providers...), time.Minute, d.Log, nil) }()
	t.Cleanup(func() {
		d.stop()
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return &controlled{d, http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", ln.Addr().String())
		},
		DisableKeepAlives:     true,
		ExpectContinueTimeout: time.Minute,
	}}}
}

// open begins a request. The header of the answer is there, its body is not.
func (c *controlled) open(t *testing.T, method, target string, body io.Reader, fields ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://fever"+target, body)
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		r.Header.Add(name, value)
	}
	response, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

func (c *controlled) do(t *testing.T, method, target string, body io.Reader, fields ...string) exchange {
	t.Helper()
	response := c.open(t, method, target, body, fields...)
	text, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return exchange{response.StatusCode, response.Header, string(text)}
}

// give posts a document and returns the record of its job.
func (c *controlled) give(t *testing.T, name string, document io.Reader) store.Job {
	t.Helper()
	var data struct{ Job store.Job }
	c.do(t, http.MethodPost, "/snapshots?provider="+name, document).decode(t, &data)
	return data.Job
}

// list makes a feed of so many events, one a minute.
func list(n int) string {
	var b strings.Builder
	b.WriteString("<planList><output>")
	day := time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range n {
		at := day.Add(time.Duration(i) * time.Minute).Format("2006-01-02T15:04:05")
		fmt.Fprintf(&b, `<base_plan base_plan_id="%d" sell_mode="online" title="Camela &amp; co">`+
			`<plan plan_id="%d" plan_start_date="%s" plan_end_date="%s" sold_out="false">`+
			`<zone zone_id="1" capacity="2" price="20.50" name="A" numbered="true"/></plan></base_plan>`, i, i, at, at)
	}
	b.WriteString("</output></planList>")
	return b.String()
}

func TestControlSnapshot(t *testing.T) {
	t.Parallel()
	c := steer(t, deploy(t, "", well("a"), well("b")), reader(t, "a"), reader(t, "b"))
	for i, test := range []struct {
		provider, document string
		want               string
		events             int // in the index afterwards
	}{
		{"a", list(3), "completed 3", 3},
		{"a", list(3), "completed 3", 3}, // nobody asks whether it is the same
		{"b", list(2), "completed 2", 5},
		{"a", list(1)[:60], "malformed", 5},
		{"a", "", "malformed", 5},
		{"a", "<html/>", "decode", 5},
		{"a", list(10_000), "too_large", 5},
		{"a", "<planList>" + strings.Repeat("x & y ", 1<<20), "malformed", 5}, // much more is on its way when it fails
		{"b", list(0), "completed 0", 5},
	} {
		job := c.give(t, test.provider, strings.NewReader(test.document))
		got := string(job.Kind)
		if job.State == store.Completed {
			got = fmt.Sprint("completed ", job.Seen)
		}
		if got != test.want || job.ID != uint64(i+1) || job.Provider != test.provider || job.Trigger != store.Document || job.Attempts != 1 {
			t.Errorf("%d: %s, %+v", i, got, job)
		}
		if n := c.Index.Snapshot().Events; n != test.events {
			t.Errorf("%d: %d events can be searched, not %d", i, n, test.events)
		}
	}
	for query, code := range map[string]string{"": "invalid_parameter", "?provider=A": "invalid_parameter", "?provider=x": "unknown_provider"} {
		status := map[string]int{"invalid_parameter": http.StatusBadRequest, "unknown_provider": http.StatusNotFound}[code]
		c.do(t, http.MethodPost, "/snapshots"+query, strings.NewReader(list(1))).failed(t, status, code)
	}
	c.do(t, http.MethodPost, "/snapshots?provider=a", strings.NewReader(list(1)), "Sec-Fetch-Site: cross-site").
		failed(t, http.StatusForbidden, "cross_origin")
}

// unasked is a document that is not asked for.
type unasked struct{ t *testing.T }

func (n unasked) Read([]byte) (int, error) {
	n.t.Error("the document is read")
	return 0, io.EOF
}

// TestControlBusy gives a document to a provider whose job runs. It stays with the
// client, who waits for leave to send it.
func TestControlBusy(t *testing.T) {
	t.Parallel()
	a, release := slow("a")
	c := steer(t, deploy(t, "", a), reader(t, "a"))
	_, ended, err := c.Ingester.Start(t.Context(), "a", store.Manual, false)
	if err != nil {
		t.Fatal(err)
	}
	c.do(t, http.MethodPost, "/snapshots?provider=a", unasked{t}, "Expect: 100-continue").failed(t, http.StatusConflict, "busy")
	release()
	<-ended
	if job := c.give(t, "a", strings.NewReader(list(1))); job.State != store.Completed {
		t.Errorf("%+v", job)
	}
}

// TestControlNotReady gives a document before what is stored is loaded, and when the
// service stops.
func TestControlNotReady(t *testing.T) {
	t.Parallel()
	c := steer(t, idle(t, well("a")), reader(t, "a"))
	give := func() exchange {
		return c.do(t, http.MethodPost, "/snapshots?provider=a", unasked{t}, "Expect: 100-continue")
	}
	give().failed(t, http.StatusServiceUnavailable, "unavailable")
	c.load(t)
	c.stop()
	give().failed(t, http.StatusServiceUnavailable, "stopping")
}

// TestControlHalf ends documents half-way: the client goes, or the service stops. Nothing
// of them is kept.
func TestControlHalf(t *testing.T) {
	t.Parallel()
	d := deploy(t, "", well("a"), well("b"))
	c := steer(t, d, reader(t, "a"), reader(t, "b"))
	half := list(3)[:300]

	ended := make(chan store.Job, 1)
	d.Ingester.Ended = func(job store.Job) { ended <- job }
	// upload sends a half, and does then what ends it. It does so when the job runs,
	// since the client waits for leave to send it.
	upload := func(ctx context.Context, provider string, document *io.PipeReader, pipe *io.PipeWriter, end func()) (*http.Response, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://fever/snapshots?provider="+provider, document)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Expect", "100-continue")
		go func() {
			_, _ = io.WriteString(pipe, half) // its end shows below
			end()
		}()
		return c.Do(r)
	}

	ctx, leave := context.WithCancel(t.Context())
	document, pipe := io.Pipe()
	_, err := upload(ctx, "a", document, pipe, func() {
		leave()
		_ = pipe.CloseWithError(context.Canceled)
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the client that goes gets %v", err)
	}
	if job := <-ended; job.Kind != "canceled" && job.Kind != "connection" {
		t.Errorf("%+v", job)
	}

	document, pipe = io.Pipe()
	if response, err := upload(t.Context(), "b", document, pipe, c.stop); err == nil { // it need not learn of it
		_ = response.Body.Close()
	}
	_ = pipe.Close()
	if job := <-ended; job.State != store.Failed || job.Kind != "canceled" || !strings.HasSuffix(job.Message, ": context canceled") {
		t.Errorf("%+v", job)
	}
	if n := c.Index.Snapshot().Events; n != 0 {
		t.Errorf("%d events", n)
	}
}

// TestControlKilled gives documents by clients that die in the middle of them. What wakes
// the job must not touch a connection that is another request's by then: the race
// detector would tell.
func TestControlKilled(t *testing.T) {
	t.Parallel()
	d := deploy(t, "", well("a"))
	c := steer(t, d, reader(t, "a"))
	ended := make(chan store.Job, 1)
	d.Ingester.Ended = func(job store.Job) { ended <- job }
	half := list(3)[:300]
	for range 50 {
		conn, err := c.Transport.(*http.Transport).DialContext(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.WriteString(conn, "POST /snapshots?provider=a HTTP/1.1\r\nHost: fever\r\nContent-Length: 10000\r\n\r\n"+half)
		for err == nil && d.Ingester.Status()[0].Bytes == 0 { // until it is read
			runtime.Gosched()
		}
		if err := errors.Join(err, conn.Close()); err != nil {
			t.Fatal(err)
		}
		if job := <-ended; job.State != store.Failed || strings.Contains(job.Message, ".sock") {
			t.Errorf("%+v", job)
		}
		for d.Ingester.Status()[0].State != "" {
			runtime.Gosched()
		}
	}
}

func TestControlEvents(t *testing.T) {
	t.Parallel()
	c := steer(t, deploy(t, "", well("a"), well("b")), reader(t, "a"), reader(t, "b"))
	c.give(t, "a", strings.NewReader(list(3)))
	c.give(t, "b", strings.NewReader(list(2)))
	c.give(t, "b", strings.NewReader(list(1)))
	for query, want := range map[string]string{
		"":                                "a/0/0 b/0/0 a/1/1 b/1/1 a/2/2",
		"?limit=2":                        "a/0/0 b/0/0",
		"?limit=0&provider=a":             "a/0/0 a/1/1 a/2/2",
		"?provider=x":                     "",
		"?starts_at=2021-01-01T00:01:00Z": "a/1/1 b/1/1 a/2/2",
		"?ends_at=2021-01-01T01:01:00.9%2B01:00&provider=a":                         "a/0/0 a/1/1",
		"?starts_at=2021-01-01T00:00:00.1Z&ends_at=2021-01-01T00:01:00Z&provider=b": "b/1/1",
	} {
		got := c.do(t, http.MethodGet, "/events"+query, http.NoBody)
		var keys []string
		for line := range strings.Lines(got.body) {
			var r struct {
				ID string
				event.Record
			}
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if r.ID != r.Key.ID().String() || r.Title != "Camela & co" || r.FirstSeen.IsZero() || r.Current != (r.Provider == "a" || r.BaseID == "0") {
				t.Errorf("%s", line)
			}
			keys = append(keys, r.String())
		}
		if slices.Sort(keys); got.status != http.StatusOK || strings.Join(keys, " ") != inOrder(want) {
			t.Errorf("%s: %d %v, not %s", query, got.status, keys, want)
		}
	}
	for _, query := range []string{"?starts_at=", "?ends_at=soon", "?starts_at=2021-01-01", "?limit=-1", "?limit=x", "?provider=A", "?limit=1&limit=2"} {
		c.do(t, http.MethodGet, "/events"+query, http.NoBody).failed(t, http.StatusBadRequest, "invalid_parameter")
	}
}

func inOrder(words string) string {
	all := strings.Fields(words)
	slices.Sort(all)
	return strings.Join(all, " ")
}

// TestControlEventsCut closes the file while events are read from it. The first of them
// have come by then, and what has come is not taken for all.
func TestControlEventsCut(t *testing.T) {
	t.Parallel()
	c := steer(t, deploy(t, "", well("a")), reader(t, "a"))
	const events = 3_500 // more than a socket holds
	if job := c.give(t, "a", strings.NewReader(list(events))); job.New != events {
		t.Fatalf("%+v", job)
	}
	response := c.open(t, http.MethodGet, "/events", http.NoBody)
	body := bufio.NewReader(response.Body)
	if _, err := body.ReadBytes('\n'); err != nil {
		t.Fatal(err)
	}
	if err := c.Store.Close(); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(body)
	if n := strings.Count(string(rest), "\n"); !errors.Is(err, io.ErrUnexpectedEOF) || n >= events-1 {
		t.Errorf("%d more events, %v", n, err)
	}
	_ = response.Body.Close()
	if !strings.Contains(c.log.String(), "an answer broke off") {
		t.Errorf("the log has %s", c.log)
	}
	message := c.do(t, http.MethodGet, "/events", http.NoBody).failed(t, http.StatusInternalServerError, "store")
	if !strings.Contains(message, "database not open") {
		t.Error(message)
	}
	c.do(t, http.MethodGet, "/backup", http.NoBody).failed(t, http.StatusInternalServerError, "store")
}

func TestControlBackup(t *testing.T) {
	t.Parallel()
	c := steer(t, deploy(t, "", well("a")), reader(t, "a"))
	c.give(t, "a", strings.NewReader(list(100)))
	got := c.do(t, http.MethodGet, "/backup", http.NoBody)
	if got.status != http.StatusOK || got.header.Get("Content-Length") != fmt.Sprint(len(got.body)) {
		t.Fatalf("%d %v", got.status, got.header)
	}
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(path, []byte(got.body), 0o600); err != nil {
		t.Fatal(err)
	}
	st, err := bolt.OpenReadOnly(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := st.Check(); err != nil {
		t.Error(err)
	}
	n := 0
	for _, err := range st.Records(t.Context(), store.Filter{Window: event.Always}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 100 {
		t.Errorf("the copy holds %d events", n)
	}
}

// TestControlRoutes finds all that the ops listener has on the socket, without its
// token, and nothing of the socket's on the ops listener.
func TestControlRoutes(t *testing.T) {
	t.Parallel()
	d := deploy(t, "secret", well("a"))
	c := steer(t, d, reader(t, "a"))
	for route := range routes {
		if got := c.do(t, http.MethodGet, route, http.NoBody); got.status != http.StatusOK {
			t.Errorf("%s: %d %s", route, got.status, got.body)
		}
	}
	var began answered
	c.do(t, http.MethodPost, "/sync?provider=a&wait=1", http.NoBody).decode(t, &began)
	if began.states() != "a:completed" {
		t.Error(began.states())
	}
	for _, target := range []string{"GET /events", "POST /snapshots?provider=a", "GET /backup", "POST /forget?provider=a", "POST /rename?from=a&to=b"} {
		method, path, _ := strings.Cut(target, " ")
		d.ask(t, method, path, "Authorization: Bearer secret").failed(t, http.StatusNotFound, "not_found")
	}
	c.do(t, http.MethodGet, "/nothing", http.NoBody).failed(t, http.StatusNotFound, "not_found")
	c.do(t, http.MethodPut, "/snapshots", http.NoBody).failed(t, http.StatusMethodNotAllowed, "method_not_allowed")
}
