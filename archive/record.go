package archive

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
)

// A segment is a file that begins with magic and goes on with records. Each has a header of
// headerSize bytes: the length of its content with its kind in the upper byte, the checksum of the
// content, and the checksum of these two, each in 4 bytes, the lowest first. docs/archive.md has it
// byte by byte.
const (
	magic      = "fever archive 1\n"
	headerSize = 12
	maxRecord  = 1 << 20 // bytes of a record's content
)

// The kinds of records.
const (
	blockRecord    = 'B' // pieces that documents are made of
	recipeRecord   = 'R' // which pieces the next document begins or goes on with
	documentRecord = 'D' // the end of a document: its head and the rest of its recipe
	outcomeRecord  = 'O' // what became of the documents of a job
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errTorn is the error for a segment that ends within a record, as after a kill.
var errTorn = errors.New("it ends within a record")

// errDamaged is the error for bytes that are not what was written.
var errDamaged = errors.New("it is damaged")

// asDamaged makes an error of reading a segment, if it is one, an error that wraps errDamaged: what cannot be read
// is as bad as what was changed.
func asDamaged(err error) error {
	if err == nil || errors.Is(err, errDamaged) {
		return err
	}
	return fmt.Errorf("%w: %w", errDamaged, err)
}

// A record is one of a segment, as it is read.
type record struct {
	kind    byte
	at      int64 // of its header
	content []byte
}

// end returns where the record ends in its segment.
func (r *record) end() int64 { return r.at + headerSize + int64(len(r.content)) }

// appendRecord appends a record of a kind to b. Its content is made of parts.
func appendRecord(b []byte, kind byte, parts ...[]byte) []byte {
	start := len(b)
	b = append(b, make([]byte, headerSize)...)
	for _, part := range parts {
		b = append(b, part...)
	}
	content := b[start+headerSize:]
	header := b[start:]
	binary.LittleEndian.PutUint32(header, uint32(len(content))|uint32(kind)<<24)
	binary.LittleEndian.PutUint32(header[4:], crc32.Checksum(content, castagnoli))
	binary.LittleEndian.PutUint32(header[8:], crc32.Checksum(header[:8], castagnoli))
	return b
}

// readHeader reads the header of a record: its kind, and the length and the checksum of its content. Ok
// is false if it is damaged.
func readHeader(header []byte) (kind byte, length int, sum uint32, ok bool) {
	word := binary.LittleEndian.Uint32(header)
	length = int(word & (1<<24 - 1))
	ok = crc32.Checksum(header[:8], castagnoli) == binary.LittleEndian.Uint32(header[8:]) && length <= maxRecord
	return byte(word >> 24), length, binary.LittleEndian.Uint32(header[4:]), ok
}

// records reads the records of a segment in turn.
type records struct {
	r  *bufio.Reader
	at int64 // of the next record
}

// readRecords reads the beginning of a segment. An empty one is torn.
func readRecords(r io.Reader) (*records, error) {
	s := &records{r: bufio.NewReaderSize(r, 256<<10), at: int64(len(magic))}
	begin := make([]byte, len(magic))
	if err := s.fill(begin); err != nil {
		return nil, err
	}
	switch {
	case string(begin) == magic:
		return s, nil
	case strings.HasPrefix(magic, strings.TrimRight(string(begin), "\x00")):
		return nil, s.onlyZeros()
	}
	return nil, errors.New("it is no segment of an archive, or one of a newer version")
}

// next returns the next record. Its content is valid until the next call. The error is io.EOF at
// the end, or wraps errTorn or errDamaged. After damage within a record the next call
// returns the record behind it, and this one returns the damaged one without its content.
func (s *records) next() (record, error) {
	header := make([]byte, headerSize)
	if _, err := s.r.Peek(1); errors.Is(err, io.EOF) {
		return record{}, io.EOF
	}
	if err := s.fill(header); err != nil {
		return record{}, err
	}
	kind, length, sum, ok := readHeader(header)
	if !ok {
		return record{}, s.onlyZeros()
	}
	rec := record{kind: kind, at: s.at, content: make([]byte, length)}
	if err := s.fill(rec.content); err != nil {
		return record{}, err
	}
	s.at = rec.end()
	if crc32.Checksum(rec.content, castagnoli) != sum {
		if next, _ := s.r.Peek(headerSize); length > 0 && rec.content[length-1] == 0 && isZero(next) {
			return record{}, s.onlyZeros()
		}
		return record{kind: kind, at: rec.at}, fmt.Errorf("the record at byte %d: %w", rec.at, errDamaged)
	}
	return rec, nil
}

// fill fills b.
func (s *records) fill(b []byte) error {
	_, err := io.ReadFull(s.r, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errTorn
	}
	return err
}

// onlyZeros returns errTorn if the rest of the segment is zeros, and else errDamaged. After a loss of
// power a file may have its length, and zeros in place of what was written last.
func (s *records) onlyZeros() error {
	rest := make([]byte, 4<<10)
	for {
		n, err := s.r.Read(rest)
		switch {
		case !isZero(rest[:n]):
			return errDamaged
		case errors.Is(err, io.EOF):
			return errTorn
		case err != nil:
			return err
		}
	}
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
