package provider

import (
	"context"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/url"
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

// get returns the first answer that is not a redirect to follow. It asks the transport
// and not an http.Client, which would hand on the URL in a Referer header and repeat
// it, or where a redirect leads, in its errors.
func (p *Provider) get(ctx context.Context) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL, nil)
	if err != nil {
		return nil, err
	}
	for redirects := 0; ; redirects++ {
		req.Header = http.Header{
			"User-Agent": {userAgent},
			"Accept":     {"application/xml, text/xml, */*;q=0.1"},
		}
		if user := req.URL.User; user != nil {
			password, _ := user.Password()
			req.SetBasicAuth(user.Username(), password)
		}
		res, err := p.transport.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		next, err := res.Location()
		if err != nil || !isRedirect(res) || !fetchable(next) || redirects == maxRedirects {
			return res, nil //nolint:nilerr // without a place to go on to, this is the answer
		}
		_ = res.Body.Close() // of no interest
		req = req.Clone(ctx)
		req.URL, req.Host = next, next.Host
	}
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
	if isRedirect(res) {
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
