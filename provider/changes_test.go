package provider

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"fever/internal/feedtest"
	"fever/provider/feed"
)

// changesFormat is that of the pages of a feed of changes. If it is paged it knows the URL of the
// next one, which is in next.
func changesFormat(paged bool) feed.Format {
	f := feedtest.Numbers
	f.Changes, f.Paged = true, paged
	f.Again = func([][]byte) io.Reader { return nil }
	if !paged {
		return f
	}
	f.Decode = func(doc *feed.Document, b *feed.Builder) error {
		text, err := io.ReadAll(doc.Body)
		if err != nil {
			return err
		}
		var page struct{ Next string }
		if err := json.Unmarshal(text, &page); err != nil {
			return err
		}
		next, err := url.Parse(page.Next)
		if err != nil {
			return err
		}
		b.Next(next)
		whole := *doc
		whole.Body = io.NopCloser(strings.NewReader(string(text)))
		return feedtest.Numbers.Decode(&whole, b)
	}
	return f
}

// A page of a feed of changes always says where to ask next, and whether something is there yet.
func TestNextChange(t *testing.T) {
	t.Parallel()
	const own = "http://a.example/x?since=5"
	next, cursor := &Pages{Next: ".next"}, &Pages{Cursor: ".token", Parameter: "since"}
	flag := &Pages{Cursor: ".token", Parameter: "since", Flag: ".more"}
	for name, test := range map[string]struct {
		pages    *Pages // nil: the format knows
		asked    string // after redirects; empty: own
		document string
		want     string // the next URL, with "!" before it if the feed is up to date; else what the error says
	}{
		"known, goes on":              {nil, "", `{"events":[1],"next":"?since=6"}`, "http://a.example/x?since=6"},
		"known, the end":              {nil, "", `{"events":[],"next":"http://a.example/x?since=5"}`, "!" + own},
		"known, the end, redirected":  {nil, "http://a.example/y?since=5", `{"events":[],"next":"/y?since=5"}`, "!http://a.example/y?since=5"},
		"known, empty, goes on":       {nil, "", `{"events":[],"next":"?since=6"}`, "http://a.example/x?since=6"},
		"known, its own with rows":    {nil, "", `{"events":[1],"next":"?since=5"}`, "it has rows, and says that it comes next itself"},
		"known, another host":         {nil, "", `{"events":[1],"next":"http://b.example/?secret"}`, "hosts does not name it"},
		"next, goes on":               {next, "", `{"events":[1],"next":"?since=6"}`, "http://a.example/x?since=6"},
		"next, empty, goes on":        {next, "", `{"events":[],"next":"?since=6"}`, "http://a.example/x?since=6"},
		"next, its own":               {next, "", `{"events":[1],"next":"?since=5"}`, "!" + own},
		"next, none":                  {next, "", `{"events":[1],"next":null}`, "!" + own},
		"cursor, goes on":             {cursor, "", `{"events":[1],"token":6}`, "http://a.example/x?since=6"},
		"cursor, the same":            {cursor, "", `{"events":[1],"token":"5"}`, "!" + own},
		"cursor, none":                {cursor, "", `{"events":[1]}`, "!" + own},
		"cursor, nothing more":        {cursor, "", `{"events":[],"token":6}`, "!http://a.example/x?since=6"},
		"flag, goes on":               {flag, "", `{"events":[],"token":6,"more":true}`, "http://a.example/x?since=6"},
		"flag, the end":               {flag, "", `{"events":[1],"token":6,"more":false}`, "!http://a.example/x?since=6"},
		"flag, goes on, no one knows": {flag, "", `{"events":[1],"token":5,"more":true}`, "it says that another page comes, and not where"},
		"one document":                {&Pages{}, "", `{"events":[1]}`, "!" + own},
	} {
		c := Config{Format: changesFormat(test.pages == nil), Name: "test", URL: "http://a.example/x", Timeout: plenty, MaxBytes: maxBytes, Pages: test.pages}
		if c.Pages != nil && c.Pages.Next+c.Pages.Cursor == "" {
			c.Pages = nil
		}
		p, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		at, err := url.Parse(own)
		if err != nil {
			t.Fatal(err)
		}
		doc := &feed.Document{Body: io.NopCloser(strings.NewReader(test.document)), Op: "read", Page: feed.Page{Number: 3, URL: at}, URL: at}
		if test.asked != "" {
			if doc.URL, err = url.Parse(test.asked); err != nil {
				t.Fatal(err)
			}
		}
		got, err := p.Decode(doc)
		if err != nil {
			if !isDecode(err) || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		text := got.Next.URL.String()
		if got.UpToDate {
			text = "!" + text
		}
		if text != test.want || got.Next.Number != 4 {
			t.Errorf("%s: page %d at %s, want %s", name, got.Next.Number, text, test.want)
		}
	}
}

// A page of a table is on the host of the table.
func TestTableHost(t *testing.T) {
	t.Parallel()
	p, err := New(Config{
		Format: changesFormat(true), Name: "test", URL: "http://a.example/x", Timeout: plenty, MaxBytes: maxBytes,
		Tables: []Table{{Name: "superEvent", URL: "http://b.example/y"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for table, want := range map[string]bool{"": false, "superEvent": true} {
		doc := &feed.Document{Body: io.NopCloser(strings.NewReader(`{"events":[1],"next":"http://b.example/y?since=1"}`)), Op: "read", Table: table}
		if _, err := p.Decode(doc); (err == nil) != want {
			t.Errorf("%q: %v", table, err)
		}
	}
}

// A page whose URL has a user names itself without one, also after a redirect to a URL without.
func TestOwnUser(t *testing.T) {
	t.Parallel()
	p, err := New(Config{
		Format: feedtest.Numbers, Name: "test", URL: "http://me:secret@a.example/x", Timeout: plenty, MaxBytes: maxBytes, Pages: &Pages{Next: ".next"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/x", "/moved", "/else"} {
		doc := &feed.Document{
			Body: io.NopCloser(strings.NewReader(`{"events":[1],"next":"http://a.example` + path + `"}`)), Op: "read",
			Page: *p.Begin(""), URL: &url.URL{Scheme: "http", Host: "a.example", Path: "/moved"},
		}
		if got, err := p.Decode(doc); err != nil || (got.Next == nil) != (path != "/else") {
			t.Errorf("%s: %+v, %v", path, got, err)
		}
	}
}

// All pages of a table, and what they are redirected to on its host, are asked for with the user of the table.
func TestTableUser(t *testing.T) {
	t.Parallel()
	var asked []string
	answer := func(w http.ResponseWriter, r *http.Request) {
		user, _, _ := r.BasicAuth()
		asked = append(asked, user+" "+r.URL.RequestURI())
		if r.URL.Path != "/moved" {
			http.Redirect(w, r, "http://"+r.Host+"/moved?"+r.URL.RawQuery, http.StatusFound)
			return
		}
		write(t, w, []byte(`{"events":[1],"next":"http://`+r.Host+`/y?since=6`+r.URL.RawQuery+`"}`))
	}
	own, other := serveAt(t, "127.0.0.1", answer), serveAt(t, outsideAddress, answer)
	p, err := New(Config{
		Format: changesFormat(true), Name: "test", URL: "http://feed:secret@" + own + "/x", Timeout: plenty, MaxBytes: maxBytes,
		Tables: []Table{{"same", "http://same:secret@" + own + "/y"}, {"other", "http://other:secret@" + other + "/y"}, {"none", "http://" + other + "/y"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for table, user := range map[string]string{"": "feed", "same": "same", "other": "other", "none": ""} {
		page := p.Begin(table)
		for range 2 {
			doc, err := p.GetPage(t.Context(), page, nil)
			if err != nil {
				t.Fatal(err)
			}
			doc.Table = table
			got, err := p.Decode(doc)
			if err != nil || doc.Body.Close() != nil {
				t.Fatal(err)
			}
			page = got.Next
			page.Began = time.Now()
		}
		path := map[string]string{"": "/x"}[table]
		want := []string{user + " " + cmp.Or(path, "/y"), user + " /moved?", user + " /y?since=6", user + " /moved?since=6"}
		if !slices.Equal(asked, want) {
			t.Errorf("%q: %q, want %q", table, asked, want)
		}
		asked = nil
	}
}

// Settings that a feed of changes, or any other feed, cannot have are refused by their key.
func TestChangesConfig(t *testing.T) {
	t.Parallel()
	one := 1
	table := func(name, url string) []Table { return []Table{{Name: name, URL: url}} }
	snapshot := feedtest.Numbers
	for name, test := range map[string]struct {
		format feed.Format
		pages  *Pages
		tables []Table
		field  string // that is refused; empty: none is
	}{
		"hosts":             {changesFormat(true), &Pages{Hosts: []string{"b.example"}}, nil, ""},
		"no host":           {changesFormat(true), &Pages{Hosts: []string{"b/c"}}, nil, "pages.hosts"},
		"next, known":       {changesFormat(true), &Pages{Next: ".next"}, nil, "pages"},
		"size, known":       {changesFormat(true), &Pages{Size: 5}, nil, "pages"},
		"cursor":            {changesFormat(false), &Pages{Cursor: ".a", Parameter: "a", Flag: ".more"}, nil, ""},
		"link":              {changesFormat(false), &Pages{Next: NextLink}, nil, ""},
		"nothing":           {changesFormat(false), &Pages{}, nil, "pages"},
		"number":            {changesFormat(false), &Pages{Number: "page"}, nil, "pages"},
		"total":             {changesFormat(false), &Pages{Cursor: ".a", Parameter: "a", Total: ".total"}, nil, "pages.total"},
		"first page tells":  {changesFormat(false), &Pages{Next: ".next", FirstPageTells: true}, nil, "pages.first-page-tells"},
		"first":             {changesFormat(false), &Pages{Next: ".next", First: &one}, nil, "pages.first"},
		"a table":           {changesFormat(true), nil, table("superEvent", "https://b.example/"), ""},
		"a table, no URL":   {changesFormat(true), nil, table("superEvent", "b.example"), "tables.superEvent"},
		"a table, no name":  {changesFormat(true), nil, table("", "https://b.example/"), "tables"},
		"a table twice":     {changesFormat(true), nil, append(table("a", "https://b.example/"), Table{Name: "a", URL: "https://c.example/"}), "tables.a"},
		"a table, no place": {snapshot, nil, table("superEvent", "https://b.example/"), "tables"},
	} {
		_, err := New(Config{Format: test.format, Name: "test", URL: "http://a.example/", Timeout: plenty, MaxBytes: maxBytes, Pages: test.pages, Tables: test.tables})
		refused, ok := errors.AsType[*FieldError](err)
		if test.field == "" && err != nil || test.field != "" && (!ok || refused.Field != test.field) {
			t.Errorf("%s: %v, want %q refused", name, err, test.field)
		}
	}
}

// A stored place is got as it would have been before: with the credentials for the provider's own
// host, which are not stored, and with the limits of one page.
func TestResume(t *testing.T) {
	t.Parallel()
	asked := make(chan *http.Request, 1)
	answer := func(w http.ResponseWriter, r *http.Request) {
		asked <- r
		write(t, w, []byte(`{"events":[1],"next":"?since=6"}`))
	}
	own, other := serveAt(t, "127.0.0.1", answer), serveAt(t, outsideAddress, answer)
	p, err := New(Config{
		Format: changesFormat(true), Name: "test", URL: "http://user:secret@" + own + "/x", Timeout: plenty, MaxBytes: maxBytes,
		Header: http.Header{"X-Key": {"secret"}}, Tables: []Table{{"superEvent", "http://" + other + "/y"}}, Pages: &Pages{Hosts: []string{"127.0.0.2:1"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		table, address string
		trusted        bool
	}{
		{"", "http://" + own + "/x?since=5", true},
		{"superEvent", "http://" + other + "/y?since=5", false},
	} {
		page, err := p.Resume(test.table, test.address, false)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := p.GetPage(t.Context(), page, nil)
		if err != nil {
			t.Fatal(err)
		}
		doc.Table = test.table
		got, err := p.Decode(doc)
		if err != nil || len(got.Events) != 1 || got.Next.URL.RawQuery != "since=6" || got.Next.Bytes > 0 || doc.Body.Close() != nil {
			t.Errorf("%+v, %v", got, err)
		}
		r := <-asked
		_, _, user := r.BasicAuth()
		if user != test.trusted || (r.Header.Get("X-Key") != "") != test.trusted || r.URL.RawQuery != "since=5" {
			t.Errorf("%s was asked for with %v", r.URL, r.Header)
		}
	}
	for _, table := range []string{"", "superEvent"} {
		first := p.Begin(table)
		want := map[string]string{"": own, "superEvent": other}[table]
		if first.Number != 1 || first.URL.Host != want {
			t.Errorf("%q begins at page %d of %s, not %s", table, first.Number, first.URL.Host, want)
		}
	}
	for name, address := range map[string]string{
		"another host": "http://127.0.0.9/x?secret", "no URL": "http://\x00/secret", "a file": "file:///x?secret",
		"too long": "http://" + own + "/x?secret=" + strings.Repeat("a", maxURL), "the host of a table": "http://" + other + "/x?secret",
	} {
		if page, err := p.Resume("", address, false); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %+v, %v", name, page, err)
		}
	}
}

// A feed that began at a public address does not go on at one that is not, in another process
// neither.
func TestResumePublic(t *testing.T) {
	t.Parallel()
	address := serveAt(t, "127.0.0.1", func(w http.ResponseWriter, _ *http.Request) { write(t, w, []byte(`{"events":[],"next":""}`)) })
	p, err := New(Config{Format: changesFormat(true), Name: "test", URL: "http://" + address, Timeout: plenty, MaxBytes: maxBytes})
	if err != nil {
		t.Fatal(err)
	}
	p.isPublic = isOutside
	for _, public := range []bool{false, true} {
		page, err := p.Resume("", "http://"+address+"/?secret", public)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := p.GetPage(t.Context(), page, nil)
		if err == nil {
			_ = doc.Body.Close() // it was not read
		}
		if public != (err != nil) || public && (!isDecode(err) || !strings.Contains(err.Error(), "127.0.0.1, which is not public")) {
			t.Errorf("public %t: %v", public, err)
		}
	}
}

// Rows that were kept are decoded again, whatever comes after them.
func TestDecodeAgain(t *testing.T) {
	t.Parallel()
	format := changesFormat(true)
	format.Again = func(rows [][]byte) io.Reader {
		return bytes.NewReader(append(append([]byte(`{"events":`), rows[0]...), '}'))
	}
	p, err := New(Config{Format: format, Name: "test", URL: "http://a.example/", Timeout: plenty, MaxBytes: maxBytes})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := p.DecodeAgain([][]byte{[]byte("[1,2]")}, nil); err != nil || len(got.Events) != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := p.DecodeAgain([][]byte{[]byte("1")}, nil); err == nil || !strings.Contains(err.Error(), "decode rows again") {
		t.Error(err)
	}
}
