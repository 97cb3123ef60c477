//go:build unix

// Caches shows that fever's answers stay right behind the caches that people put in front
// of it. It starts nginx, Varnish, HAProxy and Squid with the settings in deploy/caches,
// all on loopback, and the real fever behind them on a provider whose feed changes. Then
// it searches through each, with and without compression and entity tags, also while
// fever answers nothing but 503, and checks every answer: its body, tag, coding and age.
//
// It fails when an answer is wrong or too old, when a cache passes on searches that it should
// answer itself, and when one of the programs is missing. It stops what it started.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"fever/internal/harness"
)

// What fever tells caches.
const (
	maxAge     = 2 * time.Second
	staleAsked = 2 * time.Second
	staleError = time.Minute
)

// How long the phases last.
const (
	upTime  = 12 * time.Second
	outage  = 4 * time.Second
	settle  = 3 * time.Second
	upAgain = 4 * time.Second
)

func main() {
	fever := flag.String("fever", "bin/fever", "the fever `binary`")
	settings := flag.String("settings", "deploy/caches", "`folder` with the settings of the caches")
	flag.Parse()
	harness.Main("caches", func(ctx context.Context, out io.Writer) error {
		return harness.InTemp(func(dir string) error { return run(ctx, out, dir, *fever, *settings) })
	})
}

func run(ctx context.Context, out io.Writer, dir, fever, settings string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute) // for a program that hangs
	defer cancel()
	if err := find(); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // Squid gives up the rights of root, and writes there
		return err
	}

	provider := newProvider()
	address, closeProvider, err := harness.Listen(ctx, "", provider)
	if err != nil {
		return err
	}
	defer closeProvider()
	process, err := harness.Start(harness.Command(ctx, fever, "serve", "--listen", "127.0.0.1:0", "--ops-listen", "", "--db", filepath.Join(dir, "fever.db"),
		"--provider-url", "http://"+address+"/events", "--every", "1s", "--timeout", "10m", "--log-format", "json",
		"--max-age", maxAge.String(), "--stale-while-revalidate", staleAsked.String(), "--stale-if-error", staleError.String()), nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, process.Stop()) }()
	if err := process.Serve(ctx); err != nil {
		return err
	}
	w, err := newWitness(ctx, process.Address)
	if err != nil {
		return err
	}
	var runs []*trial
	for _, c := range programs {
		t, err := newTrial(ctx, c, w, process.Address, dir, settings)
		if t != nil {
			defer func() { err = errors.Join(err, t.stop()) }()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		runs = append(runs, t)
	}
	if err := play(ctx, w, runs); err != nil {
		return err
	}
	return report(out, runs)
}

// report prints the results, and returns what was wrong.
func report(out io.Writer, runs []*trial) (err error) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "CACHE\tSEARCHES\t304\tOF FEVER\t304\tOLDEST\tERRORS WITH 503\tWITH NO ANSWER")
	for _, t := range runs {
		s := t.judge()
		_, _ = fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%.1f s\t%d of %d\t%d of %d\n", t.name, s.during[up], s.notModified, s.upstream, s.upstreamNotModified, s.oldest.Seconds(),
			s.errors[refuses], s.during[refuses], s.errors[isDead], s.during[isDead])
		for _, fault := range s.faults {
			err = errors.Join(err, fmt.Errorf("%s: %s", t.name, fault))
		}
	}
	return errors.Join(table.Flush(), err)
}
