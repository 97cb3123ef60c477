//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// A flood asks a server for more than it can answer. Each of its users has at most one request
// under way. A request that is due when no user is free is not sent, since a person who waits
// for an answer does not ask again.
type flood struct {
	server    *process
	questions []question
	users     int
	anew      bool // each request has a connection of its own
	rate      int  // requests per second
	length    time.Duration
}

// An aftermath has the results of a flood.
type aftermath struct {
	Good    int // right answers within patience
	Late    int // right answers after that
	Refused int // 503
	Cut     int // connections that ended without an answer
	Unasked int // requests that no user was free for
	elapsed time.Duration
	// Of good and late answers, sorted:
	latencies []time.Duration
}

// patience is how long a user waits for a good answer.
const patience = time.Second

// A flooding is a flood under way.
type flooding struct {
	*flood
	aftermath
	epoll  int
	timer  int
	busy   map[int]*connection // by descriptor
	free   []*connection       // those with a descriptor below zero have none
	asked  int
	buffer []byte
}

// run floods the server with one thread, as [attack.run] does.
func (f *flood) run(ctx context.Context) (a aftermath, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r := &flooding{flood: f, busy: make(map[int]*connection), buffer: make([]byte, 256<<10)}
	defer func() { err = errors.Join(err, r.close()) }()
	if r.epoll, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return a, os.NewSyscallError("epoll_create1", err)
	}
	if r.timer, err = newTimer(max(time.Second/time.Duration(f.rate), 100*time.Microsecond)); err != nil {
		return a, err
	}
	if err := r.watch(r.timer, syscall.EPOLLIN); err != nil {
		return a, err
	}
	for range f.users {
		k := &connection{descriptor: -1}
		r.free = append(r.free, k)
		if !f.anew {
			if err := r.connect(k); err != nil {
				return a, err
			}
		}
	}
	if err := r.loop(ctx); err != nil {
		return a, err
	}
	slices.Sort(r.latencies)
	return r.aftermath, nil
}

func (r *flooding) watch(descriptor int, events uint32) error {
	event := syscall.EpollEvent{Events: events, Fd: int32(descriptor)}
	return os.NewSyscallError("epoll_ctl", syscall.EpollCtl(r.epoll, syscall.EPOLL_CTL_ADD, descriptor, &event))
}

// connect begins a connection for k: a server that has too many does not accept it at once.
func (r *flooding) connect(k *connection) error {
	descriptor, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	k.descriptor = descriptor
	address := r.server.address
	err = syscall.Connect(descriptor, &syscall.SockaddrInet4{Port: int(address.Port()), Addr: address.Addr().As4()})
	if err != nil && !errors.Is(err, syscall.EINPROGRESS) {
		return fmt.Errorf("connect to %s: %w", address, err)
	}
	// A reset at the end frees the port at once, not after a minute.
	err = errors.Join(
		syscall.SetsockoptLinger(descriptor, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1}),
		syscall.SetsockoptInt(descriptor, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1),
	)
	if err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	const edge = 1 << 31 // EPOLLET: do not report an empty buffer again
	return r.watch(descriptor, syscall.EPOLLIN|syscall.EPOLLOUT|edge)
}

// loop floods for the length, and then waits for answers for patience.
func (r *flooding) loop(ctx context.Context) error {
	events := make([]syscall.EpollEvent, 1024)
	pace := pace{start: time.Now(), rate: r.rate}
	end := pace.start.Add(r.length)
	for {
		n, err := syscall.EpollWait(r.epoll, events, 100)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return os.NewSyscallError("epoll_wait", err)
		}
		for _, event := range events[:max(n, 0)] {
			descriptor := int(event.Fd)
			if descriptor == r.timer {
				var ticks [8]byte
				_, _ = syscall.Read(r.timer, ticks[:]) // the clock says the same
				continue
			}
			if k := r.busy[descriptor]; k != nil {
				if err := r.proceed(k); err != nil {
					return err
				}
			}
		}
		now := time.Now()
		if err := ctx.Err(); err != nil {
			return err
		}
		if now.After(end) {
			if r.elapsed == 0 {
				r.elapsed = now.Sub(pace.start)
			}
			if len(r.busy) == 0 || now.Sub(end) > patience {
				return nil
			}
			continue
		}
		for {
			since, ok := pace.next(now)
			if !ok {
				break
			}
			if err := r.ask(since); err != nil {
				return err
			}
		}
	}
}

// ask has a user ask the next question, if one is free.
func (r *flooding) ask(since time.Time) error {
	if len(r.free) == 0 {
		r.Unasked++
		return nil
	}
	k := r.free[0]
	r.free = r.free[1:]
	k.question = &r.questions[r.asked%len(r.questions)]
	k.since = since
	k.sent = false
	k.response.reset(r.asked%sumEvery == 0)
	r.asked++
	if k.descriptor < 0 {
		if err := r.connect(k); err != nil {
			return err
		}
	}
	r.busy[k.descriptor] = k
	return r.proceed(k)
}

// proceed sends or reads as much as is possible without waiting.
func (r *flooding) proceed(k *connection) error {
	if !k.sent {
		n, err := syscall.Write(k.descriptor, k.question.request)
		switch {
		case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.ENOTCONN):
			return nil // it is not yet connected
		case err != nil:
			return r.lost(k)
		case n < len(k.question.request):
			return io.ErrShortWrite // it was the first in an empty buffer
		}
		k.sent = true
		return nil
	}
	for {
		n, err := syscall.Read(k.descriptor, r.buffer)
		switch {
		case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
			return nil
		case err != nil, n == 0:
			return r.lost(k)
		}
		complete, err := k.response.take(r.buffer[:n])
		if err != nil {
			return fmt.Errorf("%.100q: %w", k.question.request, err)
		}
		if complete {
			return r.answered(k)
		}
	}
}

func (r *flooding) answered(k *connection) error {
	if k.response.status == 503 {
		r.Refused++
	} else {
		if err := k.question.check(&k.response); err != nil {
			return err
		}
		took := time.Since(k.since)
		r.latencies = append(r.latencies, took)
		if took <= patience {
			r.Good++
		} else {
			r.Late++
		}
	}
	return r.release(k, r.anew)
}

// lost handles a connection that ended before an answer.
func (r *flooding) lost(k *connection) error {
	r.Cut++
	return r.release(k, true)
}

// release makes the user free again.
func (r *flooding) release(k *connection, closed bool) error {
	delete(r.busy, k.descriptor)
	r.free = append(r.free, k)
	if !closed {
		return nil
	}
	err := syscall.Close(k.descriptor)
	k.descriptor = -1
	return os.NewSyscallError("close", err)
}

func (r *flooding) close() error {
	var failed error
	for _, k := range r.busy {
		r.free = append(r.free, k)
	}
	for _, k := range r.free {
		if k.descriptor >= 0 {
			failed = errors.Join(failed, syscall.Close(k.descriptor))
		}
	}
	for _, descriptor := range []int{r.timer, r.epoll} {
		if descriptor > 0 {
			failed = errors.Join(failed, syscall.Close(descriptor))
		}
	}
	return failed
}
