// Package bolt is a store in one bbolt file.
//
// A snapshot is applied in one transaction, all of it or nothing. Only what changed is
// written. What the file holds, byte by byte, is described in docs/store-format.md.
package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"fever/store"
	"fever/store/bolt/boltfile"
)

const (
	// lockTimeout is how long Open waits for another process to release its lock. A process
	// that forks shares its lock with the child until the child has called exec, so a
	// released lock can linger for a moment.
	lockTimeout = time.Second
)

// A Store is an open data file. Its methods may be called from many goroutines.
type Store struct {
	// Zones are the time zones of the providers as they are set now, by name. The local
	// times of a provider that is not in it count in the zone recorded with its latest
	// snapshot. Set it before anybody else uses the store.
	Zones map[string]*time.Location

	// History is how long to keep what an event was before a change; 0 keeps nothing. What is
	// older is removed when the event changes again, and so is what is beyond [store.MaxHistory].
	// Set it before anybody else uses the store.
	History time.Duration

	db   *bbolt.DB
	file *os.File // db's own
	path string
	keep int // finished jobs of each provider

	bell   bell                  // rings when a waiter may find a new revision, or that there will be none
	writer sync.Mutex            // held while writing, and while checking, when nobody may write
	broken atomic.Pointer[error] // see failure
	stats  store.Tally           // bbolt's own statistics cost a lock in every transaction
}

// Open opens the data file for reading and writing, and creates it, with mode 0600,
// when it is missing, has no bytes, or its creation was cut off before anything could
// be stored in it. Until it is closed no other process can open it.
//
// It keeps the newest finished jobs of each provider, as many as keep says, which must
// be 1 or more. Older ones are deleted in the transaction that records the next, but for
// the newest that its provider answered and the newest that brought a snapshot.
//
// A file of an older format is converted, in one transaction. Open follows all pages and
// compares the checksums of all values. After store.ErrLocked, store.ErrForeign,
// store.ErrNewer and store.ErrDamaged (wrapped) the file is as it was.
func Open(path string, keep int) (*Store, error) {
	if keep < 1 {
		return nil, fmt.Errorf("open the store %s: %d jobs to keep for each provider, where at least 1 is needed", path, keep)
	}
	return open(path, keep, false)
}

// OpenReadOnly opens the data file for reading. Any number of processes can do so
// beside each other, but not beside one that has it open for writing. A missing file
// is an error that is [fs.ErrNotExist]. A damaged value is found when it is read, so that
// all others can still be read. Nothing is converted. Otherwise it is like [Open].
func OpenReadOnly(path string) (*Store, error) { return open(path, 0, true) }

func open(path string, keep int, readOnly bool) (*Store, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !readOnly: // to be created
	case err != nil:
		return nil, unopened(err)
	default:
		begun, err := inspect(path, info)
		if err != nil {
			return nil, err
		}
		if !begun && readOnly {
			return nil, foreign(path, "nothing was stored in it yet")
		}
	}
	s := &Store{path: path, keep: keep}
	err = s.contain(func() error {
		room := 0
		if !readOnly {
			room = roomToGrow()
		}
		err := s.openFile(readOnly, room)
		if errors.Is(err, syscall.ENOMEM) && room > 0 { // the process may not have so many addresses
			err = s.openFile(readOnly, 0)
		}
		return err
	})
	switch {
	case errors.Is(err, berrors.ErrTimeout), errors.Is(err, boltfile.ErrBusy):
		return nil, locked(path)
	case errors.Is(err, store.ErrDamaged): // bbolt panicked
		return nil, err
	case err != nil:
		return nil, unopened(err)
	}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// openFile opens the file with bbolt, which maps at least so many bytes of it.
func (s *Store) openFile(readOnly bool, mapped int) (err error) {
	s.db, err = bbolt.Open(s.path, 0o600, &bbolt.Options{
		Timeout:         lockTimeout,
		FreelistType:    bbolt.FreelistMapType,
		PreLoadFreelist: true, // while nobody else uses it
		NoStatistics:    true,
		ReadOnly:        readOnly,
		InitialMmapSize: mapped,
		OpenFile: func(name string, flag int, mode os.FileMode) (_ *os.File, err error) {
			s.file, err = os.OpenFile(name, flag, mode)
			if err == nil && !readOnly {
				err = boltfile.Reset(s.file, lockTimeout)
			}
			return s.file, err
		},
	})
	if err == nil {
		s.grown(0)
	}
	return err
}

// roomToGrow returns how many bytes to map of a file that is opened for writing. When a file
// outgrows its mapping, bbolt maps it again: the commit waits for all readers, and new
// readers wait for the commit. A mapping takes addresses, not memory, and systems with 64
// bits have enough of them. Windows would make the file as large as its mapping.
func roomToGrow() int {
	room := int64(64 << 30) // what a hundred million events need
	if strconv.IntSize < 64 || runtime.GOOS == "windows" {
		room = 0
	}
	return int(room)
}

// grown sets by how much the file grows next: it doubles, within bounds. bbolt's own step is
// 16 MiB for a file with a large mapping.
func (s *Store) grown(size int64) {
	s.db.AllocSize = int(min(max(size, 32<<10), 16<<20))
}

// prepare checks the file, which is locked now: its pages, its buckets and, for writing, all
// of its values, since a damaged file must not be written to. It creates the buckets of an
// empty file, and converts a file of an older format.
func (s *Store) prepare() error {
	if err := boltfile.Walk(s.file); err != nil {
		return wrong(s.path, err)
	}
	var format uint64
	err := s.view(func(tx *bbolt.Tx) (err error) {
		format, err = identify(s.path, tx)
		return err
	})
	switch {
	case err != nil:
		return err
	case s.db.IsReadOnly() && format == 0:
		return foreign(s.path, "nothing was stored in it yet")
	case s.db.IsReadOnly():
		return nil
	case format == 0:
		if err := s.contain(func() error { return s.db.Update(create) }); err != nil {
			return fmt.Errorf("create the store %s: %w", s.path, err)
		}
		return s.survey()
	}
	if err := s.verify(); err != nil {
		return err
	}
	if format < formatVersion {
		if err := s.contain(func() error { return s.db.Update(convert) }); err != nil {
			return fmt.Errorf("convert the store %s from format %d: %w", s.path, format, err)
		}
	}
	return s.survey()
}

// Close waits for the transactions under way, and closes the file. [Store.Wait] returns an
// error from then on. Closing again does nothing.
func (s *Store) Close() error {
	if s.broken.Load() != nil {
		// bbolt may have panicked while it held its own locks: closing it could wait
		// for ever. Its lock on the file lasts as long as the process then.
		return nil
	}
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close the store %s: %w", s.path, err)
	}
	s.bell.ring()
	return nil
}

// view runs f in a read transaction. Keep it short: it keeps pages from being used again,
// and where there was no room for a large mapping, a commit that needs a larger one waits.
func (s *Store) view(f func(*bbolt.Tx) error) error {
	return s.contain(func() error { return s.db.View(f) })
}

// update runs f in a write transaction and commits it, unless f fails or ctx ends. It returns
// store.ErrUncertain when the commit failed and its state is in the file all the same.
func (s *Store) update(ctx context.Context, f func(*bbolt.Tx) error) error {
	s.writer.Lock()
	defer s.writer.Unlock()
	if err := s.inPlace(); err != nil {
		return err
	}
	committing := false
	defer s.bell.ring() // also when the commit fails: what it wrote may be read all the same
	err := s.contain(func() error {
		tx, err := s.db.Begin(true)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // after a commit it does nothing
		if err := f(tx); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		began, id := time.Now(), tx.ID()
		committing = true
		if err := tx.Commit(); err != nil {
			committing = s.mayShow(id)
			return err
		}
		s.committed(time.Since(began))
		return nil
	})
	if err != nil && committing {
		return fmt.Errorf("%w: %w", store.ErrUncertain, err)
	}
	return err
}

// inFile reports whether the file holds what a write wrote that returned this error.
func inFile(err error) bool { return err == nil || errors.Is(err, store.ErrUncertain) }

// inPlace returns an error when somebody has removed or replaced the file at the path. The
// open file would be lost, with all that is written to it, when it is closed.
func (s *Store) inPlace() error {
	opened, err := s.file.Stat()
	if err != nil {
		return err
	}
	named, err := os.Stat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s was removed while it was in use; save what is known first, as the manual says, and then restart fever", s.path)
	case err == nil && !os.SameFile(opened, named):
		return fmt.Errorf("%s was replaced while it was in use; save what is known first, as the manual says, and then restart fever", s.path)
	}
	return nil // or it cannot be seen, which is no reason not to write
}

// mayShow reports whether readers may see the state of a transaction whose commit failed.
// They do if its meta page was written: bbolt writes that last, and syncs it after that.
func (s *Store) mayShow(id int) bool {
	tx, err := s.db.Begin(false)
	if err != nil {
		return true // nobody knows
	}
	defer func() { _ = tx.Rollback() }() // it only reads
	return tx.ID() >= id
}
