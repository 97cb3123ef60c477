package store

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
)

// bbolt maps the file and follows what stands there: a page number or a length that
// is wrong makes it read whatever memory lies behind, or end the process by a signal,
// also in goroutines of its own where nobody can catch it. So fever follows the pages
// first, with plain reads. The layout is that of version 2 of bbolt's format, in the
// byte order of the machine.
const (
	headerBytes  = 16 // id uint64, flags uint16, count uint16, overflow uint32
	bucketBytes  = 16 // root uint64, sequence uint64
	elementBytes = 16 // of a branch: pos, ksize uint32, page uint64; of a leaf: flags, pos, ksize, vsize uint32

	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10
	bucketFlag   = 0x01

	manyFree = 0xFFFF // the count of a list of free pages that is too long for its header
)

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
	if count == manyFree {
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

// walk follows the tree of pages below a bucket's root. It ends, since it goes on only
// from pages that were not seen before.
func (p *pages) walk(id uint64) error {
	h, extent, err := p.open(id)
	if err != nil {
		return err
	}
	// A bucket that has become empty stands in its parent, as a page within the page: an
	// empty page of its own is the one that bbolt begins with.
	if h.count == 0 && p.txid > 1 {
		return fmt.Errorf("page %d: no elements", id)
	}
	base := int64(id) * p.pageSize
	children, inline, _, err := elements(p.f, base, extent, h)
	if err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	for _, s := range inline {
		var b [headerBytes]byte
		if _, err := p.f.ReadAt(b[:], s.at); err != nil {
			return err
		}
		h := parseHeader(b[:])
		buckets, nested, end, err := elements(p.f, s.at, s.length, h)
		if err != nil {
			return fmt.Errorf("page %d: a bucket within it: %w", id, err)
		}
		if end != s.length {
			return fmt.Errorf("page %d: a bucket within it has %d bytes of %d", id, end, s.length)
		}
		if h.flags != leafPage || len(buckets)+len(nested) > 0 {
			return fmt.Errorf("page %d: a bucket within it is more than one page", id)
		}
	}
	for _, child := range children {
		if err := p.walk(child); err != nil {
			return err
		}
	}
	return nil
}

// span is a part of the file.
type span struct{ at, length int64 }

// elements checks that all keys and values of the page at base lie within its extent,
// one after the other from the end of the table, as bbolt writes them: a count or a
// length that is wrong is found out. It returns the pages that it refers to, the
// buckets that are so small that they stand in it as a page within the page, and where
// its elements end.
func elements(r io.ReaderAt, base, extent int64, h header) (children []uint64, inline []span, end int64, err error) {
	if h.flags != leafPage && (h.flags != branchPage || h.count == 0) {
		return nil, nil, 0, fmt.Errorf("%d elements of type %#x", h.count, h.flags)
	}
	table := make([]byte, elementBytes*int64(h.count))
	next := headerBytes + int64(len(table))
	if next > extent {
		return nil, nil, 0, fmt.Errorf("%d elements", h.count)
	}
	if _, err := r.ReadAt(table, base+headerBytes); err != nil {
		return nil, nil, 0, err
	}
	order := binary.NativeEndian
	for at := int64(0); at < int64(len(table)); at += elementBytes {
		e := table[at : at+elementBytes]
		var pos, key, val int64
		var isBucket bool
		if h.flags == branchPage {
			pos, key = int64(order.Uint32(e)), int64(order.Uint32(e[4:]))
			children = append(children, order.Uint64(e[8:]))
		} else {
			isBucket = order.Uint32(e)&bucketFlag != 0
			pos, key, val = int64(order.Uint32(e[4:])), int64(order.Uint32(e[8:])), int64(order.Uint32(e[12:]))
		}
		pos += headerBytes + at // it counts from the element
		if pos != next || pos+key+val > extent {
			return nil, nil, 0, fmt.Errorf("element %d is not in its place", at/elementBytes)
		}
		next += key + val
		if !isBucket {
			continue
		}
		root, page, err := bucket(r, span{base + pos + key, val})
		switch {
		case err != nil:
			return nil, nil, 0, fmt.Errorf("element %d: %w", at/elementBytes, err)
		case root != 0:
			children = append(children, root)
		default:
			inline = append(inline, page)
		}
	}
	return children, inline, next, nil
}

// bucket reads the value that stands for a bucket: its root page, its sequence and, if
// the root is 0, its only page.
func bucket(r io.ReaderAt, value span) (root uint64, page span, err error) {
	var b [bucketBytes]byte
	if value.length < bucketBytes {
		return 0, page, fmt.Errorf("a bucket of %d bytes", value.length)
	}
	if _, err := r.ReadAt(b[:], value.at); err != nil {
		return 0, page, err
	}
	root = binary.NativeEndian.Uint64(b[:])
	page = span{value.at + bucketBytes, value.length - bucketBytes}
	if root == 0 && page.length < headerBytes {
		return 0, page, fmt.Errorf("a bucket of %d bytes", value.length)
	}
	return root, page, nil
}
