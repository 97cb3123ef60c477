package provider

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"fever/provider/feed"
)

// tlsConfig returns the configuration of TLS, or an error that names the file that cannot be
// used.
func tlsConfig(c *Config) (*tls.Config, error) {
	switch both := "a client certificate needs both its file and that of its key"; {
	case c.ClientCert == "" && c.ClientKey != "":
		return nil, refuse("client-key", "%s", both)
	case c.ClientCert != "" && c.ClientKey == "":
		return nil, refuse("client-cert", "%s", both)
	}
	own := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CA != "" {
		text, err := readPEM(c.CA)
		if err != nil {
			return nil, refuse("ca", "read the certificates of its authority: %w", err)
		}
		own.RootCAs = x509.NewCertPool()
		if !own.RootCAs.AppendCertsFromPEM(text) {
			return nil, refuse("ca", "read the certificates of its authority: %s holds none in PEM", c.CA)
		}
	}
	if c.ClientCert != "" {
		if _, err := clientCertificate(c); err != nil {
			return nil, &FieldError{"client-cert", err}
		}
	}
	own.GetClientCertificate = func(request *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		x := exchangeOf(request.Context())
		if x == nil || c.ClientCert == "" || !x.trusted {
			x.note(func() { x.nameless = true }) // many servers ask for a certificate and do without
			return new(tls.Certificate), nil
		}
		// The file may be renewed while fever runs, and connections are rare.
		return clientCertificate(c)
	}
	return own, nil
}

// insecure returns the error of a TLS handshake that one side refused, or nil if the network
// below failed. The caller holds mu.
//
// A server of TLS 1.3 refuses a client's certificate, or the lack of one, after the handshake
// has ended for the client (RFC 8446 section 4.4.2.4). Then the client reads an alert first.
func (x *exchange) insecure(err error) error {
	cause := x.handshake
	if cause == nil && x.stage < receiving && isAlert(err) {
		cause = err
	}
	_, network := errors.AsType[*net.OpError](cause)
	timeout, ok := errors.AsType[net.Error](cause)
	switch {
	case cause == nil, network && !isAlert(cause), ok && timeout.Timeout(), errors.Is(cause, context.Canceled),
		errors.Is(cause, io.EOF), errors.Is(cause, io.ErrUnexpectedEOF):
		return nil
	}
	hint := ""
	record, ok := errors.AsType[tls.RecordHeaderError](cause)
	switch {
	case ok && string(record.RecordHeader[:]) == "HTTP/":
		hint = "this port answers in plain HTTP, without TLS: the URL may have to begin with http://: "
	case ok:
		hint = "this port does not answer in TLS: "
	case x.nameless && x.trusted && isAlert(cause):
		hint = "the server wants a client certificate, and none is configured: see client-cert: "
	case x.nameless && isAlert(cause):
		hint = "the server, to which a redirect led, wants a client certificate: "
	}
	return feed.Errorf(feed.KindTLS, "%s%w", hint, err)
}

// isAlert reports whether err is a TLS alert of either side. Package tls does not export its
// type.
func isAlert(err error) bool {
	for op, ok := errors.AsType[*net.OpError](err); ok; op, ok = errors.AsType[*net.OpError](op.Err) {
		if op.Op == "remote error" || op.Op == "local error" {
			return true
		}
	}
	return false
}

func clientCertificate(c *Config) (*tls.Certificate, error) {
	cert, err := readPEM(c.ClientCert)
	if err != nil {
		return nil, fmt.Errorf("read the client certificate: %w", err)
	}
	key, err := readPEM(c.ClientKey)
	if err != nil {
		return nil, fmt.Errorf("read the key of the client certificate: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("read the client certificate from %s and %s: %w", c.ClientCert, c.ClientKey, err)
	}
	return &pair, nil
}

// maxPEM bounds a file of certificates, in bytes. The authorities of a system take a fifth of
// it.
const maxPEM = 1 << 20

func readPEM(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read from
	text, err := io.ReadAll(io.LimitReader(f, maxPEM+1))
	if err == nil && len(text) > maxPEM {
		err = fmt.Errorf("%s has more than %d bytes", name, maxPEM)
	}
	return text, err
}
