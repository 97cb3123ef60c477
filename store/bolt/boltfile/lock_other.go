//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package boltfile

import "os"

// lock takes no lock: there is no flock here, and bbolt takes its own in another way.
func lock(*os.File) bool { return true }
