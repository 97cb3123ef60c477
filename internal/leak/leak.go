// Package leak is for tests: those of a package fail when they leave a goroutine behind.
package leak

import (
	"fmt"
	"os"

	"go.uber.org/goleak"
)

// Check returns the exit code of tests that ended with the given one: that, or 1 when
// they passed and left a goroutine behind, which it prints.
//
// One that is about to end may have to wait for its turn longer than goleak does: it is
// waited for some seconds.
func Check(code int) int {
	if code != 0 {
		return code
	}
	err := goleak.Find()
	for tries := 0; err != nil && tries < 20; tries++ {
		err = goleak.Find()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
