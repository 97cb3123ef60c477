package provider

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"fever/provider/feed"
)

const (
	userAgent    = "fever/1.0 (event feed collector)"
	maxRedirects = 5
)

func (p *Provider) newTransport(secure *tls.Config) *http.Transport {
	dialer := net.Dialer{Timeout: 10 * time.Second, ControlContext: p.control}
	t := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		OnProxyConnectResponse: refusedByProxy,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &conn{Conn: c}, nil
		},
		TLSClientConfig:        secure,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		// A feed is fetched once a minute or less often. At that rate a new connection costs
		// little, finds a new address of the name, and is never stale. HTTP/2 brings nothing
		// for a single request, and its client loses the alert with which a server of TLS 1.3
		// refuses a client.
		DisableKeepAlives: true,
		Protocols:         new(http.Protocols),
	}
	t.Protocols.SetHTTP1(true)
	return t
}

// A conn does not fail to write when the peer has closed the connection. The reason can
// still be there to read: a response sent before the request was complete, or an alert.
type conn struct {
	net.Conn

	gone atomic.Pointer[error]
}

func (c *conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		c.gone.Store(&err)
		return len(b), nil
	}
	return n, err
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if gone := c.gone.Load(); gone != nil && errors.Is(err, io.EOF) {
		err = *gone
	}
	return n, err
}

// get sends a request for a page that is conditional on last, and follows redirects. It
// returns the last exchange. Without an error that has a response, which is not a redirect.
// It notes in the page whether the server of the first one is public.
//
// It uses the transport and not an http.Client. A client would tell the URL to other hosts in
// a Referer header, and repeat it and the targets of redirects in its errors.
func (p *Provider) get(ctx context.Context, page *feed.Page, last feed.Validators) (*exchange, error) {
	u, x := page.URL, &exchange{trusted: sameHost(p.url, page.URL), public: page.Public, user: page.URL.User}
	if x.trusted {
		x.user = cmp.Or(x.user, p.url.User)
	}
	if err := p.send(ctx, x, u, last); err != nil {
		if inside, ok := errors.AsType[*insideError](err); ok {
			err = feed.Errorf(feed.KindDecode, "it is at %w", inside)
		}
		return x, err
	}
	if page.Number == 1 {
		page.Public = !p.AllowPrivateRedirects && p.outside(x, u)
	}
	for redirects := 0; isRedirect(x.response); redirects++ {
		_ = x.response.Body.Close() // nobody reads it
		next, err := location(x.response)
		if err != nil {
			return x, err
		}
		if redirects == maxRedirects {
			return x, statusError(x.response, fmt.Sprintf(": more than %d redirects in a row", maxRedirects))
		}
		following := &exchange{public: page.Public, user: next.User}
		if sameHost(u, next) {
			following.trusted, following.user = x.trusted, cmp.Or(next.User, x.user) // a redirect rarely repeats it
		}
		if err := p.send(ctx, following, next, last); err != nil {
			if inside, ok := errors.AsType[*insideError](err); ok {
				return x, statusError(x.response, ": a redirect to "+inside.Error())
			}
			return following, err
		}
		u, x = next, following
	}
	return x, nil
}

// send does one exchange, up to the header of its response.
func (p *Provider) send(ctx context.Context, x *exchange, u *url.URL, last feed.Validators) error {
	req := (&http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: p.header(x, last)}).WithContext(x.begin(ctx))
	if p.transport.Proxy != nil {
		proxy, err := p.transport.Proxy(req)
		if err != nil {
			return err
		}
		x.proxied = proxy != nil
	}
	if x.public && x.proxied { // the proxy looks up names itself
		host := u.Hostname()
		address, err := netip.ParseAddr(host)
		if err != nil && endsInNumber(host) || err == nil && !p.isPublic(address) {
			return &insideError{host}
		}
	}
	res, err := p.transport.RoundTrip(req)
	if err != nil {
		return x.explain(err)
	}
	x.note(func() { x.response = res })
	return nil
}

// location returns the target of a redirect.
func location(res *http.Response) (*url.URL, error) {
	next, err := res.Location() // the error repeats parts of the URL
	if err != nil || !fetchable(next) {
		return nil, statusError(res, ": a redirect without an http or https address")
	}
	encodeQuery(next)
	return next, nil
}

// unsendable matches what must not be in the first line of a request.
var unsendable = regexp.MustCompile(`[^!-~]`)

// encodeQuery makes a URL fit to be sent. Parsing leaves the query as it was written.
func encodeQuery(u *url.URL) {
	u.RawQuery = unsendable.ReplaceAllStringFunc(u.RawQuery, url.PathEscape)
}

// header returns the header of a request. Only a trusted host gets the configured fields.
func (p *Provider) header(x *exchange, last feed.Validators) http.Header {
	h := http.Header{
		"User-Agent": {userAgent},
		"Accept":     {p.Format.Accept},
		// Set here, so that the transport does not decompress the body.
		"Accept-Encoding": {"gzip"},
	}
	if x.user != nil {
		password, _ := x.user.Password()
		(&http.Request{Header: h}).SetBasicAuth(x.user.Username(), password)
	}
	setConditions(h, &last)
	if x.trusted {
		maps.Copy(h, p.Header)
	}
	return h
}

// sameHost reports whether next has the host and port of u, and is not less secure. A change
// from http to https on the usual ports counts as the same host.
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
	return slices.Contains([]int{
		http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect,
	}, res.StatusCode)
}

func fetchable(u *url.URL) bool {
	return (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
}

// statusError returns the error for a response whose status brings no feed. The text more is
// added to the status.
func statusError(res *http.Response, more string) error {
	return feed.Errorf(feed.KindHTTPStatus, "answered %d %s%s", res.StatusCode, http.StatusText(res.StatusCode), more)
}
