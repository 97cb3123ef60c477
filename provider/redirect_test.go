package provider

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"fever/provider/feed"
	"fever/provider/feed/feverup"
)

// outsideAddress is a loopback address that tests of redirects take for a public one.
const outsideAddress = "127.0.0.2"

func isOutside(a netip.Addr) bool { return a == netip.MustParseAddr(outsideAddress) }

// serveAt starts a server on an address of this machine, and returns its own.
func serveAt(t *testing.T, ip string, h http.HandlerFunc) string {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Fatal(err)
	}
	srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}}
	srv.Start()
	t.Cleanup(srv.Close)
	return l.Addr().String()
}

// A redirect from the public internet must not lead inside, whatever name it uses for
// that. One that begins inside may lead anywhere.
func TestRedirectInside(t *testing.T) {
	t.Parallel()
	snapshot := func(w http.ResponseWriter, _ *http.Request) { write(t, w, []byte(emptyFeed)) }
	untouched := func(_ http.ResponseWriter, r *http.Request) { t.Errorf("it was asked for %s%s", r.Host, r.URL) }
	to := func(address string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://me:secret@"+address+"/?token=secret")
			w.Header().Set("Retry-After", "10")
			w.WriteHeader(http.StatusFound)
		}
	}
	named := func(address string) string { return strings.Replace(address, "127.0.0.1", "localhost", 1) }
	mapped := func(address string) string { return strings.Replace(address, "127.0.0.1", "[::ffff:127.0.0.1]", 1) }
	local := serveAt(t, "127.0.0.1", snapshot)
	outside := serveAt(t, outsideAddress, snapshot)
	closed := serveAt(t, "127.0.0.1", untouched)
	tests := map[string]struct {
		start   string
		allowed bool // by the setting
		refused bool
	}{
		"outside to inside":             {start: serveAt(t, outsideAddress, to(closed)), refused: true},
		"outside to inside by name":     {start: serveAt(t, outsideAddress, to(named(closed))), refused: true},
		"outside to inside, mapped":     {start: serveAt(t, outsideAddress, to(mapped(closed))), refused: true},
		"outside to outside":            {start: serveAt(t, outsideAddress, to(outside))},
		"outside to outside to inside":  {start: serveAt(t, outsideAddress, to(serveAt(t, outsideAddress, to(closed)))), refused: true},
		"outside to inside, as allowed": {start: serveAt(t, outsideAddress, to(local)), allowed: true},
		"inside to inside":              {start: serveAt(t, "127.0.0.1", to(local))},
		"inside to outside to inside":   {start: serveAt(t, "127.0.0.1", to(serveAt(t, outsideAddress, to(local))))},
		"inside to outside":             {start: serveAt(t, "127.0.0.1", to(outside))},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := New(Config{
				Format: feverup.New(0),
				Name:   "test", URL: "http://user:secret@" + test.start, Timeout: plenty, MaxBytes: maxBytes, AllowPrivateRedirects: test.allowed,
			})
			if err != nil {
				t.Fatal(err)
			}
			p.isPublic = isOutside
			snapshot, err := p.fetch(t.Context(), feed.Validators{}, nil)
			if !test.refused {
				if err != nil || snapshot.HTTPStatus != http.StatusOK {
					t.Errorf("%+v, %v", snapshot, err)
				}
				return
			}
			wantFailure(t, snapshot, err, feed.KindHTTPStatus, http.StatusFound)
			for _, part := range []string{"answered 302 Found: a redirect to ", "127.0.0.1, which is not public", "allow-private-redirects"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v does not say %q", err, part)
				}
			}
		})
	}
}

// A name may lead to another address each time. What counts is the address that is
// dialed, not one that was looked up before.
func TestRedirectRebinding(t *testing.T) {
	t.Parallel()
	var port string
	address := serveAt(t, outsideAddress, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "http://feed.example:"+port+"/again")
		w.WriteHeader(http.StatusFound)
	})
	_, port, _ = net.SplitHostPort(address)
	p := newProvider(t, "http://feed.example:"+port, plenty)
	p.isPublic, p.transport.Proxy = isOutside, nil
	// The dialer is the provider's own, but for the look-up of the name.
	dialer := net.Dialer{ControlContext: p.control}
	var lookups atomic.Int32
	p.transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		if lookups.Add(1) == 1 {
			return dialer.DialContext(ctx, network, address)
		}
		return dialer.DialContext(ctx, network, "127.0.0.1:"+port)
	}
	snapshot, err := p.fetch(t.Context(), feed.Validators{}, nil)
	wantFailure(t, snapshot, err, feed.KindHTTPStatus, http.StatusFound)
	if !strings.Contains(err.Error(), "127.0.0.1, which is not public") {
		t.Error(err)
	}
}

// Through a proxy the address that is dialed is the proxy's, and says nothing. What is
// known is where the URL has an address itself, and what is dialed without the proxy.
func TestRedirectInsideByProxy(t *testing.T) {
	t.Parallel()
	untouched := serveAt(t, "127.0.0.1", func(_ http.ResponseWriter, r *http.Request) { t.Errorf("it was asked for %s", r.URL) })
	tests := map[string]struct {
		start, location string
		direct          bool // the redirect is not for the proxy
		refused         bool
	}{
		"to an address inside":                  {"http://provider.example/", "http://169.254.169.254/latest", false, true},
		"to one as C reads it":                  {"http://provider.example/", "http://127.1/", false, true},
		"to one that is one number":             {"http://provider.example/", "http://2852039166/latest", false, true},
		"to one in hexadecimals":                {"http://provider.example/", "http://0XA9FEA9FE/latest", false, true},
		"to one in octals":                      {"http://provider.example/", "http://0251.0376.0251.0376/latest", false, true},
		"to one with a dot behind it":           {"http://provider.example/", "http://10.0.0.1./", false, true},
		"to a name with numbers":                {"http://provider.example/", "http://10.0xyz.a1/", false, false},
		"to an address inside, without it":      {"http://provider.example/", "http://" + untouched, true, true},
		"to a name, which the proxy looks up":   {"http://provider.example/", "http://inside.example/", false, false},
		"to an address outside":                 {"http://provider.example/", "http://" + outsideAddress + "/", false, false},
		"from an address inside to another":     {"http://10.0.0.1/", "http://10.0.0.2/", false, false},
		"from an address outside to one inside": {"http://" + outsideAddress + "/", "http://10.0.0.2/", false, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy := &url.URL{Scheme: "http", Host: serveAt(t, "127.0.0.1", func(w http.ResponseWriter, r *http.Request) {
				switch r.RequestURI {
				case test.start:
					w.Header().Set("Location", test.location)
					w.WriteHeader(http.StatusFound)
				case test.location:
					if test.refused {
						t.Errorf("it was asked for %s", r.RequestURI)
					}
					write(t, w, []byte(emptyFeed))
				default:
					t.Errorf("it was asked for %s", r.RequestURI)
				}
			})}
			p := newProvider(t, test.start, plenty)
			p.isPublic = isOutside
			p.transport.Proxy = func(r *http.Request) (*url.URL, error) {
				if test.direct && r.URL.String() == test.location {
					return nil, nil
				}
				return proxy, nil
			}
			snapshot, err := p.fetch(t.Context(), feed.Validators{}, nil)
			switch {
			case test.refused:
				wantFailure(t, snapshot, err, feed.KindHTTPStatus, http.StatusFound)
			case err != nil:
				t.Error(err)
			}
		})
	}
}

// The user and password of a URL are for its host, whoever says where to go on.
func TestRedirectCredentials(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	saw := func(t *testing.T, r *http.Request, want string) {
		t.Helper()
		asked.Add(1)
		user, password, _ := r.BasicAuth()
		if got := user + ":" + password; got != want {
			t.Errorf("%s%s got %q, want %q", r.Host, r.URL, got, want)
		}
	}
	var first string
	second := serveAt(t, "127.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/own" {
			saw(t, r, "its:own")
			http.Redirect(w, r, "/back", http.StatusFound)
			return
		}
		saw(t, r, map[string]string{"/": ":", "/back": "its:own"}[r.URL.Path])
		http.Redirect(w, r, "http://"+first+"/back", http.StatusFound)
	})
	first = serveAt(t, "127.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/feed":
			saw(t, r, "user:secret")
			http.Redirect(w, r, "http://"+strings.ToUpper(r.Host)+"/whole", http.StatusMovedPermanently)
		case "/whole":
			saw(t, r, "user:secret")
			http.Redirect(w, r, "//"+r.Host+"/other", http.StatusTemporaryRedirect)
		case "/other":
			saw(t, r, "user:secret")
			http.Redirect(w, r, "http://its:own@"+second+"/own", http.StatusFound)
		case "/back": // on the word of another host
			saw(t, r, ":")
			write(t, w, []byte(emptyFeed))
		}
	})
	if _, err := newProvider(t, "http://user:secret@"+first+"/feed", plenty).fetch(t.Context(), feed.Validators{}, nil); err != nil {
		t.Error(err)
	}
	if asked.Load() != 6 {
		t.Errorf("%d requests", asked.Load())
	}
}

// A proxy that does not connect is told from the provider, which was not asked.
func TestProxyRefuses(t *testing.T) {
	t.Parallel()
	for status, text := range map[int]string{
		403: "answered 403 Forbidden", 407: "answered 407 Proxy Authentication Required", 502: "answered 502 Bad Gateway",
	} {
		proxy := serveAt(t, "127.0.0.1", func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodConnect || r.Header.Get("Proxy-Authorization") == "" {
				t.Errorf("the proxy is asked with %s, %v", r.Method, r.Header)
			}
			w.Header().Set("Retry-After", "7")
			http.Error(w, "secret", status)
		})
		p := newProvider(t, "https://user:secret@provider.example/secret", plenty)
		p.transport.Proxy = http.ProxyURL(&url.URL{Scheme: "http", User: url.UserPassword("me", "secret"), Host: proxy})
		snapshot, err := p.fetch(t.Context(), feed.Validators{}, nil)
		wantFailure(t, snapshot, err, feed.KindHTTPStatus, status)
		if want := "the proxy " + proxy + " does not connect to it: it " + text; !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
		if failure, _ := errors.AsType[*feed.Error](err); failure.RetryAfter.Seconds() != 7 {
			t.Errorf("to be asked again after %s", failure.RetryAfter)
		}
	}
}

// What is not encoded in a query, of a URL or a Location, would end the first line of the
// request, or be read as something else.
func TestQueryIsSent(t *testing.T) {
	t.Parallel()
	const written, want = "q=a b\u00f1%20+&c=\"", "q=a%20b%C3%B1%20+&c=\""
	p := serve(t, plenty, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != want {
			t.Errorf("%s was asked for %s", r.URL.Path, r.URL.RawQuery)
		}
		if r.URL.Path == "/feed" {
			w.Header().Set("Location", "/there?"+written)
			w.WriteHeader(http.StatusFound)
			return
		}
		write(t, w, []byte(emptyFeed))
	})
	c := p.Config
	c.URL = strings.Replace(c.URL, "token=secret", written, 1)
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	fetched(t, p, feed.Validators{})
}
