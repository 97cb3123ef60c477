package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"syscall"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// program returns the path of this one, also after another was put in its place. Where /proc is
// missing, as in a bare chroot, it is the path by which this one was started.
func program() string {
	const self = "/proc/self/exe"
	if _, err := os.Stat(self); err == nil {
		return self
	}
	return os.Args[0]
}

// apart keeps the signals of a terminal from the child: the parent says when it ends.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// killed reports whether a process was killed by SIGKILL.
func killed(s *os.ProcessState) bool {
	status, ok := s.Sys().(syscall.WaitStatus)
	return ok && status.Signal() == syscall.SIGKILL
}

// Confine takes from this process what a decoder does not need. It gets the scheduling class
// SCHED_IDLE, may have 4 GiB of memory, and is the first to be killed when the machine has none left. It can open no
// connection, start no program, change no file and send no signal to others (seccomp(2)).
// All of that is tried; the error says what failed.
func Confine() error {
	return errors.Join(about("scheduling", idle()), about("memory", limitMemory(memory())), about("system calls", filter()))
}

func about(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// idle gives all threads the lowest scheduling class. New ones have that of the one that makes them:
// so it goes on until there is no other.
func idle() error {
	for again := true; again; {
		again = false
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		for _, thread := range threads {
			id, err := strconv.Atoi(thread.Name())
			if err != nil {
				return err
			}
			now, err := unix.SchedGetAttr(id, 0)
			switch {
			case errors.Is(err, unix.ESRCH): // it has ended
				continue
			case err != nil:
				return err
			case now.Policy == unix.SCHED_IDLE:
				continue
			}
			again = true
			if err := setIdle(id); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
		}
	}
	return nil
}

// setIdle gives a thread, or the first one of a process, the lowest scheduling class.
func setIdle(id int) error {
	return unix.SchedSetAttr(id, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}, 0)
}

// begun gives the lowest scheduling class to a child that has just begun: its start takes as long as a hundred
// searches. What goes wrong with that, [Confine] says.
func begun(child *os.Process) { _ = setIdle(child.Pid) }

// limitMemory lets the process have so much more memory than it has, and no core dump.
func limitMemory(most int64) error {
	err := os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0o600) // the most; see proc(5)
	has, err1 := dataSize()
	all := has + uint64(most)
	data, core := unix.Rlimit{Cur: all, Max: all}, unix.Rlimit{}
	debug.SetMemoryLimit(most / 4 * 3) // the collector works harder before the process dies
	return errors.Join(err, err1, unix.Setrlimit(unix.RLIMIT_DATA, &data), unix.Setrlimit(unix.RLIMIT_CORE, &core))
}

// dataSize returns what RLIMIT_DATA counts, in bytes: VmData of proc(5).
func dataSize() (uint64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(status) {
		if fields := bytes.Fields(line); len(fields) == 3 && string(fields[0]) == "VmData:" {
			kilobytes, err := strconv.ParseUint(string(fields[1]), 10, 54)
			return kilobytes << 10, err
		}
	}
	return 0, errors.New("/proc/self/status has no VmData")
}

// refused are the system calls that no decoder needs and that reach beyond the process. Those that
// an architecture lacks are left out.
var refused = []string{
	"socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "sendto", "sendmsg", "sendmmsg",
	"execve", "execveat", "fork", "vfork", "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_open", "pidfd_getfd", "pidfd_send_signal",
	"kill", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo",
	"openat2", "creat", "truncate", "ftruncate", "fallocate", "unlink", "unlinkat", "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat",
	"mkdir", "mkdirat", "rmdir", "mknod", "mknodat", "chmod", "fchmod", "fchmodat", "chown", "fchown", "lchown", "fchownat", "utimensat",
	"setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr",
	"mount", "umount2", "pivot_root", "chroot", "setns", "unshare", "bpf", "perf_event_open", "keyctl", "add_key", "request_key",
	"io_uring_setup", "io_uring_enter", "io_uring_register", "userfaultfd", "shmget", "shmat", "msgget", "semget", "mq_open", "memfd_create",
}

// filter has the system refuse these calls, in all threads.
func filter() error {
	here, err := arch.GetInfo("")
	if err != nil {
		return err
	}
	has := make(map[string]bool)
	for _, name := range here.SyscallNumbers {
		has[name] = true
	}
	lacks := func(name string) bool { return !has[name] }
	const writes = unix.O_WRONLY | unix.O_RDWR | unix.O_CREAT | unix.O_TRUNC | unix.O_APPEND
	var some []seccomp.NameWithConditions
	for name, flags := range map[string]uint32{"open": 1, "openat": 2} {
		if !lacks(name) {
			some = append(some, seccomp.NameWithConditions{Name: name, Conditions: []seccomp.Condition{{Argument: flags, Operation: seccomp.BitsSet, Value: writes}}})
		}
	}
	// The runtime sends signals to its own threads.
	some = append(some, seccomp.NameWithConditions{
		Name: "tgkill", Conditions: []seccomp.Condition{{Argument: 0, Operation: seccomp.NotEqual, Value: uint64(os.Getpid())}},
	})
	return seccomp.LoadFilter(seccomp.Filter{
		NoNewPrivs: true,
		Flag:       seccomp.FilterFlagTSync,
		Policy: seccomp.Policy{DefaultAction: seccomp.ActionAllow, Syscalls: []seccomp.SyscallGroup{
			{Action: seccomp.ActionErrno, Names: slices.DeleteFunc(slices.Clone(refused), lacks), NamesWithCondtions: some},
		}},
	})
}
