package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"fever/store"
)

// A disk stands between a store and its file, and fails from one write on.
type disk struct {
	file   **os.File // what bbolt grows and syncs
	opened *os.File  // what that was
	real   func([]byte, int64) (int, error)

	how    fault
	at     int
	writes int // since then
	meta   int // the number of the last one of a meta page
}

// A fault says what a disk does when it fails.
type fault int

const (
	noFault    fault = iota
	noSpace          // of a write, nothing is written
	half             // of a write, half of it is
	tornMeta         // of a write, the bytes are there that make a meta page look like one, but not all
	noSync           // the write goes well, but not what comes after it: another one, or making it last
	noGrowth         // the file can neither grow nor be made to last
	faultTypes       // their number
)

func (f fault) String() string {
	return [...]string{"no fault", "no space", "half a write", "a torn write", "no sync", "no growth"}[f]
}

// newDisk puts a disk under s. bbolt has a hook for its writes, for its own tests: that
// it has been renamed is a panic here.
func newDisk(s *Store) *disk {
	db := reflect.ValueOf(s.db).Elem()
	write := (*func([]byte, int64) (int, error))(unsafe.Pointer(db.FieldByName("ops").FieldByName("writeAt").UnsafeAddr()))
	file := (**os.File)(unsafe.Pointer(db.FieldByName("file").UnsafeAddr()))
	d := &disk{file: file, opened: *file, real: *write}
	*write = d.writeAt
	return d
}

// fail makes the disk fail in one way at a write from now on, which are counted from 0,
// and at all that follow it.
func (d *disk) fail(how fault, at int) {
	d.how, d.at, d.writes = how, at, 0
	*d.file = d.opened
	if how == noGrowth {
		*d.file = closedFile
	}
}

// closedFile is a file with which nothing can be done.
var closedFile = func() *os.File {
	r, w, err := os.Pipe()
	if err := errors.Join(err, r.Close(), w.Close()); err != nil {
		panic(err)
	}
	return w
}()

func (d *disk) writeAt(b []byte, offset int64) (int, error) {
	n := d.writes
	d.writes++
	if offset < 2*int64(os.Getpagesize()) {
		d.meta = n
	}
	if d.how == noFault || n < d.at {
		return d.real(b, offset)
	}
	written := 0
	switch {
	case d.how == noSync:
		*d.file = closedFile
		if n == d.at {
			return d.real(b, offset)
		}
	case n > d.at: // all that follows fails
	case d.how == half:
		written = len(b) / 2
	case d.how == tornMeta:
		written = metaBytes - 8
	}
	written, err := d.real(b[:written], offset)
	return written, errors.Join(&fs.PathError{Op: "write", Path: d.opened.Name(), Err: syscall.ENOSPC}, err)
}

// TestWritesFail does each thing that writes on a disk that fails at every position of
// it, in every way. Each time the store must say so, and hold what it held before, or
// what it would hold now if the end of the commit was reached, wholly. So must a copy
// of the file as it is then, as after a crash; and when the disk works again the store
// goes on.
func TestWritesFail(t *testing.T) {
	t.Parallel()
	file, states := victim(t)
	before := states[len(states)-1]
	snap := snapshot("c", 9, sample("c", 1, 1), sample("c", 2, 300))
	for n := range 100 {
		snap.Events = append(snap.Events, sample("c", 3+n, 5))
	}
	newest := before.jobs[0] // which runs
	newest.Finished = noon.Add(time.Second)
	for name, do := range map[string]func(context.Context, *Store) error{
		"apply": func(ctx context.Context, s *Store) error {
			_, _, err := s.Apply(ctx, snap, newest)
			return err
		},
		"begin": func(ctx context.Context, s *Store) error {
			_, err := s.Begin(ctx, store.Job{Provider: "c", Trigger: store.Schedule, Started: noon})
			return err
		},
		"finish": func(ctx context.Context, s *Store) error {
			job := newest
			job.State, job.Kind, job.Message = store.Failed, "timeout", strings.Repeat("long ", 400)
			return s.Finish(ctx, job, nil)
		},
		"forget": func(ctx context.Context, s *Store) error {
			_, err := s.Forget(ctx, store.Forgetting{Provider: "a"})
			return err
		},
		"rename": func(ctx context.Context, s *Store) error {
			_, err := s.Rename(ctx, store.Renaming{From: "a", To: "a-b"})
			return err
		},
		"interrupt": func(ctx context.Context, s *Store) error {
			_, err := s.Interrupt(ctx, noon)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			open := func(name string, content []byte) *Store {
				t.Helper()
				path := filepath.Join(dir, name)
				if err := os.WriteFile(path, content, 0o600); err != nil {
					t.Fatal(err)
				}
				s, err := Open(path, keep)
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
			finish := func(s *Store) {
				t.Helper()
				if err := errors.Join(s.Check(), s.Close()); err != nil {
					t.Error(err)
				}
			}
			s := open("well.db", file)
			d := newDisk(s)
			if err := do(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			after, writes, meta := stateOf(t, s), d.writes, d.meta
			finish(s)
			if meta != writes-1 {
				t.Fatalf("the meta page is write %d of %d", meta, writes)
			}
			positions := 0
			for how := noSpace; how < faultTypes; how++ {
				for at := range writes {
					if how == noGrowth && at > 0 {
						continue // it comes before all writes
					}
					if testing.Short() && at%4 > 0 && at != meta {
						continue
					}
					positions++
					what := fmt.Sprintf("%s at write %d of %d", how, at, writes)
					s := open("fever.db", file)
					d := newDisk(s)
					d.fail(how, at)
					err := do(t.Context(), s)
					if err == nil || errors.Is(err, store.ErrDamaged) {
						t.Fatalf("%s: error %v", what, err)
					}
					if (how == noSpace || how == half || how == tornMeta) && !errors.Is(err, syscall.ENOSPC) {
						t.Errorf("%s: error %v", what, err)
					}
					// Only bbolt's last step can fail when the new state is in the file: of a
					// meta page, the first half is all that counts.
					want, uncertain := before, at == meta && (how == noSync || how == half)
					if uncertain {
						want = after
					}
					if errors.Is(err, store.ErrUncertain) != uncertain {
						t.Errorf("%s: error %v", what, err)
					}
					check := func(s *Store) {
						t.Helper()
						if got := stateOf(t, s); !reflect.DeepEqual(got, want) {
							t.Errorf("%s: the state is neither", what)
						}
						if loaded, _, err := s.Load(t.Context()); err != nil || len(loaded) != len(want.records) {
							t.Errorf("%s: %d events loaded: %v", what, len(loaded), err)
						}
					}
					check(s)
					crashed := open("crashed.db", read(t, s.path))
					check(crashed)
					finish(crashed)

					if again := do(t.Context(), s); again == nil || errors.Is(again, store.ErrDamaged) {
						t.Errorf("%s: the disk still fails: error %v", what, again)
					}
					d.fail(noFault, 0)
					check(s)
					if _, err := run(t.Context(), s, snap); err != nil {
						t.Errorf("%s: the disk works again: %v", what, err)
					}
					if got := jobs(t, s, store.JobFilter{Limit: 2}); got[0].State != store.Completed || got[1].State == store.Running {
						t.Errorf("%s: the last jobs are %+v", what, got)
					}
					finish(s)
				}
			}
			t.Logf("%d positions", positions)
		})
	}
}
