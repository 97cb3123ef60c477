package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"fever/config"
	"fever/store"
	"fever/store/bolt"
)

// temporaryFiles is the pattern of the names that data files have before they are whole.
const temporaryFiles = ".fever-backup-"

// A newFile is a data file that is to be at a path.
type newFile struct {
	path    string
	of      config.Place // what it is a copy of
	replace bool         // a file that is there already
	flag    string       // that says so; empty: there is none
}

// write has f write a temporary file beside the path, checks it, and gives it its name at the
// end, so that there is never an incomplete file at the path. It returns the size.
func (n *newFile) write(ctx context.Context, f func(*os.File) error) (size int64, err error) {
	if err := n.may(); err != nil {
		return 0, err
	}
	folder := filepath.Dir(n.path)
	temporary, err := os.CreateTemp(folder, temporaryFiles) // with the mode 0600
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temporary.Name()) // the first error matters more
		}
	}()
	err = f(temporary)
	if err == nil {
		err = temporary.Sync()
	}
	closing(temporary, &err)
	if err != nil {
		return 0, fmt.Errorf("write %s: %w", n.path, err)
	}
	if err := checkFile(temporary.Name()); err != nil {
		return 0, fmt.Errorf("write %s: the copy is of no use, and was removed: %w", n.path, err)
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := n.may(); err != nil { // again, as the copy took a while
		return 0, err
	}
	if err := os.Rename(temporary.Name(), n.path); err != nil {
		return 0, err
	}
	info, err := os.Stat(n.path)
	if err == nil {
		size, err = info.Size(), syncFolder(folder)
	}
	return size, err
}

// try returns an error if write would fail before it calls f.
func (n *newFile) try() error {
	if err := n.may(); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(n.path), temporaryFiles)
	if err != nil {
		return err
	}
	return errors.Join(temporary.Close(), os.Remove(temporary.Name()))
}

// may returns an error if there is something at the path that must not be replaced.
func (n *newFile) may() error {
	there, err := os.Stat(n.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !there.Mode().IsRegular():
		return fmt.Errorf("%s is there, and no file", n.path)
	case n.flag == "":
		return fmt.Errorf("%s is there; choose another name", n.path)
	case !n.replace:
		return fmt.Errorf("%s is there; choose another name, or add %s to replace it", n.path, n.flag)
	}
	if own, err := os.Stat(string(n.of)); err == nil && os.SameFile(own, there) {
		return fmt.Errorf("%s is the data file itself", n.path)
	}
	return nil
}

// fillFile makes a data file of an empty one.
func fillFile(ctx context.Context, path string, parts iter.Seq2[store.Part, error]) (err error) {
	st, err := bolt.Open(path, 1)
	if err != nil {
		return err
	}
	defer closing(st, &err)
	return st.Fill(ctx, parts)
}

// checkFile opens a data file, and checks every value in it.
func checkFile(path string) (err error) {
	st, err := bolt.OpenReadOnly(path)
	if err != nil {
		return err
	}
	defer closing(st, &err)
	return st.Check()
}

// syncFolder flushes the names in a folder to disk.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = folder.Close() }() // opened for reading
	return folder.Sync()
}
