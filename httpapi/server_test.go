package httpapi

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
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

// TestServeMalformed sends what no client should. It is net/http that answers, before
// any handler, in plain text.
func TestServeMalformed(t *testing.T) {
	t.Parallel()
	addr := strings.TrimPrefix(search(t), "http://")
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

// A gate is a handler's writer that holds the answer until it is opened.
type gate struct {
	http.ResponseWriter
	reached chan<- struct{}
	opened  <-chan struct{}
	passed  bool
}

func (g *gate) Write(b []byte) (int, error) {
	if !g.passed {
		g.passed = true
		g.reached <- struct{}{}
		<-g.opened
	}
	return g.ResponseWriter.Write(b)
}

// TestInFlight holds as many searches as there may be. In a bubble they do so in no time, or
// others could take their places.
func TestInFlight(t *testing.T) {
	t.Parallel()
	const limit = 3
	const base = "http://127.0.0.1:8080"
	search := NewSearch(Search{Index: loaded(t, many(t, 10)...), MaxInFlight: limit, Log: quiet})
	var reached, opened chan struct{} // of the bubble
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Hold") != "" {
			w = &gate{ResponseWriter: w, reached: reached, opened: opened}
		}
		search.ServeHTTP(w, r)
	})
	inBubble(t, h, time.Minute, quiet, func(t *testing.T, b bubble) {
		reached, opened = make(chan struct{}), make(chan struct{})
		ask := func(method, target string) reply {
			t.Helper()
			return doWith(t, b.client, request(t, method, base+target))
		}
		for range 2 {
			type result struct {
				reply
				err error
			}
			held := make(chan result, limit)
			for range limit {
				r := request(t, http.MethodGet, base+"/search", "X-Hold: yes")
				go func() {
					reply, err := exchange(b.client, r)
					held <- result{reply, err}
				}()
				<-reached
			}
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				reply := ask(method, "/search?starts_at=x")
				if reply.status != http.StatusServiceUnavailable {
					t.Errorf("%s beyond the bound: %d", method, reply.status)
				}
				if method == http.MethodHead {
					continue
				}
				if code, _ := reply.failure(t); code != "overloaded" {
					t.Errorf("%s beyond the bound: %s", method, reply.body)
				}
			}
			// Nothing else is bounded.
			if reply := ask(http.MethodGet, "/other"); reply.status != http.StatusNotFound {
				t.Errorf("another path: %d", reply.status)
			}
			if reply := ask(http.MethodOptions, "/search"); reply.status != http.StatusNoContent {
				t.Errorf("OPTIONS: %d", reply.status)
			}
			for range limit {
				opened <- struct{}{}
				if got := <-held; got.err != nil || got.status != http.StatusOK || len(got.titles(t)) != 10 {
					t.Errorf("a held request got %d %s, %v", got.status, got.body, got.err)
				}
			}
			if reply := ask(http.MethodGet, "/search"); reply.status != http.StatusOK {
				t.Errorf("after they have gone: %d", reply.status)
			}
		}
	})
}

// A pipe is a listener without a network, so that its connections can live in a
// bubble, where time is not real.
type pipe struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipe() *pipe { return &pipe{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipe) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipe) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipe) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080} }

func (p *pipe) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.closed:
		return nil, syscall.ECONNREFUSED
	}
}

// A bubble is a server in a synctest bubble.
type bubble struct {
	*pipe
	client *http.Client
	stop   context.CancelFunc
	done   <-chan error // Serve's
	counts *Connections
}

func inBubble(t *testing.T, h http.Handler, grace time.Duration, log *slog.Logger, test func(t *testing.T, b bubble)) {
	t.Helper()
	inCrowdedBubble(t, h, grace, log, maxConnections, test)
}

// inCrowdedBubble is inBubble with room for so many connections.
func inCrowdedBubble(t *testing.T, h http.Handler, grace time.Duration, log *slog.Logger, connections int, test func(t *testing.T, b bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := newPipe()
		transport := &http.Transport{DialContext: p.dial, DisableCompression: true}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		counts := new(Connections)
		go func() { done <- serve(ctx, p, h, grace, log, counts, connections); close(done) }()
		test(t, bubble{p, &http.Client{Transport: transport}, stop, done, counts})
		transport.CloseIdleConnections()
		stop()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

// connect opens a connection of its own and sends text on it.
func (b bubble) connect(t *testing.T, text string) net.Conn {
	t.Helper()
	conn, err := b.dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn
}

func (b bubble) get(t *testing.T) reply {
	t.Helper()
	return doWith(t, b.client, request(t, http.MethodGet, "http://127.0.0.1:8080/search"))
}

const wantSearch = "GET /search HTTP/1.1\r\nHost: x\r\n\r\n"

func TestTimeouts(t *testing.T) {
	t.Parallel()
	x := loaded(t, many(t, 100)...)
	for _, test := range []struct {
		name string
		send string
		read bool // the answer
		want time.Duration
	}{
		{"silent", "", false, readHeaderTimeout},
		{"slow header", "GET /search HTTP/1.1\r\nHost: x\r\n", false, readHeaderTimeout},
		{"slow reader", wantSearch, false, writeTimeout},
		{"slow body", "POST /search HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", true, readTimeout},
		{"idle", wantSearch, true, idleTimeout},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := NewSearch(Search{Index: x, MaxInFlight: 1, Log: quiet})
			inBubble(t, h, time.Minute, quiet, func(t *testing.T, b bubble) {
				start := time.Now()
				conn := b.connect(t, test.send)
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
	h := NewSearch(Search{Index: loaded(t, many(t, 100)...), Log: quiet})
	inBubble(t, h, time.Minute, quiet, func(t *testing.T, b bubble) {
		idle := b.get(t) // leaves an idle connection
		conn := b.connect(t, wantSearch)
		synctest.Wait() // its answer waits to be read
		b.stop()
		synctest.Wait()
		if _, err := b.dial(t.Context(), "", ""); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("a new connection: %v", err)
		}
		select {
		case err := <-b.done:
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
		if err := <-b.done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

// TestHardStop leaves a client that does not read and one that sends nothing: grace is
// there to end them, so neither makes the stop a failure.
func TestHardStop(t *testing.T) {
	t.Parallel()
	var logged record
	h := NewSearch(Search{Index: loaded(t, many(t, 100)...), Log: quiet})
	const grace = 3 * time.Second // less than a silent connection may take
	inBubble(t, h, grace, logged.log(), func(t *testing.T, b bubble) {
		b.get(t) // leaves an idle connection, which has nothing to lose
		slow, silent := b.connect(t, wantSearch), b.connect(t, "")
		synctest.Wait() // the answer waits to be read
		start := time.Now()
		b.stop()
		if err := <-b.done; err != nil {
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

// TestStopWaits for a handler that goes on for a while after its client was cut off.
func TestStopWaits(t *testing.T) {
	t.Parallel()
	const grace, more = 10 * time.Second, time.Second
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 10_000)) // nobody reads it
		time.Sleep(more)
	})
	inBubble(t, h, grace, quiet, func(t *testing.T, b bubble) {
		b.connect(t, wantSearch)
		synctest.Wait()
		start := time.Now()
		b.stop()
		if err := <-b.done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if took := time.Since(start); took != grace+more {
			t.Errorf("it took %v", took)
		}
	})
}

// A lame listener cannot be closed properly.
type lame struct{ *pipe }

func (l lame) Close() error {
	_ = l.pipe.Close()
	return errors.New("the door is stuck")
}

func TestStopFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, stop)
		err := Serve(ctx, lame{newPipe()}, http.NotFoundHandler(), time.Minute, quiet, nil)
		if err == nil || !strings.Contains(err.Error(), "the door is stuck") || !strings.Contains(err.Error(), "127.0.0.1:8080") {
			t.Errorf("Serve: %v", err)
		}
	})
}
