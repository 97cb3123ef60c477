package feed

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A Kind says what went wrong with a job. The set is closed: outcomes are stored, counted
// and retried by it.
type Kind string

// The kinds of failure.
const (
	KindTimeout     Kind = "timeout"     // the time limit passed, at whatever stage
	KindConnection  Kind = "connection"  // refused, reset, ended early, or an input that cannot be read
	KindDNS         Kind = "dns"         // the host's name was not resolved
	KindTLS         Kind = "tls"         // no secure connection: certificate or protocol
	KindHTTPStatus  Kind = "http_status" // an answer other than 200, a redirect that cannot be followed, or a 304 out of place
	KindTooLarge    Kind = "too_large"   // beyond the size limit, as received or after decompression, or beyond the bounds of a Feed
	KindMalformed   Kind = "malformed"   // not well-formed, cut short, or beyond the decoder's bounds
	KindDecode      Kind = "decode"      // not a feed, or in an encoding that is not known
	KindCanceled    Kind = "canceled"    // the caller's context was cancelled
	KindStore       Kind = "store"       // the snapshot or its outcome could not be committed
	KindInternal    Kind = "internal"    // a bug: the job panicked, or failed without a kind
	KindSuspect     Kind = "suspect"     // the snapshot as a whole is suspect, and was refused for it
	KindInterrupted Kind = "interrupted" // the job was found running when nobody could be running it any more
)

// An Error is a failure of a job, with its kind. Its text can stand in a log and on a
// terminal, and is bounded: package net/http repeats in its errors what a server sent, at
// any length. It names the provider and its host, never the rest of the URL, which may hold
// credentials.
type Error struct {
	Provider string // empty when that is for a caller to add; so is Op
	Kind     Kind
	Op       string // what was being done, such as "fetch from example.com"
	Err      error  // the cause, never nil

	HTTPStatus int           // of the last answer; 0 when there was none
	Bytes      int64         // read before it failed, after decompression
	RetryAfter time.Duration // how long the answer asks to wait, at most an hour; 0 when it does not
}

// Errorf returns an [*Error] of which no more is known than the kind and the cause.
func Errorf(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Err: fmt.Errorf(format, args...)}
}

// maxCause bounds what the text of an [Error] says of its cause, in bytes.
const maxCause = 512

// Error says what was being done to which provider, and what came of it.
func (e *Error) Error() string {
	text := e.Err.Error()
	if e.Provider == "" {
		return text
	}
	if len(text) > maxCause {
		text = text[:maxCause] + "..."
	}
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
	return "provider " + e.Provider + ": " + e.Op + ": " + text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
