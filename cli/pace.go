package cli

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// The collector runs after max(headroom, scannable heap) of allocation. By default it runs
// after as much allocation as the heap is large. With few events that is every few
// milliseconds under load. With a million events it doubles the memory, although these have
// hardly any pointers: a collection takes 2 to 8 ms of processor time, once in about ten
// thousand searches. A large feed in decoding has many pointers, hence the scannable heap.
const headroom = 32 << 20

// A pace controls how often the collector runs.
type pace struct {
	mu      sync.Mutex
	percent int // of GOGC as it was last set; 0: not yet
	before  int // of GOGC before the first change
	stopped bool
}

// paceCollector adapts GOGC to the headroom until stop is called. If the environment sets
// GOGC, it does nothing.
func paceCollector() (stop func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	p := new(pace)
	p.adjust()
	return p.stop
}

// adjust sets the percentage that equals the headroom, and again after each collection, when
// the runtime has measured the live heap.
func (p *pace) adjust() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return
	}
	heap := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/heap:bytes"}}
	metrics.Read(heap)
	const least = 4 << 20 // the runtime's minimum; a new process uses less
	used, scanned := max(heap[0].Value.Uint64(), least), heap[1].Value.Uint64()
	if percent := int(100 * max(headroom, scanned) / used); percent != p.percent {
		before := debug.SetGCPercent(percent)
		if p.percent == 0 {
			p.before = before
		}
		p.percent = percent
	}
	type sentinel struct{ _ *byte } // has a pointer, so that it is not allocated together with longer-lived values
	runtime.AddCleanup(&sentinel{}, (*pace).adjust, p)
}

func (p *pace) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	debug.SetGCPercent(p.before)
}
