package page

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"fever/explain"
)

// The measures of a picture of the past, in units of its view box.
const (
	pastWidth  = 480
	pastHeight = 80
	pastMargin = 4
)

// A past is a picture of what an event cost, and how many tickets it had. Each line has a scale of
// its own, from zero up.
type past struct {
	Width, Height   int
	Prices, Tickets string // paths; empty: there are none
	Highest         string // price
	Most            int    // tickets
	Since           time.Time
	Steps           []pastStep // the oldest first
}

// A pastStep is a version of the event, from its change on to the next one.
type pastStep struct {
	X, Width float64
	Title    string
}

// newPast returns the picture of an event's history until now. It has no steps if nothing has changed.
func newPast(history []explain.Change, now time.Time) past {
	p := past{Width: pastWidth, Height: pastHeight}
	if len(history) == 0 {
		return p
	}
	history = slices.Clone(history)
	slices.Reverse(history)
	p.Since = history[0].At
	span := max(now.Sub(p.Since), time.Millisecond)
	x := func(t time.Time) float64 {
		return pastMargin + float64(max(t.Sub(p.Since), 0))/float64(span)*(pastWidth-2*pastMargin)
	}
	prices, tickets := make([]float64, len(history)), make([]float64, len(history))
	highest := -1.0
	for i := range history {
		c := &history[i]
		end := now
		if i+1 < len(history) {
			end = history[i+1].At
		}
		p.Steps = append(p.Steps, pastStep{X: x(c.At), Width: max(x(end)-x(c.At), 0)})
		price, err := strconv.ParseFloat(c.MinPrice.String(), 64)
		if !c.MinPrice.Known() || err != nil {
			price = math.NaN()
		} else if price > highest {
			highest, p.Highest = price, c.MinPrice.String()
		}
		prices[i], tickets[i] = price, float64(c.Tickets)
		p.Most = max(p.Most, int(c.Tickets))
		p.Steps[i].Title = fmt.Sprintf("%s: price %s, %s", c.At.UTC().Format("2 Jan 2006 15:04"), orNone(c.MinPrice.String()), amount(int(c.Tickets), "ticket"))
	}
	p.Prices, p.Tickets = p.path(prices, highest), p.path(tickets, float64(p.Most))
	return p
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// path returns a line of steps. A value that is no number leaves a gap.
func (p *past) path(values []float64, most float64) string {
	var path strings.Builder
	command := "M"
	for i, s := range p.Steps {
		if math.IsNaN(values[i]) {
			command = "M"
			continue
		}
		up := 0.0
		if most > 0 {
			up = values[i] / most * (pastHeight - 2*pastMargin)
		}
		_, _ = fmt.Fprintf(&path, "%s%.1f %.1fh%.1f", command, s.X, pastHeight-pastMargin-up, s.Width) // never an error
		command = "L"
	}
	return path.String()
}

// Label describes the picture for people who cannot see it.
func (p past) Label() string {
	return fmt.Sprintf("%s since %s: the lowest price was up to %s, and the tickets left up to %s",
		amount(len(p.Steps), "version"), p.Since.UTC().Format("2 Jan 2006 15:04"), orNone(p.Highest), number(p.Most))
}
