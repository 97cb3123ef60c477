package provider

import (
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fever/internal/feedtest"
	"fever/provider/feed"
	"fever/provider/feed/dump"
	"fever/provider/feed/feverup"
	"fever/provider/xmlscan"
)

const (
	tag  = `"v1"`
	date = "Wed, 30 Jun 2021 21:00:00 GMT"
)

// fetched returns a good feed.
func fetched(t *testing.T, p *Provider, last feed.Validators) *feed.Feed {
	t.Helper()
	snapshot, err := p.fetch(t.Context(), last, nil)
	if err != nil {
		t.Fatal(err)
	}
	if snapshot.Validators.Source == "" || snapshot.Validators.Digest == [32]byte{} {
		t.Fatalf("validators %+v", snapshot.Validators)
	}
	return snapshot
}

func TestFetchNotModified(t *testing.T) {
	t.Parallel()
	doc := fixture(t, "plan-list-1.xml")
	p := serve(t, plenty, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", tag)
		w.Header().Set("Last-Modified", date)
		match, since := r.Header.Get("If-None-Match"), r.Header.Get("If-Modified-Since")
		switch {
		case match == tag && since == date:
			w.WriteHeader(http.StatusNotModified)
			return
		case match != "" || since != "":
			t.Errorf("conditions %q, %q", match, since)
		}
		write(t, w, doc)
	})
	first := fetched(t, p, feed.Validators{})
	if first.NotModified || len(first.Events) != 4 || first.Validators.ETag != tag || first.Validators.LastModified != date {
		t.Errorf("%+v", first)
	}
	again := fetched(t, p, first.Validators)
	if !again.NotModified || again.HTTPStatus != 304 || again.Validators != first.Validators || again.Bytes != 0 || again.Events != nil || again.Seen != 0 {
		t.Errorf("%+v", again)
	}

	// What another request was answered says nothing about this one.
	others := map[string]func(*Config){
		"URL":    func(c *Config) { c.URL += "&more" },
		"header": func(c *Config) { c.Header = http.Header{"X-Key": {"k"}} },
		"format": func(c *Config) { c.Format = feverup.New(xmlscan.LeadingBlanks) },
	}
	for name, change := range others {
		c := p.Config
		change(&c)
		other, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		snapshot := fetched(t, other, first.Validators)
		if snapshot.NotModified || snapshot.Validators.Source == first.Validators.Source || snapshot.Validators.Digest != first.Validators.Digest {
			t.Errorf("with another %s: %+v", name, snapshot)
		}
	}
	c := p.Config
	c.Format = dump.New()
	other, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := other.fetch(t.Context(), first.Validators, nil)
	wantFailure(t, snapshot, err, feed.KindMalformed, 200)
}

// A format that expands rules reads a document again in another month, although it is the same.
func TestFetchMonthly(t *testing.T) {
	t.Parallel()
	for _, monthly := range []bool{false, true} {
		var conditions []string
		c := serve(t, plenty, func(w http.ResponseWriter, r *http.Request) {
			conditions = append(conditions, r.Header.Get("If-None-Match"))
			w.Header().Set("ETag", tag)
			write(t, w, []byte(`{"events":[1]}`))
		}).Config
		c.Format = feedtest.Numbers
		c.Format.Monthly = monthly
		p, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		last := fetched(t, p, feed.Validators{}).Validators
		same := fetched(t, p, last)
		last.Source = p.sourceAt(time.Now().AddDate(0, 0, -32))
		later := fetched(t, p, last)
		if !same.NotModified || later.NotModified == monthly || conditions[1] != tag || (conditions[2] == tag) == monthly {
			t.Errorf("monthly: %t: %+v, %+v, %q", monthly, same, later, conditions)
		}
	}
}

func TestFetchNotModifiedUnasked(t *testing.T) {
	t.Parallel()
	p := serve(t, plenty, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") != "" || r.Header.Get("If-Modified-Since") != "" {
			t.Errorf("a condition: %v", r.Header)
		}
		w.WriteHeader(http.StatusNotModified)
	})
	for name, last := range map[string]feed.Validators{
		"nothing known":  {},
		"another source": {ETag: tag, LastModified: date, Source: "another"},
		"only a digest":  {Source: p.Source, Digest: sha256.Sum256(nil)},
	} {
		t.Run(name, func(t *testing.T) {
			snapshot, err := p.fetch(t.Context(), last, nil)
			wantFailure(t, snapshot, err, feed.KindHTTPStatus, 304)
			if !strings.Contains(err.Error(), "without a condition") {
				t.Error(err)
			}
		})
	}
}

// A provider that has no validators is recognised by the body alone.
func TestFetchSameBody(t *testing.T) {
	t.Parallel()
	doc := fixture(t, "plan-list-1.xml")
	type answer struct {
		body                  []byte
		coding, contentType   string
		etag                  string
		sameAsPlain, sameAsGz bool
	}
	answers := map[string]answer{
		"plain":            {body: doc, sameAsPlain: true},
		"another tag":      {body: doc, etag: `W/"v2"`, sameAsPlain: true},
		"another type":     {body: doc, contentType: "text/html", sameAsPlain: true},
		"another charset":  {body: doc, contentType: "text/xml; charset=latin1"},
		"another body":     {body: append([]byte{}, append(doc, ' ')...)},
		"gzip":             {body: gzipped(t, doc), coding: "gzip", sameAsGz: true},
		"gzip, named more": {body: gzipped(t, doc), coding: "x-gzip", sameAsGz: true},
	}
	serving := func(t *testing.T, a answer) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", a.contentType)
			if a.coding != "" {
				w.Header().Set("Content-Encoding", a.coding)
			}
			if a.etag != "" {
				w.Header().Set("ETag", a.etag)
			}
			write(t, w, a.body)
		}
	}
	var current answer
	p := serve(t, plenty, func(w http.ResponseWriter, r *http.Request) { serving(t, current)(w, r) })
	current = answers["plain"]
	plain := fetched(t, p, feed.Validators{}).Validators
	current = answers["gzip"]
	compressed := fetched(t, p, feed.Validators{}).Validators
	for name, a := range answers {
		current = a
		for _, test := range []struct {
			last feed.Validators
			same bool
		}{{plain, a.sameAsPlain}, {compressed, a.sameAsGz}} {
			snapshot := fetched(t, p, test.last)
			if snapshot.NotModified != test.same || (snapshot.Events == nil) != test.same || snapshot.HTTPStatus != 200 || snapshot.Validators.ETag != a.etag {
				t.Errorf("%s: %+v, not modified should be %t", name, snapshot, test.same)
			}
			if test.same && (snapshot.Validators.Digest != test.last.Digest || snapshot.Bytes != int64(len(a.body))) {
				t.Errorf("%s: %d bytes, validators %+v", name, snapshot.Bytes, snapshot.Validators)
			}
		}
	}
}

// The same bytes are the same feed, whatever a header says of how they are compressed.
func TestFetchSameBytesOtherCoding(t *testing.T) {
	t.Parallel()
	coding := "gzip"
	p := serve(t, plenty, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", coding)
		write(t, w, gzipped(t, []byte(emptyFeed)))
	})
	last := fetched(t, p, feed.Validators{}).Validators
	coding = "identity"
	if snapshot := fetched(t, p, last); !snapshot.NotModified {
		t.Errorf("%+v", snapshot)
	}
}

func TestValidators(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", maxValidator)
	tests := map[string]struct{ tag, date, wantTag, wantDate string }{
		"none":           {"", "", "", ""},
		"strong":         {`"a b`, "", "", ""},
		"weak":           {`W/"a!é"`, date, `W/"a!é"`, date},
		"empty":          {`""`, "", `""`, ""},
		"no quotes":      {"abc", "yesterday", "", "yesterday"},
		"lower case":     {`w/"a"`, "", "", ""},
		"a space inside": {`"a b"`, "", "", ""},
		"a quote inside": {`"a"b"`, "", "", ""},
		"one quote":      {`"`, "", "", ""},
		"a control":      {"\"a\x7f\"", "a\x01", "", ""},
		"long":           {`"` + long + `"`, long + "a", "", ""},
		"almost long":    {`"` + long[2:] + `"`, long, `"` + long[2:] + `"`, long},
	}
	p := newProvider(t, "http://a", plenty)
	for name, test := range tests {
		v := renewed(feed.Validators{Source: p.Source}, http.Header{"Etag": {test.tag}, "Last-Modified": {test.date}})
		if v.ETag != test.wantTag || v.LastModified != test.wantDate || v.Source != p.Source {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

func TestFetchHeader(t *testing.T) {
	t.Parallel()
	p := serve(t, plenty, func(w http.ResponseWriter, r *http.Request) {
		for name, want := range map[string]string{"X-Key": "secret", "Accept": "text/plain", "Accept-Encoding": "gzip", "User-Agent": userAgent} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if r.URL.Path == "/feed" {
			http.Redirect(w, r, "http://"+r.Host+"/there", http.StatusFound) // the same host
			return
		}
		write(t, w, []byte(emptyFeed))
	})
	p.Header = http.Header{"X-Key": {"secret"}, "Accept": {"text/plain"}}
	fetched(t, p, feed.Validators{})
}

// What is configured for a host goes to no other, nor in the clear, nor back again
// on the word of another host.
func TestFetchHeaderStaysWithHost(t *testing.T) {
	t.Parallel()
	secrets := http.Header{"X-Key": {"secret"}, "Authorization": {"Bearer secret"}, "Cookie": {"secret"}}
	clean := func(r *http.Request) {
		for name := range secrets {
			if r.Header.Get(name) != "" {
				t.Errorf("%s%s got %s", r.Host, r.URL, name)
			}
		}
	}
	for name, start := range map[string]func(*httptest.Server){"http": (*httptest.Server).Start, "https": (*httptest.Server).StartTLS} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var first *httptest.Server
			second := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				clean(r)
				http.Redirect(w, r, first.URL+"/back", http.StatusFound)
			}))
			t.Cleanup(second.Close)
			first = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/back" {
					clean(r)
					write(t, w, []byte(emptyFeed))
					return
				}
				if r.Header.Get("X-Key") != "secret" {
					t.Error("the first request lacks its header")
				}
				http.Redirect(w, r, second.URL, http.StatusFound)
			}))
			start(first)
			t.Cleanup(first.Close)
			p := newProvider(t, first.URL, plenty)
			p.Header = secrets
			p.transport = first.Client().Transport.(*http.Transport)
			fetched(t, p, feed.Validators{})
		})
	}
}

func TestSameHost(t *testing.T) {
	t.Parallel()
	tests := []struct {
		from, to string
		want     bool
	}{
		{"http://a/", "http://a/b", true},
		{"http://a/", "http://A:80/", true},
		{"http://a/", "https://a/", true},
		{"http://a:80", "https://a:443", true},
		{"https://a/", "https://a:443/", true},
		{"https://a/", "http://a/", false},
		{"https://a:8443/", "http://a:8443/", false},
		{"http://a:8080/", "https://a/", false},
		{"http://a/", "http://a:8080/", false},
		{"http://a/", "http://b.a/", false},
		{"http://b.a/", "http://a/", false},
		{"http://[::1]/", "http://[::1]:80/", true},
	}
	for _, test := range tests {
		if got := sameHost(parseURL(t, test.from), parseURL(t, test.to)); got != test.want {
			t.Errorf("from %s to %s: %t", test.from, test.to, got)
		}
	}
}

func parseURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // the clock stands still at the start of 2000
		for value, want := range map[string]time.Duration{
			"":                                 0,
			"0":                                0,
			" 7 ":                              7 * time.Second,
			"120":                              2 * time.Minute,
			"3600":                             time.Hour,
			"3601":                             time.Hour,
			"18446744073709551615":             time.Hour,
			"99999999999999999999999999999":    time.Hour,
			"-1":                               0,
			"+1":                               0,
			"1.5":                              0,
			"1e3":                              0,
			"soon":                             0,
			"Sat, 01 Jan 2000 00:01:30 GMT":    90 * time.Second,
			"Saturday, 01-Jan-00 00:00:05 GMT": 5 * time.Second,
			"Sat Jan  1 00:00:06 2000":         6 * time.Second,
			"Fri, 31 Dec 1999 23:59:59 GMT":    0,
			"Sat, 01 Jan 9999 00:00:00 GMT":    time.Hour,
		} {
			if got := retryAfter(value); got != want {
				t.Errorf("%q: %s, want %s", value, got, want)
			}
		}
	})
}

func TestFetchRetryAfter(t *testing.T) {
	t.Parallel()
	status := 0
	p := serve(t, plenty, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(status)
	})
	for s, want := range map[int]time.Duration{429: 30 * time.Second, 503: 30 * time.Second, 200: 0} {
		status = s
		_, err := p.fetch(t.Context(), feed.Validators{}, nil)
		failure, ok := err.(*feed.Error) //nolint:errorlint // exactly this type is promised
		if !ok || failure.HTTPStatus != s || failure.RetryAfter != want {
			t.Errorf("status %d: %+v", s, err)
		}
	}
}
