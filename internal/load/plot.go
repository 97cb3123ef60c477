//go:build linux

package main

import (
	"fmt"
	"math"
	"strings"
)

// draw writes a picture of what a search costs, as bars against the bare handler's. It
// is legible on light and dark grounds.
func (r *report) draw(b *strings.Builder) {
	type series struct {
		label, class string
		like         row
	}
	all := []series{
		{"fever", "a", row{Server: fever, Stored: storedCounts[0], Encoding: identity}},
		{"fever, 1,000,000 stored", "b", row{Server: fever, Stored: storedCounts[1], Encoding: identity}},
		{"fever, gzip", "c", row{Server: fever, Stored: storedCounts[0], Encoding: gzipped}},
	}
	const (
		width, height = 720, 360
		left          = 50
		top, bottom   = 60, height - 60
		bar, gap      = 40, 4
		half, third   = bar / 2, width / 3
	)
	// The scale is logarithmic, so that half as much and twice as much look alike. Bars
	// grow from the line of the bare handler, up or down.
	lowest, highest := 0.5, 2.0
	for i := range r.Rows {
		if x := &r.Rows[i]; x.Server == fever && x.Rate == 0 && x.ToPlain > 0 {
			lowest, highest = min(lowest, x.ToPlain), max(highest, x.ToPlain)
		}
	}
	y := func(ratio float64) float64 {
		return bottom - math.Log(ratio/lowest)/math.Log(highest/lowest)*(bottom-top)
	}

	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="title">`+"\n", width, height)
	b.WriteString(`<title id="title">Processor time of a search, as a ratio to that of a handler that writes a ready body</title>
<style>
text { font: 13px system-ui, sans-serif; fill: #24292f }
line { stroke: #24292f }
.a { fill: #0969da } .b { fill: #8250df } .c { fill: #1a7f37 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } line { stroke: #e6edf3 }
.a { fill: #58a6ff } .b { fill: #bc8cff } .c { fill: #3fb950 }
}
</style>
`)
	for i, s := range all {
		x := 20 + i*third
		fmt.Fprintf(b, `<rect class="%s" x="%d" y="14" width="12" height="12"/><text x="%d" y="25">%s</text>`+"\n", s.class, x, x+18, s.label)
	}
	for i, size := range answerSizes {
		x := left + 20 + i*160
		bare := r.find(row{Server: plain, Size: size, Encoding: identity})
		if bare == nil {
			continue
		}
		fmt.Fprintf(b, `<text x="%d" y="%d">%d events</text>`, x, bottom+28, size)
		fmt.Fprintf(b, `<text x="%d" y="%d">bare: %.3g us</text>`+"\n", x, bottom+46, bare.CPU)
		for k, s := range all {
			s.like.Size = size
			found := r.find(s.like)
			if found == nil || found.ToPlain <= 0 {
				continue
			}
			at := x + k*(bar+gap)
			from, to := min(y(found.ToPlain), y(1)), max(y(found.ToPlain), y(1))
			label := from - 4
			if found.ToPlain < 1 {
				label = to + 14
			}
			fmt.Fprintf(b, `<rect class="%s" x="%d" y="%.1f" width="%d" height="%.1f"/>`, s.class, at, from, bar, to-from)
			fmt.Fprintf(b, `<text x="%d" y="%.1f" text-anchor="middle">%.2f</text>`+"\n", at+half, label, found.ToPlain)
		}
	}
	fmt.Fprintf(b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f"/><text x="10" y="%.1f">bare</text>`+"\n", left, width-10, y(1), y(1), y(1)+4)
	b.WriteString("</svg>\n")
}
