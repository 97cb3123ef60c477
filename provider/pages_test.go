package provider

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"fever/internal/feedtest"
	"fever/provider/feed"
	"fever/provider/feed/feverup"
)

// walk gets a feed page by page, as a job does, and returns the number of pages.
func (p *Provider) walk(ctx context.Context, t *testing.T) (n int, err error) {
	t.Helper()
	doc, err := p.Get(ctx, feed.Validators{}, nil)
	for n = 1; err == nil; n++ {
		var got *feed.Feed
		got, err = p.Decode(doc)
		if closeErr := doc.Body.Close(); closeErr != nil {
			t.Error(closeErr)
		}
		if err != nil || got.Next == nil {
			break
		}
		doc, err = p.GetPage(ctx, got.Next, nil)
	}
	return n, err
}

// next answers with a page that names the next one.
func next(t *testing.T, to string) http.HandlerFunc {
	t.Helper()
	return func(w http.ResponseWriter, _ *http.Request) {
		if to != "" {
			w.Header().Set("Link", "<"+to+">; rel=next")
		}
		write(t, w, []byte(emptyFeed))
	}
}

// Pages get the credentials that redirects get: none at another host, whatever hosts says, nor
// over http when the provider's URL has https.
func TestPagesAndCredentials(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		hosts, ok, trusted bool
	}{
		"another host":        {},
		"another host, named": {hosts: true, ok: true},
	} {
		var other []*http.Request
		server := serveAt(t, "127.0.0.1", func(w http.ResponseWriter, r *http.Request) {
			other = append(other, r)
			next(t, "")(w, r)
		})
		first := serveAt(t, "127.0.0.1", next(t, "http://"+server+"/?token=secret"))
		c := Config{
			Format: feverup.New(0), Name: "test", URL: "http://user:secret@" + first, Timeout: plenty, MaxBytes: maxBytes,
			Header: http.Header{"X-Key": {"secret"}}, Pages: &Pages{Next: NextLink},
		}
		if test.hosts {
			c.Pages.Hosts = []string{server}
		}
		p, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		n, err := p.walk(t.Context(), t)
		if test.ok && (err != nil || n != 2 || len(other) != 1 || other[0].Header.Get("X-Key") != "" || other[0].Header.Get("Authorization") != "") {
			t.Errorf("%s: %d pages, %v, %v", name, n, err, other)
		}
		if !test.ok && (!isDecode(err) || len(other) > 0 || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "hosts does not name it")) {
			t.Errorf("%s: %v, %v", name, err, other)
		}
	}
}

func isDecode(err error) bool {
	failure, ok := errors.AsType[*feed.Error](err)
	return ok && failure.Kind == feed.KindDecode
}

// The host of the next page is that of the provider, or is named.
func TestPagesHosts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		own, next string
		hosts     []string
		ok        bool
	}{
		{"https://a.example/x", "/y", nil, true},
		{"https://a.example/x", "https://A.example:443/y", nil, true},
		{"http://a.example/x", "https://a.example/y", nil, true},
		{"https://a.example/x", "http://a.example/y", nil, false},
		{"https://a.example/x", "http://a.example/y", []string{"a.example"}, true},
		{"https://a.example/x", "//b.example/y", nil, false},
		{"https://a.example/x", "//b.example/y", []string{"c.example", "B.example"}, true},
		{"https://a.example/x", "//b.example:8443/y", []string{"b.example:443"}, false},
		{"https://a.example/x", "//b.example:8443/y", []string{"b.example:8443"}, true},
		{"https://a.example/x", "//b.example.evil.example/y", []string{"b.example"}, false},
		{"https://a.example/x", "//a.example@evil.example/y", nil, false},
		{"https://a.example/x", "ftp://a.example/y", []string{"a.example"}, false},
		{"https://a.example/x", "http:///y", nil, false},
	} {
		p, err := New(Config{Format: feverup.New(0), Name: "test", URL: test.own, Timeout: plenty, MaxBytes: maxBytes, Pages: &Pages{Next: NextLink, Hosts: test.hosts}})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.resolve("it", p.url, p.url, test.next); (err == nil) != test.ok {
			t.Errorf("%+v: %v, %v", test, got, err)
		}
	}
}

// A feed from the public internet does not go on inside, whatever name leads there.
func TestPagesInside(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		first       string   // address of the server of the first page
		then        []string // of those of the next
		allowed, ok bool
	}{
		"outside to inside":             {first: outsideAddress, then: []string{"127.0.0.1"}},
		"outside to inside, as allowed": {first: outsideAddress, then: []string{"127.0.0.1"}, allowed: true, ok: true},
		"outside to outside to inside":  {first: outsideAddress, then: []string{outsideAddress, "127.0.0.1"}},
		"outside to outside":            {first: outsideAddress, then: []string{outsideAddress}, ok: true},
		"inside to outside to inside":   {first: "127.0.0.1", then: []string{outsideAddress, "127.0.0.1"}, ok: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := ""
			for i := len(test.then) - 1; i >= 0; i-- {
				to = "http://" + serveAt(t, test.then[i], next(t, to)) + "/?token=secret"
			}
			p, err := New(Config{
				Format: feverup.New(0), Name: "test", URL: "http://" + serveAt(t, test.first, next(t, to)), Timeout: plenty, MaxBytes: maxBytes,
				AllowPrivateRedirects: test.allowed, Pages: &Pages{Next: NextLink, Hosts: []string{"127.0.0.1", outsideAddress}},
			})
			if err != nil {
				t.Fatal(err)
			}
			p.isPublic = isOutside
			_, err = p.walk(t.Context(), t)
			if test.ok && err != nil {
				t.Error(err)
			}
			if !test.ok && (!isDecode(err) || !strings.Contains(err.Error(), "it is at 127.0.0.1, which is not public") || strings.Contains(err.Error(), "secret")) {
				t.Error(err)
			}
		})
	}
}

// Size and time bound all pages together.
func TestPagesBounds(t *testing.T) {
	t.Parallel()
	padded := "<planList>" + strings.Repeat(" ", 400) + "</planList>"
	var asked int
	p := serve(t, plenty, func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.Header().Set("Link", fmt.Sprintf("<?%d>; rel=next", asked))
		write(t, w, []byte(padded))
	})
	c := p.Config
	c.Pages, c.MaxBytes = &Pages{Next: NextLink}, 1000
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	n, err := p.walk(t.Context(), t)
	if failure, ok := errors.AsType[*feed.Error](err); !ok || failure.Kind != feed.KindTooLarge || n != 3 || !strings.Contains(err.Error(), "its limit of 1000 bytes") {
		t.Errorf("%d pages: %v", n, err)
	}

	page := feed.Page{Number: 7, URL: p.url, Began: time.Now().Add(-FeedTime * plenty)}
	_, err = p.GetPage(t.Context(), &page, nil)
	if failure, ok := errors.AsType[*feed.Error](err); !ok || failure.Kind != feed.KindTimeout || !strings.Contains(err.Error(), "fetch page 7 from ") || !strings.Contains(err.Error(), "not done within 20m0s") {
		t.Error(err)
	}
}

// A format may know itself where the feed goes on. A provider without pages follows it, too,
// with the same rules.
func TestPagesOfFormat(t *testing.T) {
	t.Parallel()
	for to, want := range map[string]string{"?page=2": "", "http://127.0.0.9/?secret": "hosts does not name it"} {
		p := serve(t, plenty, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("page") == "2" {
				write(t, w, []byte(`{"events":[3]}`))
				return
			}
			write(t, w, []byte(`{"events":[1,2]}`))
		})
		c := p.Config
		c.Format = feedtest.Numbers
		c.Format.Decode = func(doc *feed.Document, b *feed.Builder) error {
			if doc.Page.Number == 1 {
				u, err := url.Parse(to)
				if err != nil {
					return err
				}
				b.Next(u)
			}
			return feedtest.Numbers.Decode(doc, b)
		}
		p, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		n, err := p.walk(t.Context(), t)
		if want == "" && (err != nil || n != 2) || want != "" && (!isDecode(err) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%d pages, %v", n, err)
		}
	}
}

// A document that is given by hand is all of the feed, unless it says that there is more.
func TestPagesByHand(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pages    Pages
		document string
		more     bool
		says     string // of the error
	}{
		{Pages{Number: "page"}, `{"events":[1]}`, false, ""},
		{Pages{Number: "page", Size: 1}, `{"events":[1]}`, false, ""},
		{Pages{Offset: "start"}, `{"events":[1]}`, false, ""},
		{Pages{Number: "page", Flag: ".more"}, `{"events":[1],"more":true}`, true, ""},
		{Pages{Number: "page", Flag: ".more"}, `{"events":[1],"more":false}`, false, ""},
		{Pages{Number: "page", Total: ".total"}, `{"events":[1],"total":2}`, false, "of 2 rows only 1 came"},
		{Pages{Next: ".next"}, `{"events":[1],"next":"?page=2"}`, true, ""},
		{Pages{Next: ".next"}, `{"events":[1]}`, false, ""},
		{Pages{Next: NextLink}, `{"events":[1]}`, false, ""},
		{Pages{Cursor: ".after", Parameter: "after"}, `{"events":[1],"after":[1]}`, true, ""},
	} {
		p, err := New(Config{Format: feedtest.Numbers, Name: "test", URL: "http://a.example/", Timeout: plenty, MaxBytes: maxBytes, Pages: &test.pages})
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.read(t.Context(), strings.NewReader(test.document), nil)
		switch {
		case test.says != "":
			if !isDecode(err) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%+v of %s: %v", test.pages, test.document, err)
			}
		case err != nil || (got.Next != nil) != test.more:
			t.Errorf("%+v of %s: %+v, %v", test.pages, test.document, got, err)
		}
	}
}

// TestPagesMemory shows that of a feed in pages one page is held, and what is kept.
func TestPagesMemory(t *testing.T) { //nolint:paralleltest // it measures the heap
	const pages, events, zones = 40, 200, 20
	var doc bytes.Buffer
	n := 0
	p := serve(t, plenty, func(w http.ResponseWriter, _ *http.Request) {
		doc.Reset()
		doc.WriteString(`<planList><output><base_plan base_plan_id="1" sell_mode="online" title="t">`)
		for range events {
			n++
			fmt.Fprintf(&doc, `<plan plan_id="%d" plan_start_date="2030-01-01T20:00:00" plan_end_date="2030-01-01T22:00:00">`, n)
			for zone := range zones {
				fmt.Fprintf(&doc, `<zone zone_id="%d-%d" capacity="9" price="%d.50" name="Grada %d" numbered="false"/>`, n, zone, zone, zone)
			}
			doc.WriteString("</plan>")
		}
		doc.WriteString("</base_plan></output></planList>")
		if n < pages*events {
			w.Header().Set("Link", fmt.Sprintf("<?after=%d>; rel=next", n))
		}
		write(t, w, doc.Bytes())
	})
	c := p.Config
	c.Pages, c.MaxBytes = &Pages{Next: NextLink}, 1<<30
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	live := func() int64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}
	before := live()
	var joined feed.Pages
	var page, peak int64 // the first page with its events; the most of all pages
	document, err := p.Get(t.Context(), feed.Validators{}, nil)
	for err == nil {
		var got *feed.Feed
		if got, err = p.Decode(document); err != nil {
			break
		}
		used := live() - before
		if page == 0 {
			page = used
		}
		peak = max(peak, used)
		if err = errors.Join(document.Body.Close(), joined.Add(got)); err != nil || got.Next == nil {
			break
		}
		document, err = p.GetPage(t.Context(), got.Next, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	whole := joined.Feed()
	joined, document = feed.Pages{}, nil
	kept := live() - before
	if len(whole.Events) != pages*events {
		t.Fatalf("%d events", len(whole.Events))
	}
	t.Logf("one page %d, all events %d, at most %d: %.2f", page, kept, peak, float64(peak)/float64(page+kept))
	if peak > (page+kept)*12/10 {
		t.Errorf("at most %d bytes were held of a feed with pages of %d and events of %d", peak, page, kept)
	}
}
