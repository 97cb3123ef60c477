//go:build linux

package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// TestSharingPrints has two servers, of which the second takes twice the processor time, and three
// times the latency while there is no database.
func TestSharingPrints(t *testing.T) {
	t.Parallel()
	of := func(cpu, latency time.Duration) []sample {
		return []sample{{requests: 100, cpu: 100 * cpu, latencies: []time.Duration{latency}}}
	}
	r := sharing{
		bench: &bench{settings: &settings{rounds: 1}},
		idle:  10 * time.Second, cost: 5 * time.Millisecond, statements: 8,
		samples: map[string]*[2][]sample{
			sharedUp:   {of(10*time.Microsecond, time.Millisecond), of(20*time.Microsecond, time.Millisecond)},
			sharedAway: {of(10*time.Microsecond, time.Millisecond), of(20*time.Microsecond, 3*time.Millisecond)},
		},
	}
	var out bytes.Buffer
	if err := r.print(&out); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{
		sharedUp + " 10.00 20.00 2.00 1.00 1.00 1.00",
		sharedAway + " 10.00 20.00 2.00 1.00 3.00 3.00",
		"took 0.50 ms of processor time a second, and 4.0 statements in 5 seconds",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %q", want, text)
		}
	}
}
