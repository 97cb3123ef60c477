//go:build unix

package server

import "syscall"

// connectionLimit returns how many connections a server may have. When the process may open
// few files it is half of these: providers and the data file need some, too.
func connectionLimit() int {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return maxConnections
	}
	return int(min(maxConnections, uint64(files.Cur)/2)) //nolint:unconvert // not every system has an uint64 there
}
