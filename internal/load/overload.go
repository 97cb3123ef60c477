//go:build linux

package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"

	"fever/internal/harness"
)

// An overload measures searches when there are more than the server can answer, and when some
// clients are slow.
type overload struct {
	*settings
	server    *served
	questions []question
	rows      []loaded
}

// A loaded row has the results of one load.
type loaded struct {
	anew        bool    // the users connect for each request
	slow        int     // clients beside them
	times       float64 // the offered rate, as a ratio to the sustainable one; 0: as fast as there are answers
	sustainable float64 // requests per second
	cpu         float64 // user and system time of the server, in seconds
	aftermath
	harness.Memory
}

const (
	floodUsers  = 512 // of a flood
	floodEvents = 32  // in the answers that they get, about
)

// An offer is a rate, as a ratio to the sustainable one, and a number of slow clients.
type offer struct {
	times float64
	slow  int
}

var offers = []offer{
	{0, 0}, {0.5, 0}, {0.75, 0}, {1, 0}, {1.5, 0}, {2, 0}, {3, 0}, // the first says what is sustainable
	{0.5, 3_000}, {0.5, 6_000}, {0.5, 12_000}, {3, 6_000},
}

// runOverload measures and reports.
func (s *settings) runOverload(ctx context.Context, dir string, out io.Writer) (err error) {
	b := &bench{settings: s, dir: dir, stored: make(map[stock]*served)}
	defer func() { err = errors.Join(err, b.stop()) }()
	m := &measure{key: key{Server: fever, stock: stock{Stored: storedCounts[0]}, Kind: within, Size: floodEvents, Encoding: identity}}
	if err := b.useStored(ctx, m); err != nil {
		return err
	}
	o := &overload{settings: s, server: b.stored[m.stock], questions: m.attack.questions}
	turns := make([][]loaded, 0, s.rounds)
	for n := range s.rounds {
		progress("turn %d of %d", n+1, s.rounds)
		turn, err := o.turn(ctx)
		if err != nil {
			return errors.Join(err, o.server.dead())
		}
		turns = append(turns, turn)
	}
	o.rows = middle(turns)
	if err := o.print(out); err != nil {
		return err
	}
	if s.plot == "" {
		return nil
	}
	return os.WriteFile(s.plot, []byte(o.picture()), 0o600)
}

// turn offers everything once.
func (o *overload) turn(ctx context.Context) ([]loaded, error) {
	var rows []loaded
	for _, anew := range []bool{false, true} {
		sustainable := 0.0
		for _, offer := range offers {
			f := flood{server: o.server.process, questions: o.questions, users: floodUsers, anew: anew, rate: int(offer.times * sustainable), length: o.paced}
			if offer.times == 0 {
				f.rate = 1_000_000 // more than any server can answer
			}
			row := loaded{anew: anew, slow: offer.slow, times: offer.times}
			if err := o.offer(ctx, &f, &row); err != nil {
				return nil, err
			}
			if offer.times == 0 {
				sustainable = row.perSecond(row.Good)
				if sustainable == 0 {
					return nil, errors.New("the server gave no good answer")
				}
			}
			row.sustainable = sustainable
			rows = append(rows, row)
		}
	}
	return rows, nil
}

func (o *overload) offer(ctx context.Context, f *flood, row *loaded) (err error) {
	if row.slow > 0 {
		slow := startSlow(ctx, o.server.process, row.slow)
		defer slow.done.Wait()
		defer slow.stop()
		if !harness.Pause(ctx, o.settle) {
			return ctx.Err()
		}
	}
	before, err := o.server.cpu()
	if err != nil {
		return err
	}
	if row.aftermath, err = f.run(ctx); err != nil {
		return err
	}
	after, err := o.server.cpu()
	if err != nil {
		return err
	}
	row.cpu = (after - before).Seconds()
	row.Memory, err = o.server.process.Memory()
	return err
}

// middle returns, for each row, the turn with the median share of good answers.
func middle(turns [][]loaded) []loaded {
	var rows []loaded
	for i := range turns[0] {
		var all []loaded
		for _, turn := range turns {
			all = append(all, turn[i])
		}
		slices.SortFunc(all, func(a, b loaded) int { return cmp.Compare(a.share(), b.share()) })
		rows = append(rows, all[len(all)/2])
	}
	return rows
}

func (r *loaded) perSecond(n int) float64 { return float64(n) / r.elapsed.Seconds() }

// share returns the rate of good answers, as a ratio to the sustainable one.
func (r *loaded) share() float64 { return r.perSecond(r.Good) / r.sustainable }

// print writes the figures for people.
func (o *overload) print(out io.Writer) error {
	var b bytes.Buffer // which never fails
	fmt.Fprintf(&b, "%s, %d processors that server and load share, medians of %d turns, %d users who ask for about %d events\n",
		runtime.Version(), runtime.NumCPU(), o.rounds, floodUsers, floodEvents)
	t := newTable(&b)
	for i := range o.rows {
		r := &o.rows[i]
		if r.times == 0 {
			_ = t.Flush()
			title := "Users who keep their connections"
			if r.anew {
				title = "Users who connect for each request"
			}
			fmt.Fprintf(&b, "\n%s: %.0f requests/s are sustainable\n", title, r.sustainable)
			fmt.Fprint(t, "  SLOW\tOFFERED\tGOOD/S\tSHARE\tPER CPU S\tLATE/S\t503/S\tCUT/S\tUNASKED/S\tP50 ms\tP99 ms\tMAX ms\tMB\t\n")
		}
		offered := "all"
		if r.times > 0 {
			offered = fmt.Sprintf("%.2f x", r.times)
		}
		fmt.Fprintf(t, "  %d\t%s\t%.0f\t%.2f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.1f\t%.1f\t%.1f\t%.0f\t\n", r.slow, offered,
			r.perSecond(r.Good), r.share(), float64(r.Good)/r.cpu,
			r.perSecond(r.Late), r.perSecond(r.Refused), r.perSecond(r.Cut), r.perSecond(r.Unasked),
			milliseconds(percentile(r.latencies, 0.5)), milliseconds(percentile(r.latencies, 0.99)), milliseconds(percentile(r.latencies, 1)),
			megabytes(r.Anonymous))
	}
	_ = t.Flush()
	_, err := out.Write(b.Bytes())
	return err
}
