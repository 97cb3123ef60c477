package simulator

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"time"
)

// An exchange is a request and the connection that waits for its answer.
type exchange struct {
	server  *Server
	request *http.Request
	conn    net.Conn
	ahead   *bufio.Reader // the rest of what the client sends
}

// start accepts connections until l is closed.
func (s *Server) start(l net.Listener) {
	s.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil || !s.keep(conn) {
				return
			}
			s.running.Go(func() {
				defer s.drop(conn)
				s.serve(conn)
			})
		}
	})
}

// keep makes Close end a connection, and reports whether Close was not called yet.
func (s *Server) keep(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = conn.Close()
		return false
	}
	s.conns[conn] = struct{}{}
	return true
}

func (s *Server) drop(conn net.Conn) {
	_ = conn.Close() // perhaps for the second time
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, conn)
}

// serve answers the one request of a connection. It ignores errors: the client or Close has
// ended the connection, so nobody could be told.
func (s *Server) serve(conn net.Conn) {
	ahead := bufio.NewReader(conn)
	const handshake = 0x16 // the first byte of a TLS connection
	if first, err := ahead.Peek(1); err != nil {
		return
	} else if first[0] == handshake {
		_ = secure(conn, ahead)
		return
	}
	request, err := http.ReadRequest(ahead)
	if err != nil {
		return
	}
	_ = s.take(request).play(&exchange{s, request, conn, ahead})
}

// secure offers a certificate that nobody trusts.
func secure(conn net.Conn, ahead io.Reader) error {
	server := httptest.NewTLSServer(nil) // with a certificate that is signed by itself
	server.Close()
	return tls.Server(readAhead{conn, ahead}, server.TLS).Handshake() //nolint:noctx // ends with the connection
}

// readAhead is a connection of which the first bytes have been read.
type readAhead struct {
	net.Conn
	ahead io.Reader
}

func (r readAhead) Read(b []byte) (int, error) { return r.ahead.Read(b) }

// head sends the status line and the header. With a length below 0 it sends no length, and the
// body ends with the connection.
func (x *exchange) head(status int, length int64, header []string) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\nConnection: close\r\n", status, http.StatusText(status))
	if length >= 0 {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", length)
	}
	for _, line := range header {
		b.WriteString(line + "\r\n")
	}
	b.WriteString("\r\n")
	_, err := x.conn.Write(b.Bytes())
	return err
}

// send sends a head with the given length, and then the body.
func (x *exchange) send(length int64, body []byte, header []string) error {
	if err := x.head(http.StatusOK, length, header); err != nil {
		return err
	}
	_, err := x.conn.Write(body)
	return err
}

// trickle sends one byte after another, with a pause before each.
func (x *exchange) trickle(r io.ByteReader, pause time.Duration) error {
	for {
		c, err := r.ReadByte()
		if err != nil {
			return nil //nolint:nilerr // everything is sent
		}
		select {
		case <-time.After(pause):
		case <-x.server.done:
			return net.ErrClosed
		}
		if _, err := x.conn.Write([]byte{c}); err != nil {
			return err
		}
	}
}

// hang waits until the client or the server ends the connection.
func (x *exchange) hang() error {
	_, err := io.Copy(io.Discard, x.ahead)
	return err
}

// reset resets the connection, as a crash would. Bytes that are sent and not read are lost.
func (x *exchange) reset() error {
	if tcp, ok := x.conn.(*net.TCPConn); ok {
		if err := tcp.SetLinger(0); err != nil {
			return err
		}
	}
	return x.conn.Close()
}
