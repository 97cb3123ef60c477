package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"fever/event"
)

// A Folder is an archive in a folder, which it names. It has one writer at a time.
type Folder string

// Close does nothing.
func (f Folder) Close() error { return nil }

func (f Folder) String() string { return string(f) }

// Providers returns the names of those of which there are documents, in order.
func (f Folder) Providers(context.Context) (names []string, err error) {
	entries, err := os.ReadDir(string(f))
	if err != nil {
		return nil, fmt.Errorf("read the archive: %w", err)
	}
	for _, entry := range entries {
		if entry.IsDir() && event.ValidProvider(entry.Name()) == nil {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

func (f Folder) of(provider string) string { return filepath.Join(string(f), provider) }

func (f Folder) segments(_ context.Context, provider string) (all []stored, err error) {
	entries, err := os.ReadDir(f.of(provider))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the archive: %w", err)
	}
	for _, entry := range entries {
		began, err := beganOf(entry.Name())
		if err != nil {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) { // it was cut meanwhile
			continue
		} else if err != nil {
			return nil, fmt.Errorf("read the archive: %w", err)
		}
		all = append(all, stored{
			provider: provider, name: entry.Name(), path: filepath.Join(f.of(provider), entry.Name()), began: began,
			size: info.Size(), last: info.ModTime(),
		})
	}
	return all, nil
}

func (f Folder) open(_ context.Context, s *stored) (contents, error) { return os.Open(s.path) }

// A folderLock is the locked file of a folder. It has no bytes.
type folderLock struct{ *os.File }

func (l folderLock) lost() error { return inPlace(l.File, 0) }

func (f Folder) hold() (holding, error) {
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(string(f), "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if !lock(file) {
		_ = file.Close() // nothing was written
		return nil, fmt.Errorf("%s: %w", f, ErrLocked)
	}
	return folderLock{file}, nil
}

func (f Folder) room() (size, free uint64) { return roomOf(string(f)) }

func (f Folder) latest(ctx context.Context, provider string, known *segment) (*segment, error) {
	if known != nil {
		return known, known.check(time.Now())
	}
	all, err := f.segments(ctx, provider)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return openSegment(&all[len(all)-1])
}

func (f Folder) begin(_ context.Context, provider string, now time.Time) (*segment, error) {
	folder := f.of(provider)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	path, err := freeName(folder, now)
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	s := &segment{provider: provider, name: filepath.Base(path), file: file, began: now, read: now, index: make(map[digest]span)}
	err = s.append([]byte(magic))
	if err == nil {
		err = errors.Join(syncFolder(folder), syncFolder(string(f)))
	}
	if err != nil {
		return nil, errors.Join(err, file.Close(), os.Remove(path))
	}
	s.counted = s.size
	return s, nil
}

func (f Folder) sync(_ context.Context, s *segment) error {
	return cmp.Or(s.file.Sync(), inPlace(s.file, s.size))
}

func (f Folder) settle(context.Context, *segment) error { return nil }

func (f Folder) end(context.Context, *segment) error { return nil }

func (f Folder) remote() bool { return false }

func (f Folder) tidy(ctx context.Context, l *limits) (int64, error) {
	providers, err := f.Providers(ctx)
	if err != nil {
		return 0, err
	}
	var all []stored
	for _, provider := range providers {
		of, err := f.segments(ctx, provider)
		if err != nil {
			return 0, err
		}
		all = append(all, of...)
	}
	stays := func(s *stored) bool { return l.open[s.provider] == s.name }
	return l.cut(all, stays, func(s *stored) error { return os.Remove(s.path) })
}

func (f Folder) forget(_ context.Context, provider string) error {
	if err := os.RemoveAll(f.of(provider)); err != nil {
		return err
	}
	return syncFolder(string(f))
}

func (f Folder) move(ctx context.Context, from, to string) error {
	all, err := f.segments(ctx, from)
	if err != nil || len(all) == 0 {
		return err
	}
	if err := os.MkdirAll(f.of(to), 0o700); err != nil {
		return err
	}
	for _, s := range all {
		path, err := freeName(f.of(to), s.began)
		if err != nil {
			return err
		}
		if err := os.Rename(s.path, path); err != nil {
			return err
		}
	}
	return errors.Join(os.Remove(f.of(from)), syncFolder(f.of(to)), syncFolder(string(f)))
}

// freeName returns a path in a folder for a segment that was begun at a time, or as soon after it as
// no other one was.
func freeName(folder string, began time.Time) (string, error) {
	for ms := began.UnixMilli(); ; ms++ {
		path := filepath.Join(folder, fmt.Sprintf("%015d%s", ms, extension))
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return path, nil
		} else if err != nil {
			return "", err
		}
	}
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

// limits bound an archive.
type limits struct {
	keep time.Duration // 0: none
	size int64         // bytes; 0: none
	now  time.Time
	open map[string]string // the names of segments that stay, by provider
}

// cut removes the segments that are too old, and the oldest of those that take too much, but for those that
// stay. It returns how many bytes are left.
func (l *limits) cut(all []stored, stays func(*stored) bool, remove func(*stored) error) (total int64, err error) {
	for i := range all {
		total += all[i].size
	}
	slices.SortFunc(all, func(x, y stored) int { return x.last.Compare(y.last) })
	for i := range all {
		s := &all[i]
		if (l.keep == 0 || l.now.Sub(s.last) <= l.keep) && (l.size == 0 || total <= l.size) {
			break
		}
		if stays(s) {
			continue
		}
		if err := remove(s); err != nil {
			return total, err
		}
		total -= s.size
	}
	return total, nil
}
