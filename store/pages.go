package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// bbolt maps the file and follows what stands there: a page number or a length that
// is wrong makes it read whatever memory lies behind, or end the process by a signal,
// also in goroutines of its own where nobody can catch it. So fever follows the pages
// first, with plain reads. The layout is that of version 2 of bbolt's format, in the
// byte order of the machine.
const (
	boltMagic    = 0xED0CDAED
	boltVersion  = 2
	headerBytes  = 16 // id uint64, flags uint16, count uint16, overflow uint32
	elementBytes = 16 // of a branch: pos, ksize uint32, page uint64; of a leaf: flags, pos, ksize, vsize uint32
	metaBytes    = 64
	leastPage    = 1 << 10 // bytes; pages of less or more than these bbolt does not find
	mostPage     = 1 << 24
	mostDepth    = 64 // levels of pages: real trees have five

	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10
	bucketFlag   = 0x01
)

// meta is what a meta page says: where one state of the file begins.
type meta struct {
	pageSize int64
	root     uint64
	freelist uint64
	pages    uint64 // the number of pages in use, the high-water mark
	txid     uint64
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

// pages follows the pages of one state of a file.
type pages struct {
	meta
	f    *os.File
	seen []bool // page numbers that are free or have been visited
}

// newPages checks what bbolt touches when it opens the file: that this has all the
// pages that m speaks of, and the list of free ones.
func newPages(f *os.File, m meta) (*pages, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if most := uint64(info.Size() / m.pageSize); m.pages < 4 || m.pages > most {
		return nil, fmt.Errorf("cut short: it has %d pages of %d", most, m.pages)
	}
	p := &pages{meta: m, f: f, seen: make([]bool, m.pages)}
	p.seen[0], p.seen[1] = true, true // the meta pages
	head, extent, err := p.open(m.freelist)
	if err != nil {
		return nil, fmt.Errorf("list of free pages: %w", err)
	}
	list := make([]byte, extent)
	if _, err := f.ReadAt(list, int64(m.freelist)*m.pageSize); err != nil {
		return nil, fmt.Errorf("list of free pages: %w", err)
	}
	list = list[headerBytes:]
	count := uint64(head.count)
	if count == 0xFFFF { // too many for the header
		count, list = binary.NativeEndian.Uint64(list), list[8:]
	}
	if head.flags != freelistPage || count > uint64(len(list)/8) {
		return nil, fmt.Errorf("page %d is no list of free pages", m.freelist)
	}
	for i := range count {
		if err := p.visit(binary.NativeEndian.Uint64(list[8*i:])); err != nil {
			return nil, fmt.Errorf("list of free pages: %w", err)
		}
	}
	return p, nil
}

// visit marks a page, which must exist, and which nothing may refer to twice.
func (p *pages) visit(id uint64) error {
	if id >= p.pages {
		return fmt.Errorf("page %d of %d", id, p.pages)
	}
	if p.seen[id] {
		return fmt.Errorf("page %d is used twice", id)
	}
	p.seen[id] = true
	return nil
}

type header struct {
	id       uint64
	flags    uint16
	count    uint16
	overflow uint32 // the number of pages that continue this one
}

func parseHeader(b []byte) header {
	order := binary.NativeEndian
	return header{order.Uint64(b), order.Uint16(b[8:]), order.Uint16(b[10:]), order.Uint32(b[12:])}
}

// open visits a page with those that continue it, and returns their length together.
func (p *pages) open(id uint64) (h header, extent int64, err error) {
	if err := p.visit(id); err != nil {
		return h, 0, err
	}
	var b [headerBytes]byte
	if _, err := p.f.ReadAt(b[:], int64(id)*p.pageSize); err != nil {
		return h, 0, err
	}
	h = parseHeader(b[:])
	if h.id != id {
		return h, 0, fmt.Errorf("page %d says that it is page %d", id, h.id)
	}
	for i := range uint64(h.overflow) {
		if err := p.visit(id + 1 + i); err != nil {
			return h, 0, err
		}
	}
	return h, (1 + int64(h.overflow)) * p.pageSize, nil
}

// walk follows the tree of pages below a bucket's root.
func (p *pages) walk(id uint64, depth int) error {
	if depth > mostDepth {
		return fmt.Errorf("page %d: more than %d levels", id, mostDepth)
	}
	h, extent, err := p.open(id)
	if err != nil {
		return err
	}
	base := int64(id) * p.pageSize
	children, inline, err := elements(p.f, base, extent, h)
	if err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	for _, s := range inline {
		var b [headerBytes]byte
		if _, err := p.f.ReadAt(b[:], s.at); err != nil {
			return err
		}
		h := parseHeader(b[:])
		buckets, nested, err := elements(p.f, s.at, s.length, h)
		if err != nil {
			return fmt.Errorf("page %d: a bucket within it: %w", id, err)
		}
		if h.flags != leafPage || len(buckets)+len(nested) > 0 {
			return fmt.Errorf("page %d: a bucket within it is more than one page", id)
		}
	}
	for _, child := range children {
		if err := p.walk(child, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// span is a part of the file.
type span struct{ at, length int64 }

// elements checks that all keys and values of the page at base lie within its extent.
// It returns the pages that it refers to, and the buckets that are so small that they
// stand in it as a page within the page.
func elements(r io.ReaderAt, base, extent int64, h header) (children []uint64, inline []span, err error) {
	table := make([]byte, elementBytes*int64(h.count))
	start := headerBytes + int64(len(table))
	if start > extent {
		return nil, nil, fmt.Errorf("%d elements", h.count)
	}
	if _, err := r.ReadAt(table, base+headerBytes); err != nil {
		return nil, nil, err
	}
	order := binary.NativeEndian
	for at := int64(0); at < int64(len(table)); at += elementBytes {
		e := table[at : at+elementBytes]
		var pos, key, val int64
		switch h.flags {
		case branchPage:
			pos, key = int64(order.Uint32(e)), int64(order.Uint32(e[4:]))
			children = append(children, order.Uint64(e[8:]))
		case leafPage:
			pos, key, val = int64(order.Uint32(e[4:])), int64(order.Uint32(e[8:])), int64(order.Uint32(e[12:]))
		}
		pos += headerBytes + at // it counts from the element
		if pos < start || pos+key+val > extent {
			return nil, nil, fmt.Errorf("element %d lies outside", at/elementBytes)
		}
		if h.flags != leafPage || order.Uint32(e)&bucketFlag == 0 {
			continue
		}
		// A bucket: its root page and sequence, then, with root 0, its only page.
		var root [16]byte
		if val < int64(len(root)) {
			return nil, nil, fmt.Errorf("element %d is no bucket", at/elementBytes)
		}
		if _, err := r.ReadAt(root[:], base+pos+key); err != nil {
			return nil, nil, err
		}
		if id := order.Uint64(root[:]); id != 0 {
			children = append(children, id)
		} else if val < int64(len(root))+headerBytes {
			return nil, nil, fmt.Errorf("element %d is no bucket", at/elementBytes)
		} else {
			inline = append(inline, span{base + pos + key + int64(len(root)), val - int64(len(root))})
		}
	}
	if h.flags != leafPage && (h.flags != branchPage || h.count == 0) {
		return nil, nil, fmt.Errorf("%d elements of type %#x", h.count, h.flags)
	}
	return children, inline, nil
}
