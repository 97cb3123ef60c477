//go:build !linux

package sandbox

import (
	"os"
	"syscall"
)

// program is this one.
var program, _ = os.Executable() // without its path the child does not start, and each job says so

func apart() *syscall.SysProcAttr { return nil }

func killed(*os.ProcessState) bool { return false }

// Confine does nothing on this system: the child has a process of its own, and the limits of time.
func Confine() error { return nil }
