//go:build linux

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"fever/cli"
	"fever/internal/leak"
)

// asFever is the environment variable that has the binary of these tests be the program. Every
// process that they start has it, but for those in which the program decodes.
const asFever = "TEST_AS_FEVER"

func TestMain(m *testing.M) {
	if os.Getenv(asFever) != "" || len(os.Args) > 1 && os.Args[1] == "decode" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		code := cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
		stop()
		os.Exit(code)
	}
	if err := os.Setenv(asFever, "1"); err != nil {
		panic(err)
	}
	os.Exit(leak.Check(m.Run()))
}
