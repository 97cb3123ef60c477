package provider

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"fever/provider/feed"
)

// maxRetryAfter bounds what a provider can ask for. More than that is no advice.
const maxRetryAfter = time.Hour

// answer makes a feed of the answer to a request that was conditional on last.
// Beside an error the feed holds Bytes.
func (p *Provider) answer(ctx context.Context, x *exchange, last feed.Validators, progress *feed.Progress) (*feed.Feed, error) {
	res := x.answer
	defer func() { _ = res.Body.Close() }() // read to its end, or given up
	if res.StatusCode == http.StatusNotModified && isConditional(&last) {
		return &feed.Feed{NotModified: true, Validators: renewed(last, res.Header)}, nil
	}
	switch res.StatusCode {
	case http.StatusOK, http.StatusNonAuthoritativeInfo: // a proxy has changed the answer, RFC 9110 section 15.3.4
	case http.StatusNotModified:
		return &feed.Feed{}, statusFault(res, " to a request without a condition")
	case http.StatusProxyAuthRequired:
		return &feed.Feed{}, statusFault(res, ": a proxy wants a user and a password, in HTTP_PROXY")
	default:
		return &feed.Feed{}, statusFault(res, "")
	}
	if coding := unknownCoding(res.Header); coding != "" {
		return &feed.Feed{}, &fault{feed.KindDecode, fmt.Sprintf("the body has the content coding %.40q, which was not asked for: only gzip is", coding)}
	}
	if res.ContentLength > p.MaxBytes {
		return &feed.Feed{}, tooLarge(p.MaxBytes)
	}

	received := &source{ctx: ctx, r: res.Body, limit: p.MaxBytes, progress: progress}
	x.body = received
	body := spool{rest: received}
	defer body.close()
	// The same bytes mean something else in another encoding.
	digest := sha256.New()
	charset := charset(res)
	fmt.Fprintf(digest, "%q ", charset)
	if err := body.fill(digest); err != nil {
		return &feed.Feed{Bytes: received.n}, x.explain(err)
	}
	validators := p.validators(res.Header)
	if body.whole() {
		digest.Sum(validators.Digest[:0])
		if validators.Digest == last.Digest {
			return &feed.Feed{NotModified: true, Validators: validators, Bytes: received.n}, nil
		}
	}

	got, err := p.decode(ctx, body.reader(), charset, progress)
	if err != nil {
		return got, x.explain(err)
	}
	got.Validators = validators
	return got, nil
}

// unknownCoding returns the first content coding of an answer that nothing is known of, or
// "". Whether the body is compressed with gzip is seen from the body itself, as a header
// that says so, or does not, is often wrong.
func unknownCoding(header http.Header) string {
	for coding := range strings.SplitSeq(strings.Join(header.Values("Content-Encoding"), ","), ",") {
		switch coding = strings.ToLower(strings.TrimSpace(coding)); coding {
		case "", "gzip", "x-gzip": // RFC 9110 sections 5.6.1 and 8.4.1.3
		case "identity", "none", "utf-8", "aws-chunked": // said of bodies that are not encoded
		default:
			return coding
		}
	}
	return ""
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
