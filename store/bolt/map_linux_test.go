package bolt

import (
	"fmt"
	"os"
	"syscall"
	"testing"
)

// TestFewAddresses opens a store in a process that may have few addresses, as under
// ulimit -v. It maps what the file needs, and works.
func TestFewAddresses(t *testing.T) {
	if roomToGrow() == 0 || !alone(t) {
		return
	}
	var pages uint64 // that the process has now; under the race detector that is terabytes
	if _, err := fmt.Sscan(string(read(t, "/proc/self/statm")), &pages); err != nil {
		t.Fatal(err)
	}
	limit := syscall.Rlimit{Cur: pages*uint64(os.Getpagesize()) + 8<<30}
	limit.Max = limit.Cur
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &limit); err != nil {
		t.Fatal(err)
	}
	s, err := Open("fever.db", keep)
	if err != nil {
		t.Fatal(err)
	}
	if got := mappedBytes(s); got > 1<<20 {
		t.Errorf("%d bytes are mapped", got)
	}
	apply(t, s, snapshot("a", 1, sample("a", 1, 3000))) // for which it is mapped anew
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	checkFile(t, "fever.db")
}
