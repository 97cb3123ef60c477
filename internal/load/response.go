//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A response reads an HTTP/1.1 response with a Content-Length, in pieces as they arrive. The
// zero value is ready.
type response struct {
	summed bool // whether sum is wanted

	status int
	length int    // of the body
	sum    uint32 // CRC-32C of the body
	wire   int    // bytes of it all

	head []byte // the header so far
	left int    // of the body
	body bool   // the header is over
}

const maxHead = 8 << 10

// reset makes r ready for another response.
func (r *response) reset(summed bool) { *r = response{summed: summed, head: r.head[:0]} }

// take reads the next piece, and reports whether the response is complete. Bytes after its end
// are an error.
func (r *response) take(piece []byte) (complete bool, err error) {
	r.wire += len(piece)
	if !r.body {
		head := piece
		if len(r.head) > 0 {
			r.head = append(r.head, piece...)
			head = r.head
		}
		end := bytes.Index(head, []byte("\r\n\r\n"))
		if end < 0 {
			if len(head) > maxHead {
				return false, fmt.Errorf("the header has more than %d bytes", maxHead)
			}
			if len(r.head) == 0 {
				r.head = append(r.head, piece...)
			}
			return false, nil
		}
		if err := r.parse(head[:end+2]); err != nil {
			return false, err
		}
		piece = head[end+4:]
		r.body, r.left = true, r.length
	}
	if len(piece) > r.left {
		return false, fmt.Errorf("%d bytes after the end of the response", len(piece)-r.left)
	}
	r.left -= len(piece)
	if r.summed {
		r.sum = crc32.Update(r.sum, castagnoli, piece)
	}
	return r.left == 0, nil
}

// parse reads a header, whose lines end with CR LF.
func (r *response) parse(head []byte) (err error) {
	const status = "HTTP/1.1 200"
	if len(head) < len(status) || string(head[:9]) != status[:9] {
		return fmt.Errorf("not a response: %.40q", head)
	}
	if r.status, err = strconv.Atoi(string(head[9:12])); err != nil {
		return fmt.Errorf("not a status: %.40q", head)
	}
	const field = "Content-Length:"
	for line := head; ; {
		end := bytes.IndexByte(line, '\n')
		if line = line[end+1:]; len(line) == 0 {
			return errors.New("the response has no Content-Length")
		}
		if len(line) > len(field) && line[0]|' ' == 'c' && bytes.EqualFold(line[:len(field)], []byte(field)) {
			value, _, _ := bytes.Cut(line[len(field):], []byte("\r"))
			r.length, err = strconv.Atoi(string(bytes.TrimSpace(value)))
			if err != nil || r.length < 0 {
				return fmt.Errorf("not a length: %.40q", line)
			}
			return nil
		}
	}
}
