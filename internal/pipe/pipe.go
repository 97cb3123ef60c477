// Package pipe is for tests of connections. Its listener has no network, so that a server and its
// clients can live in a bubble of [testing/synctest], where time is simulated.
package pipe

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
)

// A Listener accepts what [Listener.Dial] dials. It says that its address is
// 127.0.0.1:8080.
type Listener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// Listen returns a listener.
func Listen() *Listener {
	return &Listener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// Accept waits for the next connection. After [Listener.Close] it fails with
// [net.ErrClosed].
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close ends the listener.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr returns 127.0.0.1:8080.
func (l *Listener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080} }

// Dial returns the client's end of a new connection, which holds no byte: each write waits
// for a read. After [Listener.Close] it fails with [syscall.ECONNREFUSED]. Network and
// address do not matter: it is for [net/http.Transport].
func (l *Listener) Dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
		return nil, syscall.ECONNREFUSED
	}
}

// A Bubble is a server in a bubble of [testing/synctest].
type Bubble struct {
	*Listener
	Client *http.Client
	Stop   context.CancelFunc // ends the context of the server
	Done   <-chan error       // has the server's error, and is closed after that
}

// InBubble runs a test with a server: serve must serve until its context ends. An error of it
// that the test does not take fails the test.
func InBubble(t *testing.T, serve func(context.Context, net.Listener) error, test func(t *testing.T, b Bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ln := Listen()
		transport := &http.Transport{DialContext: ln.Dial, DisableCompression: true}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- serve(ctx, ln); close(done) }()
		test(t, Bubble{ln, &http.Client{Transport: transport}, stop, done})
		transport.CloseIdleConnections()
		stop()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
}

// Connect opens a connection of its own and sends text on it.
func (b Bubble) Connect(t *testing.T, text string) net.Conn {
	t.Helper()
	conn, err := b.Dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn
}

// SocketFolder returns a temporary folder for Unix sockets, which must have short paths.
func SocketFolder(t *testing.T) string {
	t.Helper()
	parent := os.TempDir()
	if len(parent) > 50 {
		parent = "/tmp"
	}
	dir, err := os.MkdirTemp(parent, "f") //nolint:usetesting // its path has the name of the test
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}
