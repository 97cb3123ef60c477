// Package spool holds the bytes of a reader until it is decided how to read them.
package spool

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// MaxMemory bounds how much a [Spool] holds in memory, in bytes.
const MaxMemory = 512 << 10

// A Spool reads again, from the start, the bytes that [Fill] has read. It holds long content
// in a file without a name, which the system removes when the process ends.
//
// Without room for the file (a full disk, a read-only system) a spool is not whole. Then it
// reads what follows from the source as it arrives.
type Spool struct {
	io.Reader

	file   *os.File  // the first size bytes; nil when all fits into memory
	size   int64     // of what is in file
	memory []byte    // what follows it
	rest   io.Reader // what follows that; nil when the spool is whole
}

// Fill reads r to its end, or as far as there is room. The error is that of r. The spool
// must be closed.
func Fill(r io.Reader) (*Spool, error) {
	s := &Spool{rest: r}
	if err := s.fill(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Spool) fill() error {
	for s.rest != nil && (len(s.memory) < MaxMemory || s.flush()) {
		if len(s.memory) == cap(s.memory) {
			grown := make([]byte, len(s.memory), max(64<<10, min(8*len(s.memory), MaxMemory)))
			copy(grown, s.memory)
			s.memory = grown
		}
		n, err := s.rest.Read(s.memory[len(s.memory):cap(s.memory)])
		s.memory = s.memory[:len(s.memory)+n]
		if errors.Is(err, io.EOF) {
			s.rest = nil
		} else if err != nil {
			return err
		}
	}
	var parts []io.Reader
	if s.file != nil {
		parts = append(parts, io.NewSectionReader(s.file, 0, s.size))
	}
	parts = append(parts, bytes.NewReader(s.memory))
	if s.rest != nil {
		parts = append(parts, s.rest)
	}
	s.Reader = io.MultiReader(parts...)
	return nil
}

// flush moves the content of the memory into the file, and reports whether it succeeded.
func (s *Spool) flush() bool {
	if s.file == nil {
		file, err := os.CreateTemp("", "fever-") // with the mode 0600
		if err != nil {
			return false
		}
		s.file = file
		if os.Remove(file.Name()) != nil { // nobody else can open it then
			return false
		}
	}
	n, err := s.file.Write(s.memory)
	s.size += int64(n)
	s.memory = s.memory[:copy(s.memory, s.memory[n:])]
	return err == nil
}

// Whole reports whether the spool holds everything to the end of the reader.
func (s *Spool) Whole() bool { return s.rest == nil }

// Close removes the file.
func (s *Spool) Close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}
