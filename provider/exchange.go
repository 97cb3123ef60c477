package provider

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"fever/provider/feed"
)

// A stage is how far an exchange has got.
type stage int

const (
	beginning stage = iota
	resolving
	connecting
	securing
	sending
	waiting
	receiving
	reading
)

// stages describes each stage.
var stages = [...]string{
	beginning:  "beginning",
	resolving:  "looking up the host's name",
	connecting: "connecting",
	securing:   "agreeing on TLS",
	sending:    "sending the request",
	waiting:    "waiting for an answer",
	receiving:  "reading the header of the answer",
	reading:    "reading the body of the answer",
}

// An exchange is one request with its response. The transport dials on goroutines of its own,
// and finds the exchange in the context of the request.
type exchange struct {
	trusted bool          // the request goes to the host that the provider's URL names
	public  bool          // it may dial public addresses only
	proxied bool          // it dials a proxy
	user    *url.Userinfo // that the request names; nil: none

	mu        sync.Mutex
	stage     stage
	dialed    netip.Addr     // the address of the connection; invalid if it is not an IP address
	handshake error          // the error of the TLS handshake
	nameless  bool           // the server asked for a client certificate, and got none
	response  *http.Response // of the server, or of a proxy that refuses to connect
	body      *limitedReader // of the response, while it is read
}

type exchangeKey struct{}

// exchangeOf returns the exchange in a context, or nil.
func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// begin returns the context for the request, which has x notice what happens.
func (x *exchange) begin(ctx context.Context) context.Context {
	ctx = context.WithValue(ctx, exchangeKey{}, x)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart:          func(httptrace.DNSStartInfo) { x.reach(resolving) },
		ConnectStart:      func(string, string) { x.reach(connecting) },
		TLSHandshakeStart: func() { x.reach(securing) },
		TLSHandshakeDone:  func(_ tls.ConnectionState, err error) { x.note(func() { x.handshake = err }) },
		GotConn: func(info httptrace.GotConnInfo) {
			x.reach(sending)
			if address, ok := info.Conn.RemoteAddr().(*net.TCPAddr); ok {
				x.note(func() { x.dialed = address.AddrPort().Addr() })
			}
		},
		WroteRequest:         func(httptrace.WroteRequestInfo) { x.reach(waiting) },
		GotFirstResponseByte: func() { x.reach(receiving) },
	})
}

// note changes the exchange under its lock. It does nothing when x is nil.
func (x *exchange) note(change func()) {
	if x != nil {
		x.mu.Lock()
		defer x.mu.Unlock()
		change()
	}
}

// reach notes a stage. A late note of an earlier stage, from another goroutine, is ignored.
func (x *exchange) reach(s stage) { x.note(func() { x.stage = max(x.stage, s) }) }

// status returns the status of the response, or 0. A nil exchange has none.
func (x *exchange) status() (status int) {
	x.note(func() {
		if x.response != nil {
			status = x.response.StatusCode
		}
	})
	return status
}

// outside reports whether the request went to the public internet. Behind a proxy that is
// known only if the host of u is an address. Otherwise the request counts as public.
func (p *Provider) outside(x *exchange, u *url.URL) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.proxied {
		return p.isPublic(x.dialed)
	}
	address, err := netip.ParseAddr(u.Hostname())
	return err != nil || p.isPublic(address)
}

// control allows or refuses an address before it is dialed. A name can resolve to any
// address, and to another one each time.
func (p *Provider) control(ctx context.Context, _, address string, _ syscall.RawConn) error {
	x := exchangeOf(ctx)
	if x == nil || !x.public || x.proxied {
		return nil
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil || p.isPublic(to.Addr()) {
		return err
	}
	return &insideError{to.Addr().String()}
}

// An insideError refuses a redirect, or a page, that leads from a public address to one that is
// not.
type insideError struct{ to string }

func (e *insideError) Error() string {
	return fmt.Sprintf("%s, which is not public, as the provider's own address is: allow-private-redirects lets it", e.to)
}

// refusedByProxy is the transport's hook for the response of a proxy to CONNECT.
func refusedByProxy(ctx context.Context, proxy *url.URL, _ *http.Request, res *http.Response) error {
	if res.StatusCode == http.StatusOK {
		return nil
	}
	x := exchangeOf(ctx)
	x.note(func() { x.response = res })
	return feed.Errorf(feed.KindHTTPStatus, "the proxy %s does not connect to it: it answered %d %s",
		proxy.Host, res.StatusCode, http.StatusText(res.StatusCode))
}

// whole reports whether all of the body has come.
func (x *exchange) whole() bool {
	return x.body != nil && (x.body.n == x.response.ContentLength || errors.Is(x.body.err, io.EOF))
}

// explain adds to an error of the exchange what was being done, and what may be wrong.
func (x *exchange) explain(err error) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if _, known := errors.AsType[*feed.Error](err); known {
		return err
	}
	if insecure := x.insecure(err); insecure != nil {
		return insecure
	}
	text := err.Error()
	switch { // net/http exports no values for these errors
	case strings.Contains(text, `malformed HTTP response "\x15\x03`): // an alert record, RFC 8446 section 5.1
		return feed.Errorf(feed.KindTLS, "this port answers in TLS: the URL may have to begin with https://: %w", err)
	case strings.Contains(text, "malformed HTTP"):
		return fmt.Errorf("this port does not answer in HTTP: %w", err)
	case strings.Contains(text, "malformed MIME header"):
		return fmt.Errorf("the header of the answer is malformed or cut short: %w", err)
	}
	doing := stages[x.stage]
	if x.body != nil {
		length := "an unknown length"
		if x.response.ContentLength >= 0 {
			length = strconv.FormatInt(x.response.ContentLength, 10)
		}
		doing = fmt.Sprintf("%s (%d bytes of %s have come)", stages[reading], x.body.n, length)
		if x.whole() { // the provider did its part
			doing = fmt.Sprintf("decoding the rows of the answer, all %d bytes of which have come", x.body.n)
		}
	}
	timeout, ok := errors.AsType[net.Error](err)
	switch {
	case ok && timeout.Timeout():
		return fmt.Errorf("while %s: %w", doing, err)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the connection ended while %s: %w", doing, err)
	}
	return err
}
