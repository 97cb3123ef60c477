package provider

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter bounds what a provider can ask for. More than that is no advice.
const maxRetryAfter = time.Hour

// answer makes a feed of the answer to a request that was conditional on last.
// Beside an error the feed holds Bytes.
func (p *Provider) answer(ctx context.Context, x *exchange, last Validators, progress *Progress) (*Feed, error) {
	res := x.answer
	defer func() { _ = res.Body.Close() }() // read to its end, or given up
	if res.StatusCode == http.StatusNotModified && last.conditional() {
		return &Feed{NotModified: true, Validators: last.renewed(res.Header)}, nil
	}
	switch res.StatusCode {
	case http.StatusOK:
	case http.StatusNotModified:
		return &Feed{}, statusFault(res, " to a request without a condition")
	default:
		return &Feed{}, statusFault(res, "")
	}
	coding := strings.ToLower(strings.TrimSpace(strings.Join(res.Header.Values("Content-Encoding"), ",")))
	switch coding {
	case "identity":
		coding = ""
	case "x-gzip": // RFC 9110 section 8.4.1.3
		coding = "gzip"
	}
	if coding != "" && coding != "gzip" {
		return &Feed{}, &fault{KindDecode, fmt.Sprintf("the body is compressed with %.40q, which was not asked for", coding)}
	}
	if res.ContentLength > p.MaxBytes {
		return &Feed{}, tooLarge(p.MaxBytes)
	}

	received := &source{ctx: ctx, r: res.Body, limit: p.MaxBytes, progress: progress}
	x.body = received
	body := spool{rest: received}
	defer body.close()
	// The same bytes mean something else when they are encoded in another way.
	digest := sha256.New()
	charset := charset(res)
	fmt.Fprintf(digest, "%q %q ", coding, charset)
	if err := body.fill(digest); err != nil {
		return &Feed{Bytes: received.n}, x.explain(err)
	}
	validators := p.validators(res.Header)
	if body.whole() {
		digest.Sum(validators.Digest[:0])
		if validators.Digest == last.Digest {
			return &Feed{NotModified: true, Validators: validators, Bytes: received.n}, nil
		}
	}

	doc := body.reader()
	if coding == "gzip" {
		doc = &gunzip{compressed: bufio.NewReaderSize(doc, 64<<10), received: received}
	}
	feed, err := p.decode(ctx, doc, charset, progress)
	if err != nil {
		return feed, x.explain(err)
	}
	feed.Validators = validators
	return feed, nil
}

// A gunzip decompresses a body, and tells one that was compressed wrongly from one
// that was not received in full.
type gunzip struct {
	compressed *bufio.Reader
	received   *source
	z          *gzip.Reader // made with the first Read, which its header may have to wait for
}

func (g *gunzip) Read(p []byte) (n int, err error) {
	if g.z == nil {
		g.z, err = gzip.NewReader(g.compressed)
		if errors.Is(err, io.EOF) { // there is not even a header
			err = io.ErrUnexpectedEOF
		}
	}
	if err == nil {
		n, err = g.z.Read(p)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) && errors.Is(g.received.err, io.EOF) {
		err = &fault{KindMalformed, "the compressed body is cut short"}
	}
	return n, err
}

// retryAfter reads a Retry-After header, RFC 9110 section 10.2.3: a number of seconds
// or a date. What is none of them, or is over, is 0.
func retryAfter(value string) time.Duration {
	value = strings.TrimSpace(value)
	if at, err := http.ParseTime(value); err == nil {
		return min(max(0, time.Until(at)), maxRetryAfter)
	}
	seconds, err := strconv.ParseUint(value, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange), seconds > uint64(maxRetryAfter/time.Second):
		return maxRetryAfter
	case err != nil:
		return 0
	}
	return time.Duration(seconds) * time.Second
}
