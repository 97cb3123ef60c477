package boltfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// The layout of pages is that of version 2 of bbolt's format, in the byte order of the
// machine.
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

// newPages checks what bbolt reads when it opens the file: the number of pages and the list
// of free ones.
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

// bounds are what the keys of a page must lie between, as the pages above it say.
type bounds struct{ least, below []byte } // the second may be nil, which bounds nothing

// walk follows the tree of pages below a bucket's root. It ends, since it visits no page
// twice.
func (p *pages) walk(id uint64, within bounds) error {
	h, extent, err := p.open(id)
	if err != nil {
		return err
	}
	// bbolt moves an empty bucket into its parent's page. The only empty page of its own is
	// the one that a file begins with.
	if h.count == 0 && p.txid > 1 {
		return fmt.Errorf("page %d: no elements", id)
	}
	base := int64(id) * p.pageSize
	c, err := elements(p.f, base, extent, h)
	if err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	for _, s := range c.inline {
		if err := p.walkInline(s); err != nil {
			return fmt.Errorf("page %d: a bucket within it%w", id, err)
		}
	}
	keys, err := p.inOrder(c.keys, h, within)
	if err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	for i, child := range c.children {
		var below bounds // of a bucket: none
		if h.flags == branchPage {
			below = bounds{keys[i], within.below}
			if i+1 < len(keys) {
				below.below = keys[i+1]
			}
		}
		if err := p.walk(child, below); err != nil {
			return err
		}
	}
	return nil
}

func (p *pages) walkInline(s span) error {
	var b [headerBytes]byte
	if _, err := p.f.ReadAt(b[:], s.at); err != nil {
		return fmt.Errorf(": %w", err)
	}
	h := parseHeader(b[:])
	c, err := elements(p.f, s.at, s.length, h)
	switch {
	case err != nil:
		return fmt.Errorf(": %w", err)
	case c.end != s.length:
		return fmt.Errorf(" has %d bytes of %d", c.end, s.length)
	case h.flags != leafPage || len(c.children)+len(c.inline) > 0:
		return errors.New(" is more than one page")
	}
	return nil
}

// inOrder reads keys of a page and checks that they ascend within the bounds: of a
// branch all, of a leaf the first and the last. A disk that lost a write gives back an
// older page, perhaps of another part of the tree, where it hides keys and repeats
// others.
func (p *pages) inOrder(spans []span, h header, within bounds) (keys [][]byte, err error) {
	if h.flags == leafPage && len(spans) > 2 {
		spans = []span{spans[0], spans[len(spans)-1]}
	}
	for i, s := range spans {
		key := make([]byte, s.length)
		if _, err := p.f.ReadAt(key, s.at); err != nil {
			return nil, err
		}
		if bytes.Compare(key, within.least) < 0 || i > 0 && bytes.Equal(key, within.least) || within.below != nil && bytes.Compare(key, within.below) >= 0 {
			return nil, fmt.Errorf("key %q is not in its place", key)
		}
		keys = append(keys, key)
		within.least = key
	}
	return keys, nil
}

// span is a part of the file.
type span struct{ at, length int64 }

// content is what a page holds.
type content struct {
	keys     []span
	children []uint64 // the pages that it refers to: of a branch one for each key, of a leaf those of buckets
	inline   []span   // small buckets, each a page within this page
	end      int64    // of its elements
}

// elements checks that all keys and values of the page at base lie within its extent, one
// after the other from the end of the table, as bbolt writes them. So it finds every wrong
// count and length.
func elements(r io.ReaderAt, base, extent int64, h header) (c content, err error) {
	if h.flags != leafPage && (h.flags != branchPage || h.count == 0) {
		return c, fmt.Errorf("%d elements of type %#x", h.count, h.flags)
	}
	table := make([]byte, elementBytes*int64(h.count))
	c.end = headerBytes + int64(len(table))
	if c.end > extent {
		return c, fmt.Errorf("%d elements", h.count)
	}
	if _, err := r.ReadAt(table, base+headerBytes); err != nil {
		return c, err
	}
	c.keys = make([]span, 0, h.count)
	order := binary.NativeEndian
	for at := int64(0); at < int64(len(table)); at += elementBytes {
		e := table[at : at+elementBytes]
		var pos, key, val int64
		var isBucket bool
		if h.flags == branchPage {
			pos, key = int64(order.Uint32(e)), int64(order.Uint32(e[4:]))
			c.children = append(c.children, order.Uint64(e[8:]))
		} else {
			isBucket = order.Uint32(e)&bucketFlag != 0
			pos, key, val = int64(order.Uint32(e[4:])), int64(order.Uint32(e[8:])), int64(order.Uint32(e[12:]))
		}
		pos += headerBytes + at // it counts from the element
		if pos != c.end || pos+key+val > extent {
			return c, fmt.Errorf("element %d is not in its place", at/elementBytes)
		}
		c.keys = append(c.keys, span{base + pos, key})
		c.end += key + val
		if !isBucket {
			continue
		}
		root, page, err := bucket(r, span{base + pos + key, val})
		switch {
		case err != nil:
			return c, fmt.Errorf("element %d: %w", at/elementBytes, err)
		case root != 0:
			c.children = append(c.children, root)
		default:
			c.inline = append(c.inline, page)
		}
	}
	return c, nil
}

// bucket reads the value of a bucket's key: its root page, its sequence and, if
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
