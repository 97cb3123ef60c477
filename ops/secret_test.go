package ops

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"fever/ingest"
	"fever/provider"
	"fever/provider/feed/feverup"
)

// TestNoSecrets plants secrets wherever there is a place for them, and looks for them in
// every answer and in the log.
func TestNoSecrets(t *testing.T) {
	t.Parallel()
	const token, inHeader, inQuery, inUser = "s3cret-token", "s3cret-header", "s3cret-query", "s3cret-user"
	asked := make(chan *http.Request, 1)
	feed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r
		http.Error(w, "out of order", http.StatusTeapot)
	}))
	defer feed.Close()
	var providers []ingest.Provider
	for name, url := range map[string]string{
		"answers": strings.Replace(feed.URL, "://", "://me:"+inUser+"@", 1) + "/events?key=" + inQuery,
		"refuses": "http://me:" + inUser + "@127.0.0.1:1/events?key=" + inQuery,
	} {
		p, err := provider.New(provider.Config{
			Format: feverup.New(0),
			Name:   name, URL: url, Header: http.Header{"X-Key": {inHeader}}, Timeout: time.Minute, MaxBytes: 1 << 20,
		})
		if err != nil {
			t.Fatal(err)
		}
		providers = append(providers, ingest.Provider{
			Name: name, Location: time.UTC, Every: time.Minute, MaxInterval: time.Hour, Attempts: 1, Get: p.Get, Decode: p.Decode,
		})
	}
	d := deploy(t, token, providers...)
	authorized := "Authorization: Bearer " + token
	var answers []string
	see := func(e exchange) {
		for name, values := range e.header {
			answers = append(answers, name+": "+strings.Join(values, ", "))
		}
		answers = append(answers, e.body)
	}
	for range 2 {
		see(d.ask(t, http.MethodPost, "/sync?wait=1", authorized))
		if r := <-asked; r.Header.Get("X-Key") != inHeader || r.URL.Query().Get("key") != inQuery {
			t.Fatal("the provider did not get the secrets")
		}
	}
	for _, fields := range [][]string{nil, {authorized}, {"Authorization: Bearer " + token + "x"}} {
		for target := range routes {
			if strings.HasPrefix(target, "/debug/pprof/") && len(fields) == 1 && fields[0] == authorized {
				continue // the memory's own affair
			}
			see(d.ask(t, http.MethodGet, target, fields...))
		}
		see(d.ask(t, http.MethodPost, "/sync", append(fields, "Sec-Fetch-Site: cross-site")...))
		see(d.ask(t, http.MethodGet, "/providers?provider=x", fields...))
		see(d.ask(t, http.MethodGet, "/jobs?limit=x", fields...))
	}
	if err := d.Store.Close(); err != nil {
		t.Fatal(err)
	}
	see(d.ask(t, http.MethodGet, "/jobs", authorized)) // a line in the log
	answers = append(answers, d.log.String())
	for _, text := range answers {
		if i := strings.Index(text, "s3cret"); i >= 0 {
			t.Errorf("%q tells a secret", text[max(0, i-100):min(len(text), i+50)])
		}
	}
	if text := d.log.String(); !strings.Contains(text, "request failed") || !strings.Contains(text, "job failed") {
		t.Errorf("logged is only %s", text)
	}
}
