package simulator

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"fever/internal/leak"
)

// Close leaves nothing running, nor does anything that a step started.
func TestMain(m *testing.M) { os.Exit(leak.Check(m.Run())) }

const doc = "<planList>a document of some length</planList>"

// get asks for the root of sim, without following a redirect or decompressing.
func get(t *testing.T, sim *Server, header ...string) (*http.Response, error) {
	t.Helper()
	return getContext(t.Context(), t, sim, header...)
}

func getContext(ctx context.Context, t *testing.T, sim *Server, header ...string) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, sim.URL+"/feed", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	res, err := (&http.Transport{DisableKeepAlives: true, DisableCompression: true}).RoundTrip(req)
	if err == nil {
		t.Cleanup(func() { _ = res.Body.Close() })
	}
	return res, err
}

// read returns the body of the answer to a request, and the error that ends it.
func read(t *testing.T, sim *Server) (string, error) {
	t.Helper()
	res, err := get(t, sim)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	return string(body), err
}

func TestScript(t *testing.T) {
	t.Parallel()
	sim := New(t, Body([]byte("1")), Body([]byte("2")))
	for _, want := range []string{"1", "2", "2"} {
		if got, err := read(t, sim); got != want || err != nil {
			t.Errorf("answered %q, %v, want %q", got, err, want)
		}
	}
	sim.Play(Body([]byte("3")))
	if got, err := read(t, sim); got != "3" || err != nil {
		t.Errorf("answered %q, %v", got, err)
	}
	sim.Play()
	if _, err := get(t, sim); !errors.Is(err, io.EOF) {
		t.Errorf("without a step: %v", err)
	}
	requests := sim.Requests()
	if len(requests) != 5 || requests[4].URL.Path != "/feed" {
		t.Errorf("requests: %v", requests)
	}
}

func TestArrived(t *testing.T) {
	t.Parallel()
	sim := New(t, Body(nil), Hang())
	second := sim.Arrived(2)
	if _, err := read(t, sim); err != nil {
		t.Fatal(err)
	}
	<-sim.Arrived(1)
	select {
	case <-second:
		t.Error("a second request has come before it was made")
	default:
	}
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, err := getContext(ctx, t, sim)
		failed <- err
	}()
	<-second
	if n := len(sim.Requests()); n != 2 {
		t.Errorf("%d requests", n)
	}
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// The answers as the client of net/http understands them.
func TestAnswers(t *testing.T) {
	t.Parallel()
	half := len(doc) / 2
	tests := map[string]struct {
		step   Step
		status int
		header string // and its value
		body   string
		err    error // of the body
	}{
		"body":       {Body([]byte(doc), "Content-Type: text/xml"), 200, "Content-Type: text/xml", doc, nil},
		"length":     {Body([]byte("1234567")), 200, "Content-Length: 7", "1234567", nil},
		"stream":     {Stream(func() io.Reader { return strings.NewReader(doc) }), 200, "Content-Length: ", doc, nil},
		"raw":        {Raw(func() io.Reader { return strings.NewReader("HTTP/1.0 299 Odd\r\nA: b\r\n\r\n" + doc) }), 299, "A: b", doc, nil},
		"trickle":    {Trickle([]byte(doc), time.Microsecond), 200, "", doc, nil},
		"status":     {Status(503, "Retry-After: 7"), 503, "Retry-After: 7", "<html><title>503</title><p>Service Unavailable<br></html>\n", nil},
		"no content": {Status(204), 204, "Content-Length: ", "", nil},
		"redirect":   {Redirect("file:///"), 302, "Location: file:///", "<html><title>302</title><p>Found<br></html>\n", nil},
		"too short":  {Claim(int64(len(doc)), []byte(doc[:half])), 200, "", doc[:half], io.ErrUnexpectedEOF},
		"too long":   {Claim(int64(half), []byte(doc)), 200, "", doc[:half], nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			res, err := get(t, New(t, test.step))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			if res.StatusCode != test.status || string(body) != test.body || !errors.Is(err, test.err) {
				t.Errorf("answered %d %q, %v", res.StatusCode, body, err)
			}
			if name, value, _ := strings.Cut(test.header, ": "); res.Header.Get(name) != value {
				t.Errorf("the header is %v, want %s", res.Header, test.header)
			}
		})
	}
}

func TestGzip(t *testing.T) {
	t.Parallel()
	res, err := get(t, New(t, Gzip([]byte(doc), "X-More: yes")))
	if err != nil {
		t.Fatal(err)
	}
	if res.Header.Get("Content-Encoding") != "gzip" || res.Header.Get("X-More") != "yes" {
		t.Errorf("header %v", res.Header)
	}
	z, err := gzip.NewReader(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(z); string(body) != doc || err != nil {
		t.Errorf("%q, %v", body, err)
	}
}

func TestConditional(t *testing.T) {
	t.Parallel()
	const tag, date, other = `"v1"`, "Sun, 22 Nov 2026 00:00:00 GMT", "Sat, 21 Nov 2026 00:00:00 GMT"
	both := Conditional([]byte(doc), tag, date)
	tests := map[string]struct {
		step   Step
		asked  []string
		status int
	}{
		"nothing":            {both, nil, 200},
		"the tag":            {both, []string{"If-None-Match: " + tag}, 304},
		"another tag":        {both, []string{`If-None-Match: "v0"`, "If-Modified-Since: " + date}, 200},
		"the date":           {both, []string{"If-Modified-Since: " + date}, 304},
		"another date":       {both, []string{"If-Modified-Since: " + other}, 200},
		"no tag to ask for":  {Conditional([]byte(doc), "", date), []string{"If-None-Match: "}, 200},
		"no date to ask for": {Conditional([]byte(doc), tag, ""), []string{"If-Modified-Since: "}, 200},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			res, err := get(t, New(t, test.step), test.asked...)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			if res.StatusCode != test.status || (len(body) > 0) != (test.status == 200) || err != nil {
				t.Errorf("answered %d %q, %v", res.StatusCode, body, err)
			}
		})
	}
}

func TestRefuse(t *testing.T) {
	t.Parallel()
	sim := New(t, Body([]byte(doc)), Refuse(), Body(nil))
	for range 2 {
		if got, err := read(t, sim); got != doc || err != nil {
			t.Fatalf("answered %q, %v", got, err)
		}
		for range 2 {
			if _, err := get(t, sim); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("got through to a server that refuses: %v", err)
			}
		}
		sim.Play(Body([]byte(doc)), Refuse())
	}
}

func TestReset(t *testing.T) {
	t.Parallel()
	sim := New(t, Reset())
	if _, err := get(t, sim); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("reset: %v", err)
	}
	sim.Play(ResetAfter(3, []byte(doc)))
	res, err := get(t, sim)
	if err == nil {
		_, err = io.ReadAll(res.Body)
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("reset in the body: %v", err)
	}
}

func TestUntrusted(t *testing.T) {
	t.Parallel()
	sim := New(t, Untrusted())
	res, err := get(t, sim)
	if err != nil {
		t.Fatal(err)
	}
	sim.URL = strings.TrimSuffix(res.Header.Get("Location"), "/")
	if _, err := get(t, sim); !errors.As(err, new(x509.UnknownAuthorityError)) {
		t.Errorf("asked %s: %v", sim.URL, err)
	}
	if n := len(sim.Requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

// What never ends does so with Close, with all of its clients still there.
func TestClose(t *testing.T) {
	t.Parallel()
	steps := map[string]Step{
		"hang":             Hang(),
		"hang in the body": HangAfter(5, []byte(doc)),
		"trickle":          Trickle(bytes.Repeat([]byte(doc), 1000), time.Hour),
		"trickled header":  TrickleHeader(time.Microsecond),
		"stream":           Stream(func() io.Reader { return zeros{} }),
	}
	for name, step := range steps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim := New(t, step)
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(sim.URL, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			idle, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(sim.URL, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = idle.Close() })
			if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			<-sim.Arrived(1)
			sim.Close()
			sim.Close()
			sim.Play(Body(nil))
			if _, err := get(t, sim); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("answers when it is closed: %v", err)
			}
		})
	}
}

// What never ends does so when its client goes, while the server lives on.
func TestClientGoes(t *testing.T) {
	t.Parallel()
	steps := map[string]Step{
		"hang":             Hang(),
		"hang in the body": HangAfter(5, []byte(doc)),
		"trickle":          Trickle(bytes.Repeat([]byte(doc), 1000), time.Microsecond),
		"stream":           Stream(func() io.Reader { return zeros{} }),
	}
	for name, step := range steps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ended := make(chan struct{})
			sim := New(t, Step{play: func(x *exchange) error {
				defer close(ended)
				return step.play(x)
			}})
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				<-sim.Arrived(1)
				cancel()
			}()
			res, err := getContext(ctx, t, sim)
			if err == nil {
				_, err = io.Copy(io.Discard, res.Body)
			}
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			<-ended
		})
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// Each fault has a name of its own, says what to expect, and all kinds that a server
// can cause are there.
func TestFaults(t *testing.T) {
	t.Parallel()
	kinds := map[string]int{}
	names := map[string]bool{}
	for _, fault := range Faults([]byte(doc + "\n")) {
		if names[fault.Name] {
			t.Errorf("there are two faults named %q", fault.Name)
		}
		names[fault.Name] = true
		kinds[fault.Kind]++
		if len(fault.Steps) == 0 || fault.Says == "" {
			t.Errorf("%q is not complete: %+v", fault.Name, fault)
		}
	}
	for _, kind := range []string{"timeout", "connection", "tls", "http_status", "too_large", "malformed", "decode"} {
		if kinds[kind] == 0 {
			t.Errorf("no fault is of kind %s", kind)
		}
	}
	t.Log(len(names), "faults:", kinds)
}
