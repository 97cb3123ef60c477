package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"time"

	"fever/internal/plot"
	"fever/internal/postgrestest"
)

// transcript tells one story, and draws what searches noticed of it.
func transcript(ctx context.Context, r *rig, picture string) error {
	began := time.Since(r.began)
	calm := func() error { return wait(ctx, 10*time.Second) }
	if err := calm(); err != nil {
		return err
	}
	err := r.fault("the primary is killed", func() error {
		if err := r.primary.Down(postgrestest.Killed); err != nil {
			return err
		}
		if err := wait(ctx, 10*time.Second); err != nil {
			return err
		}
		r.say("   the standby is promoted")
		if err := r.failover(); err != nil {
			return err
		}
		return r.recovered(ctx)
	})
	if err := errors.Join(err, calm()); err != nil {
		return err
	}
	x := r.replicas[0]
	err = r.fault("r1 is killed while it fetches", func() error {
		p, release, err := r.fetching(ctx, x)
		if err != nil {
			return err
		}
		x.kill()
		since := time.Now()
		release()
		return r.takenOver(ctx, x, p, since)
	})
	if err == nil {
		err = r.again(ctx, x)
	}
	if err := errors.Join(err, calm()); err != nil {
		return err
	}
	if err := errors.Join(r.paused(ctx, r.replicas[1], inFetch, 2*lease), calm()); err != nil {
		return err
	}
	if picture == "" {
		return nil
	}
	return os.WriteFile(picture, []byte(r.draw(began)), 0o644) //nolint:gosec // it is for all to see
}

// draw returns a picture of the searches of the first three replicas since a time.
func (r *rig) draw(since time.Duration) string {
	seconds := int((time.Since(r.began) - since) / time.Second)
	lines := plot.Lines{
		Title: "What searches of three replicas noticed while the primary was killed, a replica killed, and another one paused",
		Ticks: []plot.Tick{{X: 0, Label: "0s"}},
		Panels: []plot.Panel{
			{Label: "99 of 100 searches of a second took at most so many ms"},
			{Label: "searches that failed"},
			{Label: "seconds since something new was found"},
		},
	}
	for _, f := range r.faults {
		lines.Shaded = append(lines.Shaded, [2]float64{max((f.from - since).Seconds(), 0), (f.to - since).Seconds()})
	}
	for at := 20; at < seconds-5; at += 20 {
		lines.Ticks = append(lines.Ticks, plot.Tick{X: float64(at), Label: fmt.Sprintf("%ds", at)})
	}
	lines.Ticks = append(lines.Ticks, plot.Tick{X: float64(seconds), Label: fmt.Sprintf("%ds", seconds)})
	for _, x := range r.replicas[:3] {
		lines.Series = append(lines.Series, x.name)
		var paces, failures, ages []plot.Point
		x.state.Lock()
		for second := range seconds {
			from := since + time.Duration(second)*time.Second
			to := from + time.Second
			var of []took
			for _, t := range x.took {
				if t.at >= from && t.at < to {
					of = append(of, t)
				}
			}
			failed := 0
			for _, f := range x.failed {
				if f.at >= from && f.at < to {
					failed++
				}
			}
			newest := since
			for _, at := range slices.Backward(x.renewed) {
				if at < to {
					newest = max(at, since)
					break
				}
			}
			at, slow, age := float64(second), float64(paceOf(of).p99)/float64(time.Millisecond), (to - newest).Seconds()
			if len(of) == 0 { // it does not run, and nobody asks it
				slow, age = math.NaN(), math.NaN()
			}
			paces, ages = append(paces, plot.Point{X: at, Y: slow}), append(ages, plot.Point{X: at, Y: age})
			failures = append(failures, plot.Point{X: at, Y: float64(failed)})
		}
		x.state.Unlock()
		for i, line := range [][]plot.Point{paces, failures, ages} {
			lines.Panels[i].Lines = append(lines.Panels[i].Lines, line)
		}
	}
	return lines.SVG()
}
