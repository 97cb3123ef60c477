package provider

import (
	"errors"
	"io"
	"net"
	"testing"
)

// Writing to a peer that has gone must not hide what that has said before.
func TestConnReadsWhatWasSaid(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	dialed, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c := &conn{Conn: dialed}
	defer func() { _ = c.Close() }()
	peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	write(t, peer, []byte("why"))
	if err := peer.Close(); err != nil {
		t.Fatal(err)
	}
	for c.gone.Load() == nil { // until the system knows that the peer has gone
		if _, err := c.Write([]byte("request")); err != nil {
			t.Fatalf("writing fails: %v", err)
		}
	}
	said := make([]byte, 3)
	if _, err := io.ReadFull(c, said); err != nil || string(said) != "why" {
		t.Errorf("it read %q, %v", said, err)
	}
	if _, err := c.Read(said); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("then comes %v, as if the peer had ended well", err)
	}
}
