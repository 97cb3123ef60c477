package ops

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"fever/event"
	"fever/ops/control"
	"fever/store"
)

// stocked is a service with what providers sold that are no longer configured, and one
// that is, a.
func stocked(t *testing.T, sold map[string][]event.Event) *controlled {
	t.Helper()
	d := idle(t, well("a"))
	for name, events := range sold {
		job, err := d.Store.Begin(t.Context(), store.Job{Provider: name, Trigger: store.Manual, Started: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := d.Store.Apply(t.Context(), store.Snapshot{Provider: name, TimeZone: "UTC", Events: events, Taken: time.Now()}, job); err != nil {
			t.Fatal(err)
		}
	}
	d.load(t)
	d.open(t)
	return steer(t, d)
}

// search asks for everything, on the condition that it is another answer than the last.
func (c *controlled) search(t *testing.T, last string) (tag, body string) {
	t.Helper()
	server := httptest.NewServer(c.Search)
	defer server.Close()
	got := (&deployment{url: server.URL}).ask(t, http.MethodGet, "/search", "If-None-Match: "+last)
	if got.status == http.StatusNotModified {
		return last, ""
	}
	return got.header.Get("ETag"), got.body
}

// TestControlForget forgets while it is searched: once that is answered, no answer holds what
// was forgotten, none of before is confirmed, and nothing else speaks of it.
func TestControlForget(t *testing.T) {
	t.Parallel()
	c := stocked(t, map[string][]event.Event{"a": {concert("a", 1)}, "b": {concert("b", 1)}, "x": {concert("x", 2), concert("x", 3)}})
	tag, body := c.search(t, "-")
	if again, _ := c.search(t, tag); again != tag || strings.Count(body, `"id"`) != 4 {
		t.Fatalf("%s, then %s: %s", tag, again, body)
	}
	ids := []string{concert("x", 2).ID().String(), concert("x", 3).ID().String()}
	values, _ := scrape(t, c.Metrics)
	const current = `fever_provider_current_events{provider="x"}`
	if values[current] != 2 {
		t.Errorf("before: %v", values[current])
	}

	var dry, done store.Forgotten
	c.do(t, http.MethodPost, "/forget?provider=x&dry_run=1", http.NoBody).decode(t, &dry)
	if again, _ := c.search(t, tag); again != tag || dry.Events != 2 || dry.Current != 2 || dry.Jobs != 1 || dry.Record.ID != 0 || len(dry.First) != 2 {
		t.Errorf("%+v", dry)
	}
	c.do(t, http.MethodPost, "/forget?provider=x", http.NoBody).decode(t, &done)
	if done.Events != 2 || done.Jobs != 1 || done.Record.Trigger != store.Forget || done.First[1].ID().String() != ids[1] {
		t.Errorf("%+v", done)
	}
	after, body := c.search(t, tag)
	if after == tag || strings.Contains(body, ids[0]) || strings.Contains(body, ids[1]) || strings.Count(body, `"id"`) != 2 {
		t.Errorf("%s: %s", after, body)
	}
	values, _ = scrape(t, c.Metrics)
	if _, there := values[current]; there || values["fever_index_events"] != 2 {
		t.Errorf("after: %v, %v", there, values["fever_index_events"])
	}
	var page pageOfJobs
	c.do(t, http.MethodGet, "/jobs?provider=x", http.NoBody).decode(t, &page)
	if len(page.Jobs) != 1 || page.Jobs[0].ID != done.Record.ID || page.Jobs[0].Gone != 2 || page.Jobs[0].Message == "" {
		t.Errorf("%+v", page)
	}
	if got := c.do(t, http.MethodGet, "/events?provider=x", http.NoBody); got.body != "" {
		t.Error(got.body)
	}
	if got := c.do(t, http.MethodGet, "/", http.NoBody); strings.Contains(got.body, "provider=x") || !strings.Contains(got.body, "provider=a") {
		t.Errorf("the status page shows other events: %s", got.body)
	}
	c.do(t, http.MethodPost, "/forget?provider=x", http.NoBody).failed(t, http.StatusNotFound, "nothing_stored")
	c.do(t, http.MethodPost, "/forget?provider=a&gone_before=2100-01-01", http.NoBody).decode(t, &done)
	if done.Events != 0 || done.Record.ID != 0 {
		t.Errorf("%+v", done)
	}
}

// TestControlRename renames what was mistyped to the name that it is configured by.
func TestControlRename(t *testing.T) {
	t.Parallel()
	c := stocked(t, map[string][]event.Event{"x": {concert("x", 2), concert("x", 3)}})
	tag, _ := c.search(t, "-")
	var dry, done store.Renamed
	c.do(t, http.MethodPost, "/rename?from=x&to=a&dry_run=1", http.NoBody).decode(t, &dry)
	c.do(t, http.MethodPost, "/rename?from=x&to=a", http.NoBody).decode(t, &done)
	if dry.Record.ID != 0 || done.Record.Trigger != store.Rename || dry.Events != 2 || done.Events != 2 || done.Jobs != 1 {
		t.Errorf("%+v, %+v", dry, done)
	}
	after, body := c.search(t, tag)
	for _, day := range []int{2, 3} {
		if strings.Contains(body, concert("x", day).ID().String()) || !strings.Contains(body, concert("a", day).ID().String()) || after == tag {
			t.Errorf("%s: %s", after, body)
		}
	}
	values, _ := scrape(t, c.Metrics)
	if _, there := values[`fever_provider_current_events{provider="x"}`]; there || values[`fever_provider_current_events{provider="a"}`] != 2 ||
		values[`fever_provider_last_success_timestamp_seconds{provider="a"}`] == 0 {
		t.Errorf("%v", values)
	}
	var data control.Providers
	c.do(t, http.MethodGet, "/providers", http.NoBody).decode(t, &data)
	if got := data.Providers[0]; got.LastSuccess.IsZero() || got.LastJob == nil || got.LastJob.ID != done.Record.ID || got.State != "idle" {
		t.Errorf("%+v", got)
	}
	c.do(t, http.MethodPost, "/rename?from=x&to=a", http.NoBody).failed(t, http.StatusNotFound, "nothing_stored")
}

// TestControlEditRefused asks for what cannot be done.
func TestControlEditRefused(t *testing.T) {
	t.Parallel()
	for target, says := range map[string]string{
		"/forget":                         "provider is missing",
		"/forget?provider=A":              "no name",
		"/forget?provider=a&gone_before=": "neither a date",
		"/forget?provider=a&gone_before=2021-02-30&dry_run=1": "neither a date",
		"/forget?provider=a&dry_run=yes":                      "none of 0, 1",
		"/rename?from=a":                                      "to is missing",
		"/rename?from=a&to=A":                                 "no name",
		"/rename?from=a&to=a":                                 "the same name",
	} {
		c := steer(t, deploy(t, "", well("a")))
		if message := c.do(t, http.MethodPost, target, http.NoBody).failed(t, http.StatusBadRequest, "invalid_parameter"); !strings.Contains(message, says) {
			t.Errorf("%s: %s", target, message)
		}
	}
	busy, release := slow("a")
	defer release()
	d := idle(t, busy)
	c := steer(t, d)
	targets := []string{"/forget?provider=a", "/rename?from=a&to=b", "/rename?from=b&to=a"}
	for _, target := range targets {
		c.do(t, http.MethodPost, target, http.NoBody).failed(t, http.StatusServiceUnavailable, "unavailable")
	}
	c.load(t)
	if _, _, err := c.Ingester.Start(t.Context(), "a", store.Manual, false); err != nil {
		t.Fatal(err)
	}
	for _, target := range targets {
		c.do(t, http.MethodPost, target, http.NoBody).failed(t, http.StatusConflict, "busy")
		c.do(t, http.MethodPost, target, strings.NewReader("x")).failed(t, http.StatusBadRequest, "unexpected_body")
		c.do(t, http.MethodPost, target, http.NoBody, "Sec-Fetch-Site: cross-site").failed(t, http.StatusForbidden, "cross_origin")
	}
	c.stop()
	for _, target := range targets {
		c.do(t, http.MethodPost, target, http.NoBody).failed(t, http.StatusServiceUnavailable, "stopping")
	}
}
