//go:build linux

package main

import (
	"hash/crc32"
	"strings"
	"testing"
)

func TestResponseInAnyPieces(t *testing.T) {
	t.Parallel()
	const head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=5\r\ncontent-length: 11\r\nEtag: W/\"x\"\r\n\r\n"
	const whole = head + "hello\r\n\r\nyo"
	sum := crc32.Checksum([]byte(whole[len(head):]), castagnoli)
	var r response
	for first := 1; first < len(whole); first++ {
		for second := first; second < len(whole); second++ {
			r.reset(true)
			for i, piece := range []string{whole[:first], whole[first:second], whole[second:]} {
				if piece == "" {
					continue
				}
				complete, err := r.take([]byte(piece))
				if err != nil || complete != (i == 2) {
					t.Fatalf("cut at %d and %d: piece %d: complete %t, %v", first, second, i, complete, err)
				}
			}
			if r.status != 200 || r.length != 11 || r.sum != sum || r.wire != len(whole) {
				t.Fatalf("cut at %d and %d: %+v", first, second, r)
			}
		}
	}
}

func TestResponseWithoutBody(t *testing.T) {
	t.Parallel()
	var r response
	complete, err := r.take([]byte("HTTP/1.1 304 Not Modified\r\nContent-Length: 0\r\n\r\n"))
	if err != nil || !complete || r.status != 304 {
		t.Fatal(complete, err, r.status)
	}
}

func TestResponseRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"more than a response": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabHTTP/1.1",
		"no length":            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"no number":            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
		"a negative number":    "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"another protocol":     "SSH-2.0-OpenSSH_9.2\r\n\r\n",
		"no status":            "HTTP/1.1 OK!\r\nContent-Length: 2\r\n\r\nab",
		"an endless header":    "HTTP/1.1 200 OK\r\n" + strings.Repeat("a: b\r\n", maxHead/6),
	} {
		var r response
		if complete, err := r.take([]byte(text)); err == nil {
			t.Errorf("%s: complete %t", name, complete)
		}
	}
}
