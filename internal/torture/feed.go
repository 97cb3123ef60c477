package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"fever/internal/harness"
)

// A version of a feed has nine of ten events, each with the version in all of its values. It is
// one byte longer than the version before, so the size of a body tells the version.
const (
	providers = 4
	events    = 2000 // of a provider
	zones     = 3    // of an event
)

// shows reports whether an event is in a version of its provider's feed.
func shows(event, version int) bool { return (event+version)%10 != 0 }

func providerName(p int) string { return "p" + strconv.Itoa(p) }

// providerNumber is the inverse of providerName, and -1 for all other names.
func providerNumber(name string) int {
	for p := range providers {
		if providerName(p) == name {
			return p
		}
	}
	return -1
}

// An occurrence is an event in a version of a feed.
type occurrence struct {
	title, start, end string
	price             int
}

func occurrenceOf(p, event, version int) occurrence {
	day := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, event%360).Format(time.DateOnly)
	hour := 10 + version%2 // what changes moves, too
	return occurrence{
		title: fmt.Sprintf("Concert %06d of %s, version %09d", event, providerName(p), version),
		start: fmt.Sprintf("%sT%02d:00:00", day, hour),
		end:   fmt.Sprintf("%sT%02d:30:00", day, hour+version%3),
		price: 1_000_000 + version,
	}
}

func document(p, version int) []byte {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?><planList version="1.0"><output>`)
	for i := range events {
		if !shows(i, version) {
			continue
		}
		o := occurrenceOf(p, i, version)
		fmt.Fprintf(&b, `<base_plan base_plan_id="%06d" sell_mode="online" title="%s"><plan plan_id="%06d" plan_start_date="%s" plan_end_date="%s" `+
			`sell_from="2020-07-01T00:00:00" sell_to="2029-12-31T00:00:00" sold_out="false">`, i, o.title, i, o.start, o.end)
		for z := range zones {
			fmt.Fprintf(&b, `<zone zone_id="%d" capacity="%d" price="%d.50" name="Platea" numbered="true"/>`, z, 1_000_000+version, o.price+z)
		}
		b.WriteString(`</plan></base_plan>`)
	}
	b.WriteString(`<!--` + strings.Repeat("x", version) + `--></output></planList>`)
	return b.Bytes()
}

// versionOf is the inverse of the length of a document.
func versionOf(size int64) int { return int(size) - len(document(0, 0)) }

// feeds serves the next version of a provider's feed to each request.
type feeds struct {
	url    string // followed by the name of a provider
	close  func()
	served chan struct{} // gets an element after a body was sent, if there is room

	mu   sync.Mutex
	gate chan struct{} // requests wait until it is closed
	next [providers]int
	sent [providers]int // the last version whose body was sent to its end
}

func serveFeeds(ctx context.Context) (*feeds, error) {
	f := &feeds{served: make(chan struct{}, 1), gate: make(chan struct{})}
	address, stop, err := harness.Listen(ctx, "", f)
	f.url, f.close = "http://"+address+"/", stop
	return f, err
}

// ServeHTTP answers GET /p0 and so on.
func (f *feeds) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p := providerNumber(strings.TrimPrefix(r.URL.Path, "/"))
	if p < 0 {
		http.NotFound(w, r)
		return
	}
	f.mu.Lock()
	gate := f.gate
	f.mu.Unlock()
	select {
	case <-gate:
	case <-r.Context().Done():
		return
	}
	f.mu.Lock()
	f.next[p]++
	version := f.next[p]
	f.mu.Unlock()
	body := document(p, version)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, err := w.Write(body)
	if err := errors.Join(err, http.NewResponseController(w).Flush()); err != nil {
		return // the client was killed
	}
	f.mu.Lock()
	f.sent[p] = version
	f.mu.Unlock()
	select {
	case f.served <- struct{}{}:
	default:
	}
}

// shut makes requests wait, and returns a function that ends this.
func (f *feeds) shut() (open func()) {
	gate := make(chan struct{})
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gate = gate
	select {
	case <-f.served:
	default:
	}
	return sync.OnceFunc(func() { close(gate) })
}

// lastSent returns the last version of a provider's feed that was sent to its end.
func (f *feeds) lastSent(p int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sent[p]
}
