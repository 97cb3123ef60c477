package provider

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	userAgent    = "fever/1.0 (event feed collector)"
	maxRedirects = 5
)

func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      true,
		// A feed is fetched once a minute or less: a new connection costs nothing that
		// matters, follows the name to a new address, and is never stale.
		DisableKeepAlives: true,
	}
}

// get returns the first answer that is not a redirect to follow, to a request that
// is conditional on last. It asks the transport and not an http.Client, which would
// hand on the URL in a Referer header and repeat it, or where a redirect leads, in its
// errors.
func (p *Provider) get(ctx context.Context, last Validators) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL, nil)
	if err != nil {
		return nil, err
	}
	trusted := true // nobody but the host that the URL names has been asked so far
	for redirects := 0; ; redirects++ {
		req.Header = p.header(req.URL, last, trusted)
		res, err := p.transport.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		next, err := res.Location()
		if err != nil || !isRedirect(res) || !fetchable(next) || redirects == maxRedirects {
			return res, nil //nolint:nilerr // without a place to go on to, this is the answer
		}
		_ = res.Body.Close() // of no interest
		trusted = trusted && sameHost(req.URL, next)
		req = req.Clone(ctx)
		req.URL, req.Host = next, next.Host
	}
}

// header returns that of a request. What is configured goes to trusted hosts only.
func (p *Provider) header(u *url.URL, last Validators, trusted bool) http.Header {
	h := http.Header{
		"User-Agent": {userAgent},
		"Accept":     {p.format.accept},
		// Asked for here, and not by the transport, so that the body arrives as it is.
		"Accept-Encoding": {"gzip"},
	}
	if user := u.User; user != nil {
		password, _ := user.Password()
		h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)))
	}
	last.ask(h)
	if trusted {
		maps.Copy(h, p.Header)
	}
	return h
}

// sameHost reports whether next is on the host of u, port included, and not less
// secure. To go from http to https on the usual ports counts as the same.
func sameHost(u, next *url.URL) bool {
	if u.Scheme == "https" && next.Scheme == "http" || !strings.EqualFold(u.Hostname(), next.Hostname()) {
		return false
	}
	from, to := port(u), port(next)
	return from == to || from == "80" && to == "443"
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

func isRedirect(res *http.Response) bool {
	switch res.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

func fetchable(u *url.URL) bool {
	return (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
}

func statusFault(res *http.Response) error {
	text := fmt.Sprintf("answered %d %s", res.StatusCode, http.StatusText(res.StatusCode))
	switch {
	case res.StatusCode == http.StatusNotModified:
		text += " to a request without a condition"
	case isRedirect(res):
		text += fmt.Sprintf(": a redirect without an http or https address, or more than %d in a row", maxRedirects)
	}
	return &fault{KindHTTPStatus, text}
}

// charset returns the encoding that the Content-Type header names, or "".
func charset(res *http.Response) string {
	_, params, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return params["charset"]
}
