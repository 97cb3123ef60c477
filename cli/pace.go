package cli

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// Garbage is collected when there is so much of it, or as much as a collection has to look
// through. By default it would be as much as is in use: with few events a collection every
// few milliseconds of load, with a million twice the memory, though in these there are
// hardly any pointers to look for: a collection takes 2 to 8 ms of processor time then,
// once in about ten thousand searches. A big feed that is being decoded is another matter.
const headroom = 32 << 20

// A pace is how often the collector runs.
type pace struct {
	mu      sync.Mutex
	percent int // as it is set; 0: not yet
	before  int // as it was
	stopped bool
}

// paceCollector keeps to the headroom until stop is called, unless the environment says
// how to collect.
func paceCollector() (stop func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	p := new(pace)
	p.adjust()
	return p.stop
}

// adjust sets the percentage that comes to the headroom, and does so again after the next
// collection. That is when the runtime knows what is in use.
func (p *pace) adjust() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return
	}
	heap := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/heap:bytes"}}
	metrics.Read(heap)
	const least = 4 << 20 // the runtime's own: a process that has just started uses less
	used, scanned := max(heap[0].Value.Uint64(), least), heap[1].Value.Uint64()
	if percent := int(100 * max(headroom, scanned) / used); percent != p.percent {
		before := debug.SetGCPercent(percent)
		if p.percent == 0 {
			p.before = before
		}
		p.percent = percent
	}
	type sentinel struct{ _ *byte } // with a pointer, or it could share its memory with what lives on
	runtime.AddCleanup(&sentinel{}, (*pace).adjust, p)
}

func (p *pace) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	debug.SetGCPercent(p.before)
}
