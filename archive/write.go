package archive

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"slices"
	"sync"
	"time"
)

// maxRecipe is how many bytes of a document's recipe are held before they are written.
const maxRecipe = 64 << 10

// A Job writes the documents of one job to the archive. After an error it writes nothing more, and
// what it wrote since the last outcome is gone: see [Job.Sync].
type Job struct {
	ctx      context.Context //nolint:containedctx // of one job
	archive  *Archive
	provider string
	segment  *segment // nil before the first document
	start    int64    // of the documents without an outcome
	open     bool     // there are documents without an outcome
	added    []digest // their pieces
	err      error    // the first since then
	told     bool     // of err
}

// Begin begins a job of a provider. When ctx has ended, it waits for no bucket any more. [Job.Close] must be called at
// its end.
func (a *Archive) Begin(ctx context.Context, provider string) *Job {
	return &Job{ctx: ctx, archive: a, provider: provider}
}

// Unsettled returns the head of the last document of a provider if nothing says yet what became of
// its job: the process ended before. [Job.End] says it then. Else the head is nil. It opens
// the newest segment, and makes none.
func (j *Job) Unsettled() (*Head, error) {
	s, err := j.archive.latest(j.ctx, j.provider)
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	if s == nil {
		return nil, nil
	}
	j.segment, j.start, j.open = s, s.size, s.open != nil
	return s.open, nil
}

// Committed returns when the provider's newest job began whose documents were committed, by the newest segment. It
// is zero if that has none of such a job. It tells nothing before [Job.Unsettled].
func (j *Job) Committed() time.Time {
	if j.segment == nil {
		return time.Time{}
	}
	return j.segment.committed
}

// reach opens the segment of the job.
func (j *Job) reach() (err error) {
	if j.segment != nil || j.err != nil {
		return j.err
	}
	j.segment, err = j.archive.segmentFor(j.ctx, j.provider, time.Now())
	if err != nil {
		j.err = fmt.Errorf("archive: %w", err)
		return j.err
	}
	j.start = j.segment.size
	return nil
}

// Document begins a document. What is written to it must be its whole body, and then it is to be
// kept or dropped, in any case before the next one begins. It never fails: see [Job.Sync].
func (j *Job) Document() *Writer {
	w := &Writer{job: j, sum: sha256.New(), full: make(chan []byte, 2), empty: make(chan []byte, 4)}
	if j.reach() != nil {
		w.full = nil
		return w
	}
	w.from, w.block = j.segment.size, block{at: j.segment.size}
	w.work.Go(w.store)
	return w
}

// Sync returns when all documents so far are on disk, or in the bucket. The error is
// the first one since the last outcome: then none of them is in the archive.
func (j *Job) Sync() error {
	if j.err == nil && j.open {
		j.fail(j.archive.place.sync(j.ctx, j.segment))
	}
	j.told = j.err != nil
	return j.err
}

// End says what became of the documents since the last outcome. An error of [Job.Sync] is not
// returned again.
func (j *Job) End(outcome Outcome) error {
	if j.err == nil && j.open {
		content, err := json.Marshal(outcome)
		if err == nil {
			err = j.segment.append(appendRecord(nil, outcomeRecord, content))
		}
		if err == nil {
			j.segment.ended(j.segment.size, &outcome)
		}
		j.fail(err)
	}
	return j.settle()
}

// Drop drops the documents since the last outcome, as they brought nothing new. What Sync has stored in a bucket
// already stays, as if it had been committed.
func (j *Job) Drop() error {
	if j.err == nil && j.open && j.segment.base > j.start {
		return j.End(Outcome{At: time.Now()})
	}
	if j.err == nil && j.open {
		j.segment.open = nil
		j.fail(j.back(j.start, j.added))
	}
	return j.settle()
}

// settle begins with the next documents of the job.
func (j *Job) settle() error {
	err := j.err
	if j.told {
		err = nil
	}
	j.err, j.told, j.open, j.added = nil, false, false, nil
	if j.segment != nil {
		j.start = j.segment.size
	}
	return err
}

// Close ends the job.
func (j *Job) Close() error {
	if j.segment == nil {
		return nil
	}
	if err := j.archive.free(j.ctx, j.segment); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	return nil
}

// fail keeps an error, if it is one and the first. The segment loses what has no outcome, and is
// opened anew for the next documents.
func (j *Job) fail(err error) {
	if err == nil || j.err != nil {
		return
	}
	j.err = fmt.Errorf("archive: %w", err)
	_ = j.back(j.start, j.added) // if it fails, what is left is found when the segment is opened
	j.archive.mu.Lock()
	defer j.archive.mu.Unlock()
	_ = j.archive.release(j.provider) // err matters more
	j.segment = nil
}

// back cuts the segment off at a place, without the pieces that were added behind it.
func (j *Job) back(to int64, added []digest) error {
	j.segment.drop(added)
	if j.segment.size == to {
		return nil
	}
	j.segment.size = to
	return j.segment.file.Truncate(max(to-j.segment.base, 0))
}

// bufferSize is that of the buffers of a [Writer], in bytes.
const bufferSize = 64 << 10

// A Writer writes the body of a document. A goroutine cuts and compresses it beside who writes.
type Writer struct {
	job  *Job
	from int64 // where the document begins in the segment

	buffer []byte
	full   chan []byte // buffers for the goroutine
	empty  chan []byte // buffers that it is done with
	work   sync.WaitGroup
	ended  bool

	// These are the goroutine's until it has ended.
	sum    hash.Hash // of the body
	size   int64     // of the body
	rest   []byte    // of the body, less than a piece perhaps
	block  block     // the next one
	packed []byte    // the contents of a block, and with it what is written, to be used again
	out    []byte
	recipe []byte
	last   span // the end of the recipe, which the next piece may lengthen
	before int64
	added  []digest
	err    error
}

// A block is one that is being filled.
type block struct {
	at       int64 // where it will be in the segment
	table    []byte
	pieces   int
	contents []byte
}

// Write takes the next bytes of the body. It never fails.
func (w *Writer) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 && w.full != nil {
		if w.buffer == nil {
			select {
			case w.buffer = <-w.empty:
			default:
				w.buffer = make([]byte, 0, bufferSize)
			}
		}
		taken := min(len(p), cap(w.buffer)-len(w.buffer))
		w.buffer = append(w.buffer, p[:taken]...)
		if p = p[taken:]; len(w.buffer) == cap(w.buffer) {
			w.full <- w.buffer
			w.buffer = nil
		}
	}
	return n, nil
}

// finish waits until all that was written is stored.
func (w *Writer) finish() {
	w.ended = true
	if w.full == nil {
		return
	}
	if len(w.buffer) > 0 {
		w.full <- w.buffer
	}
	close(w.full)
	w.work.Wait()
}

// Keep ends the document, with what is known of it. The size and the digest of the body are set.
func (w *Writer) Keep(head Head) {
	if w.ended {
		return
	}
	w.finish()
	j := w.job
	if j.err != nil {
		return
	}
	j.added = append(j.added, w.added...)
	if w.err == nil {
		w.err = w.end(&head)
	}
	if w.err != nil {
		j.fail(w.err)
		return
	}
	j.segment.open, j.open = &head, true
}

// Drop drops the document, unless it was kept.
func (w *Writer) Drop() {
	if w.ended {
		return
	}
	w.finish()
	j := w.job
	if j.err != nil {
		return
	}
	j.fail(j.back(w.from, w.added))
}

// store is the goroutine: it stores the body as it comes.
func (w *Writer) store() {
	for buffer := range w.full {
		if w.err != nil {
			continue // who writes must not wait
		}
		w.sum.Write(buffer)
		w.size += int64(len(buffer))
		w.rest = append(w.rest, buffer...)
		w.empty <- buffer[:0]
		rest := w.rest
		for w.err == nil {
			n := cut(rest)
			if n == 0 {
				break
			}
			w.err = w.piece(rest[:n])
			rest = rest[n:]
		}
		w.rest = w.rest[:copy(w.rest, rest)]
	}
	if w.err == nil && len(w.rest) > 0 {
		w.err = w.piece(w.rest)
	}
	if w.err == nil {
		w.err = w.flush()
	}
}

// piece stores a piece of the body: a new one in the block, or the place where it is already.
func (w *Writer) piece(b []byte) error {
	sum := sha256.Sum256(b)
	name := digest(sum[:digestSize])
	where, known := w.job.segment.index[name]
	if !known {
		if len(w.block.contents)+len(b) > blockSize {
			if err := w.flush(); err != nil {
				return err
			}
		}
		if w.block.contents == nil {
			w.block.contents = make([]byte, 0, blockSize)
		}
		where = span{w.block.at, uint32(len(w.block.contents)), uint32(len(b))}
		w.block.contents = append(w.block.contents, b...)
		w.block.table = binary.AppendUvarint(w.block.table, uint64(len(b)))
		w.block.table = append(w.block.table, name[:]...)
		w.block.pieces++
		w.job.segment.index[name] = where
		w.added = append(w.added, name)
	}
	if w.last.block == where.block && w.last.offset+w.last.length == where.offset {
		w.last.length += where.length
		return nil
	}
	err := w.step()
	w.last = where
	return err
}

// step adds the last span to the recipe.
func (w *Writer) step() error {
	if w.last.length == 0 {
		return nil
	}
	w.recipe = binary.AppendVarint(w.recipe, w.last.block-w.before)
	w.recipe = binary.AppendUvarint(w.recipe, uint64(w.last.offset))
	w.recipe = binary.AppendUvarint(w.recipe, uint64(w.last.length))
	w.before = w.last.block
	if len(w.recipe) < maxRecipe {
		return nil
	}
	return w.flush()
}

// flush writes the block, if there is something in it, and the recipe if it is long.
func (w *Writer) flush() error {
	w.out = w.out[:0]
	if w.block.pieces > 0 {
		if err := w.job.archive.Full(); err != nil {
			return err
		}
		w.packed = w.job.archive.zstd.EncodeAll(w.block.contents, w.packed[:0])
		w.out = appendRecord(w.out, blockRecord, binary.AppendUvarint(nil, uint64(w.block.pieces)), w.block.table, w.packed)
	}
	if len(w.recipe) >= maxRecipe {
		w.out = appendRecord(w.out, recipeRecord, w.recipe)
		w.recipe = w.recipe[:0]
	}
	if err := w.job.segment.append(w.out); err != nil {
		return err
	}
	w.block = block{at: w.job.segment.size, table: w.block.table[:0], contents: w.block.contents[:0]}
	return nil
}

// end writes the record of the document.
func (w *Writer) end(head *Head) error {
	if err := w.step(); err != nil {
		return err
	}
	head.Size, head.SHA256 = w.size, slices.Clone(w.sum.Sum(nil))
	text, err := json.Marshal(head)
	if err != nil {
		return err
	}
	if len(text) > maxHead {
		return errors.New("the document's header fields are too long to be kept")
	}
	return w.job.segment.append(appendRecord(nil, documentRecord, binary.AppendUvarint(nil, uint64(len(text))), text, w.recipe))
}
