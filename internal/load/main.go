//go:build linux

// Load measures fever from outside. It starts the real binary on generated data, and the
// "bare handler", a net/http server that writes ready bodies, and nginx with the same bodies as
// files if it is installed. It attacks them in turn with the same requests, checks the answers,
// and prints what a request costs each of them, as figures and as ratios. It also watches the
// memory of a job that brings few changes. With -overload it asks fever alone for more than it can answer,
// beside slow clients, and prints the results. With -shared it compares a fever on a database with
// one on a data file.
//
// It uses loopback only, and stops and removes all that it started. It fails when an answer
// was wrong, never because something was slow. It runs only on Linux, where it can read the
// processor time of other processes.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime/debug"
	"time"

	"fever/internal/harness"
)

// settings say what to measure, and how long.
type settings struct {
	fever  string // the binaries
	bare   string
	gogc   int
	only   *regexp.Regexp
	rounds int
	effort

	json, plot, profile string // files to write, or ""
	overload, shared    bool   // measure that instead
}

// An effort is how long to measure. A round of ingestion has time for several feeds.
type effort struct {
	warm, steady, paced, ingest time.Duration
	settle                      time.Duration // of slow clients
	events                      int           // in all answers of one size, about
	limit                       time.Duration
}

var (
	full  = effort{200 * time.Millisecond, 1200 * time.Millisecond, 2 * time.Second, 4 * time.Second, 2 * time.Second, 400_000, 25 * time.Minute}
	short = effort{100 * time.Millisecond, 300 * time.Millisecond, 800 * time.Millisecond, 1600 * time.Millisecond, 500 * time.Millisecond, 80_000, 8 * time.Minute}
)

func main() {
	var s settings
	flag.StringVar(&s.fever, "fever", "bin/fever", "the fever `binary`")
	flag.StringVar(&s.bare, "plain", "", "this `program` built without a profile, for the plain bare handler (default: itself)")
	flag.IntVar(&s.gogc, "gogc", 1000, "the `percentage` of garbage collection that fever comes to with few events, for the bare handler that is built alike")
	quick := flag.Bool("short", false, "a few looks at everything, for development")
	flag.IntVar(&s.rounds, "rounds", 0, "`number` of turns (default 5, or 2 with -short)")
	only := flag.String("only", "", "measure only what has a name that this `regexp` matches, such as search/5000/32/gzip")
	flag.StringVar(&s.json, "out", "", "write the figures as JSON to this `file`")
	flag.StringVar(&s.plot, "plot", "", "write a picture of processor time per request to this SVG `file`")
	flag.StringVar(&s.profile, "profile", "", "measure nothing: write a profile of fever under load to this `file`, to build it with")
	flag.BoolVar(&s.overload, "overload", false, "measure instead what becomes of searches when too many are asked for, or clients are slow; -plot draws it")
	flag.BoolVar(&s.shared, "shared", false, "measure instead searches with a PostgreSQL database beside those with a data file, and when it is away")
	sizes := flag.String("bare", "", "be the bare handler, with bodies of these `sizes`")
	url := flag.String("fetch", "", "get the feed at this `URL` again and again, with the lowest priority, and hash it")
	flag.Parse()

	harness.Main("load", func(ctx context.Context, out io.Writer) error {
		if *sizes != "" {
			return serveBare(ctx, *sizes)
		}
		if *url != "" {
			return fetchAgain(ctx, *url)
		}
		s.effort = full
		if *quick {
			s.effort = short
		}
		if s.rounds <= 0 {
			s.rounds = map[bool]int{false: 5, true: 2}[*quick]
		}
		var err error
		if s.only, err = regexp.Compile(*only); err != nil {
			return fmt.Errorf("-only: %w", err)
		}
		debug.SetGCPercent(400) // of this program, to leave the processors to what it measures
		ctx, cancel := context.WithTimeout(ctx, s.limit)
		defer cancel()
		return harness.InTemp(func(dir string) error { return s.run(ctx, dir, out) })
	})
}

func (s *settings) run(ctx context.Context, dir string, out io.Writer) (err error) {
	switch {
	case s.overload:
		return s.runOverload(ctx, dir, out)
	case s.shared:
		return s.runShared(ctx, dir, out)
	}
	began := time.Now()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	s.bare = cmp.Or(s.bare, self)
	b := &bench{settings: s, dir: dir, self: self}
	defer func() { err = errors.Join(err, b.stop()) }()
	if err := b.prepare(ctx); err != nil {
		return err
	}
	if s.profile != "" {
		return b.record(ctx)
	}
	if err := b.measure(ctx); err != nil {
		return err
	}
	r := b.report()
	r.Seconds = time.Since(began).Seconds()
	if err := r.print(out); err != nil {
		return err
	}
	return r.save(s.json, s.plot)
}

// progress tells the terminal what happens now.
func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s "+format+"\n", append([]any{time.Now().Format(time.TimeOnly)}, args...)...)
}
