// Package pipe is for tests: a listener without a network, whose connections can live in a
// bubble of [testing/synctest], where time is simulated.
package pipe

import (
	"context"
	"net"
	"sync"
	"syscall"
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
