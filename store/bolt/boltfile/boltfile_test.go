package boltfile

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

// TestVersion fails when another version of bbolt is used than the one whose layout of pages
// was compared with this package: its internal/common/{page,meta,inode}.go, and freelist. Look
// at them again before raising it.
func TestVersion(t *testing.T) {
	t.Parallel()
	const looked = "v1.5.0"
	mod, err := os.ReadFile(filepath.Join("..", "..", "..", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(mod), "\tgo.etcd.io/bbolt "+looked+"\n") {
		t.Errorf("go.mod names another version of bbolt than %s, whose pages this package knows", looked)
	}
}

// sample makes a file with buckets in buckets, values of many pages, and free pages.
func sample(tb testing.TB) (path string) {
	tb.Helper()
	path = filepath.Join(tb.TempDir(), "file")
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true, PageSize: 1 << 10})
	if err != nil {
		tb.Fatal(err)
	}
	for round := range 3 {
		err := db.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte("outer"))
			if err != nil {
				return err
			}
			small, err := b.CreateBucketIfNotExists([]byte("small"))
			if err != nil {
				return err
			}
			for i := range 40 {
				key := fmt.Append(nil, i)
				err = errors.Join(err, b.Put(key, bytes.Repeat([]byte{byte(round)}, 400*(i%9))))
			}
			return errors.Join(err, small.Put([]byte("key"), []byte("value")))
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		tb.Fatal(err)
	}
	return path
}

// open returns the file, to be closed when the test ends.
func open(tb testing.TB, path string) *os.File {
	tb.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = f.Close() })
	return f
}

// TestWhole looks at a whole file, which bbolt says the same of.
func TestWhole(t *testing.T) {
	t.Parallel()
	path := sample(t)
	f := open(t, path)
	if err := errors.Join(Probe(f), Walk(f), Reset(f, 0)); err != nil {
		t.Error(err)
	}
	size, free, err := Usage(f)
	if err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0, &bbolt.Options{ReadOnly: true, PreLoadFreelist: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		pages := int64(0)
		for id := 0; ; {
			info, err := tx.Page(id)
			if info == nil || err != nil {
				break
			}
			if info.Type == "free" {
				id, pages = id+1, pages+1
				continue
			}
			id += 1 + info.OverflowCount
		}
		if want := pages<<10 + size - tx.Size(); free != want {
			t.Errorf("%d bytes of %d are free, not %d", free, size, want)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestCut cuts a file everywhere.
func TestCut(t *testing.T) {
	t.Parallel()
	f := open(t, sample(t))
	m, err := readMeta(f)
	if err != nil {
		t.Fatal(err)
	}
	for size := int64(m.pages)*m.pageSize - 1; size >= 0; size -= 13 {
		if err := f.Truncate(size); err != nil {
			t.Fatal(err)
		}
		err := Probe(f)
		if err == nil || size > 80 && (errors.Is(err, ErrForeign) || errors.Is(err, ErrUnfinished)) || Walk(f) == nil {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	if err := f.Truncate(0); err != nil {
		t.Fatal(err)
	}
	if err := Probe(f); !errors.Is(err, ErrUnfinished) {
		t.Errorf("no bytes: %v", err)
	}
}

// TestForeign looks at files of others.
func TestForeign(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{"text": strings.Repeat("text", 1<<12), "a byte": "x"} {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		f := open(t, path)
		if err := Probe(f); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: %v", name, err)
		}
		if err := Reset(f, 0); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != content {
			t.Errorf("%s: it has changed, %v", name, err)
		}
	}
}

// FuzzWalk overwrites a part of a file. Looking at it must end, without a panic.
func FuzzWalk(f *testing.F) {
	whole, err := os.ReadFile(sample(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint16(0), []byte{})
	f.Add(uint16(1024+16+40), []byte{1, 2, 3, 4})
	f.Add(uint16(2048+8), []byte{2, 0, 255, 255})
	f.Fuzz(func(t *testing.T, at uint16, b []byte) {
		path := filepath.Join(t.TempDir(), "file")
		damaged := bytes.Clone(whole)
		copy(damaged[int(at)%len(damaged):], b)
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		file := open(t, path)
		probed, walked := Probe(file), Walk(file)
		if bytes.Equal(damaged, whole) && errors.Join(probed, walked) != nil {
			t.Errorf("whole, and %v, %v", probed, walked)
		}
		_, _, _ = Usage(file)
	})
}
