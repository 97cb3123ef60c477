//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// A client runs an attack.
type client struct {
	*attack
	sample
	epoll  int
	all    []*connection // by descriptor; nil for other descriptors
	events []syscall.EpollEvent
	buffer []byte
	asked  int // requests that were sent

	// Of an attack with a rate:
	pace    pace
	timer   int           // a descriptor that becomes readable when requests are due; 0: none
	over    bool          // no more are sent
	idle    []*connection // free ones, the longest free first
	overdue []time.Time   // when requests without a connection were due
}

// A connection has at most one request under way.
type connection struct {
	descriptor int
	question   *question
	since      time.Time // when the request was due, or sent
	sent       bool      // all of the request; for a flood
	response   response
}

func (c *client) open() (err error) {
	if c.epoll, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	c.events = make([]syscall.EpollEvent, c.connections+1)
	for range c.connections {
		descriptor, err := dial(c.server.address)
		if err != nil {
			return err
		}
		for len(c.all) <= descriptor {
			c.all = append(c.all, nil)
		}
		k := &connection{descriptor: descriptor}
		c.all[descriptor] = k
		c.idle = append(c.idle, k)
		if err := c.watch(descriptor); err != nil {
			return err
		}
	}
	if c.rate > 0 {
		c.pace = pace{start: time.Now(), rate: c.rate}
		if c.timer, err = newTimer(time.Second / time.Duration(c.rate)); err != nil {
			return err
		}
		return c.watch(c.timer)
	}
	for _, k := range c.idle {
		if err := c.send(k, time.Now()); err != nil {
			return err
		}
	}
	c.idle = nil
	return nil
}

func (c *client) watch(descriptor int) error {
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(descriptor)}
	return os.NewSyscallError("epoll_ctl", syscall.EpollCtl(c.epoll, syscall.EPOLL_CTL_ADD, descriptor, &event))
}

// dial returns the descriptor of a connection that does not block. It does not use the
// runtime's poller, which would cost time.
func dial(address netip.AddrPort) (int, error) {
	descriptor, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	err = syscall.Connect(descriptor, &syscall.SockaddrInet4{Port: int(address.Port()), Addr: address.Addr().As4()})
	if err == nil {
		err = syscall.SetsockoptInt(descriptor, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	}
	if err == nil {
		err = syscall.SetNonblock(descriptor, true)
	}
	if err != nil {
		return 0, errors.Join(fmt.Errorf("connect to %s: %w", address, err), syscall.Close(descriptor))
	}
	return descriptor, nil
}

// loop serves the connections until it is ended.
func (c *client) loop(ctx context.Context, ended func(now time.Time) bool) error {
	const patience = 100 // milliseconds after which to look at ctx
	answered, silent := c.requests, time.Now()
	for {
		n, err := syscall.EpollWait(c.epoll, c.events, patience)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return os.NewSyscallError("epoll_wait", err)
		}
		for _, event := range c.events[:max(n, 0)] {
			if int(event.Fd) == c.timer {
				err = c.due()
			} else {
				err = c.read(c.all[event.Fd])
			}
			if err != nil {
				return err
			}
		}
		now := time.Now()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case ended(now):
			return nil
		case c.requests != answered:
			answered, silent = c.requests, now
		case now.Sub(silent) > 10*time.Second:
			return errors.New("the server has not answered for 10 seconds")
		}
	}
}

// send sends the next request.
func (c *client) send(k *connection, since time.Time) error {
	k.question = &c.questions[c.asked%len(c.questions)]
	k.since = since
	k.response.reset(c.asked%sumEvery == 0 && !c.changing)
	c.asked++
	n, err := syscall.Write(k.descriptor, k.question.request)
	if err == nil && n < len(k.question.request) {
		err = io.ErrShortWrite // it was the first in an empty buffer
	}
	if err != nil {
		return fmt.Errorf("send a request: %w", err)
	}
	return nil
}

// read reads what there is of a response, and goes on when it is complete.
func (c *client) read(k *connection) error {
	n, err := syscall.Read(k.descriptor, c.buffer)
	switch {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
		return nil
	case err != nil:
		return fmt.Errorf("read a response: %w", err)
	case n == 0:
		return errors.New("the server closed a connection")
	case k.question == nil:
		return fmt.Errorf("the server said, without a request: %.100q", c.buffer[:n])
	}
	complete, err := k.response.take(c.buffer[:n])
	if err != nil {
		return fmt.Errorf("%.100q: %w", k.question.request, err)
	}
	if !complete {
		return nil
	}
	if err := k.question.check(&k.response); err != nil {
		return err
	}
	now := time.Now()
	c.requests++
	c.wire += k.response.wire
	c.latencies = append(c.latencies, now.Sub(k.since))
	k.question = nil
	switch {
	case c.rate == 0:
		return c.send(k, now)
	case len(c.overdue) > 0:
		since := c.overdue[0]
		c.overdue = c.overdue[1:]
		return c.send(k, since)
	}
	c.idle = append(c.idle, k)
	return nil
}

func (c *client) close() error {
	var failed error
	for _, k := range c.all {
		if k != nil {
			failed = errors.Join(failed, syscall.Close(k.descriptor))
		}
	}
	if c.timer > 0 {
		failed = errors.Join(failed, syscall.Close(c.timer))
	}
	if c.epoll > 0 {
		failed = errors.Join(failed, syscall.Close(c.epoll))
	}
	return failed
}
