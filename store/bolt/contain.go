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

// contain runs f, which reads pages of the file. bbolt panics on pages that are not as it
// wrote them, and the kernel raises a fault when mapped pages are no longer in the file.
// Both become store.ErrDamaged, and the store refuses everything from then on.
//
// Any other panic is a mistake in fever. It goes on to the caller, with its stack, after
// the transactions in f were rolled back.
func (s *Store) contain(f func() error) (err error) {
	if err := s.failure(); err != nil {
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
	if errors.Is(err, berrors.ErrInvalidMapping) { // it has unmapped the file, and could not map it again
		s.broken.Store(&err)
		s.bell.ring()
	}
	return err
}

// failure returns nil, or why the store refuses everything from now on: bbolt panicked, so
// what it holds in memory is not to be trusted, or it could not map the file anew. Only
// opening the file again can help. It waits for nothing.
func (s *Store) failure() error {
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

// fromBolt reports whether bbolt panicked, and not fever's code that called bbolt or that
// bbolt called. It looks for the function of either that is closest to the panic. Only this
// package of fever calls bbolt or is called by it. A deferred function calls fromBolt after
// it has recovered: the stack still holds the functions that panicked.
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
