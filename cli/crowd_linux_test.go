package cli

import (
	"io"
	"net"
	"net/http"
	"regexp"
	"testing"
)

// TestCrowd fills up a server that may open few files, and finds it in the metrics:
// connections that were refused or, if this takes long, cut off.
func TestCrowd(t *testing.T) {
	t.Parallel()
	binary := program(t)
	p := newPerson(t, binary)
	p.put(t, "limited", "#!/bin/sh\nulimit -n 64\nexec "+binary+` "$@"`+"\n")
	p.own(t, p.path("limited"), 0o700)
	p.binary = p.path("limited")
	s := p.serve(t, "--no-sync", "--ops-listen", "127.0.0.1:0")
	defer s.stop()

	counted := regexp.MustCompile(`(?m)^fever_connections_(?:refused|cut_off)_total\S* [1-9]`)
	var last net.Conn
	for range 32 + 1 {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }() // the server may have been quicker
		last = conn
	}
	if _, err := io.ReadAll(last); err != nil { // it is refused, or silent for too long
		t.Fatal(err)
	}
	if status, text := fetch(t, "http://"+s.ops+"/metrics"); status != http.StatusOK || !counted.MatchString(text) {
		t.Errorf("%d: no connection was counted in\n%s", status, text)
	}
}
