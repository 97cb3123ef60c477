// Package plot draws figures as SVG pictures, which are legible on light and dark grounds.
package plot

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// Sizes in pixels.
const (
	width, left, right = 720, 70, 700
	top                = 60
)

// A Point is one of a line.
type Point struct{ X, Y float64 }

// A Tick is a label on the x axis.
type Tick struct {
	X     float64
	Label string
}

// A Panel shows a line for each series, from zero up. A point whose Y is no number leaves a gap.
type Panel struct {
	Label string
	Lines [][]Point
}

// Lines is a picture of panels above each other that have one x axis, from zero to the last
// tick.
type Lines struct {
	Title  string
	Series []string // names of the lines, up to three
	Panels []Panel
	Ticks  []Tick       // in order
	Shaded [][2]float64 // ranges of x to point out
}

// SVG returns the picture.
func (l Lines) SVG() string {
	const height, gap = 80, 45
	bottom := top + len(l.Panels)*(height+gap)
	x := func(v float64) float64 { return left + (right-left)*v/l.Ticks[len(l.Ticks)-1].X }
	p := begin(l.Title, bottom+10, l.Series)
	for _, s := range l.Shaded {
		p.add(`<rect class="shade" x="%.1f" y="%d" width="%.1f" height="%d"/>`, x(s[0]), top, x(s[1])-x(s[0]), bottom-top-20)
	}
	for _, t := range l.Ticks {
		p.add(`<line x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>`, x(t.X), x(t.X), top, bottom-20)
		p.text(x(t.X), float64(bottom), "middle", t.Label)
	}
	for i, panel := range l.Panels {
		base := float64(top + i*(height+gap) + gap + height - 20)
		highest := 0.0
		for _, line := range panel.Lines {
			for _, point := range line {
				if !math.IsNaN(point.Y) {
					highest = max(highest, point.Y)
				}
			}
		}
		step := math.Pow(10, math.Floor(math.Log10(max(highest, 1))))
		highest = max(math.Ceil(highest/step), 1) * step
		y := func(v float64) float64 { return base - height*v/highest }
		p.text(left, base-height-8, "start", panel.Label)
		for _, v := range []float64{0, highest / 2, highest} {
			p.add(`<line x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>`, left, right, y(v), y(v))
			p.text(left-6, y(v)+4, "end", fmt.Sprintf("%.5g", v))
		}
		for k, line := range panel.Lines {
			var path strings.Builder
			step := 'M'
			for _, point := range line {
				if math.IsNaN(point.Y) {
					step = 'M'
					continue
				}
				fmt.Fprintf(&path, "%c%.1f,%.1f", step, x(point.X), y(point.Y))
				step = 'L'
			}
			p.add(`<path class="s%d" d="%s"/>`, k, path.String())
		}
	}
	return p.end()
}

// A Group is bars beside each other: ratios, one a series, 0 for none.
type Group struct {
	Labels []string // below the bars
	Ratios []float64
}

// Bars is a picture of ratios, as bars that grow up or down from 1. The scale is
// logarithmic, so that half as much and twice as much look alike.
type Bars struct {
	Title  string
	Series []string // names of the bars of a group, up to four
	One    string   // the name of what has the ratio 1
	Groups []Group
}

// SVG returns the picture.
func (b Bars) SVG() string {
	const (
		bottom   = 300
		bar, gap = 34, 3
	)
	lowest, highest := 0.5, 2.0
	for _, g := range b.Groups {
		for _, ratio := range g.Ratios {
			if ratio > 0 {
				lowest, highest = min(lowest, ratio), max(highest, ratio)
			}
		}
	}
	y := func(ratio float64) float64 {
		return bottom - math.Log(ratio/lowest)/math.Log(highest/lowest)*(bottom-top)
	}
	p := begin(b.Title, bottom+60, b.Series)
	for i, g := range b.Groups {
		x := float64(left + i*160)
		for k, label := range g.Labels {
			p.text(x, float64(bottom+28+18*k), "start", label)
		}
		for k, ratio := range g.Ratios {
			if ratio <= 0 {
				continue
			}
			at := x + float64(k*(bar+gap))
			from, to := min(y(ratio), y(1)), max(y(ratio), y(1))
			label := from - 4
			if ratio < 1 {
				label = to + 14
			}
			p.add(`<rect class="s%d" x="%.1f" y="%.1f" width="%d" height="%.1f"/>`, k, at, from, bar, to-from)
			p.text(at+bar/2, label, "middle", fmt.Sprintf("%.2f", ratio))
		}
	}
	p.add(`<line x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>`, left, right, y(1), y(1))
	p.text(10, y(1)+4, "start", b.One)
	return p.end()
}

// A picture is an SVG document in the making.
type picture struct{ strings.Builder }

func begin(title string, height int, series []string) *picture {
	p := new(picture)
	p.add(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="title">`, width, height)
	p.add(`<title id="title">%s</title>`, html.EscapeString(title))
	p.add(`<style>
text { font: 13px system-ui, sans-serif; fill: #24292f }
line { stroke: #8c959f; stroke-opacity: 0.5 }
path { fill: none; stroke: currentColor; stroke-width: 2 }
rect { fill: currentColor }
.shade { fill: #8c959f; fill-opacity: 0.15 }
.s0 { color: #0969da } .s1 { color: #8250df } .s2 { color: #1a7f37 } .s3 { color: #9a6700 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.s0 { color: #58a6ff } .s1 { color: #bc8cff } .s2 { color: #3fb950 } .s3 { color: #d29922 }
}
</style>`)
	for i, name := range series {
		x := 20 + i*width/max(len(series), 3)
		p.add(`<rect class="s%d" x="%d" y="14" width="12" height="12"/>`, i, x)
		p.text(float64(x+18), 25, "start", name)
	}
	return p
}

func (p *picture) add(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

func (p *picture) text(x, y float64, anchor, text string) {
	p.add(`<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`, x, y, anchor, html.EscapeString(text))
}

func (p *picture) end() string {
	p.add("</svg>")
	return p.String()
}
