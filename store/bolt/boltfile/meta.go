package boltfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// The layout of a meta page of version 2 of bbolt's format. A file begins with two.
const (
	boltMagic   = 0xED0CDAED
	boltVersion = 2
	metaBytes   = 64
	leastPage   = 1 << 10 // bytes; pages of less or more than these bbolt does not find
	mostPage    = 1 << 24
)

// meta is what a meta page says: where one state of the file begins.
type meta struct {
	pageSize int64
	root     uint64
	freelist uint64
	pages    uint64 // the number of pages in use, the high-water mark
	txid     uint64
}

// unfinished reports whether a file of so many bytes, whose latest state this is, was
// cut off while bbolt wrote the pages that it begins with. That is the first state:
// nothing can have been stored in it.
func (m *meta) unfinished(size int64) bool {
	return m.txid <= 1 && size < int64(m.pages)*m.pageSize
}

// parseMeta reads the meta page that b begins with. It returns ErrForeign if b does not claim
// to be one.
func parseMeta(b []byte) (m meta, err error) {
	order := binary.NativeEndian
	if len(b) < headerBytes+4 || order.Uint32(b[headerBytes:]) != boltMagic {
		return m, ErrForeign
	}
	if len(b) < headerBytes+metaBytes {
		return m, errors.New("cut short: it ends within its first page")
	}
	b = b[headerBytes : headerBytes+metaBytes]
	sum := fnv.New64a()
	_, _ = sum.Write(b[:56]) // a hash never fails
	if sum.Sum64() != order.Uint64(b[56:]) {
		return m, errors.New("the checksum of a meta page does not match")
	}
	if v := order.Uint32(b[4:]); v != boltVersion {
		return m, fmt.Errorf("version %d of bbolt's format", v)
	}
	m = meta{
		pageSize: int64(order.Uint32(b[8:])),
		root:     order.Uint64(b[16:]),
		freelist: order.Uint64(b[32:]),
		pages:    order.Uint64(b[40:]),
		txid:     order.Uint64(b[48:]),
	}
	if m.pageSize < leastPage || m.pageSize > mostPage || m.pageSize&(m.pageSize-1) != 0 {
		return m, fmt.Errorf("pages of %d bytes", m.pageSize)
	}
	return m, nil
}

// readMeta finds the meta page of the latest state, as bbolt does: of the two, the
// valid one with the higher transaction id.
func readMeta(r io.ReaderAt) (meta, error) {
	at := func(offset int64) (meta, error) {
		var b [headerBytes + metaBytes]byte
		n, err := r.ReadAt(b[:], offset)
		if err != nil && err != io.EOF {
			return meta{}, err
		}
		return parseMeta(b[:n])
	}
	first, err := at(0)
	if err == nil {
		if second, err := at(first.pageSize); err == nil && second.txid > first.txid {
			return second, nil
		}
		return first, nil
	}
	// Without the first page the size of a page is unknown: try all.
	for size := int64(leastPage); size <= mostPage; size *= 2 {
		second, err2 := at(size)
		if err2 == nil && second.pageSize == size {
			return second, nil
		}
		if errors.Is(err, ErrForeign) && !errors.Is(err2, ErrForeign) {
			err = errors.New("no valid meta page")
		}
	}
	return meta{}, err
}
