//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// A process is a server that was started, fever or the bare handler.
type process struct {
	address netip.AddrPort
	ops     string   // the ops address; the bare handler has none
	jobs    chan job // that have ended; those that nobody takes are lost
	cmd     *exec.Cmd
	ended   chan struct{} // closed when it has ended
	end     error         // how, then
}

// A job is the log line of one.
type job struct {
	Took        time.Duration
	Bytes       int64
	NotModified bool `json:"not_modified"`
	Seen        int
	Changed     int
	Error       string // empty unless it failed
}

// addresses are those that a server says it serves on.
type addresses struct{ Address, Ops string }

// start runs a server that logs JSON, and returns when it serves.
func start(ctx context.Context, environment []string, name string, args ...string) (*process, error) {
	p := &process{cmd: command(ctx, name, args...), jobs: make(chan job, 64), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), environment...)
	log, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s (make build): %w", name, err)
	}
	serving := make(chan addresses, 1)
	go func() {
		last := p.follow(log, serving)
		_ = p.cmd.Wait() // its state says it all
		p.end = fmt.Errorf("%s ended: %s: %s", name, p.cmd.ProcessState, last)
		close(p.ended)
	}()
	select {
	case at := <-serving:
		p.ops = at.Ops
		if p.address, err = netip.ParseAddrPort(at.Address); err != nil {
			return nil, errors.Join(fmt.Errorf("%s serves on %q: %w", name, at.Address, err), p.stop())
		}
		return p, nil
	case <-p.ended:
		return nil, p.end
	}
}

// command returns one that ends with ctx and with this process, and that the keys of a
// terminal do not reach: they are for this program to act on.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// follow reads the log to its end, and returns its last line.
func (p *process) follow(log io.Reader, serving chan<- addresses) (last string) {
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		last = lines.Text()
		var line struct {
			Msg string
			addresses
			job
		}
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			continue // the words of a crash, of which the last are told
		}
		switch line.Msg {
		case "serving":
			serving <- line.addresses
		case "job completed", "job failed":
			select {
			case p.jobs <- line.job:
			default:
			}
		}
	}
	_, _ = io.Copy(io.Discard, log) // after a line that is too long
	return last
}

// next returns the next job that ends. One that fails is an error.
func (p *process) next(ctx context.Context) (job, error) {
	select {
	case j := <-p.jobs:
		if j.Error != "" {
			return j, fmt.Errorf("a job of %s failed: %s", p.cmd.Path, j.Error)
		}
		return j, nil
	case <-p.ended:
		return job{}, p.end
	case <-ctx.Done():
		return job{}, ctx.Err()
	}
}

// dead returns how the process ended, or nil while it runs.
func (p *process) dead() error {
	select {
	case <-p.ended:
		return p.end
	default:
		return nil
	}
}

// stop ends the process and waits for it.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		err := p.cmd.Process.Kill()
		<-p.ended
		return errors.Join(fmt.Errorf("%s did not stop by itself", p.cmd.Path), err)
	}
	return nil
}

// cpu returns the user and system time that the process has used up to now. The clock
// counts nanoseconds, of all threads that there are and were; its number is made as
// clock_getcpuclockid(3) makes it.
func (p *process) cpu() (time.Duration, error) {
	const scheduled = 2 // CPUCLOCK_SCHED
	var t syscall.Timespec
	clock := ^p.cmd.Process.Pid<<3 | scheduled
	_, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, uintptr(clock), uintptr(unsafe.Pointer(&t)), 0) //nolint:gosec // how the kernel gets an address
	if errno != 0 {
		return 0, fmt.Errorf("read the processor time of %s: %w", p.cmd.Path, errno)
	}
	return time.Duration(t.Nano()), nil
}

// A memory is what a process holds, in bytes.
type memory struct {
	Anonymous int64 `json:"rss_anon"` // its own: the heap, and what of it was not given back
	File      int64 `json:"rss_file"` // pages of the program and of the data file, which the system can take back
	Peak      int64 `json:"peak"`     // the most that both have been together
}

func (p *process) memory() (memory, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return memory{}, err
	}
	var m memory
	for line := range strings.Lines(string(status)) {
		key, value, _ := strings.Cut(line, ":")
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			continue // not a size
		}
		switch key {
		case "RssAnon":
			m.Anonymous = kib << 10
		case "RssFile":
			m.File = kib << 10
		case "VmHWM":
			m.Peak = kib << 10
		}
	}
	if m.Anonymous == 0 {
		return m, errors.New("/proc does not say how much memory a process has")
	}
	return m, nil
}
