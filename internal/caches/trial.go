//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"fever/internal/harness"
)

// A trial is one cache between its clients and fever. Between the cache and fever is a tap: it
// counts requests, and answers instead of fever during an outage.
type trial struct {
	program
	witness *witness
	address string // of the cache
	stops   []func() error

	counting            atomic.Bool  // but for the time in which fever is down
	outage              atomic.Int64 // what fever does, a phase
	upstream            atomic.Int64 // requests, while counting
	upstreamNotModified atomic.Int64
	upstreamTags        atomic.Int64 // requests with a tag

	mu   sync.Mutex
	seen []observation
}

// An observation is one answer that a client got.
type observation struct {
	response
	coding string // that was asked for; "": none was named
	sent   string // the tag that the client had, or ""
	phase  phase
	err    error
}

type phase int

const (
	up         phase = iota
	refuses          // fever answers nothing but 503
	isDead           // fever answers nothing
	changeover       // what caches have is neither all fresh nor all stale
)

// newTrial starts a cache. Stop the trial even when there is an error.
func newTrial(ctx context.Context, p program, w *witness, fever, dir, settings string) (*trial, error) {
	t := &trial{program: p, witness: w}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: fever})
		},
		Transport: &http.Transport{DisableCompression: true},
		ModifyResponse: func(r *http.Response) error {
			if t.counting.Load() {
				t.upstream.Add(1)
				if r.StatusCode == http.StatusNotModified {
					t.upstreamNotModified.Add(1)
				}
				if r.Request.Header.Get("If-None-Match") != "" {
					t.upstreamTags.Add(1)
				}
			}
			return nil
		},
	}
	tap, stop, err := harness.Listen(ctx, "", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch phase(t.outage.Load()) {
		case refuses:
			w.Header().Set("Cache-Control", "no-store")
			w.WriteHeader(http.StatusServiceUnavailable)
		case isDead:
			panic(http.ErrAbortHandler) // ends the connection without an answer
		default:
			proxy.ServeHTTP(w, r)
		}
	}))
	if err != nil {
		return t, err
	}
	t.stops = append(t.stops, func() error { stop(); return nil })
	if t.address, err = harness.Free(ctx); err != nil {
		return t, err
	}
	process, err := p.start(ctx, filepath.Join(dir, p.binary), settings, t.address, tap)
	if process != nil {
		t.stops = append(t.stops, process.end)
	}
	return t, err
}

func (t *trial) stop() (err error) {
	for i := len(t.stops) - 1; i >= 0; i-- {
		err = errors.Join(err, t.stops[i]())
	}
	return err
}

// play has clients search through all caches, in all phases.
func play(ctx context.Context, w *witness, trials []*trial) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var clients sync.WaitGroup
	witnessed := make(chan error, 1)
	clients.Go(func() { witnessed <- w.run(ctx) })
	var now atomic.Int64 // the phase
	for _, t := range trials {
		for _, target := range []string{changing, steady} {
			for _, coding := range []string{"identity", "gzip", ""} {
				clients.Go(func() { t.poll(ctx, target, coding, &now) })
			}
		}
	}
	for _, step := range []struct {
		phase, fever phase
		lasts        time.Duration
	}{
		{changeover, up, settle},
		{up, up, upTime},
		{changeover, isDead, maxAge + staleAsked + time.Second}, // caches notice once their copies are stale
		{isDead, isDead, outage},
		{changeover, refuses, time.Second},
		{refuses, refuses, outage},
		{changeover, up, settle},
		{up, up, upAgain},
	} {
		now.Store(int64(step.phase))
		for _, t := range trials {
			t.counting.Store(step.phase == up)
			t.outage.Store(int64(step.fever))
		}
		if !harness.Pause(ctx, step.lasts) {
			break
		}
	}
	err = ctx.Err()
	cancel()
	clients.Wait()
	return errors.Join(err, <-witnessed)
}

// poll searches again and again, every other time with the last tag.
func (t *trial) poll(ctx context.Context, target, coding string, now *atomic.Int64) {
	client := newClient()
	defer client.CloseIdleConnections()
	tag := ""
	for turn := 0; harness.Pause(ctx, 100*time.Millisecond); turn++ {
		o := observation{coding: coding, phase: phase(now.Load())}
		if turn%2 == 1 {
			o.sent = tag
		}
		o.response, o.err = fetch(ctx, client, "http://"+t.address+target, coding, o.sent)
		if phase(now.Load()) != o.phase {
			o.phase = changeover
		}
		if ctx.Err() != nil {
			return
		}
		if o.status == http.StatusOK {
			tag = o.tag
		}
		t.mu.Lock()
		t.seen = append(t.seen, o)
		t.mu.Unlock()
	}
}

// A summary has the results of a trial.
type summary struct {
	searches, notModified         int
	upstream, upstreamNotModified int64
	oldest                        time.Duration
	during, errors                [changeover]int // searches in each phase, and how many of them failed
	faults                        []string
}

// judge checks all observations. Call it at the end.
func (t *trial) judge() summary {
	s := summary{searches: len(t.seen), upstream: t.upstream.Load(), upstreamNotModified: t.upstreamNotModified.Load()}
	fault := func(format string, args ...any) {
		const most = 10
		if len(s.faults) < most {
			s.faults = append(s.faults, fmt.Sprintf(format, args...))
		}
	}
	for i := range t.seen {
		o := &t.seen[i]
		failed := o.err != nil || o.status != http.StatusOK && o.status != http.StatusNotModified
		if o.phase < changeover {
			s.during[o.phase]++
			if failed {
				s.errors[o.phase]++
			}
		}
		if failed {
			if o.phase == up || o.phase == isDead && t.hidesDeath {
				fault("an error where none should be seen (%d): %d, %v", o.phase, o.status, o.err)
			}
			continue
		}
		if o.status == http.StatusNotModified {
			s.notModified++
		}
		age, err := t.check(o)
		if err != nil {
			fault("asked for %q with the tag %q, it was %d with %q, %q: %v", o.coding, o.sent, o.status, o.tag, o.response.coding, err)
		}
		s.oldest = max(s.oldest, age)
	}
	if s.upstream*2 > int64(s.during[up]) {
		fault("of %d searches %d went to fever: it stores too little", s.during[up], s.upstream)
	}
	if s.upstream == 0 || min(s.during[up], s.during[refuses], s.during[isDead]) == 0 {
		fault("nothing was shown: %d searches, %d of them went to fever", s.during, s.upstream)
	}
	if t.asksTag && (t.upstreamTags.Load() == 0 || s.upstreamNotModified == 0) {
		fault("it asked fever with a tag %d times, and got %d times 304", t.upstreamTags.Load(), s.upstreamNotModified)
	}
	return s
}

// lenient allows for delays of the programs and the machine.
const lenient = 3 * time.Second

// check checks one answer, and returns its age.
func (t *trial) check(o *observation) (age time.Duration, err error) {
	tag := o.tag
	switch {
	case o.status == http.StatusNotModified && o.sent == "":
		return 0, errors.New("a 304 for nothing")
	case o.status == http.StatusNotModified && o.body != "":
		return 0, errors.New("a 304 with a body")
	case o.status == http.StatusNotModified && tag != "" && opaque(tag) != opaque(o.sent):
		return 0, errors.New("a 304 with another tag")
	case o.status == http.StatusNotModified:
		tag = o.sent
	case o.coding == "gzip" && o.response.coding != "gzip" && !t.unpacked:
		return 0, errors.New("it is not compressed")
	case o.coding != "gzip" && o.response.coding != "":
		return 0, errors.New("it is compressed, which was not asked for")
	}
	t.witness.mu.Lock()
	defer t.witness.mu.Unlock()
	g := t.witness.known[opaque(tag)]
	if g == nil {
		return 0, errors.New("a tag that fever never gave")
	}
	if o.status == http.StatusOK && o.body != g.body {
		return 0, errors.New("the body is not that of the tag")
	}
	limit := maxAge + staleAsked
	if o.phase != up {
		limit = maxAge + staleError
	}
	if o.age != "" {
		seconds, err := strconv.Atoi(o.age)
		if err != nil || time.Duration(seconds)*time.Second > limit+lenient {
			return 0, fmt.Errorf("its Age is %s", o.age)
		}
	}
	age = max(0, o.asked.Sub(g.last))
	if age > limit+lenient {
		return age, fmt.Errorf("fever has not given it for %v", age)
	}
	return age, nil
}
