package httpapi

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"fever/event"
)

// discard is the writer of a quick client, which costs nothing.
type discard struct {
	header http.Header
	status int
	bytes  int
}

func (d *discard) Header() http.Header { return d.header }

func (d *discard) WriteHeader(status int) { d.status = status }

func (d *discard) Write(b []byte) (int, error) {
	d.bytes += len(b)
	return len(b), nil
}

func (d *discard) SetWriteDeadline(time.Time) error { return nil }

func (d *discard) reset() {
	clear(d.header)
	d.status, d.bytes = http.StatusOK, 0
}

// BenchmarkSearch measures the handler alone, with windows all over what is stored,
// so that few answers are in a processor's cache.
func BenchmarkSearch(b *testing.B) {
	const windows = 512
	list := many(b, 1_000_000)
	for _, stored := range []int{5_000, 1_000_000} {
		b.Run(fmt.Sprintf("stored=%d", stored), func(b *testing.B) {
			h := NewSearch(Search{Index: loaded(b, slices.Clone(list[:stored])...), MaxAge: time.Minute, MaxInFlight: 1000, Log: quiet})
			for _, events := range []int{5, 32, 137, 5_000} {
				urls := make([]*url.URL, windows)
				for i := range urls {
					urls[i] = window(list, i*(stored-events)/windows, events)
				}
				for _, kind := range []string{"identity", "gzip", "304"} {
					b.Run(fmt.Sprintf("events=%d/%s", events, kind), func(b *testing.B) {
						benchmark(b, h, urls, events, kind)
					})
				}
			}
		})
	}
}

// window returns the URL that asks for exactly so many of the events, from one on.
func window(list []*event.Entry, from, events int) *url.URL {
	at := func(second int64) string { return time.Unix(second, 0).UTC().Format(time.RFC3339) }
	return &url.URL{
		Path:     "/search",
		RawQuery: "starts_at=" + at(list[from].Start) + "&ends_at=" + at(list[from+events-1].End),
	}
}

func benchmark(b *testing.B, h http.Handler, urls []*url.URL, events int, kind string) {
	b.Helper()
	w := &discard{header: http.Header{}}
	r := &http.Request{Method: http.MethodGet, Header: http.Header{}}
	status := http.StatusOK
	if kind == "gzip" {
		r.Header.Set("Accept-Encoding", "gzip")
	}
	tags := make([][]string, len(urls))
	if kind == "304" {
		status = http.StatusNotModified
		for i := range urls {
			w.reset()
			r.URL = urls[i]
			h.ServeHTTP(w, r)
			tags[i] = slices.Clone(w.header["Etag"])
		}
	}
	i := 0
	one := func() {
		w.reset()
		r.URL = urls[i]
		if kind == "304" {
			r.Header["If-None-Match"] = tags[i]
		}
		h.ServeHTTP(w, r)
		i = (i + 1) % len(urls)
	}
	one()
	if w.status != status || kind == "identity" && (w.bytes < events*200 || w.bytes > events*240) {
		b.Fatalf("%d with %d bytes for %d events", w.status, w.bytes, events)
	}
	if kind == "identity" {
		b.SetBytes(int64(w.bytes))
	}
	b.ReportAllocs()
	for b.Loop() {
		one()
	}
}
