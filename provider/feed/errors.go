package feed

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A Kind says why a job failed. The set is closed: jobs are stored, counted and tried again by
// their kind.
type Kind string

// The kinds of failure.
const (
	KindTimeout     Kind = "timeout"     // the time limit passed, at any stage
	KindConnection  Kind = "connection"  // refused, reset, ended early, or the input cannot be read
	KindDNS         Kind = "dns"         // the name of the host was not resolved
	KindTLS         Kind = "tls"         // no secure connection, because of a certificate or the protocol
	KindHTTPStatus  Kind = "http_status" // a status other than 200, a redirect that cannot be followed, or an unexpected 304
	KindTooLarge    Kind = "too_large"   // beyond the size limit, before or after decompression, or beyond the bounds of a Feed
	KindMalformed   Kind = "malformed"   // not well-formed, cut short, or beyond the decoder's bounds
	KindDecode      Kind = "decode"      // not a feed, or in an unknown encoding
	KindCanceled    Kind = "canceled"    // the context of the caller was cancelled
	KindStore       Kind = "store"       // the snapshot or its outcome could not be committed
	KindInternal    Kind = "internal"    // a bug: the job panicked, or failed without a kind
	KindSuspect     Kind = "suspect"     // the snapshot as a whole is suspect, and was refused
	KindInterrupted Kind = "interrupted" // the process ended while the job was running
)

// An Error is a failure of a job, with its kind. Its text is printable and bounded, although
// errors of net/http repeat what a server sent at any length. It names the provider and its
// host, and never the rest of the URL, which may contain credentials.
type Error struct {
	Provider string // empty if a caller is to add it; Op likewise
	Kind     Kind
	Op       string // what was being done, such as "fetch from example.com"
	Err      error  // the cause, never nil

	Whole      bool          // all of the document had come: decoding it took the time, as it will again
	HTTPStatus int           // of the last response; 0 if there was none
	Bytes      int64         // read before the failure, after decompression
	RetryAfter time.Duration // how long the response asks to wait, at most an hour; 0 if it does not
}

// Errorf returns an [*Error] with a kind and a cause, to which a caller adds the rest.
func Errorf(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Err: fmt.Errorf(format, args...)}
}

// maxCause bounds the text of the cause in that of an [Error], in bytes.
const maxCause = 512

// Error names the provider, the operation, and the cause.
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
