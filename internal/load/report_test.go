//go:build linux

package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
)

// figures returns a bench that has measured: in each turn the bare handler at some
// microseconds per request, and fever at so many times that.
func figures(cpus []int, times int) *bench {
	b := &bench{settings: &settings{rounds: len(cpus)}, collecting: &collecting{weight: &jobWeight{Bytes: 104e6, Changed: 40, Serve: 9e6, Child: 8e6}}}
	few := stock{Stored: storedCounts[0]}
	for _, m := range []*measure{
		{key: key{Server: fever, stock: few, Kind: within, Size: 32, Encoding: identity}},
		{key: key{Server: fever, stock: few, Kind: overlap, Size: 32, Encoding: identity}},
		{key: key{Server: fever, stock: few, Kind: within, Size: 32, Encoding: gzipped}},
		{key: key{Size: 32}.of(plain)},
		{key: key{Size: 32}.of(nginx)},
	} {
		m.lesson = &lesson{events: 32}
		for _, cpu := range cpus {
			s := sample{requests: 10, elapsed: time.Second, wire: 1000, latencies: []time.Duration{1e6, 2e6, 3e6}}
			s.cpu = time.Duration(10*cpu) * time.Microsecond
			switch m.Server {
			case fever:
				s.cpu *= time.Duration(times)
			case nginx:
				s.cpu /= 2
			}
			if m.Kind == overlap {
				s.cpu *= 3
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
	if r.Rows[0].Server != nginx || r.Rows[0].ToPlain != 0.5 || r.Rows[1].Server != plain {
		t.Errorf("the first rows are %+v", r.Rows[:2])
	}
	x := r.find(key{Server: fever, stock: stock{Stored: storedCounts[0]}, Kind: within, Size: 32, Encoding: identity})
	if x.CPU != 60 || x.ToPlain != 3 || x.ToAlike != 0 || x.PerSecond != 10 || x.Wire != 100 || x.P50 != 2 || x.P99 != 3 || x.Slowest != 3 {
		t.Errorf("%+v", x)
	}
	verdicts := make(map[string]bool)
	for _, target := range r.Targets {
		verdicts[target.What] = target.Met
	}
	for what, figure := range map[string]float64{
		"32 events of 5000: CPU with match=overlap to within":                 3,
		"a feed of 104 MB, of which 1% changed: MB of memory that a job adds": 17,
	} {
		if !slices.ContainsFunc(r.Targets, func(t target) bool { return t.What == what && t.Figure == figure && !t.Met }) {
			t.Errorf("%s is not missed with %v: %+v", what, figure, r.Targets)
		}
	}
	if len(verdicts) != 5 || verdicts["32 events of 5000: CPU to the bare handler's"] ||
		!verdicts["32 events of 5000: CPU with gzip to without"] || !verdicts["32 events of 5000: bytes on the wire with gzip to without"] {
		t.Errorf("%+v", r.Targets)
	}
	var out bytes.Buffer
	if err := r.print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"nginx", "fever, overlap", "fever, gzip", "40 events changed", "3.00", "missed", "met"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}

func TestPicture(t *testing.T) {
	t.Parallel()
	picture := figures([]int{10}, 30).report().picture()
	if bars := strings.Count(picture, "<rect"); bars != 4+3 { // the legend, and what was measured
		t.Errorf("%d bars in\n%s", bars, picture)
	}
}
