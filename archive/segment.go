package archive

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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
	path  string
	file  *os.File
	began time.Time
	size  int64
	first int64           // its size after its first job; 0: there was none
	index map[digest]span // all its pieces

	busy    bool  // a job writes to it
	counted int64 // of its size, in that of the archive
	pieces  int   // in the index when the last job ended

	open *Head // of the last document, until it is known what became of its job
}

// begin makes a new segment.
func begin(folder string, now time.Time) (*segment, error) {
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
	s := &segment{path: path, file: file, began: now, index: make(map[digest]span)}
	err = s.append([]byte(magic))
	if err == nil {
		err = errors.Join(syncFolder(folder), syncFolder(filepath.Dir(folder)))
	}
	if err != nil {
		return nil, errors.Join(err, file.Close(), os.Remove(path))
	}
	s.counted = s.size
	return s, nil
}

// openSegment opens a segment to go on with it. What follows the last whole document is cut off. If
// something before the end is damaged the error wraps errDamaged.
func openSegment(path string) (_ *segment, err error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open the segment %s: %w", path, err), file.Close())
		}
	}()
	s := &segment{path: path, file: file, index: make(map[digest]span)}
	if s.began, err = beganOf(filepath.Base(path)); err != nil {
		return nil, err
	}
	if err := s.scan(); err != nil {
		return nil, err
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

// scan reads the segment from its beginning: it sets what is known of it, and the size up to the end
// of the last whole document.
func (s *segment) scan() error {
	in, err := readRecords(s.file)
	if errors.Is(err, errTorn) {
		return nil
	} else if err != nil {
		return err
	}
	s.size = in.at
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
			s.ended(rec.end())
			added = added[:0]
		}
		if err != nil {
			return err
		}
	}
}

// ended notes that a job has ended at a place of the segment.
func (s *segment) ended(at int64) {
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
	n, err := s.file.WriteAt(b, s.size)
	s.size += int64(n)
	return err
}

// full reports whether the next job must begin another segment, if this one may have a size.
func (s *segment) full(now time.Time, most int64) bool {
	return now.Sub(s.began) >= maxAge || len(s.index) >= maxPieces || s.size >= max(most, firstTimes*s.first)
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
