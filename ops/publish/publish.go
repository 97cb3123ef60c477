// Package publish gives other systems what is stored, in forms that they know: as a feed of
// changes (RPDE), as a calendar (iCalendar), and as events of schema.org (JSON-LD). The formats
// of fever read each of them back to the same events.
package publish

import (
	"bufio"
	"cmp"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"fever/event"
	"fever/httpapi/server"
	"fever/ops/control"
	"fever/store"
)

// A Publisher has the handlers.
type Publisher struct {
	*control.Server

	// run is another one in each process. A revision alone does not name what is stored: the
	// file may be replaced by a backup, and the settings have the time zones.
	run string
}

// New returns the publisher of what the server's store holds.
func New(s *control.Server) *Publisher { return &Publisher{Server: s, run: rand.Text()} }

// longest bounds an answer, which somebody may read slowly.
const longest = time.Hour

// Routes adds the routes.
func (p *Publisher) Routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /rpde", p.rpde)
	mux.Handle("GET /calendar.ics", p.Long(longest, p.document("text/calendar; charset=utf-8", newCalendar)))
	mux.Handle("GET /events.jsonld", p.Long(longest, p.document("application/ld+json", newGraph)))
}

// A form writes the events of a document, one after the other. Each method appends to b.
type form interface {
	begin(b []byte) []byte
	// event appends an event whose provider is at loc.
	event(b []byte, r *event.Record, loc *time.Location) ([]byte, error)
	end(b []byte) []byte
}

// document returns the handler of a document with the events of a window, in the order of a
// search. It reads them one by one, and after an error breaks the connection.
func (p *Publisher) document(contentType string, newForm func(event.Window) form) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q, err := control.ParseQuery(r)
		var filter store.Filter
		if err == nil {
			filter, err = q.Filter(), q.Err
		}
		var locations map[string]*time.Location
		var at store.Revision
		if err == nil {
			locations, at, err = p.Store.Locations(r.Context())
		}
		if err != nil {
			server.WriteError(w, r, p.Log, err)
			return
		}
		w.Header().Set("Content-Type", contentType)
		// An event that changes while it waits to be sent is newer than the tag says. The next
		// tag is another one then.
		if unchanged(w, r, fmt.Sprintf(`"%s-%d"`, p.run, at)) || r.Method == http.MethodHead {
			return
		}
		form := newForm(filter.Window)
		buffered := bufio.NewWriterSize(w, 64<<10)
		text := form.begin(nil)
		for record, err := range p.Store.Records(r.Context(), filter) {
			if err == nil && locations[record.Provider] == nil { // its first snapshot came meanwhile
				locations, _, err = p.Store.Locations(r.Context())
			}
			if err == nil {
				text, err = form.event(text, &record, locations[record.Provider])
			}
			if err == nil {
				_, err = buffered.Write(text)
			}
			if err != nil {
				p.BreakOff(r, err)
			}
			text = text[:0]
		}
		_, err = buffered.Write(form.end(text))
		if err = cmp.Or(err, buffered.Flush()); err != nil {
			p.BreakOff(r, err)
		}
	})
}

// unchanged sets the entity tag of an answer. If the client has that answer, it sends 304.
func unchanged(w http.ResponseWriter, r *http.Request, tag string) bool {
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "no-cache") // it may be kept, and must be asked for again
	has := slices.ContainsFunc(strings.Split(strings.Join(r.Header["If-None-Match"], ","), ","), func(had string) bool {
		return strings.TrimPrefix(strings.TrimSpace(had), "W/") == tag
	})
	if has {
		w.WriteHeader(http.StatusNotModified)
	}
	return has
}
