//go:build linux

package main

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestFlood floods a server that answers at most so many at once.
func TestFlood(t *testing.T) {
	t.Parallel()
	const users, places = 8, 4
	for _, anew := range []bool{false, true} {
		var asked, busy atomic.Int64
		server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			defer busy.Add(-1)
			switch n := asked.Add(1); {
			case busy.Add(1) > places:
				w.Header().Set("Content-Length", "0")
				w.WriteHeader(http.StatusServiceUnavailable)
			case n%10 == 0:
				panic(http.ErrAbortHandler)
			default:
				time.Sleep(5 * time.Millisecond) // it is slow
				_, _ = w.Write([]byte("x"))
			}
		})
		until(t, 200*time.Millisecond, func(length time.Duration) bool {
			f := flood{
				server: server, questions: bareQuestions(0, 1, windows(generate(0, 100), false, 5, 10)), users: users, anew: anew,
				rate: 20_000, length: length,
			}
			before := asked.Load()
			a, err := f.run(t.Context())
			if err != nil {
				t.Fatalf("anew %t: %v", anew, err)
			}
			if a.elapsed < f.length {
				t.Errorf("anew %t: %+v", anew, a)
			}
			if n := int64(a.Good + a.Late + a.Refused + a.Cut); n > asked.Load()-before || len(a.latencies) != a.Good+a.Late {
				t.Errorf("anew %t: %d came of %d requests, with %d latencies", anew, n, asked.Load()-before, len(a.latencies))
			}
			return a.Good > 0 && a.Refused > 0 && a.Cut > 0 && a.Unasked > 0
		})
	}
}

func TestFloodSeesWrongAnswers(t *testing.T) {
	t.Parallel()
	f := flood{
		server: serve(t, answering("xy")), questions: bareQuestions(0, 1, windows(generate(0, 100), false, 5, 1)), users: 1,
		rate: 100, length: time.Minute,
	}
	_, err := f.run(t.Context())
	if wrong := (*wrongAnswer)(nil); !errors.As(err, &wrong) {
		t.Errorf("%v", err)
	}
}

// TestSlow starts clients that come again when they are cut off, and ends them.
func TestSlow(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	server := serve(t, func(http.ResponseWriter, *http.Request) {
		asked.Add(1)
		panic(http.ErrAbortHandler)
	})
	s := startSlow(t.Context(), server, 4)
	for asked.Load() < 4 { // two of them ask
		time.Sleep(10 * time.Millisecond)
	}
	s.stop()
	s.done.Wait()
}

// overloaded returns figures as if they had been measured, in three turns.
func overloaded() *overload {
	var turns [][]loaded
	for _, good := range []int{900, 1000, 700} {
		var turn []loaded
		for _, anew := range []bool{false, true} {
			for _, offer := range offers {
				turn = append(turn, loaded{
					anew: anew, slow: offer.slow, times: offer.times, sustainable: 1000, cpu: 0.5,
					aftermath: aftermath{Good: good, elapsed: time.Second, latencies: []time.Duration{1e6, 2e6}},
				})
			}
		}
		turns = append(turns, turn)
	}
	return &overload{settings: &settings{rounds: len(turns)}, rows: middle(turns)}
}

func TestOverloadReport(t *testing.T) {
	t.Parallel()
	o := overloaded()
	var out bytes.Buffer
	if err := o.print(&out); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	if strings.Count(text, "1000 requests/s are sustainable") != 2 || strings.Count(text, "0.90") != 2*len(offers) ||
		strings.Count(text, "1800") != 2*len(offers) || !strings.Contains(text, "12000") {
		t.Error(text)
	}

	if picture := o.picture(); strings.Count(picture, "<path") != 2*2 { // two panels
		t.Errorf("drawn: %s", picture)
	}
}
