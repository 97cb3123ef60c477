//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"
)

// A question is a request, with the length and sum of its answer.
type question struct {
	request []byte
	length  int    // of the body
	sum     uint32 // CRC-32C of the body
}

// One in sumEvery answers is compared by the sum of all its bytes; all are compared by status
// and length.
const sumEvery = 1000

// An attack asks a server questions over connections that stay open.
type attack struct {
	server      *process
	questions   []question
	changing    bool // the bodies keep their lengths, but not their bytes
	connections int
	rate        int // requests per second, sent when they are due; 0: one at a time on each connection
	warm        time.Duration
	length      time.Duration // of what is measured, after the warm-up
}

// A sample is what an attack has measured.
type sample struct {
	requests  int // that were answered
	elapsed   time.Duration
	cpu       time.Duration // of the server
	wire      int           // bytes that were received
	latencies []time.Duration
}

// run attacks with one thread that waits for all connections at once: it leaves as much of the
// processors as possible to the server.
func (a *attack) run(ctx context.Context) (s sample, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := &client{attack: a, buffer: make([]byte, 256<<10)}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := c.open(); err != nil {
		return s, err
	}
	if err := c.loop(ctx, after(a.warm)); err != nil {
		return s, err
	}
	before, err := a.server.cpu()
	if err != nil {
		return s, err
	}
	c.sample = sample{latencies: make([]time.Duration, 0, 1<<18)}
	began := time.Now()
	if err := c.loop(ctx, after(a.length)); err != nil {
		return s, err
	}
	s = c.sample
	s.elapsed = time.Since(began)
	after, err := a.server.cpu()
	s.cpu = after - before
	if err != nil || a.rate == 0 {
		return s, err
	}
	// Requests that still wait for an answer have the longest latencies.
	c.over = true
	err = c.loop(ctx, func(time.Time) bool { return len(c.idle) == c.connections })
	s.latencies = c.latencies
	return s, err
}

// after returns a function that reports whether so much time has passed.
func after(length time.Duration) (ended func(now time.Time) bool) {
	end := time.Now().Add(length)
	return end.Before
}

// A wrongAnswer is an answer that differs from the verified one.
type wrongAnswer struct{ request, what string }

func (w *wrongAnswer) Error() string { return fmt.Sprintf("wrong answer to %q: %s", w.request, w.what) }

func (q *question) check(r *response) error {
	wrong := ""
	switch {
	case r.status != 200:
		wrong = fmt.Sprintf("its status is %d", r.status)
	case r.length != q.length:
		wrong = fmt.Sprintf("its body has %d bytes, and not %d", r.length, q.length)
	case r.summed && r.sum != q.sum:
		wrong = "its body has other bytes than the one that was verified"
	default:
		return nil
	}
	return &wrongAnswer{string(q.request), wrong}
}
