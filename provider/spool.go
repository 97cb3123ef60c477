package provider

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// maxMemory bounds what a spool holds in memory, in bytes.
const maxMemory = 16 << 20

// A spool holds a body as it was received until it is known whether it needs decoding.
// What is long goes into a file that has no name: it goes when the process does.
//
// Where there is no room for the file (a full disk, a read-only system) the spool
// stays incomplete: the body can be read all the same, but as it arrives, and it is
// not known beforehand whether it is the last one again.
type spool struct {
	file   *os.File  // the first size bytes of the body; nil when they fit into memory
	size   int64     // of what is in file
	memory []byte    // what comes behind them
	rest   io.Reader // what comes behind that; nil when the spool holds all of the body
}

// fill reads the body up to its end, or as far as there is room, and writes what it
// reads to digest, too. The error is one of reading the body.
func (s *spool) fill(digest io.Writer) error {
	for {
		if len(s.memory) == maxMemory && !s.flush() {
			return nil
		}
		if len(s.memory) == cap(s.memory) {
			grown := make([]byte, len(s.memory), max(64<<10, min(2*len(s.memory), maxMemory)))
			copy(grown, s.memory)
			s.memory = grown
		}
		start := len(s.memory)
		n, err := s.rest.Read(s.memory[start:cap(s.memory)])
		s.memory = s.memory[:start+n]
		_, _ = digest.Write(s.memory[start:]) // a hash never fails
		if errors.Is(err, io.EOF) {
			s.rest = nil
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// flush moves what is in memory into the file, and reports whether it could.
func (s *spool) flush() bool {
	if s.file == nil {
		var err error
		if s.file, err = unnamedFile(); err != nil {
			return false
		}
	}
	n, err := s.file.Write(s.memory)
	s.size += int64(n)
	s.memory = s.memory[:copy(s.memory, s.memory[n:])]
	return err == nil
}

// unnamedFile returns an empty file that only its holder can reach.
func unnamedFile() (*os.File, error) {
	file, err := os.CreateTemp("", "fever-") // with the mode 0600
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// whole reports whether the spool holds all of the body.
func (s *spool) whole() bool { return s.rest == nil }

// reader returns what reads the body from its start. It is to be called once.
func (s *spool) reader() io.Reader {
	var parts []io.Reader
	if s.file != nil {
		parts = append(parts, io.NewSectionReader(s.file, 0, s.size))
	}
	parts = append(parts, bytes.NewReader(s.memory))
	if s.rest != nil {
		parts = append(parts, s.rest)
	}
	return io.MultiReader(parts...)
}

func (s *spool) close() {
	if s.file != nil {
		_ = s.file.Close() // its content is of no more use
	}
}
