package cli

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

// Garbage is collected when there is so much of it, or an eighth of what is in use. By
// default it would be as much as is in use: with few events a collection every few
// milliseconds of load, with a million twice the memory.
const headroom = 40 << 20

// paceCollector keeps to that until stop is called, unless the environment says how to
// collect.
func paceCollector() (stop func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	var stopped atomic.Bool
	pace(&stopped, 0)
	return func() { stopped.Store(true) }
}

// pace sets the percentage that comes to the headroom, and does so again after the next
// collection. That is when the runtime knows what is in use.
func pace(stopped *atomic.Bool, before int) {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	const least = 4 << 20 // the runtime's own: a process that has just started uses less
	used := max(live[0].Value.Uint64(), least)
	percent := int(100 * max(headroom, used/8) / used)
	if percent != before {
		debug.SetGCPercent(percent)
	}
	type sentinel struct{ _ *byte } // with a pointer, or it could share its memory with what lives on
	runtime.AddCleanup(&sentinel{}, func(struct{}) {
		if !stopped.Load() {
			pace(stopped, percent)
		}
	}, struct{}{})
}
