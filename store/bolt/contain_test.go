package bolt

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"fever/event"
	"fever/store"
)

// mistaken is a context in which a mistake happens when it is asked for the nth time.
type mistaken struct {
	context.Context
	mistake func()
	n       int
}

func (c *mistaken) Err() error {
	if c.n--; c.n == 0 {
		c.mistake()
	}
	return c.Context.Err()
}

// TestMistake panics in fever's code within transactions. The panic must come through
// with its stack, change nothing, and leave the store in order.
func TestMistake(t *testing.T) {
	t.Parallel()
	title := func(e *event.Event) string { return e.Title }
	zone := func(e *event.Event, i int) event.Zone { return e.Zones[i] }
	for name, mistake := range map[string]func(){
		"a panic":         func() { panic("a mistake") },
		"a nil pointer":   func() { _ = title(nil) },
		"an index":        func() { _ = zone(new(event.Event), 1) },
		"an error thrown": func() { panic(errors.New("a mistake")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			apply(t, s, snapshot("a", 1, sample("a", 1, 1), sample("a", 2, 1)))
			job := begin(t, s, "a")
			before := stateOf(t, s)
			caught := func(f func(context.Context) error, n int) (stack string) {
				defer func() {
					if recover() != nil {
						stack = string(debug.Stack())
					}
				}()
				if err := f(&mistaken{t.Context(), mistake, n}); err != nil {
					t.Errorf("error %v", err)
				}
				return ""
			}
			for what, f := range map[string]func(context.Context) error{
				"Apply": func(ctx context.Context) error {
					_, _, err := s.Apply(ctx, snapshot("a", 2, sample("a", 2, 2), sample("a", 3, 1)), job)
					return err
				},
				"Records": func(ctx context.Context) (err error) {
					for _, e := range s.Records(ctx, everything) {
						err = errors.Join(err, e)
					}
					return err
				},
			} {
				// Apply asks when it compares, when it writes, and before it commits.
				for n := range 3 {
					stack := caught(f, n+1)
					if !strings.Contains(stack, "bolt.(*mistaken).Err") || !strings.Contains(stack, "bolt.TestMistake.func") {
						t.Errorf("%s, %d: the stack is %q", what, n, stack)
					}
					if !reflect.DeepEqual(stateOf(t, s), before) {
						t.Errorf("%s, %d: something changed", what, n)
					}
				}
			}
			job.State, job.Kind = store.Failed, "internal"
			finish(t, s, job)
			if got := apply(t, s, snapshot("a", 2, sample("a", 3, 1))); got.New != 1 || got.Gone != 2 {
				t.Errorf("%+v afterwards", got)
			}
		})
	}
}

// TestPagesChange overwrites a page that was in order when the file was opened, and on
// which bbolt panics.
func TestPagesChange(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "fever.db")
	s, err := Open(path, keep)
	if err != nil {
		t.Fatal(err)
	}
	var events []event.Event
	for i := range 200 {
		events = append(events, sample("a", i, 1))
	}
	apply(t, s, snapshot("a", 1, events...))
	var root int64
	if err := s.view(func(tx *bbolt.Tx) error {
		root = int64(tx.Bucket(eventsBucket).RootPage())
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	size := os.Getpagesize()
	if _, err := f.WriteAt(make([]byte, size), root*int64(size)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	_, _, err1 := s.Load(t.Context())
	_, err2 := run(t.Context(), s, snapshot("a", 2)) // has nothing to do with that page
	for i, err := range []error{err1, err2, s.Check(), s.Stats().Broken} {
		if !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%d: error %v", i, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
