// Package provider gets the documents of a provider, over HTTP or from a file.
//
// It trusts nothing that a provider sends: time, size and memory have limits. Its errors
// contain no credentials. It recognises a document that has not changed without decoding it.
package provider

import (
	"context"
	"errors"
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
	Pages    *Pages        // how the feed goes on in other documents; nil if it does not, or its format knows
	Tables   []Table       // in the order in which they are got; of a format that has them
	Timeout  time.Duration // of one document, from dialling to the last byte decoded
	MaxBytes int64         // of one feed on all its pages, as received and again after decompression

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

	// Source is a digest of all on which the bytes and the meaning of the provider's documents
	// depend, but for the month: see [feed.Validators].
	Source string

	url       *url.URL
	tables    map[string]*url.URL
	pages     Pages     // zero without Config.Pages
	first     int       // see Pages.First
	searcher  *searcher // of what pages say; nil: nothing is looked for
	transport *http.Transport
	isPublic  func(netip.Addr) bool // the function isPublic, except in tests, which have loopback addresses only
}

// A FieldError says which field of a [Config] cannot be used, by the key that it has in the
// configuration.
type FieldError struct {
	Field string // such as "url" or "pages.size"
	Err   error
}

func (e *FieldError) Error() string { return e.Err.Error() }

// Unwrap returns the reason.
func (e *FieldError) Unwrap() error { return e.Err }

func refuse(field, format string, args ...any) error {
	return &FieldError{field, fmt.Errorf(format, args...)}
}

// New returns a provider, or a [*FieldError] that names the value that cannot be used. Timeout
// and MaxBytes have no default: both must be more than 0.
func New(c Config) (*Provider, error) {
	p, err := build(c)
	if refused, ok := errors.AsType[*FieldError](err); ok {
		return nil, &FieldError{refused.Field, fmt.Errorf("provider %s: %w", c.Name, refused.Err)}
	}
	return p, err
}

// build is New without the name of the provider in errors.
func build(c Config) (*Provider, error) {
	if err := event.ValidProvider(c.Name); err != nil {
		return nil, err
	}
	u, err := urlOf("url", c.URL)
	if err != nil {
		return nil, err
	}
	if c.Format.Decode == nil {
		return nil, refuse("format", "it has no format")
	}
	if c.Location == nil {
		c.Location = time.UTC
	}
	if c.Header, err = ownHeader(c.Header, u); err != nil {
		return nil, &FieldError{"headers", err}
	}
	if c.Timeout <= 0 {
		return nil, refuse("timeout", "a timeout of %s, where more than 0 is needed", c.Timeout)
	}
	if c.MaxBytes <= 0 {
		return nil, refuse("max-bytes", "a size limit of %d bytes, where more than 0 is needed", c.MaxBytes)
	}
	secure, err := tlsConfig(&c)
	if err != nil {
		return nil, err
	}
	p := &Provider{Config: c, url: u, Source: sourceOf(&c), isPublic: isPublic}
	if err := p.join(c.Tables); err != nil {
		return nil, err
	}
	if c.Pages != nil {
		if err := p.follow(*c.Pages); err != nil {
			return nil, err
		}
	}
	p.transport = p.newTransport(secure)
	return p, nil
}

// urlOf reads the URL of a field.
func urlOf(field, text string) (*url.URL, error) {
	// The parser's error repeats parts of the URL, which may be a password.
	u, err := url.Parse(text)
	if err != nil || !fetchable(u) {
		return nil, refuse(field, "its URL is not an absolute http or https URL")
	}
	if u.Fragment != "" { // probably the rest of a password or a key
		return nil, refuse(field, "what follows # in its URL is never sent: write the # itself as %%23")
	}
	encodeQuery(u)
	return u, nil
}

// Get gets a document, the first page of the feed, with one HTTP request, and follows
// redirects. The request is conditional on last, the validators of this provider's latest
// good document: the new one may have NotModified set. With the zero value the document comes
// in any case. The progress may be nil.
//
// The time limit runs until the body of the document is closed. The error is nil or a
// [*feed.Error].
func (p *Provider) Get(ctx context.Context, last feed.Validators, progress *feed.Progress) (*feed.Document, error) {
	page := feed.Page{Number: 1, URL: p.url, Began: time.Now()}
	if last.Source != p.sourceAt(page.Began) {
		last = feed.Validators{}
	}
	return p.load(ctx, page, last, progress)
}

// GetPage is [Provider.Get] for another page of the feed: [feed.Feed.Next] of the page before.
// Its limits are what the pages before leave of those for all of them.
func (p *Provider) GetPage(ctx context.Context, page *feed.Page, progress *feed.Progress) (*feed.Document, error) {
	return p.load(ctx, *page, feed.Validators{}, progress)
}

func (p *Provider) load(ctx context.Context, page feed.Page, last feed.Validators, progress *feed.Progress) (*feed.Document, error) {
	op := "fetch from " + page.URL.Host
	if p.Pages != nil || page.Number > 1 {
		op = fmt.Sprintf("fetch page %d from %s", page.Number, page.URL.Host)
	}
	t := p.newTransfer(ctx, p.Timeout, page, op, progress)
	var err error
	if t.exchange, err = p.get(t.ctx, &t.doc.Page, last); err == nil {
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
	t := p.newTransfer(ctx, 0, feed.Page{Number: 1, Began: time.Now()}, "read a document", progress)
	t.closers = append(t.closers, r)
	if err := t.decompress(r); err != nil {
		return nil, t.failed(err)
	}
	return t.doc, nil
}

// Decode makes a feed of a document. [feed.Feed.Next] is set if the feed goes on in another
// one. The error is nil or a [*feed.Error].
func (p *Provider) Decode(doc *feed.Document) (*feed.Feed, error) {
	read := *doc
	var s *search
	if p.searcher != nil && !doc.NotModified && !doc.Beyond && doc.Page.Link == "" {
		s = p.beginSearch(doc)
		read.Body = s
	}
	links := p.linksOf(doc)
	if links != nil {
		read.Follow = links.take
	}
	got, err := feed.Decode(&read, p.Format, p.Name, p.Location)
	if doc.Page.Link != "" {
		got, err = p.row(&read, got, err)
	}
	var said found
	if s != nil {
		said, err = s.end(err)
	}
	if err == nil && !got.NotModified {
		if p.Format.Changes {
			err = p.nextChange(doc, got, said)
		} else {
			var found []feed.Link
			if links != nil {
				found = links.found
				got.Rows += links.rows
			}
			got.Next, err = p.next(doc, got, said, found)
		}
	}
	failure, ok := errors.AsType[*feed.Error](err)
	switch {
	case err == nil:
		return got, nil
	case got == nil: // the format failed
		return nil, err
	case !ok:
		failure = &feed.Error{Kind: feed.KindDecode}
	}
	return nil, &feed.Error{Provider: p.Name, Kind: failure.Kind, Op: doc.Op, Err: err, HTTPStatus: doc.HTTPStatus, Bytes: got.Bytes}
}
