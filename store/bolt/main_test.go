package bolt

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"fever/internal/leak"
)

// TestMain runs the tests, or is a process that a test has started to kill it.
func TestMain(m *testing.M) {
	if path := os.Getenv(collectVariable); path != "" {
		fmt.Fprintln(os.Stderr, collect(path))
		os.Exit(1)
	}
	if path := os.Getenv(convertVariable); path != "" {
		fmt.Fprintln(os.Stderr, convertAgain(path))
		os.Exit(1)
	}
	if where := os.Getenv(editVariable); where != "" {
		fmt.Fprintln(os.Stderr, edit(where))
		os.Exit(1)
	}
	if err := flag.Set("rapid.checks", "50"); err != nil { // unless the command line says otherwise
		panic(err)
	}
	os.Exit(leak.Check(m.Run()))
}
