// Package provider fetches one provider's feed over HTTP, or reads it from a file,
// and decodes it into events.
//
// A feed is read by a streaming decoder with hard bounds on all that it holds, since
// what providers send is not to be trusted: memory grows with the events that are
// kept and with nothing else. A feed is returned whole or not at all, and one that
// has not changed is recognised without decoding it.
package provider

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"fever/event"
	"fever/provider/feed"
)

// A Config says where a feed comes from and what one reading of it may cost.
type Config struct {
	Name     string        // see event.ValidProvider
	URL      string        // http or https
	Format   string        // one of Formats; empty means xml
	Header   http.Header   // sent with each request to the URL's host; its values may be secrets
	Timeout  time.Duration // of one fetch, from dialling to the last byte decoded
	MaxBytes int64         // of one feed, as received and again after decompression

	ClientCert string // PEM file of the certificate for servers that want one; read again for each of them
	ClientKey  string // PEM file of its key
	CA         string // PEM file of the authorities to trust in place of the system's

	// AllowPrivateRedirects lets redirects lead from a provider with a public address to
	// addresses that are not public: loopback, link-local, private and the like.
	AllowPrivateRedirects bool

	Location *time.Location // in which the feed's local times count; nil means UTC
	Tolerate Tolerance      // what of a feed that is not right is read all the same
}

// A Provider is a source of feeds. Use [New] to make one; its fields are not to be
// changed afterwards. Its methods may be called at the same time.
type Provider struct {
	Config

	url       *url.URL
	source    string // see Validators.Source
	format    format
	transport *http.Transport
	isPublic  func(netip.Addr) bool // isPublic, but for tests, which have loopback addresses only
}

// New returns a provider, or an error that says which of its values cannot be used.
// The limits have no default: both must be more than zero.
func New(c Config) (*Provider, error) {
	if err := event.ValidProvider(c.Name); err != nil {
		return nil, err
	}
	// The parser's own message repeats parts of the URL, which may be a password.
	u, err := url.Parse(c.URL)
	if err != nil || !fetchable(u) {
		return nil, fmt.Errorf("provider %s: its URL is not an absolute http or https URL", c.Name)
	}
	if u.Fragment != "" { // likely the rest of a password or a key
		return nil, fmt.Errorf("provider %s: what follows # in its URL is never sent: write the # itself as %%23", c.Name)
	}
	sendable(u)
	if c.Format == "" {
		c.Format = "xml"
	}
	if c.Location == nil {
		c.Location = time.UTC
	}
	format, known := formats[c.Format]
	if !known {
		return nil, fmt.Errorf("provider %s: the format %.40q is not known: %s are", c.Name, c.Format, strings.Join(Formats(), ", "))
	}
	if c.Header, err = ownHeader(c.Header, u); err != nil {
		return nil, fmt.Errorf("provider %s: %w", c.Name, err)
	}
	if c.Timeout <= 0 {
		return nil, fmt.Errorf("provider %s: a timeout of %s, where more than 0 is needed", c.Name, c.Timeout)
	}
	if c.MaxBytes <= 0 {
		return nil, fmt.Errorf("provider %s: a size limit of %d bytes, where more than 0 is needed", c.Name, c.MaxBytes)
	}
	secure, err := tlsConfig(&c)
	if err != nil {
		return nil, fmt.Errorf("provider %s: %w", c.Name, err)
	}
	p := &Provider{Config: c, url: u, source: sourceOf(&c), format: format, isPublic: isPublic}
	p.transport = p.newTransport(secure)
	return p, nil
}

// Fetch gets the feed with one HTTP request, and the redirects that it leads to. When
// last is of the last good answer to this provider's request, the feed may come back
// with NotModified set; the zero value asks for the feed in any case. The progress may
// be nil.
//
// The error is nil or an [*Error]. The feed is never nil: beside an error it holds
// HTTPStatus and Bytes as far as they are known, and nothing else.
func (p *Provider) Fetch(ctx context.Context, last feed.Validators, progress *feed.Progress) (*feed.Feed, error) {
	if progress == nil {
		progress = new(feed.Progress)
	}
	if last.Source != p.source {
		last = feed.Validators{}
	}
	limited, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	x, err := p.get(limited, last)
	got := &feed.Feed{}
	if err == nil {
		got, err = p.answer(limited, x, last, progress)
	}
	got.HTTPStatus = x.status()
	if err != nil {
		failure := p.fail(limited, ctx, err, "fetch from "+p.url.Host)
		failure.HTTPStatus = got.HTTPStatus
		if failure.Kind == feed.KindHTTPStatus {
			failure.RetryAfter = retryAfter(x.answer.Header.Get("Retry-After"))
		}
		return got, failure
	}
	return got, nil
}

// Read reads the feed from r, such as a file, under the same limits as [Provider.Fetch]
// but that of time, and with the same results but for Validators: there are none. A
// Read of r that blocks is not interrupted: ctx is looked at before each.
func (p *Provider) Read(ctx context.Context, r io.Reader, progress *feed.Progress) (*feed.Feed, error) {
	if progress == nil {
		progress = new(feed.Progress)
	}
	got, err := p.decode(ctx, r, "", progress)
	if err != nil {
		return got, p.fail(ctx, ctx, err, "read a document")
	}
	return got, nil
}

// decode reads a document under the limits. Beside an error the feed holds Bytes.
func (p *Provider) decode(ctx context.Context, r io.Reader, charset string, progress *feed.Progress) (*feed.Feed, error) {
	src := &source{ctx: ctx, r: r, limit: p.MaxBytes, progress: progress}
	doc, src, err := p.decompressed(ctx, src, progress)
	if err != nil {
		return &feed.Feed{Bytes: src.n}, err
	}
	got, err := p.format.decode(doc, decoding{p.Name, p.Location, charset, p.Tolerate, progress})
	if err != nil {
		return &feed.Feed{Bytes: src.n}, err
	}
	got.Bytes = src.n
	return got, nil
}

// fail makes the error of a failure that came up under ctx, which derives from caller.
func (p *Provider) fail(ctx, caller context.Context, err error, op string) *feed.Error {
	kind := kindOf(ctx, caller, err)
	if kind == feed.KindTimeout && ctx.Err() != nil && caller.Err() == nil {
		err = fmt.Errorf("not done within %s: %w", p.Timeout, err)
	}
	return &feed.Error{Provider: p.Name, Kind: kind, Op: op, Err: printable{err}}
}
