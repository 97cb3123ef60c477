//go:build linux

package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"fever/internal/harness"
	"fever/provider/simulator"
)

var (
	playAll   = flag.Bool("faults", false, "play all faults of a provider beside many searches, and not a few beside few")
	program   = flag.String("fever", "", "the fever `binary` to play them to (default: these tests, as the program)")
	fewFaults = []string{"header without an end", "status 503", "an attribute twice", "cut at 50 %", "gzip cut at 50 %"}
)

const (
	faultPlans   = 10      // in the feed
	faultRate    = 5_000   // searches per second
	faultRateFew = 200     // with few faults
	faultGroup   = 40      // faults between two times of rest
	hasty        = "hasty" // the provider whose fetches have little time
	atRest       = 5 * time.Second
	atRestFew    = 1 * time.Second
	mayGrow      = 24 << 20 // bytes, and a seventh: what memory varies by in any case
)

// A trial plays faults to fever while it is searched.
type trial struct {
	*testing.T
	server    *process
	data      dataset
	providers map[string]*simulator.Server
	questions []question
	rate      int
	rest      time.Duration
	version   int // of the feed

	stopping atomic.Bool // the searches are to end
	seconds  []searched  // once they have ended
	rests    []span
	played   []playedFault
}

// A span is from one moment to another.
type span struct{ from, to time.Time }

// touches reports whether the spans have a moment in common.
func (s span) touches(o span) bool { return s.from.Before(o.to) && o.from.Before(s.to) }

// A searched second has the figures of about one second of searches.
type searched struct {
	span
	requests int
	p99      time.Duration
	memory   int64 // of fever's own, at the end
}

// A playedFault says what became of a fault.
type playedFault struct {
	span
	name, kind string
}

// TestFaultsBesideSearches plays faults of a provider to the program, one after the other, each
// between two good feeds, while it is searched at a rate that does not wait for answers. It
// fails when a search fails, when an answer is wrong or a good feed is not found afterwards, when
// a fault causes another failure than it must. It prints what became of each fault and the p99 of
// the seconds meanwhile, which it does not judge.
//
// It plays few faults. All of them take some ten minutes: make faults. Then it also fails when
// memory grows.
//
// Not parallel: until its program has begun, a process that is started shares the listeners of
// this one, and nobody would be refused.
func TestFaultsBesideSearches(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Minute)
	defer cancel()
	x := newTrial(ctx, t)
	faults := simulator.Faults(x.feed())
	if !*playAll {
		faults = slices.DeleteFunc(faults, func(f simulator.Fault) bool { return !slices.Contains(fewFaults, f.Name) })
		if len(faults) != len(fewFaults) {
			t.Fatalf("%d of the few faults are played, of %d", len(faults), len(fewFaults))
		}
	}
	for range 3 { // until it has all that it usually holds
		x.better(ctx, "before all faults")
	}

	searches := make(chan error, 1)
	var searching sync.WaitGroup
	defer searching.Wait()
	defer cancel()
	searching.Go(func() { searches <- x.search(ctx) })
	for n, fault := range faults {
		if n%faultGroup == 0 {
			x.pause(ctx)
		}
		if *playAll {
			progress("fault %d of %d: %s", n+1, len(faults), fault.Name)
		}
		x.play(ctx, &fault)
		if len(searches) > 0 || t.Failed() {
			break
		}
	}
	x.pause(ctx)
	x.stopping.Store(true)
	if err := <-searches; err != nil {
		t.Fatalf("searches: %v", errors.Join(err, x.server.dead()))
	}
	if _, err := learn(ctx, x.server, x.data, x.version, 0, windows(x.data, false, len(x.data), 1)); err != nil {
		t.Errorf("all events, after all faults: %v", err)
	}
	x.report(t.Output())
	before, after := x.held(x.rests[0]), x.held(x.rests[len(x.rests)-1])
	if *playAll && after > before+before/7+mayGrow { // a few faults leave too little time, and these tests as the program may have the race detector
		t.Errorf("memory grew from %.1f to %.1f MB", megabytes(before), megabytes(after))
	}
}

// newTrial starts the program with two providers: one has all the time for a fetch that it needs,
// and the other one is for the faults that take all the time there is.
func newTrial(ctx context.Context, t *testing.T) *trial {
	t.Helper()
	x := &trial{T: t, data: generate(-faultPlans, storedCounts[0]), rate: faultRateFew, rest: atRestFew}
	if *playAll {
		x.rate, x.rest = faultRate, atRest
	}
	x.providers = map[string]*simulator.Server{
		provider: simulator.New(t, simulator.Body(x.feed())),
		hasty:    simulator.New(t, simulator.Status(http.StatusNotFound)),
	}
	dir := t.TempDir()
	binary := *program
	if binary == "" {
		var err error
		if binary, err = os.Executable(); err != nil {
			t.Fatal(err)
		}
	}
	b := &bench{settings: &settings{fever: binary}, dir: dir}
	db, err := b.store(ctx, "fever", stock{Stored: storedCounts[0]})
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "fever.yaml")
	text := fmt.Sprintf(`
db: %s
listen: 127.0.0.1:0
ops-listen: 127.0.0.1:0
log-format: json
ready-after: load
providers:
- {name: %s, url: %q, every: 24h, timeout: 10m, max-bytes: %d}
- {name: %s, url: %q, every: 24h, timeout: 1s, max-bytes: %d}
`, db, provider, x.providers[provider].URL, simulator.MaxBytes, hasty, x.providers[hasty].URL, simulator.MaxBytes)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	// The end of ctx would terminate it, too, and a program that is told twice does not end by itself.
	if x.server, err = start(context.WithoutCancel(ctx), nil, binary, "serve", "--config", config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.server.Stop(); err != nil {
			t.Error(err)
		}
		if state := x.server.State(); state != "exit status 0" {
			t.Errorf("the program ended with %s", state)
		}
	})
	for range x.providers {
		x.job(ctx) // the first one, which is due at the start
	}
	l, err := learn(ctx, x.server, x.data, x.version, 0, windows(x.data, false, weekEvents, 500))
	if err != nil {
		t.Fatal(err)
	}
	x.questions = l.questions[identity]
	return x
}

// feed returns the feed of the version.
func (x *trial) feed() []byte {
	b := []byte(feedHead)
	for n := int32(-faultPlans); n < 0; n += 2 {
		b = appendBase(b, []event{newEvent(n), newEvent(n + 1)}, x.version, nil)
	}
	return append(b, feedTail...)
}

// job waits for the end of a job.
func (x *trial) job(ctx context.Context) harness.Line {
	x.Helper()
	select {
	case j := <-x.server.jobs:
		return j
	case <-x.server.Ended:
		x.Fatal(x.server.End)
	case <-ctx.Done():
		x.Fatal(ctx.Err())
	}
	return harness.Line{}
}

// sync runs a job of a provider.
func (x *trial) sync(ctx context.Context, name string) harness.Line {
	x.Helper()
	status := http.StatusConflict
	for status == http.StatusConflict { // the last job has logged its end, and not yet freed the provider
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+x.server.Ops+"/sync?provider="+name, http.NoBody)
		if err != nil {
			x.Fatal(err)
		}
		request.Close = true
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			x.Fatal(err)
		}
		if err := response.Body.Close(); err != nil {
			x.Fatal(err)
		}
		status = response.StatusCode
	}
	if status != http.StatusAccepted {
		x.Fatalf("POST /sync: status %d", status)
	}
	j := x.job(ctx)
	if j.Provider != name {
		x.Fatalf("a job of %s has ended, and not one of %s", j.Provider, name)
	}
	return j
}

// better has the provider send the next version of its feed.
func (x *trial) better(ctx context.Context, when string) {
	x.Helper()
	x.version += changeShare // the turn of every plan comes
	x.providers[provider].Play(simulator.Body(x.feed()))
	if j := x.sync(ctx, provider); j.Error != "" || j.Changed != faultPlans {
		x.Fatalf("%s: the job of a good feed: %s", when, j.Text)
	}
	x.verify(ctx, when)
}

// verify fails when searches find something else than the version.
func (x *trial) verify(ctx context.Context, when string) {
	x.Helper()
	all := window{from: x.data[0].start, to: dawn.Unix() + 24*3600}
	if _, err := learn(ctx, x.server, x.data, x.version, 0, []window{all}); err != nil {
		x.Fatalf("%s: %v", when, err)
	}
}

// play plays a fault, and then a good feed.
func (x *trial) play(ctx context.Context, fault *simulator.Fault) {
	x.Helper()
	name := provider
	if fault.Kind == "timeout" {
		name = hasty
	}
	p := playedFault{name: fault.Name, span: span{from: time.Now()}}
	x.providers[name].Play(fault.Steps...)
	j := x.sync(ctx, name)
	p.kind, p.to = j.Kind, time.Now()
	if j.Kind != fault.Kind {
		x.Errorf("%s: %s, and not a failure of kind %s", fault.Name, j.Text, fault.Kind)
	}
	x.played = append(x.played, p)
	x.verify(ctx, fault.Name)
	x.better(ctx, "after "+fault.Name)
}

// pause leaves fever with the searches alone.
func (x *trial) pause(ctx context.Context) {
	x.Helper()
	s := span{from: time.Now()}
	if !harness.Pause(ctx, x.rest) {
		x.Fatal(ctx.Err())
	}
	s.to = time.Now()
	x.rests = append(x.rests, s)
}

// search searches until it is told to stop. An error says which search failed.
func (x *trial) search(ctx context.Context) (err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := &client{attack: &attack{server: x.server, questions: x.questions, changing: true, connections: openConnections, rate: x.rate}, buffer: make([]byte, 256<<10)}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := c.open(); err != nil {
		return err
	}
	for !x.stopping.Load() {
		c.sample = sample{latencies: c.latencies[:0]}
		s := searched{span: span{from: time.Now()}}
		if err := c.loop(ctx, after(time.Second)); err != nil {
			return err
		}
		memory, err := x.server.Memory()
		if err != nil {
			return err
		}
		slices.Sort(c.latencies)
		s.to, s.requests, s.memory, s.p99 = time.Now(), c.requests, memory.Anonymous, percentile(c.latencies, 0.99)
		x.seconds = append(x.seconds, s)
	}
	c.over = true
	return c.loop(ctx, func(time.Time) bool { return len(c.idle) == c.connections })
}

// during returns the seconds that touch a span.
func (x *trial) during(s span) (seconds []searched) {
	for _, second := range x.seconds {
		if second.touches(s) {
			seconds = append(seconds, second)
		}
	}
	return seconds
}

// held returns the least memory of fever's own during a span.
func (x *trial) held(s span) int64 {
	return slices.MinFunc(x.during(s), func(a, b searched) int { return cmp.Compare(a.memory, b.memory) }).memory
}

// report prints what became of all faults, and how searches fared meanwhile.
func (x *trial) report(out io.Writer) {
	p99 := func(seconds []searched) (all []float64) {
		for _, s := range seconds {
			all = append(all, milliseconds(s.p99))
		}
		return all
	}
	var idle []float64
	for _, r := range x.rests {
		idle = append(idle, p99(x.during(r))...)
	}
	usual := median(idle)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "FAULT\tJOB\tSECONDS\tP99 OF EACH SECOND, ms\n")
	for i := range x.played {
		p := &x.played[i]
		var each []string
		for _, v := range p99(x.during(p.span)) {
			each = append(each, fmt.Sprintf("%.2f", v))
		}
		fmt.Fprintf(t, "%s\t%s\t%.2f\t%s\n", p.name, cmp.Or(p.kind, "completed"), p.to.Sub(p.from).Seconds(), strings.Join(each, " "))
	}
	_ = t.Flush() // as the rest, it goes to the test's own output
	high := func(seconds []float64) (count int) {
		for _, v := range seconds {
			if v > 3*usual {
				count++
			}
		}
		return count
	}
	requests, all := 0, p99(x.seconds)
	for _, s := range x.seconds {
		requests += s.requests
	}
	last := len(x.rests) - 1
	fmt.Fprintf(out, "%d faults, %d searches at %d a second, none failed, each answer checked\n", len(x.played), requests, x.rate)
	fmt.Fprintf(out, "p99 of a second at rest: median %.2f ms, most %.2f ms; %d of %d seconds are above 3 times that median\n", usual, slices.Max(idle), high(idle), len(idle))
	fmt.Fprintf(out, "p99 of a second in all: median %.2f ms, most %.2f ms; %d of %d seconds are above 3 times the median at rest\n", median(all), slices.Max(all), high(all), len(all))
	fmt.Fprintf(out, "memory of its own: %.1f MB before the faults, %.1f MB after them\n", megabytes(x.held(x.rests[0])), megabytes(x.held(x.rests[last])))
}
