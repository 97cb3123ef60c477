//go:build !linux

package sandbox

import (
	"os"
	"syscall"
)

// program returns the path of this one.
func program() string {
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}

func apart() *syscall.SysProcAttr { return nil }

func begun(*os.Process) {}

func killed(*os.ProcessState) bool { return false }

// Confine does nothing on this system: the child has a process of its own, and the limits of time.
func Confine() error { return nil }
