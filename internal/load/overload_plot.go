//go:build linux

package main

import (
	"fmt"
	"math"
	"strings"
)

// draw writes a picture of what comes of a load: good answers for a second of the
// server's processor time, and the latency of 99 in 100 of them. It is legible on light
// and dark grounds.
func (o *overload) draw(b *strings.Builder) {
	const (
		width, height = 720, 420
		left, right   = 60, width - 20
		middle, low   = 210, height - 40
		top           = 60
		most          = 3.0 // times the sustainable
	)
	x := func(times float64) float64 { return left + (right-left)*times/most }
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="title">`+"\n", width, height)
	b.WriteString(`<title id="title">Good answers for a second of processor time, and their latency, as more is asked for than can be answered</title>
<style>
text { font: 13px system-ui, sans-serif; fill: #24292f }
line { stroke: #d0d7de }
polyline { fill: none; stroke-width: 2.5 }
.a { stroke: #0969da } .b { stroke: #8250df }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } line { stroke: #30363d }
.a { stroke: #58a6ff } .b { stroke: #bc8cff }
}
</style>
`)
	for i, label := range []string{"connections that are kept", "a connection for each request"} {
		fmt.Fprintf(b, `<polyline class="%s" points="%d,20 %d,20"/><text x="%d" y="25">%s</text>`+"\n", "ab"[i:i+1], left+i*260, left+24+i*260, left+32+i*260, label)
	}
	fmt.Fprintf(b, `<text x="%d" y="%d">good answers for a second of processor time</text>`+"\n", left, top-10)
	fmt.Fprintf(b, `<text x="%d" y="%d">p99 of their latency, ms</text>`+"\n", left, middle+30)
	for times := 0.5; times <= most; times += 0.5 {
		fmt.Fprintf(b, `<line x1="%.0f" x2="%.0f" y1="%d" y2="%d"/>`, x(times), x(times), top, low)
		fmt.Fprintf(b, `<text x="%.0f" y="%d" text-anchor="middle">%.1f x</text>`+"\n", x(times), low+18, times)
	}

	rate := func(r *loaded) float64 { return float64(r.Good) / r.cpu }
	p99 := func(r *loaded) float64 { return milliseconds(percentile(r.latencies, 0.99)) }
	for _, panel := range []struct {
		figure   func(*loaded) float64
		from, to float64 // bottom and top
	}{{rate, middle, top}, {p99, low, middle + 40}} {
		highest := 0.0
		for i := range o.rows {
			if r := &o.rows[i]; r.plotted() {
				highest = max(highest, panel.figure(r))
			}
		}
		step := math.Pow(10, math.Floor(math.Log10(max(highest, 1))))
		highest = math.Ceil(highest/step) * step
		y := func(value float64) float64 { return panel.from + (panel.to-panel.from)*value/highest }
		for _, value := range []float64{0, highest / 2, highest} {
			fmt.Fprintf(b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f"/><text x="%d" y="%.1f" text-anchor="end">%.5g</text>`+"\n", left, right, y(value), y(value), left-6, y(value)+4, value)
		}
		for i, anew := range []bool{false, true} {
			fmt.Fprintf(b, `<polyline class="%s" points="`, "ab"[i:i+1])
			for k := range o.rows {
				if r := &o.rows[k]; r.plotted() && r.anew == anew {
					fmt.Fprintf(b, "%.1f,%.1f ", x(r.times), y(panel.figure(r)))
				}
			}
			b.WriteString(`"/>` + "\n")
		}
	}
	b.WriteString("</svg>\n")
}

func (r *loaded) plotted() bool { return r.slow == 0 && r.times > 0 }
