//go:build linux

package main

import (
	"context"
	"os"
	"testing"

	"fever/internal/harness"
)

func TestMost(t *testing.T) {
	t.Parallel()
	// Both end with their standard input. Without the second command there would be no child.
	cmd := harness.Command(t.Context(), "/bin/sh", "-c", `/bin/sh -c 'echo "{\"msg\":\"serving\"}" >&2; read line'; true`)
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := harness.Start(cmd, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := input.Close(); err != nil {
			t.Error(err)
		}
		<-p.Ended
	}()
	if err := p.Serve(t.Context()); err != nil {
		t.Fatal(err)
	}
	once, stop := context.WithCancel(t.Context())
	stop()
	if peaks := most(once, p.PID); peaks[0] == 0 || peaks[1] == 0 {
		t.Errorf("a process and its child have %d bytes", peaks)
	}
	if peaks := most(once, os.Getpid()); peaks[0] == 0 {
		t.Error("this process has no memory")
	}
	if peaks := most(once, 1<<30); peaks != [2]int64{} {
		t.Errorf("no process has %d bytes", peaks)
	}
}
