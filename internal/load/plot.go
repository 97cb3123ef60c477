//go:build linux

package main

import (
	"fmt"

	"fever/internal/plot"
)

// picture draws what a search costs, compared with the bare handler.
func (r *report) picture() string {
	few, many := stock{Stored: storedCounts[0]}, stock{Stored: storedCounts[1]}
	series := []key{
		{Server: fever, stock: few, Kind: within, Encoding: identity},
		{Server: fever, stock: many, Kind: within, Encoding: identity},
		{Server: fever, stock: few, Kind: within, Encoding: gzipped},
		{Server: nginx, Kind: within, Encoding: identity},
	}
	bars := plot.Bars{
		Title:  "Processor time of a search, as a ratio to that of a handler that writes a ready body",
		Series: []string{"fever", "fever, 1,000,000 stored", "fever, gzip", "nginx, a file"},
		One:    "bare",
	}
	for _, size := range answerSizes {
		bare := r.find(key{Size: size}.of(plain))
		if bare == nil {
			continue
		}
		group := plot.Group{Labels: []string{fmt.Sprintf("%d events", size), fmt.Sprintf("bare: %.3g us", bare.CPU)}}
		for _, k := range series {
			k.Size = size
			ratio := 0.0
			if found := r.find(k); found != nil {
				ratio = found.ToPlain
			}
			group.Ratios = append(group.Ratios, ratio)
		}
		bars.Groups = append(bars.Groups, group)
	}
	return bars.SVG()
}

// picture draws the good answers for a second of the server's processor time, and the p99 of
// their latency.
func (o *overload) picture() string {
	lines := plot.Lines{
		Title:  "Good answers for a second of processor time, and their latency, as more is asked for than can be answered",
		Series: []string{"connections that are kept", "a connection for each request"},
	}
	for times := 0.5; times <= 3; times += 0.5 {
		lines.Ticks = append(lines.Ticks, plot.Tick{X: times, Label: fmt.Sprintf("%.1f x", times)})
	}
	panel := func(label string, figure func(*loaded) float64) {
		p := plot.Panel{Label: label, Lines: make([][]plot.Point, 2)}
		for i := range o.rows {
			r := &o.rows[i]
			if r.slow > 0 || r.times == 0 {
				continue
			}
			line := 0
			if r.anew {
				line = 1
			}
			p.Lines[line] = append(p.Lines[line], plot.Point{X: r.times, Y: figure(r)})
		}
		lines.Panels = append(lines.Panels, p)
	}
	panel("good answers for a second of processor time", func(r *loaded) float64 { return float64(r.Good) / r.cpu })
	panel("p99 of their latency, ms", func(r *loaded) float64 { return milliseconds(percentile(r.latencies, 0.99)) })
	return lines.SVG()
}
