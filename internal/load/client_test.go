//go:build linux

package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"fever/internal/harness"
)

// serve returns a server in this process, in the shape of one that was started.
func serve(t *testing.T, handler http.HandlerFunc) *process {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return &process{
		address: netip.MustParseAddrPort(server.Listener.Addr().String()),
		Process: &harness.Process{PID: os.Getpid()},
	}
}

func answering(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
}

// until repeats a measurement, each time for twice as long, until it has measured what is
// looked for: on a busy machine a short one may not get the processor at all.
func until(t *testing.T, length time.Duration, measured func(length time.Duration) bool) {
	t.Helper()
	for ; !measured(length); length *= 2 {
		if length > time.Minute {
			t.Fatalf("not even in %s", length)
		}
	}
}

func TestAttack(t *testing.T) {
	t.Parallel()
	const size = 100_000 // more than is read at once
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != barePath(0) || r.URL.Query().Get("starts_at") == "" {
			t.Errorf("asked for %s", r.URL)
		}
		w.Header().Set("Content-Length", "100000")
		_, _ = w.Write(bareBody(size))
	})
	for _, rate := range []int{0, 500} {
		until(t, 200*time.Millisecond, func(length time.Duration) bool {
			a := attack{
				server: server, questions: bareQuestions(0, size, windows(generate(0, 100), false, 5, 10)), connections: 8,
				rate: rate, warm: 10 * time.Millisecond, length: length,
			}
			s, err := a.run(t.Context())
			if err != nil {
				t.Fatalf("rate %d: %v", rate, err)
			}
			if s.elapsed < a.length || s.wire < s.requests/2*size || len(s.latencies) < s.requests {
				t.Errorf("rate %d: %d requests, %d latencies, %s of CPU, %s, %d bytes", rate, s.requests, len(s.latencies), s.cpu, s.elapsed, s.wire)
			}
			return s.requests > 0 && s.cpu > 0
		})
	}
}

func TestAttackSeesWrongAnswers(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{
		"status is 404":           http.NotFound,
		"has 4 bytes, and not 5":  answering("xxxx"),
		"other bytes":             answering("xxxxy"),
		"Content-Length":          func(w http.ResponseWriter, _ *http.Request) { _ = http.NewResponseController(w).Flush() },
		"the server closed a con": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		a := attack{
			server: serve(t, handler), questions: bareQuestions(0, 5, windows(generate(0, 100), false, 5, 1)), connections: 1,
			length: time.Minute,
		}
		_, err := a.run(t.Context())
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("not %q: %v", name, err)
		}
		var wrong *wrongAnswer
		if is := errors.As(err, &wrong); is != (name != "Content-Length" && !strings.HasPrefix(name, "the server")) {
			t.Errorf("%s: a wrong answer: %t", name, is)
		}
	}
}

func TestPace(t *testing.T) {
	t.Parallel()
	start := time.Unix(1000, 0)
	p := pace{start: start, rate: 4}
	for _, step := range []struct {
		now time.Duration
		due []time.Duration
	}{
		{0, []time.Duration{0}},
		{249 * time.Millisecond, nil},
		{250 * time.Millisecond, []time.Duration{250 * time.Millisecond}},
		// Nobody looked for a second: what was due in it was due when it was.
		{1260 * time.Millisecond, []time.Duration{500 * time.Millisecond, 750 * time.Millisecond, time.Second, 1250 * time.Millisecond}},
	} {
		for _, want := range step.due {
			if due, ok := p.next(start.Add(step.now)); !ok || due.Sub(start) != want {
				t.Fatalf("at %s: %s, %t, and not %s", step.now, due.Sub(start), ok, want)
			}
		}
		if due, ok := p.next(start.Add(step.now)); ok {
			t.Fatalf("at %s: one more, of %s", step.now, due.Sub(start))
		}
	}
}

// A server that is slower than the rate makes requests wait, and that is latency. The
// last of n is answered after n times what one takes, however fast the machine is.
func TestLatencyCountsFromWhenARequestIsDue(t *testing.T) {
	t.Parallel()
	const takes, rate = 20 * time.Millisecond, 100
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(takes) // it is slow
		_, _ = w.Write([]byte("x"))
	})
	until(t, 300*time.Millisecond, func(length time.Duration) bool {
		a := attack{
			server: server, questions: bareQuestions(0, 1, windows(generate(0, 100), false, 5, 1)), connections: 1,
			rate: rate, length: length,
		}
		s, err := a.run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		n := len(s.latencies)
		if n < 25 || n <= s.requests { // of some 30, half of which are answered in time
			return false
		}
		least := time.Duration(n)*takes - time.Duration(n)*time.Second/rate
		if last := s.latencies[n-1]; last < least {
			t.Errorf("the last of %d requests has a latency of %s, which cannot be less than %s", n, last, least)
		}
		return true
	})
}
