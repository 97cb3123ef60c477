//go:build linux

package main

import (
	"fmt"
	"strings"
	"time"
)

// draw returns a picture of all samples: a strip for each measure, from zero up, with the
// two thirds that are compared shaded. It is legible on light and dark grounds.
func draw(samples []sample) string {
	const (
		width, left, right = 720, 110, 700
		strip, gap, top    = 70, 26, 40
	)
	height := top + int(measures)*(strip+gap) + 10
	length := max(samples[len(samples)-1].at, time.Millisecond)
	x := func(at time.Duration) float64 { return left + float64(at)/float64(length)*(right-left) }

	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="title">`+"\n", width, height)
	b.WriteString(`<title id="title">What the process holds, over time</title>
<style>
text { font: 13px system-ui, sans-serif; fill: #24292f }
line { stroke: #8c959f }
polyline { fill: none; stroke: #0969da; stroke-width: 1.5 }
rect { fill: #8c959f; fill-opacity: 0.15 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } polyline { stroke: #58a6ff } }
</style>
`)
	first, last := thirds(samples)
	fmt.Fprintf(&b, `<text x="%d" y="24">%s; shaded: the first and the last third after the warm-up</text>`+"\n", left, length.Round(time.Second))
	for i, m := range bounds {
		base := float64(top + i*(strip+gap) + strip)
		most := 1.0
		for _, s := range samples {
			most = max(most, s.values[i])
		}
		for _, third := range [][]sample{first, last} {
			if len(third) > 0 {
				from, to := x(third[0].at), x(third[len(third)-1].at)
				fmt.Fprintf(&b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%d"/>`+"\n", from, base-strip, to-from, strip)
			}
		}
		fmt.Fprintf(&b, `<text x="4" y="%.1f">%s</text><text x="4" y="%.1f">0 to %.0f %s</text>`+"\n", base-strip/2-4, m.name, base-strip/2+14, most, m.unit)
		fmt.Fprintf(&b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f"/><polyline points="`, left, right, base, base)
		for _, s := range samples {
			fmt.Fprintf(&b, "%.1f,%.1f ", x(s.at), base-s.values[i]/most*strip)
		}
		b.WriteString(`"/>` + "\n")
	}
	b.WriteString("</svg>\n")
	return b.String()
}
