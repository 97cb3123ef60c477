package harness

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// A Memory is what a process holds, in bytes.
type Memory struct {
	Anonymous int64 `json:"rss_anon"` // its own: the heap, and what of it was not given back
	File      int64 `json:"rss_file"` // pages of the program and of the data file, which the system can take back
	Peak      int64 `json:"peak"`     // the most that both have been together
}

// Memory looks at what the process holds, the way that Linux offers it.
func (p *Process) Memory() (Memory, error) { return MemoryOf(p.PID) }

// MemoryOf looks at what any process holds. One that has ended holds nothing: that is an error.
func MemoryOf(pid int) (Memory, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Memory{}, err
	}
	var m Memory
	for line := range strings.Lines(string(status)) {
		key, value, _ := strings.Cut(line, ":")
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			continue // not a size
		}
		switch key {
		case "RssAnon":
			m.Anonymous = kib << 10
		case "RssFile":
			m.File = kib << 10
		case "VmHWM":
			m.Peak = kib << 10
		}
	}
	if m.Anonymous == 0 {
		return m, errors.New("/proc does not say how much memory a process has")
	}
	return m, nil
}
