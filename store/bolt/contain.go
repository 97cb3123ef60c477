package bolt

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// contain runs f, which touches pages of the file. bbolt panics on pages that it does
// not like, and the kernel raises a fault on those that vanished from under the
// mapping. Both become ErrDamaged, and the store refuses everything from then on.
//
// Any other panic is a mistake in fever and no fault of the file: it goes on to the
// caller, with its stack, when the transactions in f have been rolled back.
func (s *Store) contain(f func() error) (err error) {
	if err := s.Broken(); err != nil {
		return err
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
		err = damaged(s.path, fmt.Sprint(r))
		s.broken.Store(&err)
		s.bell.ring()
	}()
	err = f()
	if errors.Is(err, berrors.ErrInvalidMapping) { // it has let the old mapping go, and got no new one
		s.broken.Store(&err)
		s.bell.ring()
	}
	return err
}

// Broken returns nil, or why the store refuses everything from now on: bbolt panicked, so
// what it holds in memory is not to be trusted, or it could not map the file anew. Only
// opening the file again can help. It waits for nothing.
func (s *Store) Broken() error {
	if first := s.broken.Load(); first != nil {
		return fmt.Errorf("the data file cannot be used until a restart: %w", *first)
	}
	return nil
}

// own and bolt are what the names of the functions of this package and of bbolt begin with.
var (
	own  = reflect.TypeFor[Store]().PkgPath() + "."
	bolt = reflect.TypeFor[bbolt.DB]().PkgPath()
)

// fromBolt reports whether it was bbolt that panicked, and not fever's code that bbolt
// called or that called bbolt: which of the two is closer to the panic. Nothing else of
// fever calls bbolt or is called by it, so this package is all of fever there. It is for
// the deferred function that has recovered: what panicked is then still on the stack.
func fromBolt() bool {
	var stack [64]uintptr // between a panic and either of the two there is little
	frames := runtime.CallersFrames(stack[:runtime.Callers(3, stack[:])])
	for {
		frame, more := frames.Next()
		switch {
		case strings.HasPrefix(frame.Function, bolt):
			return true
		case strings.HasPrefix(frame.Function, own) || !more:
			return false
		}
	}
}
