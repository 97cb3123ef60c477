// Package provider fetches one provider's feed over HTTP, or reads it from a file,
// and decodes it into events.
//
// The feed is read by a streaming XML scanner with hard bounds on all that it holds,
// since what providers send is not to be trusted: memory grows with the events that
// are kept and with nothing else. A feed is returned whole or not at all.
package provider

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"fever/event"
)

// A Provider is where a feed comes from and what one reading of it may cost. Use
// [New] to make one; its fields are not to be changed afterwards. Its methods may be
// called at the same time.
type Provider struct {
	Name     string        // see event.ValidProvider
	URL      string        // http or https
	Timeout  time.Duration // of one fetch, from dialling to the last byte decoded
	MaxBytes int64         // of one feed, after decompression

	transport *http.Transport
}

// New returns a provider, or an error that says which of its values cannot be used.
// The limits have no default: both must be more than zero.
func New(name, rawURL string, timeout time.Duration, maxBytes int64) (*Provider, error) {
	if err := event.ValidProvider(name); err != nil {
		return nil, err
	}
	// The parser's own message repeats parts of the URL, which may be a password.
	u, err := url.Parse(rawURL)
	if err != nil || !fetchable(u) {
		return nil, fmt.Errorf("provider %s: its URL is not an absolute http or https URL", name)
	}
	if timeout <= 0 {
		return nil, fmt.Errorf("provider %s: a timeout of %s, where more than 0 is needed", name, timeout)
	}
	if maxBytes <= 0 {
		return nil, fmt.Errorf("provider %s: a size limit of %d bytes, where more than 0 is needed", name, maxBytes)
	}
	return &Provider{Name: name, URL: rawURL, Timeout: timeout, MaxBytes: maxBytes, transport: newTransport()}, nil
}

// Fetch gets the feed with one HTTP request, and the redirects that it leads to.
//
// The error is nil or an [*Error]. The feed is never nil: beside an error it holds
// HTTPStatus and Bytes as far as they are known, and nothing else.
func (p *Provider) Fetch(ctx context.Context) (*Feed, error) {
	limited, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	res, err := p.get(limited)
	if err != nil {
		return &Feed{}, p.fail(limited, ctx, err, p.fetching())
	}
	defer func() { _ = res.Body.Close() }() // read to its end, or given up
	feed, err := p.decode(limited, res)
	feed.HTTPStatus = res.StatusCode
	if err != nil {
		return feed, p.fail(limited, ctx, err, p.fetching())
	}
	return feed, nil
}

// Read reads the feed from r, such as a file, under the same limits as [Provider.Fetch]
// and with the same results. A Read of r that blocks is not interrupted: the time
// limit and ctx are looked at before each.
func (p *Provider) Read(ctx context.Context, r io.Reader) (*Feed, error) {
	limited, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	feed, err := p.read(limited, r, "")
	if err != nil {
		return feed, p.fail(limited, ctx, err, "read a document")
	}
	return feed, nil
}

// decode reads the body of an answer that is worth reading.
func (p *Provider) decode(ctx context.Context, res *http.Response) (*Feed, error) {
	if res.StatusCode != http.StatusOK {
		return &Feed{}, statusFault(res)
	}
	if coding := res.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
		return &Feed{}, &fault{KindDecode, fmt.Sprintf("the body is compressed with %.40q, which was not asked for", coding)}
	}
	if res.ContentLength > p.MaxBytes {
		return &Feed{}, tooLarge(p.MaxBytes)
	}
	return p.read(ctx, res.Body, charset(res))
}

func (p *Provider) read(ctx context.Context, r io.Reader, charset string) (*Feed, error) {
	src := &source{ctx: ctx, r: r, limit: p.MaxBytes}
	feed, err := decode(src, p.Name, charset)
	if err != nil {
		return &Feed{Bytes: src.n}, err
	}
	feed.Bytes = src.n
	return feed, nil
}

// fail makes the [*Error] of a failure that came up under ctx, which derives from
// caller.
func (p *Provider) fail(ctx, caller context.Context, err error, doing string) error {
	kind := kindOf(ctx, caller, err)
	if kind == KindTimeout && ctx.Err() != nil && caller.Err() == nil {
		err = fmt.Errorf("not done within %s: %w", p.Timeout, err)
	}
	return &Error{Provider: p.Name, Kind: kind, Doing: doing, Err: err}
}

func (p *Provider) fetching() string {
	u, err := url.Parse(p.URL)
	if err != nil {
		return "fetch"
	}
	return "fetch from " + u.Host
}
