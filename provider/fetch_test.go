package provider

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"fever/event"
	"fever/provider/feed"
	"fever/provider/feed/feverup"
)

const (
	plenty    = time.Minute // a time limit that no test reaches
	maxBytes  = 1 << 20
	emptyFeed = "<planList/>"
)

// fixture returns a feed of the repository.
func fixture(tb testing.TB, name string) []byte {
	tb.Helper()
	doc, err := os.ReadFile(filepath.Join("../testdata/feeds", name))
	if err != nil {
		tb.Fatal(err)
	}
	return doc
}

// serve starts a server on loopback and returns a provider of its root. Its noise,
// about clients that give up, is not logged.
func serve(t *testing.T, timeout time.Duration, h http.HandlerFunc) *Provider {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Start()
	t.Cleanup(srv.Close)
	return newProvider(t, "http://user:secret@"+srv.Listener.Addr().String()+"/feed?token=secret", timeout)
}

func newProvider(t *testing.T, url string, timeout time.Duration) *Provider {
	t.Helper()
	p, err := New(Config{Format: feverup.New(0), Name: "test", URL: url, Timeout: timeout, MaxBytes: maxBytes})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// fetch gets and decodes a feed, as a job does.
func (p *Provider) fetch(ctx context.Context, last feed.Validators, progress *feed.Progress) (*feed.Feed, error) {
	doc, err := p.Get(ctx, last, progress)
	if err != nil {
		return nil, err
	}
	defer func() { _ = doc.Body.Close() }() // read to its end, or given up
	return p.Decode(doc)
}

// read is fetch for a document that is given by hand.
func (p *Provider) read(ctx context.Context, r io.Reader, progress *feed.Progress) (*feed.Feed, error) {
	doc, err := p.Read(ctx, io.NopCloser(r), progress)
	if err != nil {
		return nil, err
	}
	return p.Decode(doc)
}

// inFeed wraps occurrences, or what stands for them.
func inFeed(rows string) string {
	return `<eventList><output><base_event base_event_id="b" sell_mode="online" title="t">` + rows + `</base_event></output></eventList>`
}

// failing returns a reader of b that then fails with err.
func failing(b []byte, err error) io.Reader {
	return io.MultiReader(bytes.NewReader(b), iotest.ErrReader(err))
}

// repeated reads as s again and again.
type repeated struct {
	s  string
	at int
}

func (r *repeated) Read(b []byte) (int, error) {
	n := copy(b, r.s[r.at:])
	r.at = (r.at + n) % len(r.s)
	return n, nil
}

func write(t *testing.T, w io.Writer, b []byte) {
	t.Helper()
	if _, err := w.Write(b); err != nil {
		t.Error(err)
	}
}

func gzipped(tb testing.TB, doc []byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(doc)
	if err := errors.Join(err, z.Close()); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// bytesOf returns how many bytes were read before a failure.
func bytesOf(err error) int64 {
	failure, _ := errors.AsType[*feed.Error](err)
	return failure.Bytes
}

// wantFailure checks an error of Fetch or Read and what the feed holds beside it.
func wantFailure(t *testing.T, snapshot *feed.Feed, err error, kind feed.Kind, status int) {
	t.Helper()
	failure, ok := errors.AsType[*feed.Error](err)
	if !ok || failure.Kind != kind || failure.Provider != "test" || failure.Err == nil {
		t.Fatalf("error %#v, want kind %s", err, kind)
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the message says what is secret: %v", err)
	}
	if failure.HTTPStatus != status {
		t.Errorf("the error has status %d, want %d", failure.HTTPStatus, status)
	}
	if snapshot != nil {
		t.Errorf("feed %+v, want none", snapshot)
	}
	t.Log(err)
}

// TestGetDocument shows what a document says of itself before it is decoded.
func TestGetDocument(t *testing.T) {
	t.Parallel()
	p := serve(t, plenty, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/feed" {
			http.Redirect(w, r, "/there?page=1", http.StatusFound)
			return
		}
		w.Header().Set("Content-Type", "Application/XML; charset=ISO-8859-15")
		w.WriteHeader(http.StatusNonAuthoritativeInfo)
		write(t, w, gzipped(t, []byte(emptyFeed)))
	})
	doc, err := p.Get(t.Context(), feed.Validators{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(doc.Body)
	if err := errors.Join(err, doc.Body.Close(), doc.Body.Close()); err != nil || string(body) != emptyFeed {
		t.Errorf("body %q, %v", body, err)
	}
	if doc.URL.Path != "/there" || doc.ContentType != "application/xml" || doc.Charset != "ISO-8859-15" || doc.HTTPStatus != 203 || doc.NotModified {
		t.Errorf("%+v", doc)
	}

	// The same bytes again: there is nothing to read.
	doc, err = p.Get(t.Context(), doc.Validators, nil)
	if err != nil || !doc.NotModified || doc.Bytes != int64(len(gzipped(t, []byte(emptyFeed)))) {
		t.Fatalf("%+v, %v", doc, err)
	}
	body, err = io.ReadAll(doc.Body)
	if err := errors.Join(err, doc.Body.Close()); err != nil || len(body) > 0 {
		t.Errorf("body %q, %v", body, err)
	}

	// A document that is given by hand closes what it was read from.
	given := &closable{Reader: strings.NewReader(emptyFeed)}
	doc, err = p.Read(t.Context(), given, nil)
	if err != nil || doc.URL != nil || doc.Validators != (feed.Validators{}) || given.closed {
		t.Fatalf("%+v, %v", doc, err)
	}
	if err := doc.Body.Close(); err != nil || !given.closed {
		t.Errorf("closed: %t, %v", given.closed, err)
	}
	given = &closable{Reader: bytes.NewReader(gzipped(t, gzipped(t, gzipped(t, nil))))}
	if doc, err := p.Read(t.Context(), given, nil); err == nil || doc != nil || !given.closed {
		t.Errorf("%+v, %v, closed: %t", doc, err, given.closed)
	}
}

// closable notes that it was closed.
type closable struct {
	io.Reader
	closed bool
}

func (c *closable) Close() error {
	c.closed = true
	return nil
}

func TestFetch(t *testing.T) {
	t.Parallel()
	doc := fixture(t, "plan-list-1.xml")
	tests := map[string]http.HandlerFunc{
		"plain": func(w http.ResponseWriter, r *http.Request) {
			if got := r.Header.Get("User-Agent"); !strings.HasPrefix(got, "fever/") {
				t.Errorf("user agent %q", got)
			}
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			write(t, w, doc)
		},
		"gzip": func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept-Encoding") != "gzip" {
				t.Errorf("accepts %q", r.Header.Get("Accept-Encoding"))
			}
			w.Header().Set("Content-Encoding", "gzip")
			write(t, w, gzipped(t, doc))
		},
		"gzip in two members": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "X-GZip")
			write(t, w, append(gzipped(t, doc[:100]), gzipped(t, doc[100:])...))
		},
		"identity": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "identity")
			write(t, w, doc)
		},
		"credentials": func(w http.ResponseWriter, r *http.Request) {
			user, password, _ := r.BasicAuth()
			if r.URL.Path == "/feed" {
				http.Redirect(w, r, "there", http.StatusSeeOther)
				return
			}
			if user+":"+password != "user:secret" {
				t.Errorf("credentials %q, %q", user, password)
			}
			write(t, w, doc)
		},
		"credentials behind a whole address": func(w http.ResponseWriter, r *http.Request) {
			user, password, _ := r.BasicAuth()
			if user+":"+password != "user:secret" {
				t.Errorf("%s: credentials %q, %q", r.URL.Path, user, password)
			}
			if r.URL.Path == "/feed" {
				http.Redirect(w, r, "http://"+r.Host+"/there", http.StatusFound)
				return
			}
			write(t, w, doc)
		},
		"redirects": func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Referer") != "" {
				t.Errorf("referer %q", r.Header.Get("Referer"))
			}
			if n, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/feed")); n < maxRedirects {
				http.Redirect(w, r, fmt.Sprintf("/feed%d", n+1), http.StatusFound)
				return
			}
			write(t, w, doc)
		},
	}
	for name, handler := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			snapshot, err := serve(t, plenty, handler).fetch(t.Context(), feed.Validators{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(snapshot.Events) != 4 || snapshot.Seen != 4 || snapshot.HTTPStatus != http.StatusOK || snapshot.Bytes != int64(len(doc)) {
				t.Errorf("%d events of %d, status %d, %d bytes", len(snapshot.Events), snapshot.Seen, snapshot.HTTPStatus, snapshot.Bytes)
			}
			want := event.Key{Provider: "test", BaseID: "291", EventID: "291"}
			if snapshot.Events[0].Key != want || snapshot.Events[0].Zones[2].Price.String() != "30" {
				t.Errorf("%+v", snapshot.Events[0])
			}
		})
	}
}

func TestFetchCharset(t *testing.T) {
	t.Parallel()
	latin1 := func(declaration string) []byte {
		return []byte(declaration + strings.Replace(inFeed(`<event event_id="1" event_date="2026-01-01"/>`), `title="t"`, "title=\"ca\xf1a\"", 1))
	}
	tests := map[string]struct {
		contentType string
		doc         []byte
		kind        feed.Kind
	}{
		"in the header":             {"text/xml; charset=ISO-8859-1", latin1(""), ""},
		"in quotes":                 {`application/xml;charset="latin1"`, latin1(`<?xml version="1.0"?>`), ""},
		"declared otherwise":        {"text/xml; charset=utf-8", latin1(`<?xml version="1.0" encoding="ISO-8859-1"?>`), ""},
		"of a header that is wrong": {"text/xml; charset", latin1(`<?xml version="1.0" encoding="ISO-8859-1"?>`), ""},
		"nowhere":                   {"text/xml", latin1(""), feed.KindMalformed},
		"unknown":                   {"text/xml; charset=klingon", latin1(""), feed.KindDecode},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			snapshot, err := serve(t, plenty, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", test.contentType)
				write(t, w, test.doc)
			}).fetch(t.Context(), feed.Validators{}, nil)
			if test.kind != "" {
				wantFailure(t, snapshot, err, test.kind, http.StatusOK)
				return
			}
			if err != nil || len(snapshot.Events) != 1 || snapshot.Events[0].Title != "caña" {
				t.Errorf("%+v, %v", snapshot, err)
			}
		})
	}
}

func TestFetchFails(t *testing.T) {
	t.Parallel()
	doc := fixture(t, "plan-list-1.xml")
	spaces := bytes.Repeat([]byte(" "), maxBytes)
	tests := map[string]struct {
		kind    feed.Kind
		status  int
		handler http.HandlerFunc
	}{
		"not found":    {feed.KindHTTPStatus, 404, http.NotFound},
		"server error": {feed.KindHTTPStatus, 500, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, emptyFeed, 500) }},
		"no content":   {feed.KindHTTPStatus, 204, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }},
		"HTML": {feed.KindDecode, 200, func(w http.ResponseWriter, _ *http.Request) {
			write(t, w, []byte("<!DOCTYPE html>\n<html><head><title>502 Bad Gateway<br></html>"))
		}},
		"cut document": {feed.KindMalformed, 200, func(w http.ResponseWriter, _ *http.Request) { write(t, w, doc[:len(doc)/2]) }},
		"cut body": {feed.KindConnection, 200, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(doc)))
			write(t, w, doc[:len(doc)/2])
		}},
		"cut behind the root": {feed.KindConnection, 200, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(doc)+1))
			write(t, w, doc)
		}},
		"cut gzip": {feed.KindMalformed, 200, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			write(t, w, gzipped(t, doc)[:200])
		}},
		"cut gzip body": {feed.KindConnection, 200, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Header().Set("Content-Length", "300")
			write(t, w, gzipped(t, doc)[:200])
		}},
		"an empty body": {feed.KindMalformed, 200, func(http.ResponseWriter, *http.Request) {}},
		"an empty gzip": {feed.KindMalformed, 200, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
		}},
		"more behind the gzip": {feed.KindMalformed, 200, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			write(t, w, append(gzipped(t, doc), "more"...))
		}},
		"zeros behind the gzip": {feed.KindMalformed, 200, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			write(t, w, append(gzipped(t, doc), make([]byte, 512)...))
		}},
		"damaged gzip": {feed.KindMalformed, 200, func(w http.ResponseWriter, _ *http.Request) {
			body := gzipped(t, doc)
			body[len(body)-6]++ // of the checksum
			w.Header().Set("Content-Encoding", "gzip")
			write(t, w, body)
		}},
		"another compression": {feed.KindDecode, 200, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			write(t, w, doc)
		}},
		"too large by its length": {feed.KindTooLarge, 200, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(maxBytes+1))
		}},
		"too large": {feed.KindTooLarge, 200, func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush() // no Content-Length
			_, _ = w.Write(append([]byte(emptyFeed), spaces...))
		}},
		"a redirect loop": {feed.KindHTTPStatus, 302, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.String(), http.StatusFound)
		}},
		"a redirect to a file": {feed.KindHTTPStatus, 301, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "file:///etc/passwd?secret")
			w.WriteHeader(301)
		}},
		"a redirect to nowhere": {feed.KindHTTPStatus, 307, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(307) }},
		"a redirect to rubbish": {feed.KindHTTPStatus, 308, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://[secret")
			w.WriteHeader(308)
		}},
		"no answer": {feed.KindConnection, 0, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
		"reset in the body": {feed.KindConnection, 200, func(w http.ResponseWriter, _ *http.Request) {
			write(t, w, doc[:100])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			snapshot, err := serve(t, plenty, test.handler).fetch(t.Context(), feed.Validators{}, nil)
			wantFailure(t, snapshot, err, test.kind, test.status)
		})
	}
}

// TestFetchTimeout fetches from servers that never end. Time is that of the bubble, which
// has no network.
func TestFetchTimeout(t *testing.T) {
	t.Parallel()
	const head, chunked = "HTTP/1.1 200 OK\r\n", "Transfer-Encoding: chunked\r\n\r\n"
	chunk := func(b []byte) string { return fmt.Sprintf("%x\r\n%s\r\n", len(b), b) }
	tests := map[string]struct {
		status   int
		answer   string
		trickles string // a byte a second, again and again
		says     string
	}{
		"before the header":    {0, "", "", "while waiting for an answer"},
		"in the header":        {0, head, "", "while reading the header of the answer"},
		"in a trickled header": {0, head, "X: y\r\n", "while reading the header of the answer"},
		"in the body":          {200, head + chunked + chunk([]byte("<planList>")), "", "while reading the body of the answer (10 bytes of an unknown length have come)"},
		"in a compressed body": {200, head + "Content-Encoding: gzip\r\n" + chunked + chunk(gzipped(t, []byte(emptyFeed))[:15]), "", "(15 bytes of an unknown length have come)"},
		"behind the root":      {200, head + chunked + chunk([]byte(emptyFeed)), "", "(11 bytes of an unknown length have come)"},
		"in a trickle":         {200, head + chunked, "1\r\n \r\n", "while reading the body of the answer ("},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newProvider(t, "http://user:secret@127.0.0.1/feed?token=secret", plenty)
				var server sync.WaitGroup
				defer server.Wait()
				p.transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
					near, far := net.Pipe()
					server.Go(func() {
						if _, err := http.ReadRequest(bufio.NewReader(far)); err != nil {
							t.Error(err)
						}
						_, err := io.WriteString(far, test.answer)
						for i := 0; err == nil && test.trickles != ""; i++ {
							_, err = far.Write([]byte{test.trickles[i%len(test.trickles)]})
							time.Sleep(time.Second)
						}
						_, _ = io.Copy(io.Discard, far) // until the client has gone
						_ = far.Close()
					})
					return near, nil
				}
				begun := time.Now()
				snapshot, err := p.fetch(t.Context(), feed.Validators{}, nil)
				if took := time.Since(begun); took != plenty {
					t.Errorf("it took %v", took)
				}
				wantFailure(t, snapshot, err, feed.KindTimeout, test.status)
				if !strings.Contains(err.Error(), "not done within 1m0s: ") || !strings.Contains(err.Error(), test.says) {
					t.Errorf("%v does not say the limit and %q", err, test.says)
				}
			})
		})
	}
}

func TestFetchCanceled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	p := serve(t, plenty, func(w http.ResponseWriter, r *http.Request) {
		write(t, w, []byte("<planList>"))
		w.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done()
	})
	snapshot, err := p.fetch(ctx, feed.Validators{}, nil)
	// The header may or may not have come before the end.
	failure, ok := errors.AsType[*feed.Error](err)
	if !ok {
		t.Fatal(err)
	}
	wantFailure(t, snapshot, err, feed.KindCanceled, failure.HTTPStatus)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v is not context.Canceled", err)
	}
}

func TestFetchCallersDeadline(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	snapshot, err := newProvider(t, "http://127.0.0.1:1", plenty).fetch(ctx, feed.Validators{}, nil)
	wantFailure(t, snapshot, err, feed.KindTimeout, 0)
}

// What a small answer becomes when it is decompressed counts, and no more than the
// limit of it is read.
func TestFetchGzipBomb(t *testing.T) {
	t.Parallel()
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	if _, err := io.WriteString(z, "<planList>"); err != nil {
		t.Fatal(err)
	}
	spaces := bytes.Repeat([]byte(" "), maxBytes)
	for range 4 {
		if _, err := z.Write(spaces); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	p := serve(t, plenty, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb.Bytes())
	})
	snapshot, err := p.fetch(t.Context(), feed.Validators{}, nil)
	wantFailure(t, snapshot, err, feed.KindTooLarge, http.StatusOK)
	if bytesOf(err) != maxBytes+1 {
		t.Errorf("read %d bytes", bytesOf(err))
	}
}

func TestFetchRefused(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	// The address of a client, where nobody listens, is given to nobody else.
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	address := client.LocalAddr().String()
	snapshot, err := newProvider(t, "http://user:secret@"+address+"/secret?secret", plenty).fetch(t.Context(), feed.Validators{}, nil)
	wantFailure(t, snapshot, err, feed.KindConnection, 0)
	if want := "provider test: fetch from " + address + ": "; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v does not start with %q", err, want)
	}
}

func TestFetchTLS(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	snapshot, err := newProvider(t, srv.URL, plenty).fetch(t.Context(), feed.Validators{}, nil)
	wantFailure(t, snapshot, err, feed.KindTLS, 0)

	plain := serve(t, plenty, http.NotFound)
	snapshot, err = newProvider(t, strings.Replace(plain.URL, "http", "https", 1), plenty).fetch(t.Context(), feed.Validators{}, nil)
	wantFailure(t, snapshot, err, feed.KindTLS, 0)
}

// The name is looked up by a resolver that does not exist, and nothing leaves the
// machine.
func TestFetchDNS(t *testing.T) {
	t.Parallel()
	p := newProvider(t, "http://feeds.invalid/secret", plenty)
	unreachable := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no network")
	}}
	p.transport.DialContext = (&net.Dialer{Resolver: unreachable}).DialContext
	p.transport.Proxy = nil // one in the environment would look the name up
	snapshot, err := p.fetch(t.Context(), feed.Validators{}, nil)
	wantFailure(t, snapshot, err, feed.KindDNS, 0)
}

func TestRead(t *testing.T) {
	t.Parallel()
	p := newProvider(t, "http://127.0.0.1:1", plenty)
	doc := fixture(t, "mixed.xml")
	snapshot, err := p.read(t.Context(), bytes.NewReader(doc), nil)
	if err != nil || len(snapshot.Events) != 7 || snapshot.Seen != 30 || snapshot.HTTPStatus != 0 || snapshot.Bytes != int64(len(doc)) {
		t.Errorf("%+v, %v", snapshot, err)
	}

	p.MaxBytes = int64(len(doc))
	if _, err := p.read(t.Context(), bytes.NewReader(doc), nil); err != nil {
		t.Errorf("a document of just the limit: %v", err)
	}
	p.MaxBytes--
	snapshot, err = p.read(t.Context(), bytes.NewReader(doc), nil)
	wantFailure(t, snapshot, err, feed.KindTooLarge, 0)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	snapshot, err = p.read(ctx, bytes.NewReader(doc), nil)
	failure, ok := errors.AsType[*feed.Error](err)
	if !ok {
		t.Fatal(err)
	}
	wantFailure(t, snapshot, err, feed.KindCanceled, failure.HTTPStatus)

	snapshot, err = p.read(t.Context(), failing(doc[:100], os.ErrClosed), nil)
	wantFailure(t, snapshot, err, feed.KindConnection, 0)
	if !errors.Is(err, os.ErrClosed) || bytesOf(err) != 100 {
		t.Errorf("%v after %d bytes", err, bytesOf(err))
	}
}

// The time limit is one of fetches: whoever hands over a document may take his time.
func TestReadSlowly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider(t, "http://127.0.0.1:1", plenty)
		doc := "<planList>" + strings.Repeat(" ", 100) + "</planList>"
		snapshot, err := p.read(t.Context(), slow{strings.NewReader(doc)}, nil)
		if err != nil || snapshot.Bytes != int64(len(doc)) {
			t.Errorf("%+v, %v", snapshot, err)
		}
	})
}

// slow reads a byte in seven seconds.
type slow struct{ r io.Reader }

func (s slow) Read(b []byte) (int, error) {
	time.Sleep(7 * time.Second)
	return s.r.Read(b[:1])
}

// TestFetchSays has servers answer otherwise than they should, and looks whether the
// message says what happened.
func TestFetchSays(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		scheme string
		answer string // behind which the server closes the connection
		kind   feed.Kind
		status int
		says   string
	}{
		"nothing":            {"http", "", feed.KindConnection, 0, "the connection ended while waiting for an answer: "},
		"a part of a header": {"http", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", feed.KindConnection, 0, "the connection ended while reading the header of the answer: "},
		"a part of a line":   {"http", "HTTP/1.1 200 OK\r\nConte", feed.KindConnection, 0, "the header of the answer is malformed or cut short: "},
		"a part of a body": {
			"http", "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n<planList>", feed.KindConnection, 200,
			"the connection ended while reading the body of the answer (10 bytes of 20 have come): ",
		},
		"a part of chunks": {
			"http", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n<planList>\r\n", feed.KindConnection, 200,
			"the connection ended while reading the body of the answer (10 bytes of an unknown length have come): ",
		},
		"less than it said first": {
			"http", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n<planList/>", feed.KindMalformed, 200, "the document is cut short",
		},
		"TLS":               {"http", "\x15\x03\x01\x00\x02\x02\x46", feed.KindTLS, 0, "this port answers in TLS: the URL may have to begin with https://: "},
		"HTTP without TLS":  {"https", "HTTP/1.1 400 Bad Request\r\n\r\n", feed.KindTLS, 0, "this port answers in plain HTTP, without TLS: the URL may have to begin with http://: "},
		"SSH for TLS":       {"https", "SSH-2.0-OpenSSH_9.9\r\n", feed.KindTLS, 0, "this port does not answer in TLS: "},
		"SSH":               {"http", "SSH-2.0-OpenSSH_9.9\r\n", feed.KindConnection, 0, "this port does not answer in HTTP: "},
		"HTTP/0.9":          {"http", "<planList/>\n", feed.KindConnection, 0, "this port does not answer in HTTP: "},
		"a proxy's refusal": {"http", "HTTP/1.1 407 No\r\n\r\n", feed.KindHTTPStatus, 407, "a proxy wants a user and a password"},
		"too many redirects": {
			"http", "HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", feed.KindHTTPStatus, 302, "answered 302 Found: more than 5 redirects in a row",
		},
		"a redirect to nowhere": {
			"http", "HTTP/1.1 302 Found\r\nLocation: ftp://127.0.0.1\r\n\r\n", feed.KindHTTPStatus, 302, "answered 302 Found: a redirect without an http or https address",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var server sync.WaitGroup
			server.Go(func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					if _, err := conn.Read(make([]byte, 4<<10)); err == nil { // all of a request, or of a hello
						_, _ = io.WriteString(conn, test.answer)
					}
					_ = conn.Close()
				}
			})
			snapshot, err := newProvider(t, test.scheme+"://user:secret@"+l.Addr().String()+"/secret", plenty).fetch(t.Context(), feed.Validators{}, nil)
			_ = l.Close() // which ends the server
			server.Wait()
			wantFailure(t, snapshot, err, test.kind, test.status)
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v does not say %q", err, test.says)
			}
		})
	}
}
