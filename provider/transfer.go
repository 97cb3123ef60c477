package provider

import (
	"cmp"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"fever/provider/feed"
)

// A transfer is a document on its way to a decoder, and its body.
type transfer struct {
	io.Reader // of the body, once that is there

	from     *Provider
	doc      *feed.Document
	ctx      context.Context // ends with the caller's, or at the time limit
	caller   context.Context
	exchange *exchange          // nil when nothing is fetched
	cancel   context.CancelFunc // gives back the time limit
	closers  []io.Closer
}

// newTransfer begins one that has so much time, or as much as its caller has when that is 0.
func (p *Provider) newTransfer(caller context.Context, limit time.Duration, op string, progress *feed.Progress) *transfer {
	t := &transfer{from: p, ctx: caller, caller: caller, cancel: func() {}}
	if limit > 0 {
		t.ctx, t.cancel = context.WithTimeout(caller, limit)
	}
	t.doc = &feed.Document{Body: t, Op: op, Progress: cmp.Or(progress, new(feed.Progress))}
	return t
}

// Close gives back what the body holds.
func (t *transfer) Close() error {
	var err error
	for _, c := range t.closers {
		err = errors.Join(err, c.Close())
	}
	t.cancel()
	t.closers = nil
	return err
}

// A limitedReader is bytes of a document under its limits. Once it has returned an error it
// returns the same one again.
type limitedReader struct {
	*transfer

	r   io.Reader
	n   int64 // bytes read
	err error
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if err := l.ctx.Err(); l.err == nil && err != nil {
		l.err = l.broken(err)
	}
	if l.err != nil {
		return 0, l.err
	}
	// One byte past the limit tells a document that ends there from one that goes on.
	if left := l.from.MaxBytes - l.n; int64(len(p)) > left {
		p = p[:left+1]
	}
	n, err := l.r.Read(p)
	l.n += int64(n)
	if counted := &l.doc.Progress.Bytes; l.n > counted.Load() { // nobody else writes it
		counted.Store(l.n)
	}
	switch {
	case l.n > l.from.MaxBytes:
		err = l.from.tooLarge()
	case err != nil && !errors.Is(err, io.EOF):
		err = l.broken(err)
	}
	l.err = err
	return n, err
}

func (p *Provider) tooLarge() error {
	return feed.Errorf(feed.KindTooLarge, "the feed is larger than its limit of %d bytes", p.MaxBytes)
}

// broken returns the error of a read that failed, with its kind.
func (t *transfer) broken(err error) error {
	if t.exchange != nil {
		err = t.exchange.explain(err)
	}
	return t.classified(err)
}

// classified returns the error with its kind, unless it has one.
func (t *transfer) classified(err error) *feed.Error {
	if known, ok := errors.AsType[*feed.Error](err); ok {
		return known
	}
	kind := t.kindOf(err)
	if kind == feed.KindTimeout && t.ctx.Err() != nil && t.caller.Err() == nil {
		err = fmt.Errorf("not done within %s: %w", t.from.Timeout, err)
	}
	return &feed.Error{Kind: kind, Err: err}
}

// failed ends the transfer, and returns the error of an operation that was not completed.
func (t *transfer) failed(err error) error {
	cause := t.classified(err)
	_ = t.Close() // there is an error already
	failure := &feed.Error{Provider: t.from.Name, Kind: cause.Kind, Op: t.doc.Op, Err: cause, HTTPStatus: t.exchange.status(), Bytes: t.doc.Bytes}
	if failure.Kind == feed.KindHTTPStatus {
		failure.RetryAfter = retryAfter(t.exchange.response.Header.Get("Retry-After"))
	}
	return failure
}

func (t *transfer) kindOf(err error) feed.Kind {
	// What a cancelled read returns depends on how far it had come, so the contexts
	// are asked and not the error.
	if errors.Is(t.caller.Err(), context.Canceled) {
		return feed.KindCanceled
	}
	if t.ctx.Err() != nil {
		return feed.KindTimeout
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return feed.KindDNS
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return feed.KindTimeout
	}
	_, corrupt := errors.AsType[flate.CorruptInputError](err)
	if corrupt || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) {
		return feed.KindMalformed
	}
	return feed.KindConnection
}
