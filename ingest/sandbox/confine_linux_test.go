package sandbox

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// attempt does, confined, what a decoder must not do, and prints what came of that.
func attempt(address, folder string) {
	fmt.Println("confined:", Confine())
	say := func(what string, err error) {
		switch err {
		case nil:
			fmt.Println(what + ": done")
		default:
			fmt.Println(what+":", strings.Contains(err.Error(), "not permitted"), err)
		}
	}
	_, err := net.DialTimeout("tcp", address, time.Second)
	say("connect", err)
	_, err = net.Listen("tcp", "127.0.0.1:0")
	say("listen", err)
	say("write", os.WriteFile(filepath.Join(folder, "new"), []byte("x"), 0o600))
	say("append", func() error {
		_, err := os.OpenFile(filepath.Join(folder, "kept"), os.O_APPEND|os.O_WRONLY, 0)
		return err
	}())
	say("remove", os.Remove(filepath.Join(folder, "kept")))
	say("rename", os.Rename(filepath.Join(folder, "kept"), filepath.Join(folder, "moved")))
	say("run", exec.Command("/proc/self/exe", "-test.run=none").Run())
	say("signal", unix.Kill(os.Getppid(), 0))
	_, err = os.ReadFile(filepath.Join(folder, "kept")) // time zones are in files
	say("read", err)
	policy, err := unix.SchedGetAttr(0, 0)
	fmt.Println("idle:", err == nil && policy.Policy == unix.SCHED_IDLE)
	var limit unix.Rlimit
	err = unix.Getrlimit(unix.RLIMIT_DATA, &limit)
	fmt.Println("limited:", err == nil && limit.Max >= maxMemory && limit.Max != unix.RLIM_INFINITY)
	// All goroutines, on whatever thread, are confined.
	refused := make(chan error, 8)
	for range cap(refused) {
		go func() { refused <- os.WriteFile(filepath.Join(folder, "new"), []byte("x"), 0o600) }()
	}
	for range cap(refused) {
		if <-refused == nil {
			fmt.Println("a thread can write")
		}
	}
}

func TestConfine(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // nobody connects
	folder := t.TempDir()
	kept := filepath.Join(folder, "kept")
	if err := os.WriteFile(kept, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "/proc/self/exe", attempts, l.Addr().String(), folder).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	said := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		what, came, _ := strings.Cut(strings.TrimSpace(line), ": ")
		said[what], _, _ = strings.Cut(came, " ")
	}
	want := map[string]string{
		"confined": "<nil>", "connect": "true", "listen": "true", "write": "true", "append": "true", "remove": "true", "rename": "true",
		"run": "true", "signal": "true", "read": "done", "idle": "true", "limited": "true",
	}
	if fmt.Sprint(said) != fmt.Sprint(want) {
		t.Errorf("%s\nis not %v", out, want)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 {
		t.Errorf("the folder has %v, %v", entries, err)
	}
}
