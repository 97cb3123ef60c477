package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

// Main is what the main function of a program does. It calls run with a context that ends
// at an interrupt, and with standard output. When run fails it prints the error after the
// name of the program, and exits with 1.
//
// On Linux, processes that [Command] starts end with the thread that started them: Main
// keeps the main goroutine on its thread, so that they end when the program does, however
// that comes.
func Main(name string, run func(ctx context.Context, out io.Writer) error) {
	runtime.LockOSThread()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, name+":", err)
		os.Exit(1)
	}
}

// InTemp calls use with a new temporary folder, and removes that.
func InTemp(use func(dir string) error) error {
	dir, err := os.MkdirTemp("", "fever")
	if err != nil {
		return err
	}
	return errors.Join(use(dir), os.RemoveAll(dir))
}
