package publish

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"fever/event"
	"fever/ops/control"
	"fever/provider/feed"
	"fever/provider/feed/ical"
	"fever/provider/feed/rpde"
	"fever/provider/feed/schemaorg"
	"fever/store"
	"fever/store/bolt"
	"fever/store/storetest"
)

// A site publishes what a store holds.
type site struct {
	store *bolt.Store
	url   string
}

func newSite(t *testing.T) *site {
	t.Helper()
	st, err := bolt.Open(filepath.Join(t.TempDir(), "fever.db"), 3)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	New(&control.Server{Store: st, Log: slog.New(slog.DiscardHandler)}).Routes(mux)
	s := httptest.NewServer(mux)
	t.Cleanup(func() {
		s.Close()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return &site{st, s.URL}
}

// An answer is what came of a request.
type answer struct {
	status int
	header http.Header
	body   string
}

func (s *site) ask(t *testing.T, method, address string, fields ...string) answer {
	t.Helper()
	if strings.HasPrefix(address, "/") {
		address = s.url + address
	}
	r, err := http.NewRequestWithContext(t.Context(), method, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		r.Header.Add(name, value)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(body)}
}

// sold applies a snapshot of a provider in Madrid.
func (s *site) sold(t *testing.T, provider string, events ...event.Event) {
	t.Helper()
	snap := storetest.Snapshot(provider, 1_700_000_000_000, events...)
	snap.TimeZone = madrid.String()
	storetest.Apply(t, s.store, snap)
}

// numbered returns events of a provider, with so many zones.
func numbered(provider string, n, zones int) (events []event.Event) {
	for i := range n {
		e := pantomima().Event
		e.Provider, e.EventID = provider, fmt.Sprint("é ~!$", i)
		e.Zones = nil
		for z := range zones {
			e.Zones = append(e.Zones, event.Zone{ID: fmt.Sprint(z), Name: "Platea", Capacity: 1, Price: price("10")})
		}
		events = append(events, e)
	}
	return events
}

// TestDocuments asks for the documents of windows over HTTP, and reads them as fever does.
func TestDocuments(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	first, second := pantomima().Event, night("", "2026-12-01", "2026-12-01").Event
	second.EventID = "2"
	other := pantomima().Event
	other.Provider = "other"
	s.sold(t, "feverup", first, second)
	s.sold(t, "other", other)
	for _, doc := range []struct {
		path, contentType string
		format            feed.Format
	}{
		{"/calendar.ics", "text/calendar; charset=utf-8", ical.New()},
		{"/events.jsonld", "application/ld+json", schemaorg.New()},
	} {
		for query, want := range map[string][]string{
			"":                                {"feverup/322/1642", "feverup/322/1642", "feverup/322/2"},
			"?provider=feverup":               {"feverup/322/1642", "feverup/322/2"},
			"?provider=feverup&limit=1":       {"feverup/322/1642"},
			"?starts_at=2026-11-30T23:00:00Z": {"feverup/322/2"},
			"?ends_at=2026-11-30T23:00:00Z&provider=feverup": {"feverup/322/1642"},
		} {
			got := s.ask(t, http.MethodGet, doc.path+query)
			if got.status != http.StatusOK || got.header.Get("Content-Type") != doc.contentType || got.header.Get("Cache-Control") != "no-cache" {
				t.Fatalf("%s%s: %d %v %s", doc.path, query, got.status, got.header, got.body)
			}
			// Two providers can have the same ids, and fever reads them as those of one.
			var keys []string
			f, err := feed.Decode(&feed.Document{Body: io.NopCloser(strings.NewReader(got.body)), Op: "read", Trace: func(r *feed.Row) {
				for _, e := range r.Events {
					keys = append(keys, e.String())
				}
			}}, doc.format, "feverup", madrid)
			if err != nil || f.Rejected != len(want)-len(f.Events) || !slices.Equal(keys, want) {
				t.Errorf("%s%s: %q, %v, %+v", doc.path, query, keys, err, f)
			}
		}
		got := s.ask(t, http.MethodGet, doc.path)
		tag := got.header.Get("ETag")
		same := s.ask(t, http.MethodGet, doc.path, `If-None-Match: "other", W/`+tag)
		if same.status != http.StatusNotModified || same.body != "" || same.header.Get("ETag") != tag || tag == "" {
			t.Errorf("%s: %d with %s, %q", doc.path, same.status, tag, same.body)
		}
		head := s.ask(t, http.MethodHead, doc.path)
		if head.status != http.StatusOK || head.body != "" || head.header.Get("Content-Type") != doc.contentType || head.header.Get("ETag") != tag {
			t.Errorf("%s: HEAD %d %v", doc.path, head.status, head.header)
		}
		if nothing := s.ask(t, http.MethodGet, doc.path+"?provider=nobody"); nothing.status != http.StatusOK {
			t.Errorf("%s: %d", doc.path, nothing.status)
		}
		for _, query := range []string{"?provider=A", "?starts_at=now", "?starts_at=2027-01-02T00:00:00Z&ends_at=2027-01-01T00:00:00Z", "?limit=-1", "?provider=a&provider=b", "?%zz"} {
			bad := s.ask(t, http.MethodGet, doc.path+query)
			if bad.status != http.StatusBadRequest || !strings.Contains(bad.body, `"code":"invalid_parameter"`) || bad.header.Get("ETag") != "" {
				t.Errorf("%s%s: %d %s", doc.path, query, bad.status, bad.body)
			}
		}
		first.Title += "!"
		s.sold(t, "feverup", first, second)
		if now := s.ask(t, http.MethodGet, doc.path, "If-None-Match: "+tag); now.status != http.StatusOK || now.header.Get("ETag") == tag {
			t.Errorf("%s: %d after a change", doc.path, now.status)
		}
	}
}

// A page is one of the feed of changes.
type page struct {
	Next  string
	Items []struct {
		State, Kind, ID string
		Modified        int64
		Data            *json.RawMessage
	}
}

// A harvest follows the feed of changes as its readers do.
type harvest struct {
	next   string
	events map[string]event.Record // by item id
	pages  []int                   // the items of each page read
}

// follow reads pages until the last one, and holds them to the rules of the specification.
func (h *harvest) follow(t *testing.T, s *site) {
	t.Helper()
	h.pages = nil
	if h.events == nil {
		h.events = make(map[string]event.Record)
	}
	var last struct {
		modified int64
		id       string
	}
	for {
		got := s.ask(t, http.MethodGet, h.next)
		if got.status != http.StatusOK || got.header.Get("Content-Type") != "application/json" {
			t.Fatalf("%s: %d %v %s", h.next, got.status, got.header, got.body)
		}
		var p page
		if err := json.Unmarshal([]byte(got.body), &p); err != nil {
			t.Fatalf("%v: %s", err, got.body)
		}
		for _, item := range p.Items {
			if item.Modified < last.modified || item.Modified == last.modified && item.ID <= last.id {
				t.Fatalf("%s at %d follows %s at %d", item.ID, item.Modified, last.id, last.modified)
			}
			last.modified, last.id = item.Modified, item.ID
			if item.Kind != "Event" || item.State == "deleted" != (item.Data == nil) {
				t.Fatalf("%+v", item)
			}
		}
		base, err := url.Parse(h.next)
		if err != nil {
			t.Fatal(err)
		}
		f, err := feed.Decode(&feed.Document{Body: io.NopCloser(strings.NewReader(got.body)), Op: "read", URL: base, Page: feed.Page{URL: base}}, rpde.New(nil), "feverup", madrid)
		if err != nil || f.Rejected > 0 || len(f.Items) != len(p.Items) {
			t.Fatalf("%+v, %v: %s", f, err, got.body)
		}
		read := make(map[event.Key]event.Event)
		for _, e := range f.Events {
			read[e.Key] = e
		}
		for _, item := range f.Items {
			if item.Deleted {
				delete(h.events, item.ID)
				continue
			}
			h.events[item.ID] = readBack(event.Record{Event: read[item.Keys[0]], Current: true})
		}
		if f.Next == nil || f.Next.URL.String() != p.Next {
			t.Fatalf("the next page of %s is %+v, not %s", h.next, f.Next, p.Next)
		}
		if len(p.Items) == 0 {
			if p.Next != h.next {
				t.Fatalf("the last page, %s, has next %s", h.next, p.Next)
			}
			return
		}
		if p.Next == h.next {
			t.Fatalf("%s has items, and names itself", h.next)
		}
		h.next = p.Next
		h.pages = append(h.pages, len(p.Items))
	}
}

// current are the events on sale by the ids of their items.
func (s *site) current(t *testing.T, provider string) map[string]event.Record {
	t.Helper()
	all := make(map[string]event.Record)
	for _, r := range storetest.Records(t, s.store, store.Filter{Provider: provider, Window: event.Always}) {
		if r.Current {
			id := feed.ID([]byte("Event/" + itemID(r.Bytes())))
			r = readBack(r)
			r.Provider = "feverup" // who reads it
			all[id] = r
		}
	}
	return all
}

// TestChanges follows the feed of changes while events come, change, go, and are forgotten.
func TestChanges(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	h := &harvest{next: s.url + "/rpde"}
	h.follow(t, s)
	if len(h.pages) != 0 {
		t.Errorf("pages of nothing: %v", h.pages)
	}
	check := func(h *harvest, provider string, pages ...int) {
		t.Helper()
		h.follow(t, s)
		if want := s.current(t, provider); !reflect.DeepEqual(h.events, want) {
			t.Fatalf("%d events, not %d:\n%+v\n%+v", len(h.events), len(want), h.events, want)
		}
		if !slices.Equal(h.pages, pages) {
			t.Errorf("pages of %v items, not %v", h.pages, pages)
		}
	}
	events := numbered("feverup", 1100, 1)
	s.sold(t, "feverup", events...)
	check(h, "", 500, 500, 100)
	check(h, "")
	s.sold(t, "other", numbered("other", 9, 3000)...)
	check(h, "", 7, 2) // of large events fewer fit into a page
	events[3].Title = "changed"
	s.sold(t, "feverup", append(events[:7:7], events[9:]...)...)
	check(h, "", 3)
	s.sold(t, "feverup", events...)
	check(h, "", 2)
	one := &harvest{next: s.url + "/rpde?provider=feverup"}
	check(one, "feverup", 500, 500, 100)

	// Who has the page after the last one has it, until something changes.
	tag := s.ask(t, http.MethodGet, h.next).header.Get("ETag")
	if same := s.ask(t, http.MethodGet, h.next, "If-None-Match: "+tag); same.status != http.StatusNotModified {
		t.Errorf("%d", same.status)
	}
	if head := s.ask(t, http.MethodHead, h.next); head.status != http.StatusOK || head.body != "" || head.header.Get("ETag") != tag {
		t.Errorf("%d %v %s", head.status, head.header, head.body)
	}
	storetest.Apply(t, s.store, storetest.Snapshot("third", 1))
	if same := s.ask(t, http.MethodGet, h.next, "If-None-Match: "+tag); same.status != http.StatusNotModified {
		t.Errorf("%d", same.status)
	}

	// What was forgotten is told to nobody: all start over.
	if _, err := s.store.Forget(t.Context(), store.Forgetting{Provider: "other"}); err != nil {
		t.Fatal(err)
	}
	gone := s.ask(t, http.MethodGet, h.next)
	if gone.status != http.StatusGone || !strings.Contains(gone.body, `"code":"gone"`) || !strings.Contains(gone.body, s.url+"/rpde") || gone.header.Get("ETag") != "" {
		t.Errorf("%d %s", gone.status, gone.body)
	}
	h = &harvest{next: s.url + "/rpde"}
	check(h, "", 500, 500, 100)
	s.sold(t, "feverup", events[:1000]...)
	check(h, "", 100)
}

// TestChangesAsked asks for pages that no page leads to.
func TestChangesAsked(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.sold(t, "feverup", numbered("feverup", 3, 1)...)
	for query, status := range map[string]int{
		"?afterTimestamp=1":                      http.StatusOK,
		"?afterTimestamp=1&afterId=feverup!322!": http.StatusBadRequest,
		"?afterTimestamp=x":                      http.StatusBadRequest,
		"?afterTimestamp=-1":                     http.StatusBadRequest,
		"?afterTimestamp=2&afterId=a!1!1":        http.StatusGone, // of a store that went further
		"?afterId=$$":                            http.StatusBadRequest,
		"?provider=!":                            http.StatusBadRequest,
		"?provider=nobody":                       http.StatusOK,
	} {
		if got := s.ask(t, http.MethodGet, "/rpde"+query); got.status != status {
			t.Errorf("%s: %d %s", query, got.status, got.body)
		}
	}
	// OpenActive's validator looks at the page after a time in the future.
	for _, query := range []string{"?afterTimestamp=1900000000&afterId=a!1!1", "?afterTimestamp=9007199254740991&afterId=a!1!1"} {
		h := &harvest{next: s.url + "/rpde" + strings.ReplaceAll(query, "!", "%21")}
		h.follow(t, s)
		if len(h.pages) != 0 {
			t.Errorf("%s: pages of %v", query, h.pages)
		}
	}
	behind := s.ask(t, http.MethodGet, "/rpde", "X-Forwarded-Proto: https")
	if want := `"next":"https://` + strings.TrimPrefix(s.url, "http://") + `/rpde?`; !strings.Contains(behind.body, want) {
		t.Errorf("%s has no %s", behind.body, want)
	}
	if !bytes.Contains([]byte(behind.body), []byte(`"@context":"https://schema.org"`)) {
		t.Errorf("no context: %s", behind.body)
	}
}
