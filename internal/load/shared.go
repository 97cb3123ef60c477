//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"fever/internal/harness"
	"fever/internal/postgrestest"
)

// A sharing compares searches of two fevers that hold the same events: one has a data file, the
// other a database. It also measures what the second costs the database while nothing happens.
type sharing struct {
	*bench
	database *postgrestest.Server
	servers  [2]*process // with the file, and with the database
	attacks  [2]attack
	samples  map[string]*[2][]sample // by the state of the database

	idle       time.Duration // how long nothing happened
	cost       time.Duration // processor time of the database meanwhile
	statements int           // that it ran
}

const (
	sharedName   = "fever" // of the database
	sharedRate   = 5_000   // searches per second
	sharedEvents = 32      // in their answers, about

	sharedUp, sharedAway = "the database is there", "the database is away"
)

// runShared measures and reports.
func (s *settings) runShared(ctx context.Context, dir string, out io.Writer) (err error) {
	r := &sharing{bench: &bench{settings: s, dir: dir}, samples: map[string]*[2][]sample{sharedUp: {}, sharedAway: {}}}
	if r.database, err = postgrestest.Start("shared_preload_libraries=pg_stat_statements"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.database.Stop()) }()
	if _, err := r.database.Query("postgres", "create database "+sharedName); err != nil {
		return err
	}
	if _, err := r.database.Query(sharedName, "create extension pg_stat_statements"); err != nil {
		return err
	}
	// A provider that fails for good: after its first job nothing is due for a day.
	address, stop, err := harness.Listen(ctx, "", http.NotFoundHandler())
	if err != nil {
		return err
	}
	defer stop()
	defer func() {
		for _, p := range r.servers {
			if p != nil {
				err = errors.Join(err, p.Stop())
			}
		}
	}()
	data := generate(0, storedCounts[0])
	asked := windows(data, false, sharedEvents, r.count(sharedEvents))
	for i, db := range []string{filepath.Join(dir, "shared.db"), r.database.URL(sharedName)} {
		if err := r.fill(ctx, db, stock{Stored: storedCounts[0]}); err != nil {
			return err
		}
		r.servers[i], err = start(ctx, nil, r.fever, "serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--db", db, "--log-format", "json",
			"--provider-url", "http://"+address, "--every", "24h", "--ready-after", "load")
		if err != nil {
			return err
		}
		<-r.servers[i].jobs
		l, err := learn(ctx, r.servers[i], data, 0, 0, asked)
		if err != nil {
			return err
		}
		r.attacks[i] = attack{server: r.servers[i], questions: l.questions[identity], connections: openConnections, rate: sharedRate, warm: r.warm, length: r.paced}
	}
	if err := r.rest(ctx); err != nil {
		return err
	}
	for n := range r.rounds {
		progress("turn %d of %d", n+1, r.rounds)
		if err := r.turn(ctx, n); err != nil {
			return errors.Join(err, r.servers[0].dead(), r.servers[1].dead())
		}
	}
	return r.print(out)
}

// turn attacks both servers, and again while there is no database. Each is the first in every
// other turn.
func (r *sharing) turn(ctx context.Context, n int) error {
	attack := func(state string) error {
		for i := range r.attacks {
			i = (i + n) % 2
			s, err := r.attacks[i].run(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", state, err)
			}
			slices.Sort(s.latencies)
			of := &r.samples[state][i]
			*of = append(*of, s)
		}
		return nil
	}
	if err := attack(sharedUp); err != nil {
		return err
	}
	if err := r.database.Down(postgrestest.Fast); err != nil {
		return err
	}
	return errors.Join(attack(sharedAway), r.database.Up())
}

// rest measures what the second server costs the database while nobody searches and no job is due.
func (r *sharing) rest(ctx context.Context) error {
	r.idle = 15 * r.paced
	progress("resting for %s", r.idle)
	costBefore, before, err := r.spent()
	if err != nil {
		return err
	}
	if !harness.Pause(ctx, r.idle) {
		return ctx.Err()
	}
	cost, statements, err := r.spent()
	r.cost, r.statements = cost-costBefore, statements-before
	return err
}

// spent returns the processor time that the database has used for the second server's sessions up
// to now, and the number of statements that they ran.
func (r *sharing) spent() (cost time.Duration, statements int, err error) {
	sessions, err := r.database.Query(sharedName, "select pid from pg_stat_activity where application_name = 'fever'")
	if err != nil {
		return 0, 0, err
	}
	for pid := range strings.FieldsSeq(sessions) {
		// The clock of /proc/PID/stat is too coarse. The first number here is in nanoseconds.
		text, err := os.ReadFile("/proc/" + pid + "/schedstat")
		if err != nil {
			return 0, 0, err
		}
		ran, _, _ := strings.Cut(string(text), " ")
		nanoseconds, err := strconv.ParseInt(ran, 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("processor time of process %s: %w", pid, err)
		}
		cost += time.Duration(nanoseconds)
	}
	calls, err := r.database.Query(sharedName, "select sum(calls) from pg_stat_statements where query like '%fever.%'")
	if err != nil {
		return 0, 0, err
	}
	statements, err = strconv.Atoi(calls)
	return cost, statements, err
}

// print writes the figures for people.
func (r *sharing) print(out io.Writer) error {
	var b bytes.Buffer // which never fails
	fmt.Fprintf(&b, "%s, %d processors that servers, database and load share, medians of %d turns, %d searches of about %d events a second\n\n",
		runtime.Version(), runtime.NumCPU(), r.rounds, sharedRate, sharedEvents)
	t := newTable(&b)
	fmt.Fprint(t, "STATE\tCPU us, FILE\tDATABASE\tRATIO\tP99 ms, FILE\tDATABASE\tRATIO\t\n")
	for _, state := range []string{sharedUp, sharedAway} {
		both := r.samples[state]
		cpu := func(s *sample) float64 { return float64(s.cpu.Microseconds()) / float64(s.requests) }
		p99 := func(s *sample) float64 { return milliseconds(percentile(s.latencies, 0.99)) }
		fmt.Fprintf(t, "%s\t", state)
		for _, f := range []func(*sample) float64{cpu, p99} {
			var figures [2][]float64
			var ratios []float64
			for n := range both[0] {
				file, database := f(&both[0][n]), f(&both[1][n])
				figures[0], figures[1], ratios = append(figures[0], file), append(figures[1], database), append(ratios, database/file)
			}
			fmt.Fprintf(t, "%.2f\t%.2f\t%.2f\t", median(figures[0]), median(figures[1]), median(ratios))
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush()
	seconds := r.idle.Seconds()
	fmt.Fprintf(&b, "\nWithout searches and jobs the sessions of a replica took %.2f ms of processor time a second, and %.1f statements in 5 seconds.\n",
		milliseconds(r.cost)/seconds, float64(r.statements)/seconds*5)
	_, err := out.Write(b.Bytes())
	return err
}
