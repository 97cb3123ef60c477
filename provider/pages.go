package provider

import (
	"cmp"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"fever/provider/feed"
)

// Pages says how a feed goes on from one page to the next. Exactly one of Next, Number, Offset
// and Cursor is set, or only Follow. A path leads to a value in the body of a page: see
// [parsePath].
type Pages struct {
	Next      string // path of the next page's URL, or [NextLink]
	Number    string // parameter of the URL that has the number of the page
	Offset    string // parameter of the URL that has the number of rows before the page
	Cursor    string // path of what the parameter Parameter of the next page's URL is set to; of a list, each element
	Parameter string

	First *int // Number or Offset of the first page, which is got at the provider's own URL; nil means what that says, or else 1 and 0
	Size  int  // rows of a page that is not the last; 0 means unknown

	Flag  string // path of true when there is another page
	Total string // path of the number of rows on all pages
	End   int    // status of the answer for the page behind the last: 404; 0 means 200

	// Follow says which links lead from these pages, the listing, to pages of its rows: see
	// [FollowLink]. Empty means none.
	Follow string

	Hosts []string // where pages may be beside the provider's own host, each with or without a port

	// FirstPageTells promises that the other pages have not changed when the first one has
	// not.
	FirstPageTells bool
}

// NextLink is the value of [Pages.Next] for the Link header (RFC 8288).
const NextLink = "link"

// FeedTime is the time that all pages of a feed may take, in time limits of one page.
const FeedTime = 20

// maxURL bounds the URL of a page, in bytes.
const maxURL = 8 << 10

// counted reports whether the URLs of pages are made by counting.
func (g *Pages) counted() bool { return g.Number != "" || g.Offset != "" }

// paths returns the paths to look for in each page, with the field that each is of.
func (g *Pages) paths() map[string]string {
	paths := map[string]string{"cursor": g.Cursor, "flag": g.Flag, "total": g.Total}
	if g.Next != NextLink {
		paths["next"] = g.Next
	}
	return paths
}

// follow has the provider's feed go on as g says. The error says which field cannot be used, or
// not beside another one.
func (p *Provider) follow(g Pages) (err error) {
	check := g.check
	if p.Format.Changes {
		check = func(u *url.URL) error { return g.checkChanges(u, p.Format.Paged) }
	}
	if err := check(p.url); err != nil {
		return err
	}
	if g.Follow != "" && !p.Format.Follows {
		return refuse("follow", "the format %s says of no row that it has a page of its own: schema-org does", p.Format.Name)
	}
	switch start := startOf(&g, p.url); {
	case g.First != nil:
		p.first = *g.First
	case start != "":
		if p.first, err = strconv.Atoi(start); err != nil || p.first < 0 || p.first > math.MaxInt32 {
			return refuse("url", "its parameter %.40q is not a number from which pages can be counted", g.Number+g.Offset)
		}
	case g.Number != "":
		p.first = 1
	}
	p.pages = g
	p.searcher, err = newSearcher(g.paths())
	return err
}

// startOf returns the number or the offset of the first page that the URL says, or "".
func startOf(g *Pages, u *url.URL) string { return u.Query().Get(g.Number + g.Offset) }

func (g *Pages) check(u *url.URL) error {
	kinds := 0
	for _, kind := range []string{g.Next, g.Number, g.Offset, g.Cursor} {
		if kind != "" {
			kinds++
		}
	}
	_, err := url.ParseQuery(u.RawQuery)
	switch {
	case g.Follow != "" && g.Follow != FollowLink && !isPattern(g.Follow):
		return refuse("follow", "%.100q is neither link, nor a pattern of paths such as /events/*", g.Follow)
	case kinds > 1 || kinds == 0 && g.Follow == "":
		return refuse("pages", "exactly one of next, number, offset and cursor is needed")
	case err != nil && g.Next == "":
		return refuse("url", "its query cannot be read, and the next pages need it changed")
	case g.Cursor != "" && g.Parameter == "":
		return refuse("pages.cursor", "parameter is needed, too: what of the URL has the cursor")
	case g.Cursor == "" && g.Parameter != "":
		return refuse("pages.parameter", "it goes with cursor")
	case g.First != nil && !g.counted():
		return refuse("pages.first", "it goes with number or offset")
	case g.First != nil && startOf(g, u) != "":
		return refuse("pages.first", "the URL says already where the first page begins")
	case g.First != nil && (*g.First < 0 || *g.First > math.MaxInt32):
		return refuse("pages.first", "it must be from 0 to %d", math.MaxInt32)
	case g.Size != 0 && !g.counted():
		return refuse("pages.size", "it goes with number or offset")
	case g.Size < 0 || g.Size > math.MaxInt32:
		return refuse("pages.size", "it must be from 1 to %d", math.MaxInt32)
	case g.Flag != "" && !g.counted() && g.Cursor == "":
		return refuse("pages.flag", "it goes with number, offset or cursor: next says itself whether there is another page")
	case g.End != 0 && !g.counted():
		return refuse("pages.end", "it goes with number or offset")
	case g.End != 0 && g.End != http.StatusNotFound:
		return refuse("pages.end", "it can be 404 alone")
	}
	return g.checkHosts()
}

func (g *Pages) checkHosts() error {
	for _, host := range g.Hosts {
		if u, err := url.Parse("//" + host); err != nil || u.Host != host || u.Hostname() == "" {
			return refuse("pages.hosts", "%.100q is not a host such as api.example.com or api.example.com:8443", host)
		}
	}
	return nil
}

// next returns where the feed goes on after a page, given what the page says in its body and
// the links that it has, or nil if that was the last one. An error is about what the provider
// sent.
func (p *Provider) next(doc *feed.Document, got *feed.Feed, said found, links []feed.Link) (*feed.Page, error) {
	page := &doc.Page
	more := &feed.Page{
		Number: page.Number + 1, Rows: page.Rows + got.Rows, Total: page.Total,
		Bytes: page.Bytes + max(got.Bytes, doc.Bytes), Began: page.Began, Public: page.Public, Links: slices.Concat(page.Links, links),
	}
	if page.Link == "" {
		if err := p.nextOfListing(doc, got, said, more); err != nil {
			return nil, err
		}
	}
	switch {
	case page.Number+len(more.Links) > feed.MaxPages:
		return nil, fmt.Errorf("the feed leads to more than %d pages, and no more are read", feed.MaxPages)
	case more.URL == nil && len(more.Links) > 0:
		more.URL, more.Link, more.Links = more.Links[0].URL, more.Links[0].Text, more.Links[1:]
	case more.URL == nil:
		return nil, nil
	case page.Number == feed.MaxPages:
		return nil, fmt.Errorf("the feed goes on after %d pages, and no more are read", page.Number)
	}
	return more, nil
}

// nextOfListing sets the URL of the page after one of the listing, or of a feed without one, if
// there is such a page.
func (p *Provider) nextOfListing(doc *feed.Document, got *feed.Feed, said found, more *feed.Page) error {
	total, err := said.number("total")
	if err != nil {
		return err
	}
	if total != nil {
		more.Total = *total
	} else if p.pages.Total != "" && doc.Page.Number == 1 {
		return fmt.Errorf("it has nothing at %s, where the number of all rows should be", p.pages.Total)
	}
	ends, err := p.ends(doc, got, said, more, total != nil)
	if err == nil && !ends {
		more.URL, err = p.following(doc, got, said, more)
	}
	if err == nil && more.URL == nil && more.Rows < more.Total {
		err = fmt.Errorf("it is the last page, and of %d rows only %d came", more.Total, more.Rows)
	}
	return err
}

// ends reports whether a page is the last one, as far as that is known without the URL of the
// next.
func (p *Provider) ends(doc *feed.Document, got *feed.Feed, said found, more *feed.Page, total bool) (bool, error) {
	g := p.pages
	switch {
	case doc.Beyond:
		return true, nil
	case g.Flag != "":
		goesOn, err := said.flag("flag")
		return !goesOn, err
	case g.counted() && doc.Page.URL == nil, // a document that is given by hand counts as all
		g.counted() && got.Rows == 0 && (doc.Page.Number > 1 || g.Offset != "" && g.Size == 0), // an empty first page need not be the last
		0 < got.Rows && got.Rows < g.Size,
		(g.counted() || g.Cursor != "") && (total || more.Total > 0) && more.Rows >= more.Total:
		return true, nil
	}
	return false, nil
}

// following returns the URL of the next page, or nil if there is none.
func (p *Provider) following(doc *feed.Document, got *feed.Feed, said found, more *feed.Page) (*url.URL, error) {
	next, err := p.named(doc, got, said, more)
	if next == nil || err != nil || isOwn(doc, next) {
		return nil, err
	}
	return next, nil
}

// isOwn reports whether a URL is that of a document, as it was asked for or after redirects. Its
// user does not count: the target of a redirect rarely has one.
func isOwn(doc *feed.Document, u *url.URL) bool {
	return slices.ContainsFunc([]*url.URL{doc.Page.URL, doc.URL}, func(own *url.URL) bool {
		if own == nil {
			return false
		}
		plain := *own
		plain.User = u.User
		return plain.String() == u.String()
	})
}

// named returns the URL that a page has for the next one, or nil if it has none. It may be its own.
func (p *Provider) named(doc *feed.Document, got *feed.Feed, said found, more *feed.Page) (next *url.URL, err error) {
	g := p.pages
	var target string
	switch {
	case g.Number != "":
		next = withQuery(p.url, g.Number, strconv.Itoa(p.first+doc.Page.Number))
	case g.Offset != "" && g.Size > 0:
		next = withQuery(p.url, g.Offset, strconv.Itoa(p.first+g.Size*doc.Page.Number))
	case g.Offset != "":
		next = withQuery(p.url, g.Offset, strconv.Itoa(p.first+more.Rows))
	case g.Cursor != "":
		if values := said.texts("cursor"); len(values) > 0 {
			next = withQuery(p.url, g.Parameter, values...)
		}
	case g.Next == NextLink:
		target, err = nextLink(doc.Links, doc.URL)
	case g.Next != "":
		target, err = said.text("next")
	case got.Next != nil:
		target = got.Next.URL.String()
	}
	if target != "" && err == nil {
		home := cmp.Or(p.tables[doc.Table], p.url)
		next, err = p.resolve("the next page", home, cmp.Or(doc.URL, home), target)
	}
	return next, err
}

// resolve returns the URL of a page that a document names, relative to its own, of a feed that
// begins at home. On the host of that it has the user of that, which pages rarely repeat. No
// error repeats it, since its query may hold credentials.
func (p *Provider) resolve(page string, home, base *url.URL, target string) (*url.URL, error) {
	if len(target) > maxURL {
		return nil, fmt.Errorf("the address of %s has more than %d bytes", page, maxURL)
	}
	next, err := base.Parse(target)
	if err != nil || !fetchable(next) {
		return nil, fmt.Errorf("the address of %s is not one of http or https", page)
	}
	next.Fragment, next.RawFragment = "", ""
	encodeQuery(next)
	switch atHome := sameHost(home, next); {
	case atHome && next.User == nil:
		next.User = home.User
	case !atHome && !slices.ContainsFunc(p.pages.Hosts, func(host string) bool {
		return strings.EqualFold(host, next.Host) || strings.EqualFold(host, next.Hostname())
	}):
		whose := "provider"
		if home != p.url {
			whose = "table"
		}
		return nil, fmt.Errorf("%s is at %.100q, which is not as the %s's URL: hosts does not name it", page, next.Scheme+"://"+next.Host, whose)
	}
	return next, nil
}

// withQuery returns u with a parameter of its query set, and the rest as it is written.
func withQuery(u *url.URL, name string, values ...string) *url.URL {
	var pairs []string
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		key, _, _ := strings.Cut(pair, "=")
		if key, err := url.QueryUnescape(key); pair != "" && (err != nil || key != name) {
			pairs = append(pairs, pair)
		}
	}
	for _, value := range values {
		pairs = append(pairs, url.QueryEscape(name)+"="+url.QueryEscape(value))
	}
	changed := *u
	changed.RawQuery = strings.Join(pairs, "&")
	return &changed
}
