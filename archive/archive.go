// Package archive keeps the documents that jobs got from providers, as they came, so that what was
// made of them can be made again, and traced to its bytes.
//
// An archive is a folder with a folder for each provider. In that are segments: files to which the
// documents of the provider's jobs are appended. A document is stored as pieces of its bytes, and
// a piece that the segment has already is not stored again. So a feed that changes a
// little costs little, and a segment needs no other one: the oldest can go at any time.
package archive

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"fever/event"
)

// Bounds of a segment. A job whose provider's segment has reached one of them begins the next one,
// in which each piece is stored again.
const (
	maxAge     = 24 * time.Hour
	usualSize  = 64 << 20 // bytes, or firstTimes times what its first job took if that is more
	sizeParts  = 8        // of all that the archive may take; twice as many as providers if that is more
	firstTimes = 4
	maxPieces  = 1 << 20
	// openPieces bounds the pieces of all segments that are open: each takes some 50 bytes of memory.
	openPieces = 2 * maxPieces
)

// extension is that of the names of segments. The rest is the moment when one was begun, in Unix
// milliseconds with leading zeros, so that their names are in order.
const extension = ".segment"

// ErrLocked is returned for an archive that another process writes to.
var ErrLocked = errors.New("another process writes to it")

// An Archive is one that this process writes to. Use [Open] to make one. Its methods may be called
// at the same time, but there must be one job of a provider at a time.
type Archive struct {
	dir  string
	keep time.Duration
	size int64
	lock *os.File
	zstd *zstd.Encoder                           // of blocks, by several jobs at a time
	room func(folder string) (size, free uint64) // roomOf, except in tests

	mu       sync.Mutex
	segments map[string]*segment // the open ones, by provider
	counted  bool                // total is known
	total    int64               // bytes of all segments
}

// Open makes an archive in a folder, or goes on with it. Documents older than keep are dropped, and
// the oldest when all take more than size bytes; 0 means no limit. An archive has one writer: for
// another one the error wraps ErrLocked.
func Open(dir string, keep time.Duration, size int64) (*Archive, error) {
	a := &Archive{dir: dir, keep: keep, size: size, segments: make(map[string]*segment), room: roomOf}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the archive: %w", err)
	}
	var err error
	a.zstd, err = zstd.NewWriter(nil, zstd.WithWindowSize(blockSize), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, fmt.Errorf("open the archive: %w", err)
	}
	if a.lock, err = os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, fmt.Errorf("open the archive: %w", err)
	}
	if !lock(a.lock) {
		_ = a.lock.Close() // nothing was written
		return nil, fmt.Errorf("open the archive %s: %w", dir, ErrLocked)
	}
	return a, nil
}

// mostSpared is the most that is spared: see spared.
const mostSpared = 1 << 30

// spared returns an error if the volume has so little room that it must be left to others, such as the
// data file: a tenth of the volume, or mostSpared.
func (a *Archive) spared() error {
	size, free := a.room(a.dir)
	if least := min(size/10, mostSpared); free < least {
		return fmt.Errorf("the volume has %d MiB left, and the last %d MiB are not for the archive: give it more room, or make --archive-size smaller", free>>20, least>>20)
	}
	return nil
}

// Close releases the archive. No job may be under way.
func (a *Archive) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var err error
	for provider := range a.segments {
		err = errors.Join(err, a.release(provider))
	}
	return errors.Join(err, a.lock.Close())
}

// release closes the open segment of a provider, if there is one.
func (a *Archive) release(provider string) error {
	s := a.segments[provider]
	delete(a.segments, provider)
	if s == nil {
		return nil
	}
	return s.file.Close()
}

// segmentFor returns the segment that the next job of a provider writes to.
func (a *Archive) segmentFor(provider string, now time.Time) (*segment, error) {
	s, err := a.newest(provider)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if s != nil && s.full(now, a.most()) {
		s = nil
		if err := a.release(provider); err != nil {
			return nil, err
		}
	}
	if s == nil {
		if s, err = begin(filepath.Join(a.dir, provider), now); err != nil {
			return nil, err
		}
		a.segments[provider], a.counted = s, false
	}
	s.busy = true
	if a.counted {
		return s, nil
	}
	return s, a.cut(now)
}

// most returns how many bytes a segment may have, but for its first job.
func (a *Archive) most() int64 {
	if a.size == 0 {
		return usualSize
	}
	return min(usualSize, a.size/max(sizeParts, int64(2*len(a.segments))))
}

// free has the next job of a provider write to a segment, after one that has made it larger.
func (a *Archive) free(s *segment) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.total += s.size - s.counted
	s.busy, s.counted, s.pieces = false, s.size, len(s.index)
	if a.size == 0 || a.total <= a.size {
		return nil
	}
	return a.cut(time.Now())
}

// spare closes segments that no job writes to if all have too many pieces.
func (a *Archive) spare() {
	pieces := 0
	for _, s := range a.segments {
		pieces += s.pieces
	}
	for provider, s := range a.segments {
		if pieces > openPieces && !s.busy {
			pieces -= s.pieces
			_ = a.release(provider) // what mattered was synced
		}
	}
}

// newest returns the newest segment of a provider, which it opens unless it is. It returns nil if there
// is none that can be used.
func (a *Archive) newest(provider string) (*segment, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.segments[provider]; s != nil {
		return s, nil
	}
	folder := filepath.Join(a.dir, provider)
	names, err := segmentNames(folder)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	s, err := openSegment(filepath.Join(folder, names[len(names)-1]))
	if errors.Is(err, errDamaged) {
		return nil, nil // it is left as it is, for who can read more of it
	}
	if err == nil {
		a.spare()
		a.segments[provider] = s
	}
	return s, err
}

// A stored segment is one on disk.
type storedSegment struct {
	path string
	size int64
	last time.Time // when it was written to
}

// cut drops the segments that are too old, and the oldest of those that take too much. Open
// segments stay.
func (a *Archive) cut(now time.Time) error {
	providers, err := Providers(a.dir)
	if err != nil {
		return err
	}
	var all []storedSegment
	total := int64(0)
	for _, provider := range providers {
		folder := filepath.Join(a.dir, provider)
		names, err := segmentNames(folder)
		if err != nil {
			return err
		}
		for _, name := range names {
			info, err := os.Stat(filepath.Join(folder, name))
			if err != nil {
				return err
			}
			total += info.Size()
			if open := a.segments[provider]; open == nil || filepath.Base(open.path) != name {
				all = append(all, storedSegment{filepath.Join(folder, name), info.Size(), info.ModTime()})
			}
		}
	}
	slices.SortFunc(all, func(x, y storedSegment) int { return x.last.Compare(y.last) })
	for _, s := range all {
		if (a.keep == 0 || now.Sub(s.last) <= a.keep) && (a.size == 0 || total <= a.size) {
			break
		}
		if err := os.Remove(s.path); err != nil {
			return err
		}
		total -= s.size
	}
	a.total, a.counted = total, true
	return nil
}

// Forget removes all documents of a provider. No job of it may be under way.
func (a *Archive) Forget(provider string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	err := a.release(provider)
	if err == nil {
		err = os.RemoveAll(filepath.Join(a.dir, provider))
	}
	if err == nil {
		err = syncFolder(a.dir)
	}
	if err != nil {
		return fmt.Errorf("remove the documents of %s from the archive: %w", provider, err)
	}
	return nil
}

// ForgetGone writes down that a person has the events forgotten that are gone and ended before a time,
// so that whoever reads the documents again can do so, too. No job of the provider may be under way.
func (a *Archive) ForgetGone(provider, before string) error {
	names, err := segmentNames(filepath.Join(a.dir, provider))
	if err != nil || len(names) == 0 {
		return err
	}
	now := time.Now()
	j := a.Begin(provider)
	j.Document().Keep(Head{Started: now, Began: now, Op: "forget", GoneBefore: before})
	err = cmp.Or(j.Sync(), j.End(Outcome{At: now}))
	return errors.Join(err, j.Close())
}

// Rename gives all documents of a provider to another one, which may have some of its own. No job
// of either may be under way. After an error it can be called again.
func (a *Archive) Rename(from, to string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	err := errors.Join(a.release(from), a.release(to))
	if err == nil {
		err = a.move(filepath.Join(a.dir, from), filepath.Join(a.dir, to))
	}
	if err != nil {
		return fmt.Errorf("give the documents of %s in the archive to %s: %w", from, to, err)
	}
	return nil
}

func (a *Archive) move(from, to string) error {
	names, err := segmentNames(from)
	if err != nil || len(names) == 0 {
		return err
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	for _, name := range names {
		began, err := beganOf(name)
		if err != nil {
			return err
		}
		path, err := freeName(to, began)
		if err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(from, name), path); err != nil {
			return err
		}
	}
	return errors.Join(os.Remove(from), syncFolder(to), syncFolder(a.dir))
}

// Providers returns the names of those of which an archive has documents, in order.
func Providers(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
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

// segmentNames returns the names of the segments in a folder, the oldest first. A folder that does
// not exist has none.
func segmentNames(folder string) (names []string, err error) {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the archive: %w", err)
	}
	for _, entry := range entries {
		if _, err := beganOf(entry.Name()); err == nil {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

// beganOf returns when the segment with a name was begun.
func beganOf(name string) (time.Time, error) {
	digits, ok := strings.CutSuffix(name, extension)
	ms, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil {
		return time.Time{}, fmt.Errorf("%q is no segment of an archive", name)
	}
	return time.UnixMilli(ms), nil
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
