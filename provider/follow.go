package provider

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	glob "path"
	"strings"

	"fever/provider/feed"
)

// FollowLink is the value of [Pages.Follow] for the links that the rows themselves have. Any
// other value is a pattern for the paths of URLs, as [path.Match] reads it: then the links of
// HTML pages are followed, too, and of both kinds only those that fit.
const FollowLink = "link"

func isPattern(text string) bool {
	_, err := glob.Match(text, "")
	return err == nil && strings.HasPrefix(text, "/")
}

// A listing takes the links of one of its pages to the pages of rows.
type listing struct {
	from  *Provider
	base  *url.URL
	found []feed.Link
	rows  int              // whose links are on the page: those found, and some of pages before
	known map[string]place // by URL
}

// A place says what is at a URL.
type place int

const (
	ofListing place = iota + 1
	ofEarlierRow
	ofRow
)

// linksOf returns what takes the links of a document, or nil if none is followed: pages of rows
// lead no further.
func (p *Provider) linksOf(doc *feed.Document) *listing {
	if p.pages.Follow == "" || doc.Page.Link != "" {
		return nil
	}
	l := &listing{from: p, base: cmp.Or(doc.URL, p.url), known: map[string]place{named(p.url): ofListing}}
	for _, u := range []*url.URL{doc.URL, doc.Page.URL} {
		if u != nil {
			l.known[named(u)] = ofListing
		}
	}
	for _, link := range doc.Page.Links {
		l.known[named(link.URL)] = ofEarlierRow
	}
	return l
}

// named returns a URL by which it is told from others. Those that are relative have the
// credentials of the provider's.
func named(u *url.URL) string {
	plain := *u
	plain.User, plain.Fragment, plain.RawFragment = nil, "", ""
	return plain.String()
}

// take is the function of [feed.Document.Follow].
func (l *listing) take(address string, row bool) (bool, error) {
	address = strings.TrimSpace(address)
	pattern := l.from.pages.Follow
	if pattern == FollowLink && !row || address == "" {
		return false, nil
	}
	if pattern != FollowLink {
		u, err := l.base.Parse(address)
		if err != nil {
			return false, nil //nolint:nilerr // it leads nowhere
		}
		if fits, _ := glob.Match(pattern, u.Path); !fits { // the pattern was checked
			return false, nil
		}
	}
	u, err := l.from.resolve("its page", l.from.url, l.base, address)
	if err != nil {
		if row {
			return false, err
		}
		return false, nil // of all links of a page many lead elsewhere
	}
	name := named(u)
	at := l.known[name]
	switch {
	case at == ofListing:
		return false, nil
	case len(l.found) > feed.MaxPages: // the job fails
		return true, nil
	case at == 0:
		text := address[:strings.IndexAny(address+"?", "?#")]
		l.found = append(l.found, feed.Link{Text: cmp.Or(text, "?"), URL: u})
	}
	if at != ofRow {
		l.known[name] = ofRow
		l.rows++
	}
	return true, nil
}

// row returns the feed of the page of a row, given what the format made of it. A page that is
// not there, and one in which no event can be read although all of it came, is a row that is
// rejected alone: it must not take the others off sale, nor keep them from being read.
func (p *Provider) row(doc *feed.Document, got *feed.Feed, err error) (*feed.Feed, error) {
	var reason string
	failure, ok := errors.AsType[*feed.Error](err)
	switch {
	case doc.Beyond:
		reason = fmt.Sprintf("its page %q answered %d %s", doc.Page.Link, doc.HTTPStatus, http.StatusText(doc.HTTPStatus))
	case ok && (failure.Kind == feed.KindDecode || failure.Kind == feed.KindMalformed):
		if _, broken := io.Copy(io.Discard, doc.Body); broken != nil {
			return nil, err
		}
		reason = fmt.Sprintf("its page %q: %v", doc.Page.Link, failure.Err)
	case err != nil:
		return nil, err
	}
	if reason != "" {
		rejecting := func(doc *feed.Document, b *feed.Builder) error {
			b.Reject("", "", 0, reason)
			return nil
		}
		doc.Beyond = false
		if got, err = feed.Decode(doc, feed.Format{Decode: rejecting}, p.Name, p.Location); err != nil {
			return nil, err
		}
		if ok {
			got.Bytes = failure.Bytes
		}
	}
	got.Rows = 0 // it counts in the listing
	return got, nil
}
