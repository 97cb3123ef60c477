package provider

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fever/provider/feed"
	"fever/provider/feed/feverup"
)

// Credentials go to another URL of the same host, and to no other host.
func TestAt(t *testing.T) {
	t.Parallel()
	type sent struct{ user, key string }
	asked := make(chan sent, 1)
	handler := func(w http.ResponseWriter, r *http.Request) {
		user, _, _ := r.BasicAuth()
		asked <- sent{user, r.Header.Get("X-Key")}
		write(t, w, []byte(emptyFeed))
	}
	own, other := serveAt(t, "127.0.0.1", handler), serveAt(t, "127.0.0.1", handler)
	p, err := New(Config{
		Format: feverup.New(0), Name: "test", URL: "http://me:secret@" + own, Timeout: plenty, MaxBytes: maxBytes,
		Header: http.Header{"X-Key": {"secret"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]sent{
		"http://" + own + "/elsewhere?page=2":   {"me", "secret"},
		"http://you:know@" + own + "/elsewhere": {"you", "secret"},
		"http://" + other + "/":                 {},
		"http://you:know@" + other + "/":        {"you", ""},
	} {
		at, err := p.At(address)
		if err != nil {
			t.Fatal(address, err)
		}
		doc, err := at.Get(t.Context(), feed.Validators{}, nil)
		if err != nil {
			t.Fatal(address, err)
		}
		if err := doc.Body.Close(); err != nil {
			t.Error(err)
		}
		if got := <-asked; got != want {
			t.Errorf("%s: %+v, want %+v", address, got, want)
		}
	}
	// The same from https to http, with a client certificate.
	secure := &Provider{Config: p.Config, url: &url.URL{Scheme: "https", Host: own}}
	secure.ClientCert, secure.ClientKey = "cert.pem", "key.pem"
	if at, err := secure.At("http://" + own); err != nil || len(at.Header) > 0 || at.ClientCert != "" || at.ClientKey != "" {
		t.Errorf("%+v, %v", at, err)
	}
	for _, address := range []string{"", "ftp://example.com/", "http://", "http://example.com/#x", "http://[:"} {
		if at, err := p.At(address); err == nil {
			t.Errorf("%q: %+v", address, at)
		}
	}
}

// The time limit ends a format that has all of the document, and goes on for ever. Time is that of
// the bubble.
func TestExpired(t *testing.T) {
	t.Parallel()
	endless := feed.Format{Name: "endless", Decode: func(doc *feed.Document, b *feed.Builder) error {
		if _, err := io.ReadAll(doc.Body); err != nil {
			return err
		}
		for {
			if err := b.Expired(); err != nil {
				return err
			}
			time.Sleep(time.Second)
		}
	}}
	for _, answer := range []string{"Content-Length: 1\r\n\r\nx", "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"} {
		synctest.Test(t, func(t *testing.T) {
			p, err := New(Config{Format: endless, Name: "test", URL: "http://127.0.0.1/feed", Timeout: plenty, MaxBytes: maxBytes})
			if err != nil {
				t.Fatal(err)
			}
			p.transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
				near, far := net.Pipe()
				go func() {
					if _, err := http.ReadRequest(bufio.NewReader(far)); err != nil {
						t.Error(err)
					}
					_, _ = io.WriteString(far, "HTTP/1.1 200 OK\r\n"+answer) // the client says how that went
				}()
				return near, nil
			}
			snapshot, err := p.fetch(t.Context(), feed.Validators{}, nil)
			wantFailure(t, snapshot, err, feed.KindTimeout, http.StatusOK)
			failure, ok := errors.AsType[*feed.Error](err)
			if !ok || !failure.Whole || !strings.Contains(err.Error(), "not done within 1m0s: while decoding the rows of the answer, all 1 bytes of which have come") {
				t.Error(err)
			}
			p.transport.CloseIdleConnections()
		})
	}
}
