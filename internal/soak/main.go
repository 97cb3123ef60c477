//go:build linux

// Soak shows that fever can run for a long time. It starts the real binary with providers of
// its own, which change, fail, hang and restart. Meanwhile it searches, watches and controls
// fever without a pause. It measures memory, goroutines, files and the data file, and fails
// when one of them grows by more than its bound from the first to the last third of the time
// after a warm-up, or when an answer is wrong.
//
// It uses loopback only, and stops and removes all that it started. It runs only on Linux,
// where it can read what another process holds.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"fever/internal/harness"
)

// settings say what to run, and how long.
type settings struct {
	fever string
	time  time.Duration
	plot  string // a file to write, or ""
	pace
}

// A pace says how often things happen.
type pace struct {
	sample  time.Duration // between two samples of the process
	chore   time.Duration // between two chores
	restart time.Duration // how long a provider runs until it is restarted
	big     time.Duration // between two big feeds
}

const shortTime = 15 * time.Second

var (
	usual = pace{sample: time.Second, chore: 2 * time.Second, restart: 10 * time.Second, big: 12 * time.Second}
	quick = pace{sample: 250 * time.Millisecond, chore: 500 * time.Millisecond, restart: 3 * time.Second, big: 3 * time.Second}
)

func main() {
	s := settings{pace: usual}
	flag.StringVar(&s.fever, "fever", "bin/fever", "the fever `binary`")
	flag.DurationVar(&s.time, "time", 5*time.Minute, "how long to run after the warm-up, which ends when every chore was done twice")
	short := flag.Bool("short", false, fmt.Sprintf("run for %s, with everything more often", shortTime))
	flag.StringVar(&s.plot, "plot", "", "write a picture of what the process held to this SVG `file`")
	flag.Parse()
	if *short {
		s.time, s.pace = shortTime, quick
	}

	harness.Main("soak", func(ctx context.Context, out io.Writer) error {
		return harness.InTemp(func(dir string) error { return s.run(ctx, dir, out) })
	})
}

func (s *settings) run(ctx context.Context, dir string, out io.Writer) (err error) {
	const beforeAndAfter = 4 * time.Minute // on a loaded machine
	ctx, cancel := context.WithTimeout(ctx, s.time+beforeAndAfter)
	defer cancel()
	m := newMarket(s.pace)
	defer m.close()
	if err := m.open(ctx); err != nil {
		return err
	}
	f, err := start(ctx, s.fever, dir, m)
	if err != nil {
		return err
	}
	w := &watch{fever: f, market: m, pace: s.pace, warm: make(chan struct{})}
	watched := w.run(ctx, s.time)
	ended := f.stop()
	if watched == nil && ended == nil {
		ended = f.dump(ctx, f.db, m) // what is left on disk
	}
	return errors.Join(watched, ended, w.report(out, s.plot))
}
