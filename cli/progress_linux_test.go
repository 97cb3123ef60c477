package cli

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fever/store"
)

// TestTerminal finds out what progress would look like on a terminal, and elsewhere. It
// sets the environment, and so is not parallel to others.
func TestTerminal(t *testing.T) {
	tty := openTerminal(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(t.TempDir() + "/errors")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _, _ = r.Close(), w.Close(), file.Close() })
	retried := []jobProgress{{label: "a", state: store.Running, attempt: 2, started: time.Now()}}
	for _, test := range []struct {
		name, term, noColor string
		w                   *os.File
		draws, colours      bool
	}{
		{"terminal", "xterm", "", tty, true, true},
		{"NO_COLOR", "xterm", "1", tty, true, false},
		{"dumb", "dumb", "", tty, false, false},
		{"no TERM", "", "", tty, false, false},
		{"pipe", "xterm", "", w, false, false},
		{"file", "xterm", "", file, false, false},
	} {
		t.Setenv("TERM", test.term)
		t.Setenv("NO_COLOR", test.noColor)
		s, draws := terminal(test.w)
		line := jobLines(retried, time.Now(), s)[0]
		if draws != test.draws || strings.Contains(line, "\x1b") != test.colours {
			t.Errorf("%s: drawn: %v; %q", test.name, draws, line)
		}
	}
}

// openTerminal returns the end of a terminal that a program has.
func openTerminal(t *testing.T) *os.File {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	t.Cleanup(func() { _ = ours.Close() })
	number, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tty.Close() })
	return tty
}
