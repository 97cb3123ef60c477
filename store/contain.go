package store

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// contain runs f, which touches pages of the file. bbolt panics on pages that it does
// not like, and the kernel raises a fault on those that vanished from under the
// mapping. Both become ErrDamaged, and the store refuses everything from then on.
//
// Any other panic is a mistake in fever and no fault of the file: it goes on to the
// caller, with its stack, when the transactions in f have been rolled back.
func (s *Store) contain(f func() error) (err error) {
	if s.broken.Load() {
		return damaged(s.path, "found so while it was open")
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // of this goroutine only
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		if _, fault := r.(interface{ Addr() uintptr }); !fault && !fromBolt() {
			panic(r)
		}
		s.broken.Store(true)
		err = damaged(s.path, fmt.Sprint(r))
	}()
	return f()
}

// fromBolt reports whether it was bbolt that panicked, and not fever's code that bbolt
// called or that called bbolt: which of the two stands closer to the panic. It is for
// the deferred function that has recovered: what panicked is then still on the stack.
func fromBolt() bool {
	var stack [64]uintptr // between a panic and either of the two there is little
	frames := runtime.CallersFrames(stack[:runtime.Callers(3, stack[:])])
	for {
		frame, more := frames.Next()
		switch {
		case strings.HasPrefix(frame.Function, "go.etcd.io/bbolt"):
			return true
		case strings.HasPrefix(frame.Function, "fever/") || !more:
			return false
		}
	}
}
