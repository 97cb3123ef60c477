package archive

import (
	"bufio"
	"cmp"
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"
)

// A Document is one of the archive.
type Document struct {
	Head
	Outcome Outcome // zero if it is not known: the process ended before it was written

	place   Place
	segment *stored
	at      int64   // of the record in its segment
	parts   []int64 // of the records with what comes before in its recipe
	recipe  []byte  // the rest
}

// maxDocuments bounds the documents of a job whose outcome is looked for.
const maxDocuments = 16 << 10

// Documents yields the documents of a provider in the order in which jobs got them, each job's
// together. An archive may be written to meanwhile.
//
// What a kill has left of a document at the end of the newest segment is passed over. For other bytes
// that cannot be read there is an error without a document, and what follows them comes if it can
// be found.
func Documents(ctx context.Context, place Place, provider string) iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		all, err := place.segments(ctx, provider)
		if err != nil {
			yield(Document{}, err)
			return
		}
		r := reader{ctx, place, all}
		r.documents(all, yield)
	}
}

// DocumentsOf returns the documents of a provider that count as of a time, to the millisecond: all those of a job, or
// a page of a feed of changes. What is damaged is passed over if one can be read.
func DocumentsOf(ctx context.Context, place Place, provider string, at time.Time) (docs []Document, err error) {
	all, err := place.segments(ctx, provider)
	if err != nil {
		return nil, err
	}
	var some []stored // segments that the job can have written to: it may have begun a segment late
	for _, s := range all {
		if s.began.Sub(at).Abs() <= 2*maxAge {
			some = append(some, s)
		}
	}
	r := reader{ctx, place, all}
	r.documents(some, func(doc Document, failed error) bool {
		switch {
		case failed != nil:
			err = failed
		case doc.At().Equal(at):
			docs = append(docs, doc)
		case doc.Started.After(at.Add(time.Millisecond)):
			return false
		}
		return true
	})
	if len(docs) > 0 {
		err = nil
	}
	return docs, err
}

// Newest yields the documents of a provider as [Documents] does, but the last ones first. It holds what is
// known of the documents of a segment.
func Newest(ctx context.Context, place Place, provider string) iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		all, err := place.segments(ctx, provider)
		if err != nil {
			yield(Document{}, err)
			return
		}
		r := reader{ctx, place, all}
		for i := range slices.Backward(all) {
			var docs []Document
			stopped := false
			r.documents(all[i:i+1], func(doc Document, err error) bool {
				if err == nil {
					docs = append(docs, doc)
					return true
				}
				stopped = !yield(doc, err)
				return !stopped
			})
			for _, doc := range slices.Backward(docs) {
				if stopped || !yield(doc, nil) {
					return
				}
			}
			if stopped {
				return
			}
		}
	}
}

// A reader reads segments of a provider.
type reader struct {
	ctx   context.Context //nolint:containedctx // of one call
	place Place
	all   []stored
}

// documents yields those in some of the segments.
func (r *reader) documents(some []stored, yield func(Document, error) bool) {
	var open []*source // segments whose next jobs are known; of a provider that was renamed they may overlap
	defer func() {
		for _, s := range open {
			s.close()
		}
	}()
	for len(some) > 0 || len(open) > 0 {
		for len(some) > 0 {
			if len(open) > 0 && some[0].began.After(open[0].job[0].Started) {
				break
			}
			s := r.source(&some[0])
			some = some[1:]
			if s.advance(yield) {
				open = append(open, s)
			} else if s.close(); s.stopped {
				return
			}
			slices.SortFunc(open, func(a, b *source) int { return a.compare(b) })
		}
		if len(open) == 0 {
			continue
		}
		s := open[0]
		for _, doc := range s.job {
			if !yield(doc, nil) {
				return
			}
		}
		if !s.advance(yield) {
			s.close()
			open = open[1:]
			if s.stopped {
				return
			}
		}
		slices.SortFunc(open, func(a, b *source) int { return a.compare(b) })
	}
}

// A source is a segment whose jobs are read in turn.
type source struct {
	place   Place
	segment *stored
	newest  bool
	file    contents
	in      *records
	err     error // of opening it
	job     []Document
	read    []Document // of the job after it, so far
	parts   []int64
	stopped bool
}

func (r *reader) source(segment *stored) *source {
	s := &source{place: r.place, segment: segment, newest: segment.name == r.all[len(r.all)-1].name}
	file, err := r.place.open(r.ctx, segment)
	if err != nil {
		s.err = err
		return s
	}
	s.file = file
	s.in, s.err = readRecords(io.NewSectionReader(file, 0, math.MaxInt64))
	return s
}

func (s *source) close() {
	if s.file != nil {
		_ = s.file.Close() // opened for reading
		s.file = nil
	}
}

func (s *source) compare(o *source) int {
	return cmp.Or(s.job[0].Started.Compare(o.job[0].Started), cmp.Compare(s.segment.path, o.segment.path))
}

// advance reads the documents of the next job, and reports whether there are any. It yields what is
// damaged.
func (s *source) advance(yield func(Document, error) bool) bool {
	s.job = nil
	report := func(err error) bool {
		s.stopped = !yield(Document{}, fmt.Errorf("the segment %s of the archive: %w", s.segment.path, err))
		return !s.stopped
	}
	for s.in != nil || s.err != nil {
		if s.err != nil {
			if torn := errors.Is(s.err, errTorn); !torn || !s.newest {
				report(s.err)
			}
			s.in, s.err = nil, nil
			break
		}
		rec, err := s.in.next()
		switch {
		case errors.Is(err, io.EOF):
			s.in = nil
			continue
		case errors.Is(err, errTorn) && s.newest:
			s.in = nil
			continue
		case err != nil:
			if !report(err) {
				return false
			}
			switch rec.kind {
			case 0: // where the next one begins is not known
				s.in = nil
			case documentRecord:
				s.parts = nil
			}
			continue
		}
		complete, err := s.take(&rec)
		if err != nil && !report(err) {
			return false
		}
		if complete {
			return true
		}
	}
	s.job, s.read = s.read, nil
	return len(s.job) > 0
}

// take takes a record, and reports whether the documents of a job are complete with it.
func (s *source) take(rec *record) (bool, error) {
	switch rec.kind {
	case recipeRecord:
		s.parts = append(s.parts, rec.at)
	case documentRecord:
		doc := Document{place: s.place, segment: s.segment, at: rec.at, parts: s.parts}
		s.parts = nil
		recipe, err := readDocument(rec.content, &doc.Head)
		if err != nil {
			return false, err
		}
		doc.recipe = recipe
		if len(s.read) > 0 && (s.read[0].Job != doc.Job || len(s.read) >= maxDocuments) {
			s.job, s.read = s.read, []Document{doc} // nothing says what became of that job
			return true, nil
		}
		s.read = append(s.read, doc)
	case outcomeRecord:
		if len(s.read) == 0 {
			return false, nil
		}
		var outcome Outcome
		err := readOutcome(rec.content, &outcome)
		for i := range s.read {
			s.read[i].Outcome = outcome
		}
		s.job, s.read = s.read, nil
		return true, err
	}
	return false, nil
}

// maxCache bounds the uncompressed blocks that the body of a document holds. A document whose pieces
// came with many versions needs a block of each of them at a time.
const maxCache = 16 << 20

// Open returns the body of the document. Its last Read returns an error in place of io.EOF if
// the body is not what was stored. It must be closed.
func (d *Document) Open(ctx context.Context) (io.ReadCloser, error) {
	file, err := d.place.open(ctx, d.segment)
	if err != nil {
		return nil, fmt.Errorf("open a document of the archive: %w", err)
	}
	// A frame that would need more memory is refused.
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(blockSize), zstd.WithDecoderMaxWindow(blockSize))
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &body{doc: d, file: file, zstd: decoder, parts: d.parts, sum: sha256.New(), blocks: make(map[int64]*list.Element)}, nil
}

// A body is that of a document.
type body struct {
	doc    *Document
	file   contents
	zstd   *zstd.Decoder
	parts  []int64 // of the recipe, that were not read
	ended  bool    // so is the rest
	recipe []byte
	last   int64 // the block of the last span
	now    []byte
	sum    hash.Hash
	size   int64
	err    error

	blocks map[int64]*list.Element // by their places
	recent list.List               // of *cached, the last one used in front
	cached int                     // bytes
}

type cached struct {
	at       int64
	contents []byte
}

func (b *body) Close() error {
	b.zstd.Close()
	return b.file.Close()
}

func (b *body) Read(p []byte) (int, error) {
	for len(b.now) == 0 && b.err == nil {
		b.err = b.next()
	}
	if len(b.now) == 0 && b.err != nil {
		return 0, b.err
	}
	n := copy(p, b.now)
	b.now = b.now[n:]
	return n, nil
}

// next sets the bytes that come next. The error is io.EOF at the end.
func (b *body) next() error {
	if len(b.recipe) == 0 {
		return b.goOn()
	}
	step, n := binary.Varint(b.recipe)
	offset, rest, ok := uvarint(b.recipe[max(n, 0):])
	length, rest, ok2 := uvarint(rest)
	if n <= 0 || !ok || !ok2 {
		return b.damaged(errDamaged)
	}
	b.recipe = rest
	b.last += step
	contents, err := b.block(b.last)
	if err != nil {
		return b.damaged(err)
	}
	if offset > uint64(len(contents)) || length > uint64(len(contents))-offset || length == 0 {
		return b.damaged(errDamaged)
	}
	b.now = contents[offset : offset+length]
	b.size += int64(length)
	b.sum.Write(b.now)
	if b.size > b.doc.Size {
		b.now = nil
		return b.damaged(errDamaged)
	}
	return nil
}

// goOn reads the next part of the recipe.
func (b *body) goOn() error {
	switch {
	case len(b.parts) > 0:
		content, err := b.record(b.parts[0], recipeRecord)
		if err != nil {
			return b.damaged(err)
		}
		b.parts, b.recipe = b.parts[1:], content
		return nil
	case !b.ended:
		b.ended, b.recipe = true, b.doc.recipe
		return nil
	case b.size != b.doc.Size || !slices.Equal(b.sum.Sum(nil), b.doc.SHA256):
		return b.damaged(errDamaged)
	}
	return io.EOF
}

func (b *body) damaged(err error) error {
	return fmt.Errorf("the document at byte %d of the segment %s of the archive: %w", b.doc.at, b.doc.segment.path, err)
}

// record returns the content of a record of a kind.
func (b *body) record(at int64, kind byte) ([]byte, error) {
	if at < int64(len(magic)) {
		return nil, errDamaged
	}
	in := records{r: bufio.NewReaderSize(io.NewSectionReader(b.file, at, headerSize+maxRecord), 64<<10), at: at}
	rec, err := in.next()
	switch {
	case errors.Is(err, io.EOF):
		return nil, errTorn
	case err != nil:
		return nil, err
	case rec.kind != kind:
		return nil, errDamaged
	}
	return rec.content, nil
}

// block returns the uncompressed content of a block.
func (b *body) block(at int64) ([]byte, error) {
	if known := b.blocks[at]; known != nil {
		b.recent.MoveToFront(known)
		return known.Value.(*cached).contents, nil
	}
	content, err := b.record(at, blockRecord)
	if err != nil {
		return nil, err
	}
	table, compressed, err := readBlock(content)
	if err != nil {
		return nil, err
	}
	size := 0
	for _, piece := range table {
		size += int(piece.length)
	}
	contents, err := b.zstd.DecodeAll(compressed, make([]byte, 0, size))
	if err != nil || len(contents) != size {
		return nil, fmt.Errorf("%w: a block of %d bytes is %d: %w", errDamaged, size, len(contents), err)
	}
	b.blocks[at] = b.recent.PushFront(&cached{at, contents})
	for b.cached += size; b.cached > maxCache; {
		oldest := b.recent.Remove(b.recent.Back()).(*cached)
		delete(b.blocks, oldest.at)
		b.cached -= len(oldest.contents)
	}
	return contents, nil
}
