package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// A Place is where an archive is: a [Folder] or a [Bucket]. Several goroutines may use it.
type Place interface {
	// Providers returns the names of those of which there are documents, in order.
	Providers(ctx context.Context) ([]string, error)
	// Close releases what is held for readers. No document may be open.
	Close() error
	// String returns the place as it was given.
	String() string

	// segments returns those of a provider, the oldest first. Of a provider that is unknown there are none.
	segments(ctx context.Context, provider string) ([]stored, error)
	// open returns the bytes of a segment.
	open(ctx context.Context, s *stored) (contents, error)

	// hold makes this process one that may write, until the result is closed.
	hold() (holding, error)
	// room returns how many bytes the volume has that is written to, and how many of them are free. Both
	// are 0 if that is unknown.
	room() (size, free uint64)
	// latest returns the segment that the next job of a provider may go on with; nil: there is none. Known
	// is what it returned before, or begin, for this provider; nil: nothing. If no job can go on with the segment
	// the error wraps errDamaged, or errLost if it was known.
	latest(ctx context.Context, provider string, known *segment) (*segment, error)
	// begin makes a segment. Its name comes after those of all others of the provider.
	begin(ctx context.Context, provider string, now time.Time) (*segment, error)
	// sync returns when all of a segment is stored.
	sync(ctx context.Context, s *segment) error
	// settle is for the end of a job, behind whose last sync there may be an outcome.
	settle(ctx context.Context, s *segment) error
	// end is for a segment that no job will go on with.
	end(ctx context.Context, s *segment) error
	// remote says that jobs must not wait for tidy.
	remote() bool
	// tidy drops the segments that are too old, and the oldest of those that take too much. It returns how many
	// bytes are left.
	tidy(ctx context.Context, l *limits) (int64, error)
	// forget removes what there is of a provider.
	forget(ctx context.Context, provider string) error
	// move gives the segments of a provider to another one. After an error it can be called again.
	move(ctx context.Context, from, to string) error
}

// A holding is what makes this process one that may write.
type holding interface {
	io.Closer
	// lost returns an error if it does so no more.
	lost() error
}

// At returns the place that a setting names: a folder, or the beginning of the names of objects in a bucket as
// s3://BUCKET/PREFIX. It must be closed.
func At(ctx context.Context, text string) (Place, error) {
	if strings.HasPrefix(text, bucketScheme) {
		return newBucket(ctx, text)
	}
	if strings.Contains(text, "://") || strings.HasPrefix(text, "s3:") {
		return nil, errors.New("the archive is neither a folder nor s3://BUCKET/PREFIX")
	}
	return Folder(text), nil
}

// A stored segment is one that can be read.
type stored struct {
	provider, name string
	path           string // for people; of a folder, that of the file
	began          time.Time
	size           int64
	last           time.Time // when it was written to
	ended          bool      // no job goes on with it
	parts          []part    // the objects of a bucket; none: it is one
	leftover       []part    // those that are part of that one
}

// contents are the bytes of a segment.
type contents interface {
	io.ReaderAt
	io.Closer
}

// extension is that of the names of segments. They begin with the moment when the segment was begun, in Unix
// milliseconds with leading zeros, so that they are in order.
const extension = ".segment"

// beganOf returns when the segment with a name was begun.
func beganOf(name string) (time.Time, error) {
	text, ok := strings.CutSuffix(name, extension)
	digits, _, _ := strings.Cut(text, "-")
	ms, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || ms < 0 {
		return time.Time{}, fmt.Errorf("%q is no segment of an archive", name)
	}
	return time.UnixMilli(ms), nil
}
