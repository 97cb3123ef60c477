//go:build linux

package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"fever/internal/harness"
)

// A jobWeight is the memory that jobs take, of which one in changeShare events has changed. It
// counts memory of the processes' own: anonymous pages.
type jobWeight struct {
	Jobs    int   `json:"jobs"`
	Bytes   int64 `json:"bytes"`   // of a feed
	Changed int   `json:"changed"` // events
	Before  int64 `json:"before"`  // that fever had; median of the jobs, as the next two
	Serve   int64 `json:"serve"`   // by which fever grew at most, over what it had before the job
	Child   int64 `json:"child"`   // that the process that decodes had at most
}

// lookEvery is how often memory is looked at. A job takes a second and more.
const lookEvery = 2 * time.Millisecond

// weighJobs runs so many jobs while nothing else happens, and watches memory.
func (c *collecting) weighJobs(ctx context.Context, jobs int) error {
	var had, serve, child []float64
	w := &jobWeight{Jobs: jobs}
	for n := range jobs {
		progress("weighing job %d of %d", n+1, jobs)
		before, err := c.process.Memory()
		if err != nil {
			return err
		}
		if err := c.begin(ctx); err != nil {
			return err
		}
		c.provider.run(false)
		watching, stop := context.WithCancel(ctx)
		looks := make(chan [2]int64, 1)
		go func() { looks <- most(watching, c.PID) }()
		err = c.rest(ctx, func(j harness.Line) { w.Bytes, w.Changed = j.Bytes, j.Changed })
		stop()
		peaks := <-looks
		if err != nil {
			return err
		}
		had = append(had, float64(before.Anonymous))
		serve, child = append(serve, float64(max(peaks[0]-before.Anonymous, 0))), append(child, float64(peaks[1]))
	}
	w.Before, w.Serve, w.Child = int64(median(had)), int64(median(serve)), int64(median(child))
	c.weight = w
	return nil
}

// most watches a process and its children until ctx ends, and returns the most memory that the
// process had, and the most that one of its children had.
func most(ctx context.Context, pid int) (peaks [2]int64) {
	child := 0
	for {
		own, _ := harness.MemoryOf(pid) // its end is noticed elsewhere
		peaks[0] = max(peaks[0], own.Anonymous)
		if child == 0 {
			child = childOf(pid)
		}
		memory, err := harness.MemoryOf(child)
		if err != nil {
			child = 0 // there is none, or it has ended
		}
		peaks[1] = max(peaks[1], memory.Anonymous)
		if !harness.Pause(ctx, lookEvery) {
			return peaks
		}
	}
}

// childOf returns a child of a process, or 0.
func childOf(pid int) int {
	all, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is right
	for _, path := range all {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// The name, in brackets, may have spaces and brackets in it.
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			child, _ := strconv.Atoi(filepath.Base(filepath.Dir(path))) // digits
			return child
		}
	}
	return 0
}
