package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// What stands in a meta page of version 2 of bbolt's format, of which a file begins
// with two.
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

// parseMeta reads the meta page that b begins with. It reports apart whether b claims
// to be one at all: a file where nothing does is not bbolt's.
func parseMeta(b []byte) (m meta, claimed bool, err error) {
	order := binary.NativeEndian
	if len(b) < headerBytes+4 || order.Uint32(b[headerBytes:]) != boltMagic {
		return m, false, nil
	}
	if len(b) < headerBytes+metaBytes {
		return m, true, errors.New("cut short: it ends within its first page")
	}
	b = b[headerBytes : headerBytes+metaBytes]
	sum := fnv.New64a()
	_, _ = sum.Write(b[:56]) // a hash never fails
	if sum.Sum64() != order.Uint64(b[56:]) {
		return m, true, errors.New("the checksum of a meta page does not match")
	}
	if v := order.Uint32(b[4:]); v != boltVersion {
		return m, true, fmt.Errorf("version %d of bbolt's format", v)
	}
	m = meta{
		pageSize: int64(order.Uint32(b[8:])),
		root:     order.Uint64(b[16:]),
		freelist: order.Uint64(b[32:]),
		pages:    order.Uint64(b[40:]),
		txid:     order.Uint64(b[48:]),
	}
	if m.pageSize < leastPage || m.pageSize > mostPage || m.pageSize&(m.pageSize-1) != 0 {
		return m, true, fmt.Errorf("pages of %d bytes", m.pageSize)
	}
	return m, true, nil
}

// readMeta finds the meta page of the latest state, as bbolt does: of the two, the
// valid one with the higher transaction id.
func readMeta(r io.ReaderAt) (m meta, claimed bool, err error) {
	at := func(offset int64) (meta, bool, error) {
		var b [headerBytes + metaBytes]byte
		n, err := r.ReadAt(b[:], offset)
		if err != nil && err != io.EOF {
			return meta{}, false, err
		}
		return parseMeta(b[:n])
	}
	first, claimed, err := at(0)
	if claimed && err == nil {
		if second, ok, err := at(first.pageSize); ok && err == nil && second.txid > first.txid {
			first = second
		}
		return first, true, nil
	}
	// Without the first page the size of a page is unknown: try all.
	for size := int64(leastPage); size <= mostPage; size *= 2 {
		second, ok, err2 := at(size)
		if ok && err2 == nil && second.pageSize == size {
			return second, true, nil
		}
		if ok && !claimed {
			claimed, err = true, errors.New("no valid meta page")
		}
	}
	return meta{}, claimed, err
}
