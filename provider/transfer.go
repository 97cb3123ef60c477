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
	"net/http"
	"time"

	"fever/provider/feed"
)

// A transfer is a document that is being got, and then its body.
type transfer struct {
	io.Reader // of the body

	from     *Provider
	doc      *feed.Document
	ctx      context.Context // ends with caller, or at the time limit
	caller   context.Context
	limit    time.Duration
	left     int64              // bytes that the document may have
	exchange *exchange          // nil when nothing is fetched
	cancel   context.CancelFunc // of ctx
	closers  []io.Closer
}

// newTransfer begins a transfer with a time limit, or with none but the caller's if it is 0.
func (p *Provider) newTransfer(caller context.Context, limit time.Duration, page feed.Page, op string, progress *feed.Progress) *transfer {
	t := &transfer{Reader: http.NoBody, from: p, ctx: caller, caller: caller, cancel: func() {}, left: p.MaxBytes - page.Bytes}
	if limit > 0 {
		end := time.Now().Add(limit)
		if all := page.Began.Add(FeedTime * limit); all.Before(end) {
			end, limit = all, FeedTime*limit
		}
		t.limit = limit
		t.ctx, t.cancel = context.WithDeadline(caller, end)
	}
	t.doc = &feed.Document{Body: t, Page: page, Op: op, Progress: cmp.Or(progress, new(feed.Progress)), Expired: t.expired, Done: t.ctx.Done()}
	return t
}

// expired returns the error of a transfer whose time is over, or nil.
func (t *transfer) expired() error {
	if err := t.ctx.Err(); err != nil {
		return t.broken(err)
	}
	return nil
}

// Close closes everything that the body reads from.
func (t *transfer) Close() error {
	var err error
	for _, c := range t.closers {
		err = errors.Join(err, c.Close())
	}
	t.cancel()
	t.closers = nil
	return err
}

// A limitedReader reads a document within the limits of size and time. After an error it
// returns that error again.
type limitedReader struct {
	*transfer

	r   io.Reader
	n   int64 // bytes read
	err error
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if l.err == nil {
		l.err = l.expired()
	}
	if l.err != nil {
		return 0, l.err
	}
	// One byte more than the limit shows that a document goes on there.
	if left := l.left - l.n; int64(len(p)) > left {
		p = p[:left+1]
	}
	n, err := l.r.Read(p)
	l.n += int64(n)
	if counted := &l.doc.Progress.Bytes; l.n > counted.Load() { // only this transfer writes it
		counted.Store(l.n)
	}
	switch {
	case l.n > l.left:
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

// broken returns the error of a failed read, with its kind.
func (t *transfer) broken(err error) error {
	if t.exchange != nil {
		err = t.exchange.explain(err)
	}
	return t.classified(err)
}

// classified adds the kind to an error that has none.
func (t *transfer) classified(err error) *feed.Error {
	if known, ok := errors.AsType[*feed.Error](err); ok {
		return known
	}
	kind := t.kindOf(err)
	if kind == feed.KindTimeout && t.ctx.Err() != nil && t.caller.Err() == nil {
		err = fmt.Errorf("not done within %s: %w", t.limit, err)
	}
	return &feed.Error{Kind: kind, Err: err, Whole: kind == feed.KindTimeout && t.exchange != nil && t.exchange.whole()}
}

// failed closes the transfer, and returns its error.
func (t *transfer) failed(err error) error {
	cause := t.classified(err)
	_ = t.Close() // the caller gets err
	failure := &feed.Error{Provider: t.from.Name, Kind: cause.Kind, Op: t.doc.Op, Err: cause, HTTPStatus: t.exchange.status(), Bytes: t.doc.Bytes}
	if failure.Kind == feed.KindHTTPStatus {
		failure.RetryAfter = retryAfter(t.exchange.response.Header.Get("Retry-After"))
	}
	return failure
}

func (t *transfer) kindOf(err error) feed.Kind {
	// The error of a cancelled read depends on when it was cancelled. The contexts tell the
	// reason in any case.
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
