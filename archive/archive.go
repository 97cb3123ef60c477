// Package archive keeps the documents that jobs got from providers, as they came, so that what was
// made of them can be made again, and traced to its bytes.
//
// An archive is in a [Place]: a folder, or a bucket of an object store. It has segments for each provider, to
// which the documents of the provider's jobs are appended. A document is stored as pieces of its bytes, and
// a piece that the segment has already is not stored again. So a feed that changes a
// little costs little, and a segment needs no other one: the oldest can go at any time.
package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Bounds of a segment. A job whose provider's segment has reached one of them begins the next one,
// in which each piece is stored again.
const (
	maxAge     = 24 * time.Hour
	usualSize  = 64 << 20 // bytes, or firstTimes times what its first job took if that is more
	sizeParts  = 8        // of all that the archive may take; twice as many as providers if that is more
	firstTimes = 4
	maxPieces  = 1 << 20
	maxParts   = 4096 // objects in a bucket
	// openPieces bounds the pieces of all segments that are open: each takes some 50 bytes of memory.
	openPieces = 2 * maxPieces
)

// ErrLocked is returned for an archive that another process writes to.
var ErrLocked = errors.New("another process writes to it")

// An Archive is one that this process writes to. Use [Open] to make one. Its methods may be called
// at the same time, but there must be one job of a provider at a time, in all processes that write to the place.
type Archive struct {
	// Failed is called with errors that no job returns: segments are damaged or were removed, or could not be
	// tidied up. It may be nil, and is to be set before the first job. It must not call methods of the archive.
	Failed func(error)

	place Place
	keep  time.Duration
	size  int64
	held  holding
	zstd  *zstd.Encoder              // of blocks, by several jobs at a time
	room  func() (size, free uint64) // that of the place, except in tests

	mu       sync.Mutex
	segments map[string]*segment // the open ones, by provider
	damage   map[string]string   // the error that was told last, by provider
	counted  bool                // total is known
	total    int64               // bytes of all segments
	tidied   time.Time           // when the bucket was looked through
	tidying  sync.WaitGroup
	hurry    context.CancelFunc // ends that; nil: it is not under way
}

// Open makes an archive at a place, or goes on with it. Documents older than keep are dropped, and
// the oldest when all take more than size bytes; 0 means no limit. An archive in a folder has one writer: for
// another one the error wraps ErrLocked.
func Open(place Place, keep time.Duration, size int64) (*Archive, error) {
	a := &Archive{place: place, keep: keep, size: size, segments: make(map[string]*segment), damage: make(map[string]string), room: place.room}
	var err error
	a.zstd, err = zstd.NewWriter(nil, zstd.WithWindowSize(blockSize), zstd.WithEncoderCRC(false))
	if err == nil {
		a.held, err = place.hold()
	}
	if err != nil {
		return nil, fmt.Errorf("open the archive: %w", err)
	}
	return a, nil
}

// mostSpared is the most that is left to others: see [Archive.Full].
const mostSpared = 1 << 30

// Full returns an error if no document can be kept, because the volume has so little room that it must be left to
// others, such as the data file: a tenth of the volume, or mostSpared.
func (a *Archive) Full() error {
	size, free := a.room()
	if least := min(size/10, mostSpared); free < least {
		return fmt.Errorf("the volume has %d MiB left, and the last %d MiB are not for the archive: give it more room, or make --archive-size smaller", free>>20, least>>20)
	}
	return nil
}

// Shared reports whether other processes may write to the place, too.
func (a *Archive) Shared() bool { return a.place.remote() }

// Close releases the archive. No job may be under way.
func (a *Archive) Close() error {
	a.stopTidying()
	a.mu.Lock()
	defer a.mu.Unlock()
	var err error
	for provider := range a.segments {
		err = errors.Join(err, a.release(provider))
	}
	return errors.Join(err, a.held.Close())
}

// stopTidying ends what tidies up beside jobs. The rest is done an hour later, or by the next process.
func (a *Archive) stopTidying() {
	a.mu.Lock()
	if a.hurry != nil {
		a.hurry()
	}
	a.mu.Unlock()
	a.tidying.Wait()
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
func (a *Archive) segmentFor(ctx context.Context, provider string, now time.Time) (*segment, error) {
	s, err := a.latest(ctx, provider)
	if err != nil {
		return nil, err
	}
	var committed time.Time
	if s != nil && s.full(now, a.most()) {
		committed = s.committed
		if err := a.place.end(ctx, s); err != nil {
			return nil, err
		}
		if err := a.leave(provider); err != nil {
			return nil, err
		}
		s = nil
	}
	if s != nil {
		return s, nil
	}
	if s, err = a.place.begin(ctx, provider, now); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	s.busy, s.committed = true, committed
	a.segments[provider], a.counted = s, false
	return s, a.cut(ctx, now)
}

// leave is release without the lock.
func (a *Archive) leave(provider string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.release(provider)
}

// most returns how many bytes a segment may have, but for its first job.
func (a *Archive) most() int64 {
	if a.size == 0 {
		return usualSize
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return min(usualSize, a.size/max(sizeParts, int64(2*len(a.segments))))
}

// free has the next job of a provider write to a segment, after one that has made it larger.
func (a *Archive) free(ctx context.Context, s *segment) error {
	err := a.place.settle(ctx, s)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.total += s.size - s.counted
	s.busy, s.counted, s.pieces = false, s.size, len(s.index)
	if err != nil {
		return errors.Join(err, a.release(s.provider))
	}
	if a.counted && (a.size == 0 || a.total <= a.size) {
		return nil
	}
	return a.cut(ctx, time.Now())
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

// latest returns the segment that a job of a provider may go on with, or nil. It is busy then. A segment that is
// damaged or lost is told of, and left as it is, for who can read more of it.
func (a *Archive) latest(ctx context.Context, provider string) (*segment, error) {
	known, err := a.known(provider)
	if err != nil {
		return nil, err
	}
	s, err := a.place.latest(ctx, provider, known)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil && s == known {
		return s, nil
	}
	damaged := errors.Is(err, errDamaged)
	if damaged || errors.Is(err, errLost) {
		if !damaged || a.damage[provider] != err.Error() { // until a job begins another segment, each finds the damage
			a.tell(err)
		}
		if damaged {
			a.damage[provider] = err.Error()
		}
		s, err = nil, nil
	}
	err = errors.Join(err, a.release(provider))
	if err == nil && s != nil {
		s.busy = true
		a.segments[provider] = s
		a.spare()
	}
	return s, err
}

// known returns the open segment of a provider, which is busy then, or nil. If the place was removed or replaced, it
// is held anew first.
func (a *Archive) known(provider string) (*segment, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if lost := a.held.lost(); lost != nil {
		held, err := a.place.hold()
		if err != nil {
			return nil, errors.Join(lost, err)
		}
		_ = a.held.Close() // nothing was written
		a.held = held
		a.tell(lost)
	}
	s := a.segments[provider]
	if s != nil {
		s.busy = true
	}
	return s, nil
}

// tell calls Failed.
func (a *Archive) tell(err error) {
	if a.Failed != nil {
		a.Failed(err)
	}
}

// betweenTidying is how long the objects of a bucket are not looked through again, unless a segment is begun while all
// take too much.
const betweenTidying = time.Hour

// cut has the place drop the segments that are too old, and the oldest of those that take too much. Open
// segments stay. Whoever calls it has the lock. No job waits for a bucket.
func (a *Archive) cut(ctx context.Context, now time.Time) error {
	l := limits{keep: a.keep, size: a.size, now: now, open: make(map[string]string)}
	for provider, s := range a.segments {
		l.open[provider] = s.name
	}
	if !a.place.remote() {
		total, err := a.place.tidy(ctx, &l)
		if err == nil {
			a.total, a.counted = total, true
		}
		return err
	}
	begun := !a.counted
	a.counted = true
	due := now.Sub(a.tidied) >= betweenTidying || begun && a.size > 0 && a.total > a.size
	if !due || a.hurry != nil {
		return nil
	}
	a.tidied = now
	ctx, a.hurry = context.WithCancel(context.WithoutCancel(ctx))
	a.tidying.Go(func() {
		total, err := a.place.tidy(ctx, &l)
		if err != nil && ctx.Err() == nil {
			a.tell(fmt.Errorf("tidy up the archive: %w", err))
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		a.hurry()
		a.hurry = nil
		if err == nil {
			a.total = total
		}
	})
	return nil
}

// Forget removes all documents of a provider. No job of it may be under way.
func (a *Archive) Forget(ctx context.Context, provider string) error {
	a.stopTidying() // else it might store again what is removed
	err := a.leave(provider)
	if err == nil {
		err = a.place.forget(ctx, provider)
	}
	if err != nil {
		return fmt.Errorf("remove the documents of %s from the archive: %w", provider, err)
	}
	return nil
}

// ForgetGone writes down that a person has the events forgotten that are gone and ended before a time,
// so that whoever reads the documents again can do so, too. No job of the provider may be under way.
func (a *Archive) ForgetGone(ctx context.Context, provider, before string) error {
	all, err := a.place.segments(ctx, provider)
	if err != nil || len(all) == 0 {
		return err
	}
	now := time.Now()
	j := a.Begin(ctx, provider)
	j.Document().Keep(Head{Started: now, Began: now, Op: "forget", GoneBefore: before})
	err = cmp.Or(j.Sync(), j.End(Outcome{At: now}))
	return errors.Join(err, j.Close())
}

// Rename gives all documents of a provider to another one, which may have some of its own. No job
// of either may be under way. After an error it can be called again.
func (a *Archive) Rename(ctx context.Context, from, to string) error {
	a.stopTidying()
	err := errors.Join(a.leave(from), a.leave(to))
	if err == nil {
		err = a.place.move(ctx, from, to)
	}
	if err != nil {
		return fmt.Errorf("give the documents of %s in the archive to %s: %w", from, to, err)
	}
	return nil
}
