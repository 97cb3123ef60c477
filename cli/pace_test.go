package cli

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
	"unsafe"
)

// TestPaceCollector follows the percentage while what is in use grows and shrinks. It is
// not parallel: the percentage is the process's.
func TestPaceCollector(t *testing.T) {
	t.Setenv("GOGC", "")
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	percent := func() int {
		sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		metrics.Read(sample)
		return int(sample[0].Value.Uint64())
	}
	stop := paceCollector()
	until := func(what string, ok func(percent int) bool) {
		t.Helper()
		for end := time.Now().Add(time.Minute); time.Now().Before(end); {
			runtime.GC() // and the cleanups after it
			for range 1000 {
				if ok(percent()) {
					return
				}
				runtime.Gosched()
			}
		}
		t.Fatalf("%s: the percentage is %d", what, percent())
	}
	until("with little in use", func(p int) bool { return p > 100 })
	much := make([]byte, 400<<20)
	until("with much in use", func(p int) bool { return p >= 6 && p <= 8 })
	runtime.KeepAlive(much)
	pointers := make([]*byte, 128<<20/unsafe.Sizeof(uintptr(0)))
	until("with much to look through", func(p int) bool { return p >= 90 && p <= 100 })
	runtime.KeepAlive(pointers)
	until("with little in use again", func(p int) bool { return p > 100 })
	stop()
	until("after the end", func(p int) bool { return p == 100 })
	until("and still", func(p int) bool { return p == 100 })

	t.Setenv("GOGC", "50")
	defer paceCollector()()
	if p := percent(); p != 100 {
		t.Errorf("with a percentage in the environment it is %d", p)
	}
}
