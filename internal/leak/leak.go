// Package leak is for tests: it makes those of a package fail when they leave a goroutine behind.
package leak

import (
	"fmt"
	"os"

	"go.uber.org/goleak"
)

// Check returns the exit code of tests that ended with the given code. That is the same code, or
// 1 when they passed and left a goroutine behind, which Check prints.
//
// On a loaded machine a goroutine may need longer for its end than goleak waits, so Check waits
// for some seconds.
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
