package bolt

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"fever/event"
	"fever/store"
)

// filled returns a store with some events and jobs.
func filled(t *testing.T) *Store {
	t.Helper()
	s := newStore(t)
	apply(t, s, snapshot("a", 1, many(300)...))
	apply(t, s, snapshot("a", 2, many(200)...))
	apply(t, s, snapshot("b", 2, sample("b", 1, 2)))
	return s
}

func many(n int) (events []event.Event) {
	for i := range n {
		events = append(events, sample("a", i, 3))
	}
	return events
}

// checkCopy opens a copy and compares what it holds.
func checkCopy(t *testing.T, copied []byte, wantRecords []event.Record, wantJobs []store.Job) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(path, copied, 0o600); err != nil {
		t.Fatal(err)
	}
	checkFile(t, path)
	s, err := Open(path, keep) // a copy is a data file to go on with
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		checkFile(t, path)
	}()
	if got := records(t, s, everything); !reflect.DeepEqual(got, wantRecords) {
		t.Errorf("the copy holds %d events, not the %d", len(got), len(wantRecords))
	}
	if got := jobs(t, s, store.JobFilter{}); !reflect.DeepEqual(got, wantJobs) {
		t.Errorf("the copy holds the jobs %+v, not %+v", got, wantJobs)
	}
	apply(t, s, snapshot("a", 9, sample("a", 1, 1)))
}

// A meanwhile is a writer that runs f with the first Write.
type meanwhile struct {
	bytes.Buffer
	f func()
}

func (m *meanwhile) Write(p []byte) (int, error) {
	if f := m.f; f != nil {
		m.f = nil
		f()
	}
	return m.Buffer.Write(p)
}

// TestBackup copies a file that is written to meanwhile, as far as there is room in
// what is mapped. The copy is of the moment when it began.
func TestBackup(t *testing.T) {
	t.Parallel()
	s := filled(t)
	wantRecords, wantJobs := records(t, s, everything), jobs(t, s, store.JobFilter{})
	w := &meanwhile{f: func() {
		apply(t, s, snapshot("b", 3, sample("b", 2, 3), sample("b", 3, 3)))
	}}
	n, err := s.Backup(t.Context(), w)
	if err != nil || n != int64(w.Len()) {
		t.Fatalf("%d of %d bytes, %v", n, w.Len(), err)
	}
	checkCopy(t, w.Bytes(), wantRecords, wantJobs)
	if got := records(t, s, everything); len(got) != len(wantRecords)+2 {
		t.Errorf("%d events are stored, where %d were and 2 came", len(got), len(wantRecords))
	}
}

// TestBackupOfReader copies a file that is open for reading only.
func TestBackupOfReader(t *testing.T) {
	t.Parallel()
	s := filled(t)
	wantRecords, wantJobs := records(t, s, everything), jobs(t, s, store.JobFilter{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := OpenReadOnly(s.path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	var w bytes.Buffer
	if _, err := r.Backup(t.Context(), &w); err != nil {
		t.Fatal(err)
	}
	checkCopy(t, w.Bytes(), wantRecords, wantJobs)
}

// failing is a writer that takes so many bytes.
type failing int

var errFull = errors.New("full")

func (f *failing) Write(p []byte) (int, error) {
	if *f -= failing(len(p)); *f < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// TestBackupEnds ends copies half-way.
func TestBackupEnds(t *testing.T) {
	t.Parallel()
	s := filled(t)
	for _, room := range []failing{0, 5_000, 10_000, 40_000} {
		if _, err := s.Backup(t.Context(), &room); !errors.Is(err, errFull) {
			t.Errorf("error %v", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	w := &meanwhile{f: cancel}
	if n, err := s.Backup(ctx, w); !errors.Is(err, context.Canceled) || n != int64(w.Len()) {
		t.Errorf("%d of %d bytes, %v", n, w.Len(), err)
	}
	if _, err := s.Spool(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if _, err := s.Backup(t.Context(), io.Discard); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	checkAlone(t, s.path)
}

// TestSpool reads a copy after its store was closed, which would wait for a
// transaction that is still open.
func TestSpool(t *testing.T) {
	t.Parallel()
	s := filled(t)
	wantRecords, wantJobs := records(t, s, everything), jobs(t, s, store.JobFilter{})
	f, err := s.Spool(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	checkAlone(t, s.path)
	apply(t, s, snapshot("b", 3))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	copied, err := io.ReadAll(f)
	if err != nil || int64(len(copied)) != info.Size() {
		t.Errorf("%d of %d bytes, %v", len(copied), info.Size(), err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	checkCopy(t, copied, wantRecords, wantJobs)
}

// TestSpoolElsewhere copies where nothing can be made beside the data file, as when the
// disk is full.
func TestSpoolElsewhere(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	s := filled(t)
	wantRecords, wantJobs := records(t, s, everything), jobs(t, s, store.JobFilter{})
	path := s.path
	defer func() { s.path = path }()
	s.path = filepath.Join(t.TempDir(), "missing", "fever.db") // bbolt has the file open
	f, err := s.Spool(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	copied, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	checkCopy(t, copied, wantRecords, wantJobs)
	if files, err := os.ReadDir(os.TempDir()); err != nil || len(files) != 0 {
		t.Errorf("left are %v, %v", files, err)
	}

	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "gone"))
	if _, err := s.Spool(t.Context()); err == nil || !strings.Contains(err.Error(), "missing") || !strings.Contains(err.Error(), "gone") {
		t.Errorf("error %v does not name both folders", err)
	}
}

// checkAlone looks for files that were left beside the data file.
func checkAlone(t *testing.T, path string) {
	t.Helper()
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 {
		t.Errorf("the folder holds %v, %v", files, err)
	}
}
