package bolt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"fever/store"
)

// Backup writes to w a copy of the data file as it is at one moment, whole, and
// returns the number of bytes. Jobs go on meanwhile.
//
// It is one read transaction. No page is used again until that ends, so each commit makes
// the file grow. So w should be as fast as a file; use [Store.Spool] for a slow one.
func (s *Store) Backup(ctx context.Context, w io.Writer) (n int64, err error) {
	out := &interruptible{ctx: ctx, w: w}
	err = s.view(func(tx *bbolt.Tx) (err error) {
		n, err = tx.WriteTo(out)
		return err
	})
	if out.err != nil {
		err = out.err // bbolt makes a text of it
	}
	if err != nil {
		return n, fmt.Errorf("copy the store %s: %w", s.path, err)
	}
	return n, nil
}

// Spool is [Store.Backup] into a file of its own: beside the data file, where room is most
// likely, or else in the folder for temporary files. The file has no name, so it is gone
// when it is closed, or when the process ends in any way. It is at its beginning, to be read.
func (s *Store) Spool(ctx context.Context) (*os.File, error) {
	file, err := s.spool(ctx, filepath.Dir(s.path))
	if err == nil || ctx.Err() != nil || errors.Is(err, store.ErrDamaged) {
		return file, err
	}
	file, elsewhere := s.spool(ctx, os.TempDir())
	if elsewhere != nil {
		return nil, fmt.Errorf("%w (nor in %s: %w)", err, os.TempDir(), elsewhere)
	}
	return file, nil
}

func (s *Store) spool(ctx context.Context, folder string) (_ *os.File, err error) {
	file, err := os.CreateTemp(folder, ".fever-backup-") // with the mode 0600
	if err != nil {
		return nil, fmt.Errorf("copy the store: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close())
		}
	}()
	if err := os.Remove(file.Name()); err != nil {
		return nil, fmt.Errorf("copy the store: %w", err)
	}
	if _, err := s.Backup(ctx, file); err != nil {
		return nil, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("copy the store: %w", err)
	}
	return file, nil
}

// interruptible is a writer that fails when its context ends, and keeps its error.
type interruptible struct {
	ctx context.Context
	w   io.Writer
	err error
}

func (i *interruptible) Write(p []byte) (n int, err error) {
	if i.err = i.ctx.Err(); i.err == nil {
		n, i.err = i.w.Write(p)
	}
	return n, i.err
}
