package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"fever/internal/harness"
)

// A version of a feed has nine of ten events, each with the version in all of its values. The
// length of a body tells its version, and so does the record of the job that read it.
const (
	providers = 3
	events    = 100 // of a provider
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
type occurrence struct{ title, start, end string }

func occurrenceOf(p, event, version int) occurrence {
	day := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, event%90).Format(time.DateOnly)
	hour := 10 + version%2 // what changes moves, too
	return occurrence{
		title: fmt.Sprintf("Concert %d of %s, version %d", event, providerName(p), version),
		start: fmt.Sprintf("%sT%02d:00:00", day, hour),
		end:   fmt.Sprintf("%sT%02d:30:00", day, hour+version%3),
	}
}

// size is the length of the document of version 0.
const size = 40_000

func document(p, version int) []byte {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?><planList version="1.0"><output>`)
	for i := range events {
		if !shows(i, version) {
			continue
		}
		o := occurrenceOf(p, i, version)
		fmt.Fprintf(&b, `<base_plan base_plan_id="%d" sell_mode="online" title="%s"><plan plan_id="%[1]d" plan_start_date="%[3]s" plan_end_date="%s" `+
			`sell_from="2020-07-01T00:00:00" sell_to="2029-12-31T00:00:00" sold_out="false"><zone zone_id="1" capacity="9" price="%d.50" name="Platea" numbered="true"/></plan></base_plan>`,
			i, o.title, o.start, o.end, version)
	}
	const end = `--></output></planList>`
	b.WriteString(`<!--`)
	b.WriteString(strings.Repeat("x", size+version-b.Len()-len(end)))
	b.WriteString(end)
	return b.Bytes()
}

// versionOf is the inverse of the length of a document.
func versionOf(bytes int64) int { return int(bytes) - size }

// feeds serve the next version of a provider's feed to each request. Each replica asks through
// an HTTP proxy of its own, which tells it from the others. A field of the request would make
// its feeds others, whose validators do not count for the rest.
type feeds struct {
	mu     sync.Mutex
	next   [providers]int
	frozen bool                     // the version does not change any more
	holds  map[string]chan struct{} // requests of a replica wait until it is closed
	asked  chan request             // gets each request, if there is room
}

// A request is one of a replica.
type request struct {
	replica string
	p       int // provider
	at      time.Time
}

// feedsHost is where the replicas' settings say that the feeds are.
const feedsHost = "feeds.example"

func newFeeds() *feeds {
	return &feeds{holds: map[string]chan struct{}{}, asked: make(chan request, 1<<16)}
}

// through starts the proxy of a replica, and returns its environment for that.
func (f *feeds) through(ctx context.Context, replica string) (env []string, stop func(), err error) {
	address, stop, err := harness.Listen(ctx, "", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.serve(w, r, replica) }))
	return []string{"HTTP_PROXY=http://" + address, "NO_PROXY=", "no_proxy="}, stop, err
}

// serve answers a replica's GET /p0 and so on.
func (f *feeds) serve(w http.ResponseWriter, r *http.Request, replica string) {
	p := providerNumber(strings.TrimPrefix(r.URL.Path, "/"))
	if p < 0 {
		http.NotFound(w, r)
		return
	}
	f.mu.Lock()
	if !f.frozen {
		f.next[p]++
	}
	version, hold := f.next[p], f.holds[replica]
	f.mu.Unlock()
	select {
	case f.asked <- request{replica, p, time.Now()}:
	default: // nobody looks
	}
	if hold != nil {
		select {
		case <-hold:
		case <-r.Context().Done():
			return
		}
	}
	body := document(p, version)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // the client may have been killed
}

// hold makes requests of a replica wait, each with the version that it had when it came, and
// returns a function that ends this.
func (f *feeds) hold(replica string) (release func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	hold := make(chan struct{})
	f.holds[replica] = hold
	return sync.OnceFunc(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.holds, replica)
		close(hold)
	})
}

// forget drops the requests that nobody has looked at.
func (f *feeds) forget() {
	for {
		select {
		case <-f.asked:
		default:
			return
		}
	}
}

// await returns the next request that fits.
func (f *feeds) await(ctx context.Context, fits func(request) bool) (request, error) {
	for {
		select {
		case r := <-f.asked:
			if fits(r) {
				return r, nil
			}
		case <-ctx.Done():
			return request{}, fmt.Errorf("wait for a request of a replica: %w", context.Cause(ctx))
		}
	}
}

// versions returns the newest version of each feed.
func (f *feeds) versions() [providers]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.next
}

// freeze makes one more version of each feed the last one, or ends this.
func (f *feeds) freeze(frozen bool) [providers]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if frozen && !f.frozen {
		for p := range f.next {
			f.next[p]++
		}
	}
	f.frozen = frozen
	return f.next
}
