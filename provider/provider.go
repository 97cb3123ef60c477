// Package provider gets the documents of one provider: over HTTP, or from a file.
//
// What providers send is not to be trusted: time, size and memory have limits, and errors
// never tell credentials. A document that has not changed is recognised without decoding it.
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

// A Config says where a feed comes from and what one reading of it may cost.
type Config struct {
	Name     string        // see event.ValidProvider
	URL      string        // http or https
	Format   feed.Format   // how the feed is written
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
}

// A Provider is a source of feeds. Use [New] to make one; its fields are not to be
// changed afterwards. Its methods may be called at the same time.
type Provider struct {
	Config

	url       *url.URL
	source    string // see feed.Validators
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

// Get gets the feed with one HTTP request, and the redirects that it leads to. When last
// is of the last good answer to this provider's request, the document may come back with
// NotModified set; the zero value asks for it in any case. The progress may be nil.
//
// The time limit holds until the body of the document is closed. The error is nil or a
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

// Read makes a document of r, such as a file, under the same limits as [Provider.Get] but
// that of time. It closes r with the body of the document, or at once beside an error, which
// is a [*feed.Error]. A Read of r that blocks is not interrupted: ctx is looked at before
// each.
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
