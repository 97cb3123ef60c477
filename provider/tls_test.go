package provider

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fever/provider/feed"
	"fever/provider/feed/feverup"
)

// An authority signs certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{key: newKey(t)}
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.cert, _ = a.sign(t, a.cert, a.key)
	return a
}

func (a *authority) sign(t *testing.T, c *x509.Certificate, key *ecdsa.PrivateKey) (*x509.Certificate, []byte) {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return signed, der
}

// issue returns a certificate for a server on loopback and for clients, and its key.
func (a *authority) issue(t *testing.T, serial int64) (cert, key []byte) {
	t.Helper()
	own := newKey(t)
	_, der := a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, own)
	private, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		t.Fatal(err)
	}
	return pemOf("CERTIFICATE", der), pemOf("PRIVATE KEY", private)
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func (a *authority) pem() []byte { return pemOf("CERTIFICATE", a.cert.Raw) }

// serveTLS starts a server with a certificate of the authority.
func (a *authority) serveTLS(t *testing.T, config *tls.Config, h http.HandlerFunc) string {
	t.Helper()
	pair, err := tls.X509KeyPair(a.issue(t, 2))
	if err != nil {
		t.Fatal(err)
	}
	config.Certificates = []tls.Certificate{pair}
	if config.ClientCAs == nil {
		config.ClientCAs = x509.NewCertPool()
		config.ClientCAs.AddCert(a.cert)
	}
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.TLS = config
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

// file writes one into a folder of its own.
func file(t *testing.T, content []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file.pem")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestClientCertificate(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			t.Parallel()
			var serial atomic.Int64
			other := a.serveTLS(t, &tls.Config{ClientAuth: tls.RequestClientCert}, func(w http.ResponseWriter, r *http.Request) {
				if len(r.TLS.PeerCertificates) > 0 {
					t.Error("another host got the certificate")
				}
				write(t, w, []byte(emptyFeed))
			})
			own := a.serveTLS(t, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, MaxVersion: version}, func(w http.ResponseWriter, r *http.Request) {
				serial.Store(r.TLS.PeerCertificates[0].SerialNumber.Int64())
				http.Redirect(w, r, "https://"+other, http.StatusFound)
			})
			cert, key := a.issue(t, 7)
			c := Config{
				Format: feverup.New(0),
				Name:   "test", URL: "https://" + own, Timeout: plenty, MaxBytes: maxBytes,
				CA: file(t, a.pem()), ClientCert: file(t, cert), ClientKey: file(t, key),
			}
			p, err := New(c)
			if err != nil {
				t.Fatal(err)
			}
			fetched(t, p, feed.Validators{})
			if serial.Load() != 7 {
				t.Errorf("the certificate has the serial %d", serial.Load())
			}

			// It is renewed, one file after the other.
			cert, key = a.issue(t, 8)
			if err := os.WriteFile(c.ClientCert, cert, 0o600); err != nil {
				t.Fatal(err)
			}
			snapshot, err := p.fetch(t.Context(), feed.Validators{}, nil)
			wantFailure(t, snapshot, err, feed.KindTLS, 0)
			if !strings.Contains(err.Error(), "read the client certificate") || !strings.Contains(err.Error(), "does not match") {
				t.Error(err)
			}
			if err := os.WriteFile(c.ClientKey, key, 0o600); err != nil {
				t.Fatal(err)
			}
			fetched(t, p, feed.Validators{})
			if serial.Load() != 8 {
				t.Errorf("the certificate has the serial %d", serial.Load())
			}
		})
	}
}

func TestClientCertificateIsNone(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	cert, key := a.issue(t, 7)
	_, other := a.issue(t, 8)
	none := filepath.Join(t.TempDir(), "none.pem")
	for name, test := range map[string]struct{ ca, cert, key, text string }{
		"no file":      {none, "", "", "none.pem: no such file"},
		"no authority": {file(t, key), "", "", "holds none in PEM"},
		"no key":       {"", file(t, cert), "", "needs both"},
		"only a key":   {"", "", file(t, key), "needs both"},
		"no such key":  {"", file(t, cert), none, "read the key of the client certificate"},
		"another key":  {"", file(t, cert), file(t, other), "does not match"},
		"no PEM":       {"", file(t, []byte("rubbish")), file(t, key), "failed to find any PEM data"},
	} {
		_, err := New(Config{Format: feverup.New(0), Name: "test", URL: "https://a", Timeout: plenty, MaxBytes: 1, CA: test.ca, ClientCert: test.cert, ClientKey: test.key})
		if err == nil || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a server does not like of a connection, it will not like the next time. In TLS 1.3
// it says so when the client thinks that all is well (RFC 8446 section 4.4.2.4).
func TestFetchTLSRefused(t *testing.T) {
	t.Parallel()
	a, stranger := newAuthority(t), newAuthority(t)
	cert, key := stranger.issue(t, 9)
	required := tls.Config{ClientAuth: tls.RequireAndVerifyClientCert}
	with := func(change func(*tls.Config)) *tls.Config {
		c := required.Clone()
		change(c)
		return c
	}
	const wanted = "wants a client certificate, and none is configured: see client-cert"
	tests := map[string]struct {
		server *tls.Config
		cert   bool
		text   string
	}{
		"no certificate, 1.2":     {with(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }), false, wanted},
		"no certificate, 1.3":     {with(func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }), false, wanted},
		"another authority, 1.2":  {with(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }), true, "remote error: tls: "},
		"another authority, 1.3":  {with(func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }), true, "remote error: tls: "},
		"an old version":          {&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, false, "protocol version"},
		"no cipher that is known": {&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}}, false, "handshake failure"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := a.serveTLS(t, test.server.Clone(), func(http.ResponseWriter, *http.Request) { t.Error("it got a request") })
			c := Config{Format: feverup.New(0), Name: "test", URL: "https://" + address, Timeout: plenty, MaxBytes: maxBytes, CA: file(t, a.pem())}
			if test.cert {
				c.ClientCert, c.ClientKey = file(t, cert), file(t, key)
			}
			p, err := New(c)
			if err != nil {
				t.Fatal(err)
			}
			snapshot, err := p.fetch(t.Context(), feed.Validators{}, nil)
			wantFailure(t, snapshot, err, feed.KindTLS, 0)
			if !strings.Contains(err.Error(), test.text) {
				t.Errorf("%v does not say %q", err, test.text)
			}
		})
	}
}

// A connection that breaks while TLS is agreed on may hold the next time.
func TestFetchTLSBreaks(t *testing.T) {
	t.Parallel()
	for name, reset := range map[string]bool{"closed": false, "reset": true} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() {
			conn, err := l.Accept()
			if err == nil {
				_, err = io.ReadFull(conn, make([]byte, 5)) // a part of the client's hello
				if reset {
					err = errors.Join(err, conn.(*net.TCPConn).SetLinger(0))
				} else {
					_, _ = io.CopyN(io.Discard, conn, 1) // what is not read resets, too
				}
				err = errors.Join(err, conn.Close())
			}
			served <- err
		}()
		snapshot, err := newProvider(t, "https://"+l.Addr().String(), plenty).fetch(t.Context(), feed.Validators{}, nil)
		wantFailure(t, snapshot, err, feed.KindConnection, 0)
		if err := errors.Join(<-served, l.Close()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
