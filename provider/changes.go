package provider

import (
	"cmp"
	"errors"
	"io"
	"net/url"
	"reflect"
	"time"

	"fever/provider/feed"
)

// A Table is another feed of changes, whose rows have values that the rows of a feed lack: see
// [feed.Format].
type Table struct {
	Name string // the member by which a row refers to a row of the table
	URL  string // http or https
}

// join has the provider get its tables, too.
func (p *Provider) join(tables []Table) error {
	p.tables = make(map[string]*url.URL)
	for _, table := range tables {
		field := "tables." + table.Name
		switch {
		case p.Format.Again == nil:
			return refuse("tables", "the format %s has none", p.Format.Name)
		case table.Name == "":
			return refuse("tables", "one has no name")
		case p.tables[table.Name] != nil:
			return refuse(field, "it is there twice")
		}
		u, err := urlOf(field, table.URL)
		if err != nil {
			return err
		}
		p.tables[table.Name] = u
	}
	return nil
}

// Begin returns the first page of a table of a feed of changes, or of the feed for "". It is for
// [Provider.GetPage]. Each page has the limits of time and size for itself.
func (p *Provider) Begin(table string) *feed.Page {
	return &feed.Page{Number: 1, URL: cmp.Or(p.tables[table], p.url), Began: time.Now()}
}

// Resume returns the page of a table or of the feed where an earlier one has said that it goes
// on, in a process before this one perhaps: at a URL, from pages that were public or not. The
// error says that the page cannot be there.
func (p *Provider) Resume(table, address string, public bool) (*feed.Page, error) {
	home := cmp.Or(p.tables[table], p.url)
	u, err := p.resolve("the next page", home, home, address)
	if err != nil {
		return nil, err
	}
	return &feed.Page{Number: 2, URL: u, Began: time.Now(), Public: public}, nil
}

// DecodeAgain decodes rows of a feed of changes that were kept as [feed.Item.Row], with the rows
// of tables that parent finds. The error is nil or a [*feed.Error].
func (p *Provider) DecodeAgain(rows [][]byte, parent func(name string) ([]byte, error)) (*feed.Feed, error) {
	return feed.Decode(&feed.Document{
		Body: io.NopCloser(p.Format.Again(rows)), Op: "decode rows again", Page: feed.Page{Number: 1, Began: time.Now()}, Parent: parent,
	}, p.Format, p.Name, p.Location)
}

// checkChanges is [Pages.check] for a feed of changes, which goes on where its last page says. If
// the format knows itself where that is, there can be hosts alone.
func (g *Pages) checkChanges(u *url.URL, known bool) error {
	others := *g
	others.Hosts = nil
	switch {
	case known && !reflect.ValueOf(others).IsZero():
		return refuse("pages", "each page of this format says which one comes next: only hosts can be set")
	case known:
		return g.checkHosts()
	case g.counted():
		return refuse("pages", "a feed of changes goes on where its last page says: it needs next or cursor")
	case g.Total != "":
		return refuse("pages.total", "a feed of changes has no last page")
	case g.FirstPageTells:
		return refuse("pages.first-page-tells", "a feed of changes does not begin again with its first page")
	}
	return g.check(u)
}

// nextChange notes where a feed of changes goes on after a page, and whether something comes
// there already.
//
// Only a page that names itself as the next, or none, ends the feed for now. If the URL is made
// of a cursor, which may change with each answer, an empty page does so, too.
func (p *Provider) nextChange(doc *feed.Document, got *feed.Feed, said found) error {
	page := &doc.Page
	more := &feed.Page{Number: page.Number + 1, Public: page.Public}
	next, err := p.named(doc, got, said, more)
	if err != nil {
		return err
	}
	got.UpToDate = next == nil || isOwn(doc, next)
	switch {
	case got.UpToDate && p.Format.Paged && got.Rows > 0:
		return errors.New("it has rows, and says that it comes next itself")
	case p.pages.Flag != "":
		goesOn, err := said.flag("flag")
		if err != nil {
			return err
		}
		if goesOn && got.UpToDate {
			return errors.New("it says that another page comes, and not where")
		}
		got.UpToDate = !goesOn
	case p.pages.Cursor != "" && got.Rows == 0:
		got.UpToDate = true
	}
	more.URL = cmp.Or(next, page.URL, p.tables[doc.Table], p.url)
	got.Next = more
	return nil
}
