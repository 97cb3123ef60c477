//go:build linux

package main

import (
	"errors"
	"os"
	"syscall"
	"time"
	"unsafe"
)

// A pace says when the requests of an attack are due: at a rate, whether the server keeps up
// or not. Latency counts from then. So a stall of the server adds to the latency of all
// requests that were due during the stall.
type pace struct {
	start time.Time
	rate  int // per second
	taken int // requests that have been due
}

// next returns when the next request is due, if that is not after now.
func (p *pace) next(now time.Time) (due time.Time, ok bool) {
	due = p.start.Add(time.Duration(p.taken) * time.Second / time.Duration(p.rate))
	if due.After(now) {
		return time.Time{}, false
	}
	p.taken++
	return due, true
}

// due sends the requests that are due, as far as there are connections for them.
func (c *client) due() error {
	var ticks [8]byte // their number: the clock is more exact
	if _, err := syscall.Read(c.timer, ticks[:]); err != nil && !errors.Is(err, syscall.EAGAIN) {
		return os.NewSyscallError("read a timer", err)
	}
	for now := time.Now(); !c.over; {
		since, ok := c.pace.next(now)
		if !ok {
			break
		}
		if len(c.idle) == 0 {
			c.overdue = append(c.overdue, since)
			continue
		}
		k := c.idle[0]
		c.idle = c.idle[1:]
		if err := c.send(k, since); err != nil {
			return err
		}
	}
	return nil
}

// newTimer returns the descriptor of a timer that ticks. The time-outs of epoll are too coarse,
// and spinning would take a processor from the server.
func newTimer(every time.Duration) (int, error) {
	const monotonic = 1
	descriptor, _, errno := syscall.Syscall(syscall.SYS_TIMERFD_CREATE, monotonic, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errno != 0 {
		return 0, os.NewSyscallError("timerfd_create", errno)
	}
	tick := syscall.NsecToTimespec(every.Nanoseconds())
	setting := struct{ interval, first syscall.Timespec }{tick, tick}
	_, _, errno = syscall.Syscall6(syscall.SYS_TIMERFD_SETTIME, descriptor, 0,
		uintptr(unsafe.Pointer(&setting)), 0, 0, 0) //nolint:gosec // how the kernel gets an address
	if errno != 0 {
		return 0, errors.Join(os.NewSyscallError("timerfd_settime", errno), syscall.Close(int(descriptor)))
	}
	return int(descriptor), nil
}
