package bolt

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"fever/store"
)

func openToKeep(path string) (*Store, error) { return Open(path, keep) }

func TestOpenKeepsSomething(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "fever.db")
	for _, keep := range []int{0, -1} {
		if _, err := Open(path, keep); err == nil || !strings.Contains(err.Error(), "at least 1") {
			t.Errorf("error %v", err)
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it was created: %v", err)
	}
}

func TestOpenCreates(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(path string) error{
		"missing":  func(string) error { return nil },
		"no bytes": func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"left by bbolt before fever's buckets were in it": func(path string) error {
			db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true})
			return errors.Join(err, db.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "fever.db")
			if err := make(path); err != nil {
				t.Fatal(err)
			}
			_, err := OpenReadOnly(path)
			if want := map[bool]error{true: fs.ErrNotExist, false: store.ErrForeign}[name == "missing"]; !errors.Is(err, want) {
				t.Errorf("for reading: error %v, not %v", err, want)
			}
			if _, err := os.Stat(path); name == "missing" && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("opening it for reading created it: %v", err)
			}
			s, err := Open(path, keep)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if err := s.Close(); err != nil {
				t.Errorf("closing again: %v", err)
			}
			info, err := os.Stat(path)
			if err != nil || info.Mode() != 0o600 {
				t.Errorf("%v, %v", info.Mode(), err)
			}
			checkFile(t, path)
		})
	}
}

// TestOpenRefuses opens what is not a store of this version's. It must be refused
// with a message that names it, and stay as it is.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	bolt := func(options bbolt.Options, fill func(tx *bbolt.Tx) error) func(path string) error {
		return func(path string) error {
			db, err := bbolt.Open(path, 0o600, &options)
			if err != nil {
				return err
			}
			return errors.Join(db.Update(fill), db.Close())
		}
	}
	put := func(app, format string) func(path string) error {
		return bolt(bbolt.Options{}, func(tx *bbolt.Tx) error {
			meta, err := tx.CreateBucket(metaBucket)
			if err != nil {
				return err
			}
			return errors.Join(meta.Put(applicationKey, []byte(app)), meta.Put(formatKey, []byte(format)))
		})
	}
	write := func(content string) func(path string) error {
		return func(path string) error { return os.WriteFile(path, []byte(content), 0o600) }
	}
	guests := func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("guests")); return err }
	for _, tc := range []struct {
		name string
		make func(path string) error
		want error
		say  string
	}{
		{"a text", write("my notes\n"), store.ErrForeign, "another program wrote it"},
		{"a long text", write(strings.Repeat("my notes\n", 10_000)), store.ErrForeign, "another program wrote it"},
		{"an SQLite file", write("SQLite format 3\x00" + strings.Repeat("\x10\x00\x01\x01", 4096)), store.ErrForeign, "another program wrote it"},
		{"zeros", write(strings.Repeat("\x00", 32<<10)), store.ErrForeign, "another program wrote it"},
		{"a directory", func(path string) error { return os.Mkdir(path, 0o700) }, store.ErrForeign, "directory"},
		{"a socket", func(path string) error {
			if dir, name := filepath.Split(path); len(path) > 100 { // too long for a socket's, unless a link leads there
				links, err := os.MkdirTemp("/tmp", "store") //nolint:usetesting // it is to be short
				if err != nil {
					return err
				}
				defer func() { _ = os.RemoveAll(links) }()
				link := filepath.Join(links, "link")
				if err := os.Symlink(dir, link); err != nil {
					return err
				}
				path = filepath.Join(link, name)
			}
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
			if err != nil {
				return err
			}
			l.SetUnlinkOnClose(false)
			return l.Close()
		}, store.ErrForeign, "socket"},
		{"another program's bbolt file", bolt(bbolt.Options{}, guests), store.ErrForeign, "another program's bbolt file"},
		{"the same, without a list of free pages", bolt(bbolt.Options{NoFreelistSync: true}, guests), store.ErrForeign, "another program wrote it"},
		{"another application", put("\x64guru", "\x01"), store.ErrForeign, "another program's bbolt file"},
		{"a newer format", put("\x65fever", "\x06"), store.ErrNewer, "format 6, this one knows 5"},
		{"a much newer format", put("\x65fever", "\x1b\xff\xff\xff\xff\xff\xff\xff\xff"), store.ErrNewer, "format 18446744073709551615"},
		{"format 0", put("\x65fever", "\x00"), store.ErrDamaged, "format 0"},
		{"a format that is no number", put("\x65fever", "\x61x"), store.ErrDamaged, "format"},
		{"no format", put("\x65fever", ""), store.ErrDamaged, "format"},
		{"no events", put("\x65fever", "\x05"), store.ErrDamaged, "no bucket events"},
		{"no events, in format 4", put("\x65fever", "\x04"), store.ErrDamaged, "no bucket events"},
		{"no events, in format 3", put("\x65fever", "\x03"), store.ErrDamaged, "no bucket events"},
		{"no events, in the format before", put("\x65fever", "\x02"), store.ErrDamaged, "no bucket events"},
		{"no events, in the first format", put("\x65fever", "\x01"), store.ErrDamaged, "no bucket events"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "x.db")
			if err := tc.make(path); err != nil {
				t.Fatal(err)
			}
			before, _ := os.ReadFile(path) // nothing, of what is no file
			for name, open := range map[string]func(string) (*Store, error){"Open": openToKeep, "OpenReadOnly": OpenReadOnly} {
				_, err := open(path)
				if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), tc.say) {
					t.Errorf("%s: error %v", name, err)
				}
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(after, before) {
				t.Error("it was written to")
			}
			if err := os.Rename(path, path+".away"); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestOpenElsewhere opens a file in folders that are not there.
func TestOpenElsewhere(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{filepath.Join(t.TempDir(), "missing"), file} {
		path := filepath.Join(folder, "fever.db")
		for name, open := range map[string]func(string) (*Store, error){"Open": openToKeep, "OpenReadOnly": OpenReadOnly} {
			_, err := open(path)
			if failed := (*fs.PathError)(nil); !errors.As(err, &failed) || failed.Path != path {
				t.Errorf("%s: error %v", name, err)
			}
		}
	}
}

// TestLock opens one file in several ways at once. That the openers are in one process
// makes no difference to the lock.
func TestLock(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	apply(t, s, snapshot("a", 1, sample("a", 1, 1)))
	refused := func(name string, open func(string) (*Store, error)) {
		t.Helper()
		want := s.path + " is held by another fever process; stop it or use another --db"
		if _, err := open(s.path); !errors.Is(err, store.ErrLocked) || err.Error() != want {
			t.Errorf("%s: error %v", name, err)
		}
	}
	refused("Open beside a writer", openToKeep)
	refused("OpenReadOnly beside a writer", OpenReadOnly)
	want := records(t, s, everything)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		r, err := OpenReadOnly(s.path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}()
		if got := records(t, r, everything); !reflect.DeepEqual(got, want) {
			t.Errorf("a reader sees %+v", got)
		}
		if err := r.Check(); err != nil {
			t.Error(err)
		}
	}
	refused("Open beside readers", openToKeep)
}
