package harness

import "syscall"

// apart has a process end with this one, and get no keys of its terminal.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
