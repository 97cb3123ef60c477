package httpapi

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// dial opens a connection to a server's URL, for a minute at most.
func dial(t testing.TB, url string) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{Timeout: time.Minute}).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// answered reads all answers up to the end of the connection. A method is that of the
// first request; the others are not HEAD.
func answered(conn io.Reader, method string) (statuses []int, bodies []string, err error) {
	r := bufio.NewReader(conn)
	for {
		if _, err := r.Peek(1); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) { // it did not read all that was sent
				err = nil
			}
			return statuses, bodies, err
		}
		response, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			return statuses, bodies, fmt.Errorf("after %v: %w", statuses, err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			return statuses, bodies, fmt.Errorf("after %v: %w", statuses, err)
		}
		statuses, bodies = append(statuses, response.StatusCode), append(bodies, string(body))
		if response.StatusCode >= 200 {
			method = http.MethodGet
		}
	}
}

// TestHostile sends hostile or odd requests, and behind each, in the same packet, two proper
// requests. Both of these are answered when the connection is kept, and neither when it is
// closed. Bytes after an ambiguous request must not count as a request, since another server on
// the way may see its end elsewhere.
func TestHostile(t *testing.T) {
	t.Parallel()
	const (
		headerBound = 16 << 10 // bytes
		get, host   = "GET /search HTTP/1.1\r\n", "Host: x\r\n"
		smuggled    = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n" // answered with 404 if it is taken for a request
		kept        = true
		next        = get + host + "\r\n"
		last        = "GET /search?starts_at=x HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n"
		afterwards1 = http.StatusOK
		afterwards2 = http.StatusBadRequest
	)
	base := search(t, entry(t, row{id: "1", start: "2021-06-01"}))
	for _, test := range []struct {
		name, send string
		want       []int
		kept       bool
	}{
		// Where the body ends.
		{"a length and chunks", "POST /search HTTP/1.1\r\n" + host + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", []int{405}, false},
		{"chunks and a length", "GET /search HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nContent-Length: 42\r\n\r\n0\r\n\r\n", []int{200}, false},
		{"two equal lengths", get + host + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nab", []int{200}, false},
		{"two lengths", get + host + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nab", []int{400}, false},
		{"lengths in a list", get + host + "Content-Length: 2, 2\r\n\r\nab", []int{400}, false},
		{"a length with a sign", get + host + "Content-Length: +2\r\n\r\nab", []int{400}, false},
		{"a negative length", get + host + "Content-Length: -2\r\n\r\n", []int{400}, false},
		{"a hexadecimal length", get + host + "Content-Length: 0x2\r\n\r\nab", []int{400}, false},
		{"a length without digits", get + host + "Content-Length: \r\n\r\n", []int{400}, false},
		{"a length beyond any", get + host + "Content-Length: 99999999999999999999\r\n\r\n", []int{400}, false},
		{"a space before the colon", get + host + "Content-Length : 2\r\n\r\nab", []int{400}, false},
		{"a coding twice", get + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", []int{501}, false},
		{"codings in a list", get + host + "Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n", []int{501}, false},
		{"a coding with a vertical tab", get + host + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", []int{400}, false},
		{"a coding in another case", get + host + "Transfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n", []int{200}, false},
		{"identity", get + host + "Transfer-Encoding: identity\r\n\r\n", []int{501}, false},
		{"a bad chunk", get + host + "Transfer-Encoding: chunked\r\n\r\nzz\r\n" + smuggled, []int{200}, false},
		{"a chunk that is too long", get + host + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n" + smuggled, []int{200}, false},
		{"a chunk without an end", get + host + "Transfer-Encoding: chunked\r\n\r\n2\r\nabcd0\r\n\r\n" + smuggled, []int{200}, false},
		{"bare LF in chunks", get + host + "Transfer-Encoding: chunked\r\n\r\n2\nab\n0\n\n" + smuggled, []int{200}, false},
		{"a trailer", get + host + "Transfer-Encoding: chunked\r\nTrailer: X\r\n\r\n2\r\nab\r\n0\r\nX: y\r\n\r\n", []int{200}, false},
		{"a length as a trailer", get + host + "Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n0\r\nContent-Length: 9\r\n\r\n", []int{400}, false},
		{"a body on GET", get + host + "Content-Length: 35\r\n\r\n" + smuggled, []int{200}, false},
		{"a body on POST", "POST /search HTTP/1.1\r\n" + host + "Content-Length: 35\r\n\r\n" + smuggled, []int{405}, false},
		{"a large body", "PUT /search HTTP/1.1\r\n" + host + "Content-Length: 999999999999\r\n\r\n" + smuggled, []int{405}, false},
		{"an empty body", get + host + "Content-Length: 0\r\n\r\n", []int{200}, kept},
		{"chunks in HTTP/1.0", "GET /search HTTP/1.0\r\n" + host + "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", []int{200}, false},

		// Where the header ends.
		{"a folded line", get + host + "X: a\r\n b\r\n\r\n", []int{200}, kept},
		{"a folded first line", get + " Host: x\r\n\r\n", []int{400}, false},
		{"bare LF", strings.ReplaceAll(get+host+"\r\n", "\r\n", "\n"), []int{200}, kept},
		{"bare CR", get + host + "X: a\rContent-Length: 9\r\n\r\n", []int{400}, false},
		{"an empty line first", "\r\n" + next, []int{400}, false},
		{"a NUL in a value", get + host + "X: a\x00b\r\n\r\n", []int{400}, false},
		{"a NUL in a name", get + host + "X\x00: b\r\n\r\n", []int{400}, false},
		{"no name", get + host + ": b\r\n\r\n", []int{400}, false},
		{"no colon", get + host + "X\r\n\r\n", []int{400}, false},
		{"a name in brackets", get + host + "[X]: y\r\n\r\n", []int{400}, false},
		{"two hosts", get + host + "Host: y\r\n\r\n", []int{400}, false},
		{"no host", get + "\r\n", []int{400}, false},
		{"a bad host", get + "Host: a b\r\n\r\n", []int{400}, false},

		// What is too much.
		{"a header of 16 KiB", get + host + "X: " + strings.Repeat("x", headerBound-1000) + "\r\n\r\n", []int{200}, kept},
		{"a long value", get + host + "X: " + strings.Repeat("x", 3*headerBound) + "\r\n\r\n", []int{431}, false},
		{"a long name", get + host + strings.Repeat("x", 3*headerBound) + ": y\r\n\r\n", []int{431}, false},
		{"many fields", get + host + strings.Repeat("X: y\r\n", headerBound/2) + "\r\n", []int{431}, false},
		{"a long line without an end", strings.Repeat("x", 3*headerBound), []int{431}, false},
		{"a long query", "GET /search?" + strings.Repeat("x=y&", 3000) + " HTTP/1.1\r\n" + host + "\r\n", []int{200}, kept},
		{"a query that is too long", "GET /search?" + strings.Repeat("x", 3*headerBound) + " HTTP/1.1\r\n" + host + "\r\n", []int{431}, false},

		// What is asked for.
		{"an absolute URI", "GET http://other/search HTTP/1.1\r\n" + host + "\r\n", []int{200}, kept},
		{"an absolute URI with another scheme", "GET ftp://u:p@other:1/search HTTP/1.1\r\n" + host + "\r\n", []int{200}, kept},
		{"a URI without a path", "GET http://other HTTP/1.1\r\n" + host + "\r\n", []int{404}, kept},
		{"a relative URI", "GET search HTTP/1.1\r\n" + host + "\r\n", []int{400}, false},
		{"an encoded slash", "GET /%2fsearch HTTP/1.1\r\n" + host + "\r\n", []int{404}, kept},
		{"only an encoded slash", "GET %2fsearch HTTP/1.1\r\n" + host + "\r\n", []int{400}, false},
		{"an encoded slash behind", "GET /search%2f HTTP/1.1\r\n" + host + "\r\n", []int{404}, kept},
		{"encoded dots", "GET /x/%2e%2e/search HTTP/1.1\r\n" + host + "\r\n", []int{404}, kept},
		{"an encoded NUL", "GET /search%00 HTTP/1.1\r\n" + host + "\r\n", []int{404}, kept},
		{"an encoded NUL in the query", "GET /search?starts_at=%00 HTTP/1.1\r\n" + host + "\r\n", []int{400}, kept},
		{"an encoded line break in the query", "GET /search?starts_at=%0d%0aX:%20y HTTP/1.1\r\n" + host + "\r\n", []int{400}, kept},
		{"a NUL in the query", "GET /search?\x00 HTTP/1.1\r\n" + host + "\r\n", []int{400}, false},
		{"a fragment", "GET /search#x HTTP/1.1\r\n" + host + "\r\n", []int{404}, kept},
		{"bytes that are not ASCII", "GET /search?x=\xff\xfe HTTP/1.1\r\n" + host + "\r\n", []int{200}, kept},
		{"OPTIONS *", "OPTIONS * HTTP/1.1\r\n" + host + "\r\n", []int{204}, kept},
		{"GET *", "GET * HTTP/1.1\r\n" + host + "\r\n", []int{404}, kept},
		{"CONNECT", "CONNECT other:443 HTTP/1.1\r\n" + host + "\r\n", []int{404}, kept},
		{"CONNECT with a path", "CONNECT /search HTTP/1.1\r\n" + host + "\r\n", []int{405}, kept},
		{"TRACE", "TRACE /search HTTP/1.1\r\n" + host + "\r\n", []int{405}, kept},
		{"a method of our own", "SEARCH /search HTTP/1.1\r\n" + host + "\r\n", []int{405}, kept},
		{"a method that is none", "G@T /search HTTP/1.1\r\n" + host + "\r\n", []int{400}, false},
		{"HEAD", "HEAD /search HTTP/1.1\r\n" + host + "\r\n", []int{200}, kept},

		// Other protocols.
		{"HTTP/1.0", "GET /search HTTP/1.0\r\n\r\n", []int{200}, false},
		{"HTTP/1.0, to be kept", "GET /search HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", []int{200}, false},
		{"HTTP/0.9", "GET /search\r\n", []int{400}, false},
		{"HTTP/1.2", "GET /search HTTP/1.2\r\n" + host + "\r\n", []int{200}, kept},
		{"HTTP/2 with prior knowledge", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", []int{404}, false},
		{"an upgrade to HTTP/2", get + host + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", []int{200}, kept},
		{"an upgrade to a web socket", get + host + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", []int{200}, kept},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", []int{400}, false},
		{"a proxy's header", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + next, []int{400}, false},

		// What a client expects.
		{"100-continue without a body", get + host + "Expect: 100-continue\r\n\r\n", []int{200}, kept},
		{"100-continue", "POST /search HTTP/1.1\r\n" + host + "Expect: 100-continue\r\nContent-Length: 35\r\n\r\n" + smuggled, []int{405}, false},
		{"another expectation", get + host + "Expect: wonders\r\n\r\n", []int{417}, false},
		{"to close", get + host + "Connection: close\r\n\r\n", []int{200}, false},
		{"to keep it and to close it", get + host + "Connection: keep-alive, close\r\n\r\n", []int{200}, false},
		{"to remove fields on the way", get + host + "Connection: Host, Content-Length\r\n\r\n", []int{200}, kept},
		{"a range", get + host + "Range: bytes=0-1,0-1,0-1,0-1\r\n\r\n", []int{200}, kept},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, base)
			if _, err := io.WriteString(conn, test.send+next+last); err != nil && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
				t.Fatal(err)
			}
			method, _, _ := strings.Cut(test.send, " ")
			got, bodies, err := answered(conn, method)
			want := test.want
			if test.kept {
				want = append(slices.Clip(want), afterwards1, afterwards2)
			}
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("answered %v, %v, want %v: %.300q", got, err, want, bodies)
			}
		})
	}
}

// TestPipelined sends a thousand requests in one packet.
func TestPipelined(t *testing.T) {
	t.Parallel()
	const requests = 1_000
	list := many(t, requests)
	base := search(t, slices.Clone(list)...)
	conn := dial(t, base)
	var send strings.Builder
	for i := range requests {
		target := "/search?x"
		if i%100 != 99 {
			target = window(list, i, 1).String()
		}
		fmt.Fprintf(&send, "GET %s HTTP/1.1\r\nHost: x\r\n", target)
		switch {
		case i%10 == 8:
			send.WriteString("If-None-Match: *\r\n")
		case i%100 == 99: // all there is
			send.WriteString("Accept-Encoding: gzip\r\n")
		case i == requests-1:
			send.WriteString("Connection: close\r\n")
		}
		send.WriteString("\r\n")
	}
	sent := make(chan error, 1)
	go func() { // the answers are more than the system holds
		_, err := io.WriteString(conn, send.String())
		sent <- err
	}()
	r := bufio.NewReader(conn)
	for i := range requests {
		response, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		wire, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		body, err := check(request(t, http.MethodGet, base, "Accept-Encoding: gzip"), response, wire)
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		want := string(head) + string(list[i].Summary) + string(tail)
		switch {
		case i%10 == 8:
			if response.StatusCode != http.StatusNotModified {
				t.Errorf("answer %d: %d", i, response.StatusCode)
			}
		case i%100 == 99:
			if n := strings.Count(string(body), `"id"`); n != requests {
				t.Errorf("answer %d has %d events", i, n)
			}
		case string(body) != want:
			t.Errorf("answer %d: %s, want %s", i, body, want)
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}
