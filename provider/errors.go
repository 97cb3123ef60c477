package provider

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"net"
	"strings"
	"unicode"
	"unicode/utf8"

	"fever/provider/feed"
)

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
	kind feed.Kind
	text string
}

func (f *fault) Error() string { return f.text }

// kindOf classifies an error that came up under ctx, which derives from caller.
func kindOf(ctx, caller context.Context, err error) feed.Kind {
	if f, ok := errors.AsType[*fault](err); ok {
		return f.kind
	}
	// What a cancelled read returns depends on how far it had come, so the contexts
	// are asked and not the error.
	if errors.Is(caller.Err(), context.Canceled) {
		return feed.KindCanceled
	}
	if ctx.Err() != nil {
		return feed.KindTimeout
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return feed.KindDNS
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return feed.KindTimeout
	}
	if _, ok := errors.AsType[*insecure](err); ok {
		return feed.KindTLS
	}
	if isCompression(err) {
		return feed.KindMalformed
	}
	return feed.KindConnection
}

func isCompression(err error) bool {
	_, corrupt := errors.AsType[flate.CorruptInputError](err)
	return corrupt || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum)
}
