package provider

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
)

// A Kind says what went wrong with a feed. The set is closed: outcomes are stored,
// counted and retried by it.
type Kind string

// The kinds of an [Error].
const (
	KindTimeout    Kind = "timeout"     // the time limit passed, at whatever stage
	KindConnection Kind = "connection"  // refused, reset, ended early, or an input that cannot be read
	KindDNS        Kind = "dns"         // the host's name was not resolved
	KindTLS        Kind = "tls"         // no secure connection: certificate or protocol
	KindHTTPStatus Kind = "http_status" // an answer other than 200, or a redirect that cannot be followed
	KindTooLarge   Kind = "too_large"   // more than MaxBytes after decompression
	KindMalformed  Kind = "malformed"   // not well-formed XML, cut short, or beyond the reader's bounds
	KindDecode     Kind = "decode"      // not a feed, or in an encoding that is not known
	KindCanceled   Kind = "canceled"    // the caller's context was cancelled
)

// An Error is what every failure of [Provider.Fetch] and [Provider.Read] is. Its
// text names the provider and its host, never the rest of the URL, which may hold
// credentials.
type Error struct {
	Provider string
	Kind     Kind
	Doing    string // such as "fetch from example.com"
	Err      error  // the cause, never nil
}

// Error says what was being done to which provider, and what came of it.
func (e *Error) Error() string {
	return "provider " + e.Provider + ": " + e.Doing + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// A fault is an error of which the kind is known where it is found.
type fault struct {
	kind Kind
	text string
}

func (f *fault) Error() string { return f.text }

// kindOf classifies an error that came up under ctx, which derives from caller.
func kindOf(ctx, caller context.Context, err error) Kind {
	if f, ok := errors.AsType[*fault](err); ok {
		return f.kind
	}
	// What a cancelled read returns depends on how far it had come, so the contexts
	// are asked and not the error.
	if errors.Is(caller.Err(), context.Canceled) {
		return KindCanceled
	}
	if ctx.Err() != nil {
		return KindTimeout
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return KindDNS
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return KindTimeout
	}
	if isTLS(err) {
		return KindTLS
	}
	if isCompression(err) {
		return KindMalformed
	}
	return KindConnection
}

func isTLS(err error) bool {
	_, verification := errors.AsType[*tls.CertificateVerificationError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, name := errors.AsType[x509.HostnameError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	return verification || record || alert || authority || name || invalid
}

func isCompression(err error) bool {
	_, corrupt := errors.AsType[flate.CorruptInputError](err)
	return corrupt || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum)
}
