package server

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"fever/internal/pipe"
)

func TestListen(t *testing.T) {
	t.Parallel()
	taken, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := taken.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, test := range []struct {
		addr string
		want string
		is   error
	}{
		{taken.Addr().String(), "another program has this address", syscall.EADDRINUSE},
		{"192.0.2.1:0", "this machine does not have the address", syscall.EADDRNOTAVAIL}, // of RFC 5737, for documentation
		{"8080", "like 127.0.0.1:8080 or :8080", nil},
		{"127.0.0.1", "like 127.0.0.1:8080 or :8080", nil},
		{"127.0.0.1:99999", "like 127.0.0.1:8080 or :8080", nil},
		{"127.0.0.1:http:", "like 127.0.0.1:8080 or :8080", nil},
	} {
		ln, err := Listen(test.addr)
		if err == nil {
			t.Errorf("%s: listening on %s", test.addr, ln.Addr())
			continue
		}
		if !strings.Contains(err.Error(), test.addr) || !strings.Contains(err.Error(), test.want) || test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("%s: %v", test.addr, err)
		}
	}
}

func TestServeOnClosedListener(t *testing.T) {
	t.Parallel()
	ln, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	err = Serve(t.Context(), ln, http.NotFoundHandler(), time.Second, quiet, nil)
	if !errors.Is(err, net.ErrClosed) || !strings.Contains(err.Error(), ln.Addr().String()) {
		t.Errorf("Serve on a closed listener: %v", err)
	}
}

// TestServeMalformed sends malformed requests. net/http answers them itself, in plain text.
func TestServeMalformed(t *testing.T) {
	t.Parallel()
	addr := strings.TrimPrefix(listen(t, newSender(100, 0).handler()), "http://")
	const host = "Host: x\r\n"
	for _, test := range []struct {
		name, send, want string
	}{
		{"no HTTP", "hello\r\n\r\n", "400"},
		{"binary", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "400"},
		{"a space in the query", "GET /search?starts_at=2021-06-30 21:00 HTTP/1.1\r\n" + host + "\r\n", "400"},
		{"no version", "GET /search\r\n\r\n", "400"},
		{"another version", "GET /search HTTP/3.0\r\n" + host + "\r\n", "505"},
		{"no host", "GET /search HTTP/1.1\r\n\r\n", "400"},
		{"a bad escape in the path", "GET /%zz HTTP/1.1\r\n" + host + "\r\n", "400"},
		{"a control character", "GET /search?\x01 HTTP/1.1\r\n" + host + "\r\n", "400"},
		{"a header without a colon", "GET /search HTTP/1.1\r\n" + host + "x\r\n\r\n", "400"},
		{"a space before the colon", "GET /search HTTP/1.1\r\n" + host + "X : y\r\n\r\n", "400"},
		{"two lengths", "GET /search HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "400"},
		{"an unknown transfer coding", "GET /search HTTP/1.1\r\n" + host + "Transfer-Encoding: x\r\n\r\n", "501"},
		{"a large header", "GET /search HTTP/1.1\r\n" + host + "X: " + strings.Repeat("x", 32<<10) + "\r\n\r\n", "431"},
		{"many headers", "GET /search HTTP/1.1\r\n" + host + strings.Repeat("X: y\r\n", 8<<10) + "\r\n", "431"},
		{"a long URL", "GET /search?" + strings.Repeat("x", 32<<10) + " HTTP/1.1\r\n" + host + "\r\n", "431"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			conn, err := (&net.Dialer{Timeout: time.Minute}).DialContext(t.Context(), "tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, test.send); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(conn).ReadString('\n')
			if err != nil || !strings.HasPrefix(line, "HTTP/1.1 "+test.want+" ") {
				t.Errorf("the answer is %q, %v, want %s", line, err, test.want)
			}
		})
	}
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		send string
		read bool // the answer
		want time.Duration
	}{
		{"silent", "", false, readHeaderTimeout},
		{"slow header", "GET / HTTP/1.1\r\nHost: x\r\n", false, readHeaderTimeout},
		{"slow reader", request, false, writeTimeout},
		{"slow body", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", true, readTimeout},
		{"idle", request, true, idleTimeout},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newSender(20_000, 1).handler()
			inBubble(t, h, time.Minute, quiet, maxConnections, func(t *testing.T, b bubble) {
				start := time.Now()
				conn := b.Connect(t, test.send)
				if test.read {
					response, err := http.ReadResponse(bufio.NewReader(conn), nil)
					if err != nil {
						t.Fatal(err)
					}
					if _, err := io.Copy(io.Discard, response.Body); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				if test.want == writeTimeout { // it takes the only place, for as long as it is allowed to
					if reply := b.get(t); reply.status != http.StatusServiceUnavailable {
						t.Errorf("beside it: %d", reply.status)
					}
					time.Sleep(test.want)
					synctest.Wait()
				}
				if rest, err := io.ReadAll(conn); err != nil || len(rest) > 0 {
					t.Errorf("it was sent %q, %v", rest, err)
				}
				if took := time.Since(start); took != test.want {
					t.Errorf("it was cut off after %v, want %v", took, test.want)
				}
				if reply := b.get(t); reply.status != http.StatusOK { // others are not affected
					t.Errorf("the next request: %d", reply.status)
				}
			})
		})
	}
}

func TestGracefulStop(t *testing.T) {
	t.Parallel()
	inBubble(t, newSender(20_000, 0).handler(), time.Minute, quiet, maxConnections, func(t *testing.T, b bubble) {
		idle := b.get(t) // leaves an idle connection
		conn := b.Connect(t, request)
		synctest.Wait() // its answer waits to be read
		b.Stop()
		synctest.Wait()
		if _, err := b.Dial(t.Context(), "", ""); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("a new connection: %v", err)
		}
		select {
		case err := <-b.Done:
			t.Fatalf("it did not wait for the request in flight: %v", err)
		default:
		}

		time.Sleep(20 * time.Second)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil || string(body) != idle.body {
			t.Errorf("the request in flight got %d bytes, %v, want %d", len(body), err, len(idle.body))
		}
		if err := <-b.Done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

// TestHardStop has a client that does not read and one that sends nothing at the end of grace.
// They are cut off, and the stop is no failure.
func TestHardStop(t *testing.T) {
	t.Parallel()
	var logged record
	const grace = 3 * time.Second // less than a silent connection may take
	inBubble(t, newSender(20_000, 0).handler(), grace, logged.log(), maxConnections, func(t *testing.T, b bubble) {
		b.get(t) // leaves an idle connection, which has nothing to lose
		slow, silent := b.Connect(t, request), b.Connect(t, "")
		synctest.Wait() // the answer waits to be read
		start := time.Now()
		b.Stop()
		if err := <-b.Done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if took := time.Since(start); took != grace {
			t.Errorf("it took %v", took)
		}
		for name, conn := range map[string]net.Conn{"slow": slow, "silent": silent} {
			if rest, err := io.ReadAll(conn); err != nil || len(rest) > 0 {
				t.Errorf("the %s client got %q, %v", name, rest, err)
			}
		}
	})
	text := logged.String()
	for _, want := range []string{"level=WARN", "cut off", "address=127.0.0.1:8080", "connections=2", "grace=3s"} {
		if !strings.Contains(text, want) {
			t.Errorf("the log %q does not say %q", text, want)
		}
	}
}

// TestStopWaits has a handler that goes on for a while after its client was cut off: Serve waits.
func TestStopWaits(t *testing.T) {
	t.Parallel()
	const grace, more = 10 * time.Second, time.Second
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 10_000)) // nobody reads it
		time.Sleep(more)
	})
	inBubble(t, h, grace, quiet, maxConnections, func(t *testing.T, b bubble) {
		b.Connect(t, request)
		synctest.Wait()
		start := time.Now()
		b.Stop()
		if err := <-b.Done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if took := time.Since(start); took != grace+more {
			t.Errorf("it took %v", took)
		}
	})
}

// A lame listener cannot be closed properly.
type lame struct{ *pipe.Listener }

func (l lame) Close() error {
	_ = l.Listener.Close()
	return errors.New("the door is stuck")
}

func TestStopFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, stop)
		err := Serve(ctx, lame{pipe.Listen()}, http.NotFoundHandler(), time.Minute, quiet, nil)
		if err == nil || !strings.Contains(err.Error(), "the door is stuck") || !strings.Contains(err.Error(), "127.0.0.1:8080") {
			t.Errorf("Serve: %v", err)
		}
	})
}
