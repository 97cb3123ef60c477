//go:build linux

package main

import (
	"strings"
	"time"

	"fever/internal/plot"
)

// draw returns a picture of all samples: a panel for each measure, with the two thirds that
// are compared shaded. The first cold samples are of the warm-up.
func draw(samples []sample, cold int) string {
	length := max(samples[len(samples)-1].at, time.Millisecond)
	first, last := thirds(samples[cold:])
	lines := plot.Lines{
		Title:  "What the process holds, over time; shaded: the first and the last third after the warm-up",
		Series: []string{"fever"},
		Ticks:  []plot.Tick{{X: 0, Label: "0s"}, {X: length.Seconds(), Label: length.Round(time.Second).String()}},
	}
	for _, third := range [][]sample{first, last} {
		if len(third) > 0 {
			lines.Shaded = append(lines.Shaded, [2]float64{third[0].at.Seconds(), third[len(third)-1].at.Seconds()})
		}
	}
	for i, m := range bounds {
		var line []plot.Point
		for _, s := range samples {
			line = append(line, plot.Point{X: s.at.Seconds(), Y: s.values[i]})
		}
		lines.Panels = append(lines.Panels, plot.Panel{Label: strings.TrimSuffix(m.name+", "+m.unit, ", "), Lines: [][]plot.Point{line}})
	}
	return lines.SVG()
}
