package server

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestUnwatched sends requests in every shape in which net/http may read a single byte, to a server
// that watches its clients and to one that does not. Their answers are the same.
func TestUnwatched(t *testing.T) {
	t.Parallel()
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(w, r.Header.Get("X-N")) })
	get := func(n, size int) string { // a header of size bytes
		head := fmt.Sprintf("GET / HTTP/1.1\r\nHost: h\r\nX-N: %d\r\nX-Long: ", n)
		return head + strings.Repeat("x", max(0, size-len(head)-4)) + "\r\n\r\n"
	}
	var long []string
	for size := 4090; size < 4102; size++ { // net/http has a buffer of 4096
		long = append(long, get(size, size))
	}
	post := "POST / HTTP/1.1\r\nHost: h\r\nX-N: 1\r\n"
	for name, requests := range map[string][]string{
		"one after the other": {get(1, 0), get(2, 0), get(3, 0)},
		"at once":             {get(1, 0) + get(2, 0) + get(3, 0)},
		"a byte at a time":    strings.Split(get(1, 0)+get(2, 0), ""),
		"long headers":        long,
		"body":                {post + "Content-Length: 1\r\n\r\n", "x", get(2, 0)},
		"large body":          {post + "Content-Length: 9000\r\n\r\n", strings.Repeat("x", 9000) + get(2, 0)},
		"chunks":              {post + "Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", "0\r\n", "\r\n", get(2, 0)},
		"expected body":       {post + "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", get(2, 0)},
		"bad after good":      {get(1, 0), "nonsense\r\n\r\n"},
		"HTTP/1.0":            {"GET / HTTP/1.0\r\nX-N: 1\r\n\r\n"},
		"close":               {get(1, 0), "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-N: 2\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			watched := talk(t, listen(t, answer), requests)
			if got := talk(t, listen(t, Unwatched{answer}), requests); got != watched {
				t.Errorf("the answers are\n%s\nnot\n%s", got, watched)
			}
		})
	}
}

// talk sends bytes to a server in these parts, and returns all that comes back, without the dates.
func talk(t *testing.T, url string, parts []string) string {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	sent := make(chan error, 1)
	go func() {
		for _, part := range parts {
			if _, err := io.WriteString(c, part); err != nil {
				sent <- err
				return
			}
		}
		sent <- c.(*net.TCPConn).CloseWrite()
	}()
	var out strings.Builder
	for in := bufio.NewScanner(c); in.Scan(); {
		if !strings.HasPrefix(in.Text(), "Date: ") {
			out.WriteString(in.Text() + "\n")
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	return out.String()
}

// TestWatch has a client go away during an answer. A handler that is watched learns of it; one that
// is not is not disturbed, and the connection ends after it.
func TestWatch(t *testing.T) {
	t.Parallel()
	for _, unwatched := range []bool{false, true} {
		var learned atomic.Bool
		h := http.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-time.After(time.Minute):
			}
			learned.Store(r.Context().Err() != nil)
		}))
		if unwatched {
			h = Unwatched{h}
		}
		inBubble(t, h, time.Hour, quiet, 10, func(t *testing.T, b bubble) {
			c := b.Connect(t, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			synctest.Wait()
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Minute) // simulated
			if learned.Load() == unwatched {
				t.Errorf("unwatched %t: the handler has learned %t", unwatched, learned.Load())
			}
		})
	}
}

// TestUnwatchedRead ends reads that wait, by a deadline and by closing the connection.
func TestUnwatchedRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, _, _ := lazy(t)
		c := near.(*conn)
		c.watch.unwatched = true
		c.watch.begin()
		read := func() <-chan error {
			done := make(chan error, 1)
			go func() {
				_, err := c.Read(make([]byte, 1))
				done <- err
			}()
			synctest.Wait()
			return done
		}
		expect := func(done <-chan error, want error) {
			t.Helper()
			synctest.Wait()
			select {
			case err := <-done:
				if !errors.Is(err, want) {
					t.Errorf("the read ended with %v, want %v", err, want)
				}
			default:
				t.Error("the read has not ended")
			}
		}
		long := time.Unix(1, 0)
		waiting := read()
		if len(waiting) > 0 {
			t.Errorf("the read does not wait: %v", <-waiting)
		}
		if err := c.SetReadDeadline(long); err != nil {
			t.Fatal(err)
		}
		expect(waiting, os.ErrDeadlineExceeded)
		expect(read(), os.ErrDeadlineExceeded) // which begins after the deadline
		if err := c.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		waiting = read()
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		expect(waiting, net.ErrClosed)
	})
}
