package archive

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"golang.org/x/sync/errgroup"

	"fever/event"
)

// A Bucket is an archive in an S3-compatible bucket. Any number of processes may write to it, if no two of them run
// jobs of one provider at a time.
//
// A segment is a row of objects, each named by the byte of the segment with which it begins. Each job adds one or two. An
// object is only written if there is none of its name. So a process that others have overtaken cannot
// write, and a segment has no torn end. An object without bytes says that the segment has ended. Then its objects are joined into one.
type Bucket struct {
	client         *s3.Client
	bucket, prefix string // the prefix ends with a slash, or is empty
	requestTime    time.Duration
	rest           time.Duration

	mu     sync.Mutex
	until  time.Time // the bucket is not asked before
	copies []*copied // the last used in front
}

const (
	bucketScheme = "s3://"
	partsFolder  = ".parts/" // in place of extension, of a segment that is not joined
	// requestTime is what a request may take, and a second more for each requestBytes that are sent or got.
	requestTime  = 10 * time.Second
	requestBytes = 1 << 20
	// stepTime is what all requests may take for which a job waits at a time.
	stepTime = 30 * time.Second
	// restTime is how long a bucket that has not answered is left alone.
	restTime = 30 * time.Second
	// lingering is how long after the last job a segment is there that has not ended: no job goes on with it then.
	lingering = 2 * maxAge
	maxPrefix = 512       // bytes: a name of an object has 1,024 at most
	maxObject = 1 << 30   // bytes that are sent as one
	maxCopies = 256 << 20 // bytes of segments that are held for readers, if it is more than one
	atATime   = 8         // requests
)

// bucketName follows the rules of AWS for the names of buckets.
var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

var (
	errAway = errors.New("it has not answered, and is asked again half a minute after that")
	// errTaken is the error for an object that another process has written.
	errTaken = errors.New("another process has gone on with the segment")
	// errOther is the error for an answer of success that no object store gives, such as the page of a proxy.
	errOther = errors.New("what answered is no object store")
)

// A part is an object of a segment.
type part struct{ at, size int64 }

func newBucket(ctx context.Context, text string) (*Bucket, error) {
	bucket, prefix, _ := strings.Cut(strings.TrimPrefix(text, bucketScheme), "/")
	prefix = strings.Trim(prefix, "/")
	odd := func(part string) bool { return part == "" || part == "." || part == ".." }
	switch {
	case !bucketName.MatchString(bucket):
		return nil, errors.New("the archive is no s3://BUCKET/PREFIX: the name of a bucket has 3 to 63 lower-case letters, digits, dots and hyphens")
	case strings.ContainsAny(prefix, "?#@") || len(prefix) > maxPrefix || prefix != "" && slices.ContainsFunc(strings.Split(prefix, "/"), odd):
		return nil, fmt.Errorf("the archive is no s3://BUCKET/PREFIX: a prefix has at most %d bytes, none of ?, # and @, no empty part, and neither . nor .. as one", maxPrefix)
	}
	if prefix != "" {
		prefix += "/"
	}
	// The segments have checksums, and not every server knows those of the client.
	// What the client would log comes with an error, if it matters.
	settings, err := config.LoadDefaultConfig(ctx, config.WithDefaultRegion("us-east-1"), config.WithLogger(logging.Nop{}),
		config.WithRequestChecksumCalculation(aws.RequestChecksumCalculationWhenRequired),
		config.WithResponseChecksumValidation(aws.ResponseChecksumValidationWhenRequired))
	if err != nil {
		return nil, fmt.Errorf("the settings of the archive's bucket: %w", err)
	}
	client := s3.NewFromConfig(settings, func(o *s3.Options) { o.UsePathStyle = o.BaseEndpoint != nil })
	if endpoint := client.Options().BaseEndpoint; endpoint != nil {
		// The client's own error has all of the text, and perhaps a password with it.
		u, err := url.Parse(*endpoint)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return nil, errors.New("the endpoint of the archive's bucket, as in AWS_ENDPOINT_URL, must be http://HOST or https://HOST, with a port and a path perhaps, and nothing else")
		}
	}
	return &Bucket{client: client, bucket: bucket, prefix: prefix, requestTime: requestTime, rest: restTime}, nil
}

func (b *Bucket) String() string {
	return bucketScheme + b.bucket + "/" + strings.TrimSuffix(b.prefix, "/")
}

// Close releases the copies of segments.
func (b *Bucket) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forgetCopies(func(*copied) bool { return true })
	return nil
}

// do makes a request, which may have so many bytes.
func (b *Bucket) do(ctx context.Context, size int64, request func(context.Context) error) error {
	b.mu.Lock()
	away := time.Now().Before(b.until)
	b.mu.Unlock()
	if away {
		return fmt.Errorf("%s: %w", b, errAway)
	}
	limited, cancel := context.WithTimeout(ctx, b.requestTime+time.Duration(size/requestBytes)*time.Second)
	defer cancel()
	err := request(limited)
	if err == nil {
		return nil
	}
	answered := errors.Is(err, errOther) || errors.Is(err, errTaken)
	if code := statusOf(err); ctx.Err() == nil && !answered && (code == 0 || code >= http.StatusInternalServerError) {
		b.mu.Lock()
		b.until = time.Now().Add(b.rest)
		b.mu.Unlock()
	}
	if _, ok := errors.AsType[*xml.SyntaxError](err); ok {
		err = fmt.Errorf("%w: %w", errOther, err)
	}
	return fmt.Errorf("%s: %w", b, err)
}

// answerTo returns the answer to a request that succeeded.
func answerTo(request middleware.Metadata) *smithyhttp.Response {
	return awsmiddleware.GetRawResponse(request).(*smithyhttp.Response) // the client's HTTP transport has set it
}

// other returns errOther with what is known of who gave an answer.
func other(request middleware.Metadata) error {
	answer := answerTo(request)
	return fmt.Errorf("%w, but a proxy perhaps (Content-Type %.60q, Server %.60q)", errOther, answer.Header.Get("Content-Type"), answer.Header.Get("Server"))
}

// statusOf returns the status of the answer that an error tells of, or 0.
func statusOf(err error) int {
	if answered, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		return answered.HTTPStatusCode()
	}
	return 0
}

// put writes an object unless there is one with other bytes: then the error wraps errTaken.
func (b *Bucket) put(ctx context.Context, key string, body io.ReaderAt, size int64) error {
	err := b.do(ctx, size, func(ctx context.Context) error {
		done, err := b.client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &b.bucket, Key: &key, Body: io.NewSectionReader(body, 0, size), ContentLength: &size, IfNoneMatch: aws.String("*"),
		})
		if err == nil && done.ETag == nil {
			return other(done.ResultMetadata)
		}
		return err
	})
	if code := statusOf(err); code != http.StatusPreconditionFailed && code != http.StatusConflict {
		return err
	}
	err = b.get(ctx, key, &comparing{io.NewSectionReader(body, 0, size)}, size) // an answer that was lost, perhaps
	if errors.Is(err, errOther) || statusOf(err) == http.StatusNotFound {       // it has another size, or is being written
		return fmt.Errorf("%s: %w", b, errTaken)
	}
	return err
}

// A comparing writer takes the bytes that the reader has.
type comparing struct{ want io.Reader }

func (c *comparing) Write(p []byte) (int, error) {
	want := make([]byte, len(p))
	if _, err := io.ReadFull(c.want, want); err != nil || !bytes.Equal(p, want) {
		return 0, errTaken
	}
	return len(p), nil
}

// get writes an object of a size to w.
func (b *Bucket) get(ctx context.Context, key string, w io.Writer, size int64) error {
	return b.do(ctx, size, func(ctx context.Context) error {
		got, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.bucket, Key: &key})
		if err != nil {
			return err
		}
		defer func() { _ = got.Body.Close() }() // it was read
		switch n, err := io.Copy(w, io.LimitReader(got.Body, size+1)); {
		case err != nil:
			return fmt.Errorf("%s: %w", key, err)
		case n != size: // objects do not change
			return fmt.Errorf("%s has not the %d bytes that it should have: %w", key, size, other(got.ResultMetadata))
		}
		return nil
	})
}

func (b *Bucket) remove(ctx context.Context, key string) error {
	return b.do(ctx, 0, func(ctx context.Context) error {
		done, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.bucket, Key: &key})
		if err != nil {
			return err
		}
		if answer := answerTo(done.ResultMetadata); answer.StatusCode != http.StatusNoContent && answer.ContentLength != 0 {
			return other(done.ResultMetadata)
		}
		return nil
	})
}

// removeAll removes objects, the last names first: what is left of a segment is its beginning.
func (b *Bucket) removeAll(ctx context.Context, keys []string) error {
	slices.Sort(keys)
	for _, key := range slices.Backward(keys) {
		if err := b.remove(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// list calls object for each object, or folder, whose name begins with a prefix and comes after another name.
func (b *Bucket) list(ctx context.Context, prefix, after, delimiter string, object func(key string, size int64, last time.Time)) error {
	input := s3.ListObjectsV2Input{Bucket: &b.bucket, Prefix: &prefix}
	if after != "" {
		input.StartAfter = &after
	}
	if delimiter != "" {
		input.Delimiter = &delimiter
	}
	for pages := s3.NewListObjectsV2Paginator(b.client, &input); pages.HasMorePages(); {
		err := b.do(ctx, 0, func(ctx context.Context) error {
			page, err := pages.NextPage(ctx)
			switch {
			case err != nil:
				return err
			case page.Name == nil || aws.ToBool(page.IsTruncated) && page.NextContinuationToken == nil: // to the client any document is a list
				return other(page.ResultMetadata)
			}
			for _, folder := range page.CommonPrefixes {
				object(aws.ToString(folder.Prefix), 0, time.Time{})
			}
			for i := range page.Contents {
				o := &page.Contents[i]
				if !strings.HasPrefix(aws.ToString(o.Key), prefix) { // it may belong to somebody else
					return other(page.ResultMetadata)
				}
				object(aws.ToString(o.Key), aws.ToInt64(o.Size), aws.ToTime(o.LastModified))
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Providers returns the names of those of which there are documents, in order.
func (b *Bucket) Providers(ctx context.Context) (names []string, err error) {
	err = b.list(ctx, b.prefix, "", "/", func(key string, _ int64, _ time.Time) {
		name, folder := strings.CutSuffix(strings.TrimPrefix(key, b.prefix), "/")
		if folder && event.ValidProvider(name) == nil {
			names = append(names, name)
		}
	})
	return names, err
}

// wholeKey returns the name of the object that is all of a segment, and partKey that of one that begins at a byte.
func (b *Bucket) wholeKey(provider, name string) string { return b.prefix + provider + "/" + name }

func (b *Bucket) partKey(provider, name string, at int64) string {
	return fmt.Sprintf("%s%s/%s%s%015d", b.prefix, provider, strings.TrimSuffix(name, extension), partsFolder, at)
}

func (b *Bucket) segments(ctx context.Context, provider string) ([]stored, error) {
	all, err := b.segmentsAfter(ctx, provider, "")
	return slices.DeleteFunc(all, func(s stored) bool { // what was written while somebody forgot the rest
		return len(s.parts) > 0 && s.parts[0].at > 0
	}), err
}

// segmentsAfter returns what there is of segments in objects after a name.
func (b *Bucket) segmentsAfter(ctx context.Context, provider, after string) (all []stored, err error) {
	folder := b.prefix + provider + "/"
	err = b.list(ctx, folder, after, "", func(key string, size int64, last time.Time) {
		name, at, isPart := strings.Cut(strings.TrimPrefix(key, folder), partsFolder)
		if isPart {
			name += extension
		}
		began, err := beganOf(name)
		offset, err2 := strconv.ParseInt(cmp.Or(at, "0"), 10, 64)
		if err != nil || err2 != nil {
			return
		}
		if len(all) == 0 || all[len(all)-1].name != name { // a name with parts comes right before the one without
			all = append(all, stored{provider: provider, name: name, path: bucketScheme + b.bucket + "/" + b.wholeKey(provider, name), began: began})
		}
		s := &all[len(all)-1]
		if s.last.Before(last) {
			s.last = last
		}
		switch {
		case isPart:
			s.parts = append(s.parts, part{offset, size})
			s.size, s.ended = offset+size, size == 0
		default: // they were joined
			s.leftover, s.parts = s.parts, nil
			s.size, s.ended = size, true
		}
	})
	return all, err
}

// fetch writes the bytes of a segment to w, from one with which a part begins.
func (b *Bucket) fetch(ctx context.Context, s *stored, from int64, w io.WriterAt) error {
	if len(s.parts) == 0 {
		return b.get(ctx, b.wholeKey(s.provider, s.name), io.NewOffsetWriter(w, -from), s.size)
	}
	parts := slices.DeleteFunc(slices.Clone(s.parts), func(p part) bool { return p.at < from })
	at := from
	for _, p := range parts {
		if p.at != at {
			return fmt.Errorf("%s: the part from byte %d on is missing: %w", s.path, at, errDamaged)
		}
		at += p.size
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atATime)
	for _, p := range parts {
		group.Go(func() error {
			return b.get(ctx, b.partKey(s.provider, s.name, p.at), io.NewOffsetWriter(w, p.at-from), p.size)
		})
	}
	return group.Wait()
}

// A copied segment is in a file without a name, for readers.
type copied struct {
	path  string // of the segment
	file  *os.File
	size  int64
	users int // and one for the list of the bucket
}

// A reading is one of a copy.
type reading struct {
	*copied
	b *Bucket
}

func (r reading) ReadAt(p []byte, at int64) (int, error) {
	return io.NewSectionReader(r.file, 0, r.size).ReadAt(p, at)
}

func (r reading) Close() error {
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	r.leave()
	return nil
}

// leave closes the file after the last user. Whoever calls it has the lock.
func (c *copied) leave() {
	if c.users--; c.users == 0 {
		_ = c.file.Close() // nobody needs it any more
	}
}

// forgetCopies drops copies. Whoever calls it has the lock.
func (b *Bucket) forgetCopies(which func(*copied) bool) {
	b.copies = slices.DeleteFunc(b.copies, func(c *copied) bool {
		if !which(c) {
			return false
		}
		c.leave()
		return true
	})
}

func (b *Bucket) open(ctx context.Context, s *stored) (contents, error) {
	if c := b.copyOf(s); c != nil {
		return reading{c, b}, nil
	}
	file, err := unnamedFile()
	if err != nil {
		return nil, err
	}
	err = b.fetch(ctx, s, 0, file)
	if statusOf(err) == http.StatusNotFound { // the objects were joined meanwhile
		var all []stored
		if all, err = b.segments(ctx, s.provider); err == nil {
			i := slices.IndexFunc(all, func(now stored) bool { return now.name == s.name })
			if i < 0 || all[i].size < s.size {
				err = fmt.Errorf("%s was removed", s.path)
			} else {
				err = b.fetch(ctx, &all[i], 0, file)
			}
		}
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	c := &copied{path: s.path, file: file, size: s.size, users: 2}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forgetCopies(func(old *copied) bool { return old.path == s.path })
	total := s.size
	b.forgetCopies(func(old *copied) bool { total += old.size; return total > maxCopies })
	b.copies = slices.Insert(b.copies, 0, c)
	return reading{c, b}, nil
}

// copyOf returns the copy of a segment, if there is one with all of it.
func (b *Bucket) copyOf(s *stored) *copied {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.IndexFunc(b.copies, func(c *copied) bool { return c.path == s.path && c.size >= s.size })
	if i < 0 {
		return nil
	}
	c := b.copies[i]
	c.users++
	b.copies = slices.Insert(slices.Delete(b.copies, i, i+1), 0, c)
	return c
}

// unnamedFile makes a file in the folder for temporary ones that nothing is left of when the process ends.
func unnamedFile() (*os.File, error) {
	file, err := os.CreateTemp("", "fever-archive-")
	if err == nil {
		_ = os.Remove(file.Name()) // some systems keep it
	}
	return file, err
}

// The rest is for who writes.

type nothingHeld struct{}

func (nothingHeld) Close() error { return nil }
func (nothingHeld) lost() error  { return nil }

func (b *Bucket) hold() (holding, error) { return nothingHeld{}, nil }

func (b *Bucket) room() (size, free uint64) { return roomOf(os.TempDir()) }

func (b *Bucket) remote() bool { return true }

func (b *Bucket) latest(ctx context.Context, provider string, known *segment) (*segment, error) {
	ctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	after := ""
	if known != nil && known.parts > 0 { // its last part is listed again: the segment may have been removed
		after = b.prefix + provider + "/" + strings.TrimSuffix(known.name, extension) + partsFolder
		if known.last > 0 {
			after = b.partKey(provider, known.name, known.last-1)
		}
	}
	all, err := b.segmentsAfter(ctx, provider, after)
	if err != nil {
		return nil, err
	}
	if after != "" && (len(all) == 0 || all[0].name != known.name || len(all[0].parts) == 0 || all[0].parts[0].at != known.last) {
		known = nil
		if all, err = b.segments(ctx, provider); err != nil {
			return nil, err
		}
	}
	for _, s := range slices.Backward(all) {
		switch {
		case s.ended:
		case after != "" && known != nil && s.name == known.name:
			return b.goOn(ctx, &s, known)
		case after != "" && known != nil && s.parts[0].at > 0: // it was forgotten meanwhile
		default:
			return b.resume(ctx, &s)
		}
	}
	return nil, nil //nolint:nilnil // there is none
}

// goOn adds to a known segment what others have added.
func (b *Bucket) goOn(ctx context.Context, s *stored, known *segment) (*segment, error) {
	if s.size == known.size {
		return known, nil
	}
	file, err := unnamedFile()
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it has a copy
	from := known.size
	if err := b.fetch(ctx, s, from, file); err != nil {
		return nil, err
	}
	err = known.scan(io.NewSectionReader(file, 0, s.size-from))
	if err == nil && known.size != s.size {
		err = errDamaged
	}
	if err != nil {
		return unread(s, err)
	}
	known.stored(s.parts[len(s.parts)-1].at, len(s.parts)-1)
	known.counted = known.size
	return known, nil
}

// resume reads a segment, to go on with it.
func (b *Bucket) resume(ctx context.Context, of *stored) (*segment, error) {
	file, err := unnamedFile()
	if err != nil {
		return nil, err
	}
	s := &segment{provider: of.provider, name: of.name, file: file, began: of.began, index: make(map[digest]span)}
	err = b.fetch(ctx, of, 0, file)
	if err == nil {
		if err = s.scan(io.NewSectionReader(file, 0, of.size)); err == nil && s.size != of.size {
			err = errDamaged
		}
	}
	if err == nil {
		err = file.Truncate(0)
	}
	if err != nil {
		_ = file.Close() // it has a copy
		return unread(of, err)
	}
	s.stored(of.parts[len(of.parts)-1].at, len(of.parts))
	s.counted, s.pieces = s.size, len(s.index)
	return s, nil
}

// unread has the next job begin another segment if one cannot be read in the time that there is.
func unread(s *stored, err error) (*segment, error) {
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, nil //nolint:nilnil // it is left as it is
	}
	return nil, fmt.Errorf("the segment %s: %w", s.path, err)
}

func (b *Bucket) begin(ctx context.Context, provider string, now time.Time) (*segment, error) {
	all, err := b.segments(ctx, provider)
	if err != nil {
		return nil, err
	}
	if len(all) > 0 && !now.After(all[len(all)-1].began) { // by a clock that is ahead
		now = all[len(all)-1].began.Add(time.Millisecond)
	}
	file, err := unnamedFile()
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%015d-%s%s", now.UnixMilli(), strings.ToLower(rand.Text()[:10]), extension)
	s := &segment{provider: provider, name: name, file: file, began: now, index: make(map[digest]span)}
	if err := s.append([]byte(magic)); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return s, nil
}

func (b *Bucket) sync(ctx context.Context, s *segment) error {
	size := s.size - s.base
	switch {
	case size == 0:
		return nil
	case size > maxObject:
		return fmt.Errorf("%d bytes are too many for an object of a bucket", size)
	}
	if err := b.put(ctx, b.partKey(s.provider, s.name, s.base), s.file, size); err != nil {
		return err
	}
	s.stored(s.base, 1)
	return s.file.Truncate(0)
}

// stored notes that a bucket has the segment, with so many more objects, of which the last one begins at a byte.
func (s *segment) stored(at int64, more int) {
	s.base, s.last = s.size, at
	s.parts += more
}

func (b *Bucket) settle(ctx context.Context, s *segment) error {
	if s.base == 0 && s.size == int64(len(magic)) {
		return nil // no document was kept
	}
	return b.sync(ctx, s)
}

func (b *Bucket) end(ctx context.Context, s *segment) error {
	err := b.putEnd(ctx, s.provider, s.name, s.size)
	if errors.Is(err, errTaken) {
		return nil // whoever has gone on with it ends it
	}
	return err
}

// putEnd writes the object that ends a segment of a size.
func (b *Bucket) putEnd(ctx context.Context, provider, name string, size int64) error {
	return b.put(ctx, b.partKey(provider, name, size), strings.NewReader(""), 0)
}

// keys returns the names of the objects of a segment: the parts alone, or all.
func (b *Bucket) keys(s *stored, partsAlone bool) (keys []string) {
	for _, p := range slices.Concat(s.parts, s.leftover) {
		keys = append(keys, b.partKey(s.provider, s.name, p.at))
	}
	if !partsAlone && len(s.parts) == 0 {
		keys = append(keys, b.wholeKey(s.provider, s.name))
	}
	return keys
}

// join makes one object of a segment that has ended, of a provider that may be another one. Then it removes the others.
func (b *Bucket) join(ctx context.Context, s *stored, to string) error {
	in, err := b.open(ctx, s)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // opened for reading
	if err := b.put(ctx, b.wholeKey(to, s.name), in, s.size); err != nil {
		return err
	}
	return b.removeAll(ctx, b.keys(s, s.provider == to))
}

func (b *Bucket) tidy(ctx context.Context, l *limits) (int64, error) {
	providers, err := b.Providers(ctx)
	if err != nil {
		return 0, err
	}
	var all []stored
	for _, provider := range providers {
		of, err := b.segments(ctx, provider)
		if err != nil {
			return 0, err
		}
		for i := range of {
			s := &of[i]
			if s.ended && len(s.parts) > 0 {
				err = b.join(ctx, s, provider)
				s.parts = nil
			} else {
				err = b.removeAll(ctx, b.keys(&stored{provider: provider, name: s.name, parts: s.leftover}, true))
			}
			if err != nil {
				return 0, err
			}
			s.leftover = nil
		}
		all = append(all, of...)
	}
	stays := func(s *stored) bool {
		return l.open[s.provider] == s.name || !s.ended && l.now.Sub(s.last) < lingering
	}
	return l.cut(all, stays, func(s *stored) error { return b.removeAll(ctx, b.keys(s, false)) })
}

func (b *Bucket) forget(ctx context.Context, provider string) error {
	var keys []string
	err := b.list(ctx, b.prefix+provider+"/", "", "", func(key string, _ int64, _ time.Time) { keys = append(keys, key) })
	if err != nil {
		return err
	}
	return b.removeAll(ctx, keys)
}

func (b *Bucket) move(ctx context.Context, from, to string) error {
	all, err := b.segmentsAfter(ctx, from, "")
	if err != nil {
		return err
	}
	moved := make(map[string]bool) // by name, which no other segment has
	there, err := b.segments(ctx, to)
	if err != nil {
		return err
	}
	for _, s := range there {
		moved[s.name] = true
	}
	for i := range all {
		s := &all[i]
		// The other one has all of the segment already, or somebody forgot the beginning.
		if moved[s.name] || len(s.parts) > 0 && s.parts[0].at > 0 {
			if err := b.removeAll(ctx, b.keys(s, false)); err != nil {
				return err
			}
			continue
		}
		if !s.ended {
			if err := b.putEnd(ctx, from, s.name, s.size); err != nil {
				return err
			}
			s.parts = append(s.parts, part{s.size, 0})
		}
		if err := b.join(ctx, s, to); err != nil {
			return err
		}
	}
	return nil
}
