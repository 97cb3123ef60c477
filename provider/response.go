package provider

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"fever/provider/feed"
	"fever/provider/spool"
)

// maxRetryAfter bounds how long a provider can ask to be left alone.
const maxRetryAfter = time.Hour

// receive makes a document of the response to a request that was conditional on last.
func (t *transfer) receive(last feed.Validators) error {
	res, doc := t.exchange.response, t.doc
	t.closers = append(t.closers, res.Body) // it was read to its end, or is given up
	doc.HTTPStatus, doc.URL, doc.Links = res.StatusCode, res.Request.URL, res.Header.Values("Link")
	switch {
	case res.StatusCode == http.StatusNotModified && (last.ETag != "" || last.LastModified != ""):
		doc.NotModified, doc.Validators = true, renewed(last, res.Header)
		return nil
	case res.StatusCode == http.StatusOK, res.StatusCode == http.StatusNonAuthoritativeInfo: // a proxy has changed the answer, RFC 9110 section 15.3.4
	case doc.Page.Link == "" && res.StatusCode == t.from.pages.End && doc.Page.Number > 1,
		doc.Page.Link != "" && (res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusGone):
		doc.Beyond = true
		return nil
	case res.StatusCode == http.StatusNotModified:
		return statusError(res, " to a request without a condition")
	case res.StatusCode == http.StatusProxyAuthRequired:
		return statusError(res, ": a proxy wants a user and a password, in HTTP_PROXY")
	default:
		return statusError(res, "")
	}
	if coding := unknownCoding(res.Header); coding != "" {
		return feed.Errorf(feed.KindDecode, "the body has the content coding %.40q, which was not asked for: only gzip is", coding)
	}
	if res.ContentLength > t.left {
		return t.from.tooLarge()
	}
	contentType, params, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err == nil {
		doc.ContentType, doc.Charset = contentType, params["charset"]
	}

	received := &limitedReader{transfer: t, r: res.Body}
	t.exchange.body = received
	// The charset belongs to the digest: with another one the same bytes mean something else.
	digest := sha256.New()
	fmt.Fprintf(digest, "%q ", doc.Charset)
	kept, err := spool.Fill(io.TeeReader(received, digest))
	doc.Bytes = received.n
	if err != nil {
		return err
	}
	t.closers = append(t.closers, kept)
	doc.Validators = renewed(feed.Validators{Source: t.from.sourceAt(doc.Page.Began)}, res.Header)
	if kept.Whole() {
		digest.Sum(doc.Validators.Digest[:0])
		if doc.Validators.Digest == last.Digest {
			doc.NotModified = true
			return nil
		}
	}
	return t.decompress(kept)
}

// unknownCoding returns the first content coding that cannot be decoded, or "". Headers are
// often wrong about gzip, so whether a body is compressed is seen from its first bytes.
func unknownCoding(header http.Header) string {
	for coding := range strings.SplitSeq(strings.Join(header.Values("Content-Encoding"), ","), ",") {
		switch coding = strings.ToLower(strings.TrimSpace(coding)); coding {
		case "", "gzip", "x-gzip": // RFC 9110 sections 5.6.1 and 8.4.1.3
		case "identity", "none", "utf-8", "aws-chunked": // servers say this of bodies without any coding
		default:
			return coding
		}
	}
	return ""
}

// retryAfter reads a Retry-After header (RFC 9110 section 10.2.3), a number of seconds or a
// date. It returns 0 for anything else, and for a date in the past.
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
