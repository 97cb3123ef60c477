//go:build linux

package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// figures returns a bench that has measured: in each turn the bare handler at some
// microseconds per request, and fever at so many times that.
func figures(cpus []int, times int) *bench {
	b := &bench{settings: &settings{rounds: len(cpus)}}
	for _, m := range []*measure{
		{Server: fever, Stored: storedCounts[0], Size: 32, Encoding: identity},
		{Server: fever, Stored: storedCounts[0], Size: 32, Encoding: gzipped},
		{Server: plain, Size: 32, Encoding: identity},
	} {
		m.lesson = &lesson{events: 32}
		for _, cpu := range cpus {
			s := sample{requests: 10, elapsed: time.Second, wire: 1000, latencies: []time.Duration{1e6, 2e6, 3e6}}
			s.cpu = time.Duration(10*cpu) * time.Microsecond
			if m.Server == fever {
				s.cpu *= time.Duration(times)
			}
			if m.Encoding == gzipped {
				s.wire /= 5
			}
			m.samples = append(m.samples, s)
		}
		b.measures = append(b.measures, m)
	}
	return b
}

func TestReport(t *testing.T) {
	t.Parallel()
	// The machine became slower from turn to turn, which the ratio does not show.
	r := figures([]int{10, 20, 60}, 3).report()
	if r.Rows[0].Server != plain {
		t.Errorf("the first row is of %s", r.Rows[0].Server)
	}
	x := r.find(row{Server: fever, Stored: storedCounts[0], Size: 32, Encoding: identity})
	if x.CPU != 60 || x.ToPlain != 3 || x.ToAlike != 0 || x.PerSecond != 10 || x.Wire != 100 || x.P50 != 2 || x.P99 != 3 || x.Slowest != 3 {
		t.Errorf("%+v", x)
	}
	verdicts := make(map[string]bool)
	for _, target := range r.Targets {
		verdicts[target.What] = target.Met
	}
	if len(verdicts) != 3 || verdicts["32 events of 5000: CPU to the bare handler's"] ||
		!verdicts["32 events of 5000: CPU with gzip to without"] || !verdicts["32 events of 5000: bytes on the wire with gzip to without"] {
		t.Errorf("%+v", r.Targets)
	}
	var out bytes.Buffer
	if err := r.print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"fever, gzip", "3.00", "missed", "met"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}

func TestPicture(t *testing.T) {
	t.Parallel()
	picture := figures([]int{10}, 30).report().picture()
	if bars := strings.Count(picture, "<rect"); bars != 3+2 { // the legend, and what was measured
		t.Errorf("%d bars in\n%s", bars, picture)
	}
}
