package provider

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
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

// The time limit ends a format that has all of the document, and goes on for ever.
func TestExpired(t *testing.T) {
	t.Parallel()
	address := serveAt(t, "127.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		write(t, w, []byte("x"))
		if r.URL.Path == "/chunked" {
			_ = http.NewResponseController(w).Flush() // so there is no Content-Length
		}
	})
	endless := feed.Format{Name: "endless", Decode: func(doc *feed.Document, b *feed.Builder) error {
		if _, err := io.ReadAll(doc.Body); err != nil {
			return err
		}
		for {
			if err := b.Expired(); err != nil {
				return err
			}
		}
	}}
	for _, path := range []string{"/", "/chunked"} {
		p, err := New(Config{Format: endless, Name: "test", URL: "http://" + address + path, Timeout: 300 * time.Millisecond, MaxBytes: maxBytes})
		if err != nil {
			t.Fatal(err)
		}
		snapshot, err := p.fetch(t.Context(), feed.Validators{}, nil)
		wantFailure(t, snapshot, err, feed.KindTimeout, http.StatusOK)
		failure, ok := errors.AsType[*feed.Error](err)
		if !ok || !failure.Whole || !strings.Contains(err.Error(), "not done within 300ms: while decoding the rows of the answer, all 1 bytes of which have come") {
			t.Error(err)
		}
	}
}
