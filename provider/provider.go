// Package provider gets the documents of a provider, over HTTP or from a file.
//
// It trusts nothing that a provider sends: time, size and memory have limits. Its errors
// contain no credentials. It recognises a document that has not changed without decoding it.
package provider

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"fever/event"
	"fever/provider/feed"
)

// A Config says where a feed comes from, and how much time and memory one fetch may take.
type Config struct {
	Name     string        // see event.ValidProvider
	URL      string        // http or https
	Format   feed.Format   // how the feed is written
	Header   http.Header   // sent with each request to the URL's host; its values may be secrets
	Timeout  time.Duration // of one fetch, from dialling to the last byte decoded
	MaxBytes int64         // of one feed, as received and again after decompression

	ClientCert string // PEM file of the certificate for servers that ask for one; read for each connection
	ClientKey  string // PEM file of its key
	CA         string // PEM file of the authorities to trust instead of the system's

	// AllowPrivateRedirects allows redirects from a provider with a public address to
	// addresses that are not public: loopback, link-local, private and the like.
	AllowPrivateRedirects bool

	Location *time.Location // in which the feed's local times count; nil means UTC
}

// A Provider gets and decodes the documents of one provider. Use [New] to make one. Its fields
// must not be changed. Its methods may be called at the same time.
type Provider struct {
	Config

	url       *url.URL
	source    string // of the validators of its documents: see [feed.Validators]
	transport *http.Transport
	isPublic  func(netip.Addr) bool // the function isPublic, except in tests, which have loopback addresses only
}

// New returns a provider, or an error that names the value that cannot be used. Timeout and
// MaxBytes have no default: both must be more than 0.
func New(c Config) (*Provider, error) {
	if err := event.ValidProvider(c.Name); err != nil {
		return nil, err
	}
	// The parser's error repeats parts of the URL, which may be a password.
	u, err := url.Parse(c.URL)
	if err != nil || !fetchable(u) {
		return nil, fmt.Errorf("provider %s: its URL is not an absolute http or https URL", c.Name)
	}
	if u.Fragment != "" { // probably the rest of a password or a key
		return nil, fmt.Errorf("provider %s: what follows # in its URL is never sent: write the # itself as %%23", c.Name)
	}
	encodeQuery(u)
	if c.Format.Decode == nil {
		return nil, fmt.Errorf("provider %s: it has no format", c.Name)
	}
	if c.Location == nil {
		c.Location = time.UTC
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
	p := &Provider{Config: c, url: u, source: sourceOf(&c), isPublic: isPublic}
	p.transport = p.newTransport(secure)
	return p, nil
}

// Get gets a document with one HTTP request, and follows redirects. The request is conditional
// on last, the validators of this provider's latest good document: the new one may have
// NotModified set. With the zero value the document comes in any case. The progress may be nil.
//
// The time limit runs until the body of the document is closed. The error is nil or a
// [*feed.Error].
func (p *Provider) Get(ctx context.Context, last feed.Validators, progress *feed.Progress) (*feed.Document, error) {
	if last.Source != p.source {
		last = feed.Validators{}
	}
	t := p.newTransfer(ctx, p.Timeout, "fetch from "+p.url.Host, progress)
	var err error
	if t.exchange, err = p.get(t.ctx, last); err == nil {
		err = t.receive(last)
	}
	if err != nil {
		return nil, t.failed(err)
	}
	return t.doc, nil
}

// Read makes a document of r, such as a file, with the limits of [Provider.Get] except that of
// time. Closing the body of the document closes r; with an error, which is a [*feed.Error], r is
// closed at once. A Read of r that blocks is not interrupted: ctx is checked before each.
func (p *Provider) Read(ctx context.Context, r io.ReadCloser, progress *feed.Progress) (*feed.Document, error) {
	t := p.newTransfer(ctx, 0, "read a document", progress)
	t.closers = append(t.closers, r)
	if err := t.decompress(r); err != nil {
		return nil, t.failed(err)
	}
	return t.doc, nil
}

// Decode makes a feed of a document. The error is nil or a [*feed.Error].
func (p *Provider) Decode(doc *feed.Document) (*feed.Feed, error) {
	return feed.Decode(doc, p.Format, p.Name, p.Location)
}
