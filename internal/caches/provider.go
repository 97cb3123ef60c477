//go:build unix

package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Two windows of a search: in one, all events change with each version of the feed; in the
// other, none does.
const (
	changing = "/search?starts_at=2030-07-01T00:00:00Z&ends_at=2030-07-31T23:59:59Z"
	steady   = "/search?starts_at=2030-08-01T00:00:00Z&ends_at=2030-08-31T23:59:59Z"

	eventsEach = 200
	lifetime   = 3 * time.Second // of a version
)

// A provider has a new version of its feed after each lifetime.
type provider struct{ began time.Time }

func newProvider() *provider { return &provider{time.Now()} }

func (p *provider) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	version := int(time.Since(p.began) / lifetime)
	var b strings.Builder
	b.WriteString("<planList><output>")
	for n := range 2 * eventsEach {
		title, month := fmt.Sprintf("Concert %d, version %d", n, version), 7
		if n >= eventsEach {
			title, month = fmt.Sprintf("Concert %d", n), 8
		}
		day, hour := 1+n%28, n%20
		_, _ = fmt.Fprintf(&b, `<base_plan base_plan_id="%d" sell_mode="online" title="%s"><plan plan_id="%d" plan_start_date="2030-%02d-%02dT%02d:00:00" plan_end_date="2030-%02d-%02dT%02d:30:00" sold_out="false"><zone zone_id="1" capacity="2" price="20.00" name="Platea" numbered="true"/></plan></base_plan>`,
			n, title, n, month, day, hour, month, day, hour)
	}
	b.WriteString("</output></planList>")
	w.Header().Set("Content-Type", "application/xml")
	_, _ = w.Write([]byte(b.String())) // a client that is gone asks again
}
