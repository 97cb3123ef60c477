package spool

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"
)

// mixedUp returns n bytes that differ from place to place.
func mixedUp(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i) ^ byte(i>>8) ^ byte(i>>16)
	}
	return b
}

func TestSpool(t *testing.T) {
	t.Parallel()
	body := mixedUp(2*MaxMemory + 12345)
	for _, n := range []int{0, 1, 64 << 10, 64<<10 + 1, MaxMemory - 1, MaxMemory, MaxMemory + 1, 2 * MaxMemory, len(body)} {
		s, err := Fill(iotest.DataErrReader(bytes.NewReader(body[:n]))) // with its last bytes comes the end
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(s)
		if err != nil || !s.Whole() || !bytes.Equal(got, body[:n]) {
			t.Errorf("of %d bytes it has %d, all: %t, %v", n, len(got), s.Whole(), err)
		}
		if inFile := s.file != nil; inFile != (n > MaxMemory) || cap(s.memory) > MaxMemory {
			t.Errorf("%d bytes: in a file: %t, memory for %d", n, inFile, cap(s.memory))
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Without room for a file the body can be read all the same.
func TestSpoolNoRoom(t *testing.T) {
	t.Parallel()
	body := mixedUp(2*MaxMemory + 12345)
	name := filepath.Join(t.TempDir(), "full")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	full, err := os.Open(name) // cannot be written to
	if err != nil {
		t.Fatal(err)
	}
	s := Spool{rest: bytes.NewReader(body), file: full}
	if err := s.fill(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(&s)
	if err := errors.Join(err, s.Close()); err != nil || s.Whole() || !bytes.Equal(got, body) {
		t.Errorf("it has %d bytes, all beforehand: %t, %v", len(got), s.Whole(), err)
	}
}

func TestSpoolFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, n := range []int{0, 1, MaxMemory, MaxMemory + 1} {
		if s, err := Fill(io.MultiReader(bytes.NewReader(make([]byte, n)), iotest.ErrReader(broken))); s != nil || !errors.Is(err, broken) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}
