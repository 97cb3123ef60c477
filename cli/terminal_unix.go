//go:build unix

package cli

import (
	"cmp"
	"os"

	"golang.org/x/sys/unix"
)

// terminalSize returns the size of a terminal in characters, and false for what is
// none. One that does not know its size is taken for one of the usual size.
func terminalSize(f *os.File) (columns, lines int, ok bool) {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, 0, false
	}
	return cmp.Or(int(size.Col), 80), cmp.Or(int(size.Row), 24), true
}
