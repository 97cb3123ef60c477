//go:build darwin || freebsd || linux

package archive

import "syscall"

// roomOf returns how many bytes the volume of a folder has, and how many of them this process can still
// write. Both are 0 if that is unknown.
func roomOf(folder string) (size, free uint64) {
	var stat syscall.Statfs_t
	if syscall.Statfs(folder, &stat) != nil {
		return 0, 0
	}
	return stat.Blocks * uint64(stat.Bsize), uint64(stat.Bavail) * uint64(stat.Bsize) //nolint:unconvert // the types differ between systems, and none is negative
}
