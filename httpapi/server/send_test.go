package server

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A late writer does not flush; the server's writer does the rest.
type late struct {
	http.ResponseWriter
	io.ReaderFrom
}

func (late) Flush() {}

// TestLateFlush has middleware that does not flush. The header is sent later with a part of the
// body, and nothing is held back for ever.
func TestLateFlush(t *testing.T) {
	t.Parallel()
	base := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sized(t, r).ServeHTTP(late{w, w.(io.ReaderFrom)}, r)
	}))
	for size := 100; size < 20_000; size += 97 {
		got := get(t, base+"/?"+strconv.Itoa(size))
		if got.status != http.StatusOK || got.body != string(content(size)) {
			t.Fatalf("%d bytes: %d with %d bytes", size, got.status, len(got.body))
		}
	}
}

// sized returns a handler that sends as many bytes as the query says.
func sized(t *testing.T, r *http.Request) http.Handler {
	t.Helper()
	size, err := strconv.Atoi(r.URL.RawQuery)
	if err != nil {
		t.Error(err)
	}
	return newSender(size, 0).handler()
}

// TestHeldWriteGoesOn writes a held header and a body across a deadline that was moved, which
// passes in either of them. No byte is lost, and those of the header do not count.
func TestHeldWriteGoesOn(t *testing.T) {
	t.Parallel()
	const header, body = "header", "the body, and its end"
	for name, write := range map[string]func(*conn) (int64, error){
		"as it is": func(c *conn) (int64, error) {
			n, err := c.Write([]byte(body))
			return int64(n), err
		},
		"in pieces": func(c *conn) (int64, error) {
			return c.writeBody(net.Buffers{[]byte(body[:3]), []byte(body[3:])})
		},
		"as it is read": func(c *conn) (int64, error) {
			return c.ReadFrom(strings.NewReader(body))
		},
	} {
		for _, read := range []int{0, 2, len(header), len(header) + 5, 100} { // before it is cut off
			synctest.Test(t, func(t *testing.T) {
				near, _, far := lazy(t)
				start := time.Now()
				if err := errors.Join(near.SetDeadline(start.Add(time.Second)), near.SetDeadline(start.Add(3*time.Second))); err != nil {
					t.Fatal(err)
				}
				c := near.(*conn)
				c.holding = true
				if n, err := c.Write([]byte(header)); n != len(header) || err != nil {
					t.Fatalf("%s: held %d, %v", name, n, err)
				}
				type result struct {
					n   int64
					err error
				}
				written := make(chan result, 1)
				go func() {
					n, err := write(c)
					written <- result{n, err}
				}()
				var got []byte
				for b := make([]byte, 1); len(got) < min(read, len(header+body)); {
					if len(got) == 1 || len(got) == len(header)+1 {
						time.Sleep(1200 * time.Millisecond) // simulated: the first deadline passes
					}
					n, err := far.Read(b)
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, b[:n]...)
				}
				r := <-written
				if want := int64(max(0, len(got)-len(header))); r.n != want || string(got) != (header + body)[:len(got)] {
					t.Errorf("%s: wrote %q as %d, %v, want %d", name, got, r.n, r.err, want)
				}
				if all := read == 100; all != (r.err == nil) || len(c.held) > 0 || c.rest != nil {
					t.Errorf("%s: %v after %d bytes, and %d are left", name, r.err, len(got), len(c.held))
				}
			})
		}
	}
}
