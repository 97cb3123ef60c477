package provider

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"net"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A Kind says what went wrong with a job. The set is closed: outcomes are stored, counted
// and retried by it. Those that do not come from a feed are in packages ingest and store.
type Kind string

// The kinds of an [Error].
const (
	KindTimeout    Kind = "timeout"     // the time limit passed, at whatever stage
	KindConnection Kind = "connection"  // refused, reset, ended early, or an input that cannot be read
	KindDNS        Kind = "dns"         // the host's name was not resolved
	KindTLS        Kind = "tls"         // no secure connection: certificate or protocol
	KindHTTPStatus Kind = "http_status" // an answer other than 200, a redirect that cannot be followed, or a 304 out of place
	KindTooLarge   Kind = "too_large"   // more than MaxBytes, as received or after decompression
	KindMalformed  Kind = "malformed"   // not well-formed, cut short, or beyond the decoder's bounds
	KindDecode     Kind = "decode"      // not a feed, or in an encoding that is not known
	KindCanceled   Kind = "canceled"    // the caller's context was cancelled
)

// An Error is what every failure of [Provider.Fetch] and [Provider.Read] is. Its
// text names the provider and its host, never the rest of the URL, which may hold
// credentials, and is of bounded length.
type Error struct {
	Provider string
	Kind     Kind
	Doing    string // such as "fetch from example.com"
	Err      error  // the cause, never nil

	HTTPStatus int           // of the last answer; 0 when there was none
	RetryAfter time.Duration // how long the answer asks to wait, at most an hour; 0 when it does not
}

// Error says what was being done to which provider, and what came of it.
func (e *Error) Error() string {
	return "provider " + e.Provider + ": " + e.Doing + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// maxCause bounds what the text of an [Error] says of its cause, in bytes.
const maxCause = 512

// A printable is an error with a text that can stand in a log and on a terminal:
// package net/http repeats in its errors what a server sent, at any length.
type printable struct{ cause error }

func (p printable) Error() string {
	text := p.cause.Error()
	if len(text) > maxCause {
		text = text[:maxCause] + "..."
	}
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

func (p printable) Unwrap() error { return p.cause }

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
	if _, ok := errors.AsType[*insecure](err); ok {
		return KindTLS
	}
	if isCompression(err) {
		return KindMalformed
	}
	return KindConnection
}

func isCompression(err error) bool {
	_, corrupt := errors.AsType[flate.CorruptInputError](err)
	return corrupt || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum)
}
