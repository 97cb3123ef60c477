package server

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// held returns how many bytes the heap and the stacks have. Two collections empty the pools.
func held() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// gone reports whether the server has ended a connection, and what it sent before. It takes a
// millisecond when the connection is open.
func gone(t *testing.T, conn net.Conn) (said string, ended bool) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		t.Fatal(err)
	}
	text, err := io.ReadAll(conn)
	return string(text), err == nil
}

// TestSlowHeaders has clients that send a header byte by byte. Other clients are answered at
// once, the time-out ends the slow ones, and the memory that they hold is bounded. It is not
// parallel: other tests would use memory, too.
func TestSlowHeaders(t *testing.T) {
	const clients = 2_000
	h := newSender(3_000, 1).handler()
	for _, test := range []struct {
		name  string
		first string
		most  int64 // bytes that one holds, with what the pipe and the test need
	}{
		{"short", request[:len(request)-2] + "X: ", 24 << 10},
		{"long", request[:len(request)-2] + strings.Repeat("X: "+strings.Repeat("y", 57)+"\r\n", 240) + "X: ", 80 << 10}, // of 15 KB
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, h, time.Minute, quiet, maxConnections, func(t *testing.T, b bubble) {
				before, start := held(), time.Now()
				conns := make([]net.Conn, clients)
				for i := range conns {
					conns[i] = b.Connect(t, test.first)
				}
				synctest.Wait()
				each := (held() - before) / clients
				t.Logf("a client holds %d bytes", each)
				if each > test.most {
					t.Errorf("a client holds %d bytes, want at most %d", each, test.most)
				}
				for time.Since(start) < readHeaderTimeout {
					asked := time.Now()
					if reply := b.get(t); reply.status != http.StatusOK || time.Since(asked) != 0 {
						t.Errorf("beside them: %d after %v", reply.status, time.Since(asked))
					}
					for _, conn := range conns {
						if _, err := io.WriteString(conn, "x"); err != nil {
							t.Fatalf("after %v: %v", time.Since(start), err)
						}
					}
					time.Sleep(time.Second)
				}
				synctest.Wait()
				for _, conn := range conns {
					if _, err := io.WriteString(conn, "x"); !errors.Is(err, io.ErrClosedPipe) {
						t.Fatalf("one of them is alive: %v", err)
					}
				}
			})
		})
	}
}

// TestManyConnections opens as many connections as there may be. Silent clients make room for new
// ones after a while, the longest silent first.
func TestManyConnections(t *testing.T) {
	t.Parallel()
	const most = 16 // so up to 3 make room at a time
	var logged record
	inBubble(t, newSender(3_000, 0).handler(), time.Minute, logged.log(), most, func(t *testing.T, b bubble) {
		var conns []net.Conn
		for i := range most {
			text := "" // silent
			switch i % 3 {
			case 1:
				text = "GET / HTTP/1.1\r\nX: " // in the middle of a header
			case 2:
				text = request // idle, after an answer
			}
			conn := b.Connect(t, text)
			if text == request {
				if _, ended := gone(t, conn); ended {
					t.Fatal("it was not answered")
				}
			}
			conns = append(conns, conn)
			time.Sleep(10 * time.Millisecond)
		}

		conn, err := b.Dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		refused, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(refused.Body)
		if err != nil {
			t.Fatal(err)
		}
		code, _ := reply{refused.StatusCode, refused.Header, string(text)}.failure(t)
		if code != "overloaded" || refused.StatusCode != http.StatusServiceUnavailable || !refused.Close || refused.Header.Get("Retry-After") == "" {
			t.Errorf("beyond them: %d %v %s", refused.StatusCode, refused.Header, text)
		}

		time.Sleep(requestPatience)
		for range 3 {
			if reply := b.get(t); reply.status != http.StatusOK {
				t.Errorf("after a while: %d", reply.status)
			}
			b.Client.CloseIdleConnections()
			synctest.Wait()
		}
		for i, conn := range conns {
			if _, ended := gone(t, conn); ended != (i < 3) {
				t.Errorf("connection %d was ended: %t", i, ended)
			}
		}
		b.counted(t, 1, 3, 0)
	})
	if text := logged.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "as many connections as there may be") || !strings.Contains(text, "level=WARN") {
		t.Errorf("logged %q", text)
	}
}

// TestSlowReadersMakeRoom has more clients that do not read than there may be requests. Others
// are answered all the same. Beyond twice as many, the slowest are cut off.
func TestSlowReadersMakeRoom(t *testing.T) {
	t.Parallel()
	const limit = 4
	inBubble(t, newSender(20_000, limit).handler(), time.Minute, quiet, maxConnections, func(t *testing.T, b bubble) {
		var conns []net.Conn
		slow := func() {
			conns = append(conns, b.Connect(t, request))
			synctest.Wait()
		}
		for range limit {
			slow()
			time.Sleep(10 * time.Millisecond)
		}
		if reply := b.get(t); reply.status != http.StatusServiceUnavailable {
			t.Errorf("beside searches that have just begun: %d", reply.status)
		}
		for range limit {
			time.Sleep(2 * searchPause)
			if reply := b.get(t); reply.status != http.StatusOK {
				t.Errorf("beside %d slow readers: %d", len(conns), reply.status)
			}
			slow()
		}
		time.Sleep(2 * searchPause)
		if reply := b.get(t); reply.status != http.StatusOK {
			t.Errorf("beside all of them: %d", reply.status)
		}
		for i, conn := range conns {
			said, ended := gone(t, conn)
			if whole := strings.HasSuffix(said, end); whole != (i >= limit) || ended != (i < limit) {
				t.Errorf("reader %d was ended: %t, and got it all: %t", i, ended, whole)
			}
		}
		b.counted(t, 0, 0, limit)
	})
}

// TestPace reads a large answer at different rates.
func TestPace(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		bytes int // read each time
		every time.Duration
		times int // and no more
		want  time.Duration
		whole bool
	}{
		{"a bad mobile line", 25_000, time.Second, 1000, 40 * time.Second, true},
		{"a worse one", 14_000, time.Second, 1000, 71 * time.Second, true},
		{"too slow", 6_000, time.Second, 1000, 51 * time.Second, false},
		{"a byte a minute", 1, time.Minute, 1000, writeTimeout, false},
		{"quick, and then not at all", 500_000, time.Second, 1, writeTimeout, false},
		{"not at all", 1, time.Second, 0, writeTimeout, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newSender(1_000_000, 0)
			inBubble(t, h.handler(), time.Minute, quiet, maxConnections, func(t *testing.T, b bubble) {
				conn := b.Connect(t, request)
				var answer bytes.Buffer
				for range test.times {
					if _, err := io.CopyN(&answer, conn, int64(test.bytes)); err != nil {
						break // the server has ended it, or the next
					}
					if h.took.Load() > 0 && bytes.HasSuffix(answer.Bytes(), []byte(end)) {
						break
					}
					time.Sleep(test.every)
				}
				time.Sleep(2 * writeTimeout)
				if got := time.Duration(h.took.Load()).Round(time.Second); got != test.want {
					t.Errorf("it took %v, want %v", got, test.want)
				}
				if whole := bytes.HasSuffix(answer.Bytes(), []byte(end)); whole != test.whole {
					t.Errorf("%d bytes were read, whole: %t", answer.Len(), whole)
				}
				if err := conn.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
