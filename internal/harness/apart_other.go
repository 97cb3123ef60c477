//go:build unix && !linux

package harness

import "syscall"

// apart has a process get no keys of this one's terminal.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
