//go:build unix

package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"go.etcd.io/bbolt"

	"fever/store"
)

// alone runs a test in a process of its own, since what it does is done to all of a
// process, in a folder that is removed after it. It reports whether this is that
// process. Not parallel, for the same reason as [TestKilled].
func alone(t *testing.T) bool {
	t.Helper()
	const variable = "FEVER_TEST_ALONE"
	if os.Getenv(variable) == t.Name() {
		return true
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), program, "-test.run=^"+t.Name()+"$", "-test.v", fmt.Sprintf("-test.short=%t", testing.Short()))
	child.Dir = t.TempDir()
	child.Env = append(os.Environ(), variable+"="+t.Name())
	out, err := child.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// limitFiles lets this process write no file beyond so many bytes.
func limitFiles(t *testing.T, bytes uint64) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = min(bytes, limit.Max)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
}

const unlimited = 1 << 40

// TestNoRoom lets the system refuse what goes beyond a size, which it moves through the
// file: a write that crosses it is a short one. The store must keep what it held, and go
// on when there is room.
func TestNoRoom(t *testing.T) {
	if !alone(t) {
		return
	}
	file, states := victim(t)
	before := states[len(states)-1]
	const path = "fever.db"
	var refused [2]int
	step := 1
	if testing.Short() {
		step = 3
	}
	for i := 0; i < 2*130; i += step {
		limit := i / 2 * len(file) / 100                                // in each page it is another byte
		snap := snapshot("c", 9, sample("c", 1, 1), sample("c", 2, 20)) // there are free pages for it
		if i%2 > 0 {
			snap = snapshot("c", 9, sample("c", 1, 1), sample("c", 2, 4000)) // the file must grow for it
		}
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(path, keep)
		if err != nil {
			t.Fatal(err)
		}
		job := before.jobs[0]
		job.Finished = noon
		limitFiles(t, uint64(limit))
		_, _, err = s.Apply(t.Context(), snap, job)
		if err != nil {
			refused[i%2]++
			if !strings.Contains(err.Error(), syscall.EFBIG.Error()) || errors.Is(err, store.ErrDamaged) { // bbolt does not wrap it
				t.Errorf("%d bytes: error %v", limit, err)
			}
			if !reflect.DeepEqual(stateOf(t, s), before) {
				t.Errorf("%d bytes: the state is another", limit)
			}
			if loaded, _, err := s.Load(t.Context()); err != nil || len(loaded) != len(before.records) {
				t.Errorf("%d bytes: %d events loaded: %v", limit, len(loaded), err)
			}
		}
		limitFiles(t, unlimited)
		if applied, err := run(t.Context(), s, snap); err != nil || applied.New+applied.Unchanged != 2 {
			t.Errorf("%d bytes: with room again: %+v, %v", limit, applied, err)
		}
		if err := errors.Join(s.Check(), s.Close()); err != nil {
			t.Errorf("%d bytes: %v", limit, err)
		}
		checkFile(t, path)
	}
	if refused[0] < 10/step || refused[1] < 90/step {
		t.Errorf("%d refused", refused)
	}
	t.Logf("%d sizes refused", refused)
}

// TestNoRoomToCreate creates a store where there is room for a part of it. When there is
// room again it must be created, unless so little is there that it could be the rest of
// another file: then it is refused, and left as it is.
func TestNoRoomToCreate(t *testing.T) {
	if !alone(t) {
		return
	}
	refused := 0
	for limit := uint64(0); limit < 40<<10; limit += 40 + limit/20 {
		path := filepath.Join(t.TempDir(), "fever.db")
		limitFiles(t, limit)
		s, err := Open(path, keep)
		limitFiles(t, unlimited)
		if err == nil {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			checkFile(t, path)
			continue
		}
		refused++
		if !strings.Contains(err.Error(), syscall.EFBIG.Error()) || errors.Is(err, store.ErrDamaged) {
			t.Errorf("%d bytes: error %v", limit, err)
		}
		left := read(t, path)
		if len(left) > 0 && len(left) < metaBytes {
			if _, err := Open(path, keep); !errors.Is(err, store.ErrForeign) && !errors.Is(err, store.ErrDamaged) {
				t.Errorf("%d bytes: error %v", limit, err)
			}
			if !bytes.Equal(read(t, path), left) {
				t.Errorf("%d bytes: the file has changed", limit)
			}
			continue
		}
		if r, err := OpenReadOnly(path); !errors.Is(err, store.ErrForeign) || !strings.Contains(err.Error(), "nothing was stored in it yet") {
			t.Errorf("%d bytes, for reading: %v, error %v", limit, r, err)
		}
		if s, err = Open(path, keep); err != nil {
			t.Errorf("%d bytes, with room again: %v", limit, err)
			continue
		}
		apply(t, s, snapshot("a", 1, sample("a", 1, 1)))
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		checkFile(t, path)
	}
	if refused < 50 {
		t.Errorf("%d refused", refused)
	}
	t.Logf("%d sizes refused", refused)
}

// TestNoPermission opens files and folders as a user who may not.
func TestNoPermission(t *testing.T) {
	if !alone(t) {
		return
	}
	// All is done in the current folder, as another user may not pass its parents.
	s, err := Open("fever.db", keep)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, s, snapshot("a", 1, sample("a", 1, 1)))
	want := stateOf(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	content := read(t, "fever.db")
	for _, name := range []string{"closed", "locked"} {
		if err := errors.Join(os.Mkdir(name, 0o700), os.WriteFile(filepath.Join(name, "fever.db"), content, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	err = errors.Join(
		os.Chmod(".", 0o755), os.Chmod("fever.db", 0o444), os.WriteFile("secret.db", content, 0o000),
		os.Chmod("locked", 0o000), os.Chmod("closed/fever.db", 0o444), os.Chmod("closed", 0o555),
	)
	if err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 { // who may do anything
		const nobody = 65534
		if err := syscall.Setuid(nobody); err != nil {
			t.Fatal(err)
		}
	} else {
		defer func() { // so that the folders can be removed
			if err := errors.Join(os.Chmod("closed", 0o700), os.Chmod("locked", 0o700)); err != nil {
				t.Error(err)
			}
		}()
	}
	refuse := func(path string, open func(string) (*Store, error)) {
		t.Helper()
		_, err := open(path)
		if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "or use another --db") {
			t.Errorf("error %v", err)
		}
	}
	for _, path := range []string{"fever.db", "secret.db", "closed/fever.db", "locked/fever.db", "closed/new.db", "locked/new.db"} {
		refuse(path, openToKeep)
	}
	for _, path := range []string{"secret.db", "locked/fever.db"} {
		refuse(path, OpenReadOnly)
	}
	for _, path := range []string{"fever.db", "closed/fever.db"} {
		r, err := OpenReadOnly(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := stateOf(t, r); !reflect.DeepEqual(got, want) {
			t.Errorf("%s holds %+v", path, got)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if !bytes.Equal(read(t, path), content) {
			t.Errorf("%s has changed", path)
		}
	}
}

// TestCutOff opens what is left when the process ends, or the disk is full, while bbolt
// writes the pages that a file begins with. Nothing was stored in it: it is created,
// unless another process is at it.
func TestCutOff(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "fever.db")
	db, err := bbolt.Open(path, 0o600, nil)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	whole := read(t, path)
	for _, length := range []int{metaBytes, os.Getpagesize(), 2 * os.Getpagesize(), len(whole) - 1} {
		if err := os.WriteFile(path, whole[:length], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenReadOnly(path); !errors.Is(err, store.ErrForeign) || !strings.Contains(err.Error(), "nothing was stored in it yet") {
			t.Errorf("%d bytes: for reading: error %v", length, err)
		}
		other, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Flock(int(other.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			t.Fatalf("%d bytes: it is locked: %v", length, err)
		}
		if _, err := Open(path, keep); !errors.Is(err, store.ErrLocked) {
			t.Errorf("%d bytes: locked: error %v", length, err)
		}
		if got := read(t, path); !bytes.Equal(got, whole[:length]) {
			t.Errorf("%d bytes: it has %d now", length, len(got))
		}
		if err := other.Close(); err != nil {
			t.Error(err)
		}
		s, err := Open(path, keep)
		if err != nil {
			t.Fatalf("%d bytes: error %v", length, err)
		}
		apply(t, s, snapshot("a", 1, sample("a", 1, 1)))
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		checkFile(t, path)
	}
}
