// Package boltfile looks at the pages of a bbolt file with plain reads. bbolt maps a file and
// follows what its pages say: a page number or a length that is wrong makes it read whatever
// memory is behind, or ends the process by a signal, also in goroutines of its own where
// nobody can catch it. So the pages are followed here first.
//
// An error that is no [fs.PathError] and none of the errors below says what is damaged.
package boltfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"time"
)

// What a file can be other than damaged.
var (
	// ErrForeign is returned for a file that is not bbolt's, or in which bbolt was told not
	// to keep the list of free pages.
	ErrForeign = errors.New("not a bbolt file with a list of free pages")

	// ErrUnfinished is returned for a file without a byte, or cut off while bbolt wrote the
	// pages that it begins with. Nothing can have been stored in it.
	ErrUnfinished = errors.New("cut off while it was created")

	// ErrBusy is returned when another process writes the file.
	ErrBusy = errors.New("another process writes it")
)

// Probe checks what bbolt touches when it opens a file: a meta page, the number of pages, and
// the list of free ones. It returns one of the errors above, or says what is damaged.
//
// It takes no lock. A process that writes the file leaves the latest state whole at any
// moment, so only a state that is still the latest is damaged.
func Probe(f *os.File) error {
	m, err := latest(f)
	if err == nil {
		_, err = newPages(f, m)
	}
	if err == nil || errors.Is(err, ErrForeign) || errors.Is(err, ErrUnfinished) {
		return err
	}
	if now, again := latest(f); again == nil && now != m {
		return ErrBusy
	}
	return err
}

// latest returns the latest state of a file that a store can be in.
func latest(f *os.File) (m meta, err error) {
	info, err := f.Stat()
	if err != nil {
		return m, err
	}
	m, err = readMeta(f)
	switch {
	case info.Size() == 0, err == nil && m.unfinished(info.Size()):
		return m, ErrUnfinished
	case err == nil && m.freelist == math.MaxUint64:
		return m, ErrForeign
	}
	return m, err
}

// Reset empties a file that is unfinished, since bbolt creates files that are empty, and does
// nothing to any other. Another process may be creating it: Reset waits so long for the
// lock of bbolt, and then returns ErrBusy.
func Reset(f *os.File, wait time.Duration) error {
	unfinished := func() bool {
		_, err := latest(f)
		return errors.Is(err, ErrUnfinished)
	}
	if !unfinished() {
		return nil
	}
	for deadline := time.Now().Add(wait); !lock(f); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			return ErrBusy
		}
	}
	if unfinished() { // still, now that nobody else writes it
		return f.Truncate(0)
	}
	return nil
}

// Walk follows every page of the latest state: each is used once or free, has elements that
// lie within it, and keys in order between those that the pages above it say. Nobody may
// write the file meanwhile.
func Walk(f *os.File) error {
	m, err := readMeta(f)
	if err != nil {
		return err
	}
	p, err := newPages(f, m)
	if err != nil {
		return err
	}
	if err := p.walk(m.root, bounds{}); err != nil {
		return err
	}
	if id := slices.Index(p.seen, false); id >= 0 { // another page refers to older ones in its place
		return fmt.Errorf("page %d is neither used nor free", id)
	}
	return nil
}

// Usage returns the size of a file in bytes, and how many of them hold nothing in the latest
// state: the free pages, and what is behind the last page.
func Usage(f *os.File) (size, free int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	m, err := readMeta(f)
	if err != nil {
		return 0, 0, err
	}
	var b [headerBytes + 8]byte
	if _, err := f.ReadAt(b[:], int64(m.freelist)*m.pageSize); err != nil {
		return 0, 0, err
	}
	pages := uint64(parseHeader(b[:]).count)
	if pages == manyFree {
		pages = binary.NativeEndian.Uint64(b[headerBytes:])
	}
	return info.Size(), info.Size() - int64(m.pages-pages)*m.pageSize, nil
}
