package archive

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// blockSize is how many bytes of pieces are compressed together, in bytes.
const blockSize = 256 << 10

// digestSize is how many bytes of its SHA-256 name a piece.
const digestSize = 16

type digest [digestSize]byte

// A span is where some bytes of a document are: in a block, uncompressed.
type span struct {
	block  int64  // where the record is in the segment
	offset uint32 // of the uncompressed content
	length uint32
}

// A segment is one that is appended to.
type segment struct {
	provider, name string
	file           *os.File // what is not stored elsewhere
	base           int64    // where the file begins in the segment
	began          time.Time
	read           time.Time // when the bytes in the file were last known to be good; not used in a bucket
	size           int64
	first          int64           // its size after its first job; 0: there was none
	index          map[digest]span // all its pieces

	busy    bool  // a job writes to it
	counted int64 // of its size, in that of the archive
	pieces  int   // in the index when the last job ended

	open *Head // of the last document, until it is known what became of its job
	// committed is when the newest job began whose documents were committed; zero: that is not known.
	committed time.Time

	parts int   // objects that a bucket has of it
	last  int64 // where the last one begins
}

// betweenReadings is how long a segment in a folder is appended to before a job reads it again. A job refers to
// blocks of earlier ones, so it must not go on for long after one of them was damaged.
const betweenReadings = time.Hour

// errLost is the error for a file that has another one in its place, or none, or is not as long as it was left.
var errLost = errors.New("it was removed, replaced or changed while it was in use")

// openSegment opens a segment in a folder to go on with it. What follows the last whole document is cut off. If
// something before the end is damaged, or cannot be read, the error wraps errDamaged.
func openSegment(of *stored) (_ *segment, err error) {
	file, err := os.OpenFile(of.path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("the segment %s: %w", of.path, err), file.Close())
		}
	}()
	s := &segment{provider: of.provider, name: of.name, file: file, began: of.began, read: time.Now(), index: make(map[digest]span)}
	if err := s.scan(file); err != nil {
		return nil, asDamaged(err)
	}
	s.counted, s.pieces = s.size, len(s.index)
	if s.size == 0 { // it was killed when it had made the file
		if err := file.Truncate(0); err != nil {
			return nil, err
		}
		return s, s.append([]byte(magic))
	}
	return s, file.Truncate(s.size)
}

// check returns an error if a job must not go on with a segment in a folder, which was open since the last job. It
// wraps errLost or errDamaged. The bytes are read again if that was not done for betweenReadings.
func (s *segment) check(now time.Time) error {
	if err := inPlace(s.file, s.size); err != nil {
		return err
	}
	if now.Sub(s.read) < betweenReadings {
		return nil
	}
	s.read = now
	in, err := readRecords(io.NewSectionReader(s.file, 0, s.size))
	for err == nil {
		_, err = in.next()
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("the segment %s: %w", s.file.Name(), asDamaged(err))
}

// inPlace returns an error that wraps errLost if an open file is not the one at its path, or has not its size. A path
// that may not be looked at is no reason to stop writing.
func inPlace(file *os.File, size int64) error {
	opened, err := file.Stat()
	if err != nil {
		return err
	}
	named, err := os.Stat(file.Name())
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil || !os.SameFile(opened, named) || opened.Size() != size {
		return fmt.Errorf("%s: %w", file.Name(), errLost)
	}
	return nil
}

// scan reads the segment from its size on: it sets what is known of it, and the size up to the end
// of the last whole document.
func (s *segment) scan(r io.Reader) error {
	in := &records{r: bufio.NewReaderSize(r, 256<<10), at: s.size}
	if s.size == 0 {
		var err error
		if in, err = readRecords(r); errors.Is(err, errTorn) {
			return nil
		} else if err != nil {
			return err
		}
		s.size = in.at
	}
	var added []digest // since the last document
	for {
		rec, err := in.next()
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, errTorn):
			s.drop(added)
			return nil
		case err != nil:
			return err
		}
		switch rec.kind {
		case blockRecord:
			added, err = s.know(&rec, added)
		case documentRecord:
			s.open = new(Head)
			_, err = readDocument(rec.content, s.open)
			s.size, added = rec.end(), added[:0]
		case outcomeRecord:
			var outcome Outcome
			_ = readOutcome(rec.content, &outcome) // readers are told
			s.ended(rec.end(), &outcome)
			added = added[:0]
		}
		if err != nil {
			return err
		}
	}
}

// ended notes that a job has ended at a place of the segment, and what became of its documents.
func (s *segment) ended(at int64, outcome *Outcome) {
	if s.open != nil && s.open.GoneBefore == "" && outcome.Known() && outcome.Failure == "" {
		s.committed = s.open.Started
	}
	s.size, s.open = at, nil
	if s.first == 0 {
		s.first = at
	}
}

// know adds the pieces of a block to the index, and their digests to added.
func (s *segment) know(rec *record, added []digest) ([]digest, error) {
	table, _, err := readBlock(rec.content)
	if err != nil {
		return nil, err
	}
	offset := uint32(0)
	for _, piece := range table {
		if _, known := s.index[piece.digest]; !known {
			s.index[piece.digest] = span{rec.at, offset, piece.length}
			added = append(added, piece.digest)
		}
		offset += piece.length
	}
	return added, nil
}

// drop forgets pieces.
func (s *segment) drop(pieces []digest) {
	for _, piece := range pieces {
		delete(s.index, piece)
	}
}

// append writes b at the end of the segment.
func (s *segment) append(b []byte) error {
	n, err := s.file.WriteAt(b, s.size-s.base)
	s.size += int64(n)
	return err
}

// full reports whether the next job must begin another segment, if this one may have a size.
func (s *segment) full(now time.Time, most int64) bool {
	return now.Sub(s.began) >= maxAge || len(s.index) >= maxPieces || s.parts >= maxParts || s.size >= max(most, firstTimes*s.first)
}

// A piece is one of a block.
type piece struct {
	digest digest
	length uint32
}

// readBlock reads the content of a record: the pieces in the block, and their compressed bytes.
func readBlock(b []byte) (table []piece, compressed []byte, err error) {
	n, b, ok := uvarint(b)
	if !ok || n > blockSize/minPiece+2 {
		return nil, nil, fmt.Errorf("a block: %w", errDamaged)
	}
	size := uint64(0)
	for range n {
		var length uint64
		if length, b, ok = uvarint(b); !ok || length > maxPiece || len(b) < digestSize {
			return nil, nil, fmt.Errorf("a block: %w", errDamaged)
		}
		table = append(table, piece{digest(b[:digestSize]), uint32(length)})
		b = b[digestSize:]
		size += length
	}
	if size > blockSize {
		return nil, nil, fmt.Errorf("a block of %d bytes: %w", size, errDamaged)
	}
	return table, b, nil
}

// readDocument reads the content of a record into a head, and returns the rest: the end of the
// document's recipe.
func readDocument(b []byte, head *Head) (recipe []byte, err error) {
	n, b, ok := uvarint(b)
	if !ok || n > uint64(len(b)) {
		return nil, fmt.Errorf("a document: %w", errDamaged)
	}
	if err := json.Unmarshal(b[:n], head); err != nil {
		return nil, fmt.Errorf("a document: %w: %w", errDamaged, err)
	}
	if head.Generation > 0 && head.Taken.IsZero() { // the first archives have none
		head.Taken = head.Began
	}
	return b[n:], nil
}

// uvarint reads a number, and returns the rest.
func uvarint(b []byte) (uint64, []byte, bool) {
	n, length := binary.Uvarint(b)
	if length <= 0 {
		return 0, nil, false
	}
	return n, b[length:], true
}
