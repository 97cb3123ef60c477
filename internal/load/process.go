//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"time"
	"unsafe"

	"fever/internal/harness"
)

// A process is a server that was started, fever or the bare handler.
type process struct {
	*harness.Process
	address netip.AddrPort
	jobs    chan harness.Line // of jobs that ended; dropped when it is full
}

// start runs a server that logs JSON, and returns when it serves.
func start(ctx context.Context, environment []string, name string, args ...string) (*process, error) {
	jobs := make(chan harness.Line, 64)
	cmd := harness.Command(ctx, name, args...)
	cmd.Env = append(os.Environ(), environment...)
	started, err := harness.Start(cmd, func(line harness.Line) {
		if line.Msg != "job completed" && line.Msg != "job failed" {
			return
		}
		select {
		case jobs <- line:
		default:
		}
	})
	if err != nil {
		return nil, err
	}
	p := &process{Process: started, jobs: jobs}
	if err := p.Serve(ctx); err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	if p.address, err = netip.ParseAddrPort(p.Address); err != nil {
		return nil, errors.Join(fmt.Errorf("%s serves on %q: %w", name, p.Address, err), p.Stop())
	}
	return p, nil
}

// next returns the next job that ends. One that fails is an error.
func (p *process) next(ctx context.Context) (harness.Line, error) {
	select {
	case j := <-p.jobs:
		if j.Error != "" {
			return j, fmt.Errorf("a job failed: %s", j.Error)
		}
		return j, nil
	case <-p.Ended:
		return harness.Line{}, p.End
	case <-ctx.Done():
		return harness.Line{}, ctx.Err()
	}
}

// dead returns how the process ended, or nil while it runs.
func (p *process) dead() error {
	select {
	case <-p.Ended:
		return p.End
	default:
		return nil
	}
}

// cpu returns the user and system time that the process has used up to now. The clock counts
// nanoseconds of all its threads, ended ones too; clock_getcpuclockid(3) says how to make its
// number.
func (p *process) cpu() (time.Duration, error) {
	const scheduled = 2 // CPUCLOCK_SCHED
	var t syscall.Timespec
	clock := ^p.PID<<3 | scheduled
	_, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, uintptr(clock), uintptr(unsafe.Pointer(&t)), 0) //nolint:gosec // how the kernel gets an address
	if errno != 0 {
		return 0, fmt.Errorf("read the processor time of process %d: %w", p.PID, errno)
	}
	return time.Duration(t.Nano()), nil
}
