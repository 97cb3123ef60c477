package ops

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"fever/ops/control"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	d := idle(t, well("a"), ill("b"))
	d.open(t)
	ready := func(code int, want string) control.Readiness {
		t.Helper()
		if health := d.ask(t, http.MethodGet, "/healthz"); health.status != http.StatusOK || health.body != "ok\n" {
			t.Errorf("healthz: %d %s", health.status, health.body)
		}
		answer := d.ask(t, http.MethodGet, "/readyz")
		var body control.Readiness
		if err := json.Unmarshal([]byte(answer.body), &body); err != nil {
			t.Fatal(err)
		}
		if answer.status != code || body.Status != want || len(body.Providers) != 2 {
			t.Errorf("%d %s, not %d %s", answer.status, answer.body, code, want)
		}
		if told := strings.Contains(d.ask(t, http.MethodGet, "/").body, "Not ready: first snapshots are missing"); told != (want == "collecting") {
			t.Errorf("%s: that it is not ready is on the status page: %v", want, told)
		}
		return body
	}
	ready(http.StatusServiceUnavailable, "loading")
	d.ask(t, http.MethodPost, "/sync").failed(t, http.StatusServiceUnavailable, "unavailable")
	d.load(t)
	for _, p := range ready(http.StatusServiceUnavailable, "collecting").Providers {
		if p.NotReady != "its first job has not ended" {
			t.Errorf("%+v", p)
		}
	}
	d.collect(t, "b")
	if p := ready(http.StatusServiceUnavailable, "collecting").Providers[1]; !strings.HasPrefix(p.NotReady, "it has no snapshot yet, nor has another provider: timeout: ") {
		t.Errorf("%+v", p)
	}
	d.collect(t, "a")
	got := ready(http.StatusOK, "ready").Providers // whatever the providers do
	if got[0].Name != "a" || got[0].LastSuccess.IsZero() || got[0].AgeSeconds == nil || *got[0].AgeSeconds < 0 || got[0].Stale {
		t.Errorf("%+v", got[0])
	}
	if got[1].Name != "b" || !got[1].LastSuccess.IsZero() || got[1].AgeSeconds != nil || !got[1].Stale {
		t.Errorf("%+v", got[1])
	}
	if got[0].NotReady != "" || got[1].NotReady != "" {
		t.Errorf("%+v", got)
	}
	d.drain()
	ready(http.StatusServiceUnavailable, "draining")
	d.ask(t, http.MethodPost, "/sync").failed(t, http.StatusServiceUnavailable, "stopping")
	d.stop()
	ready(http.StatusServiceUnavailable, "stopping")
	d.ask(t, http.MethodPost, "/sync").failed(t, http.StatusServiceUnavailable, "stopping")
}

// TestHealthWithToken asks without it: there is nothing to be learned.
func TestHealthWithToken(t *testing.T) {
	t.Parallel()
	d := idle(t, well("a"))
	d.Token, d.ReadyWhenLoaded = "s3cret", true
	d.open(t)
	short := func(target string, status int, body string) {
		t.Helper()
		if got := d.ask(t, http.MethodGet, target); got.status != status || got.body != body {
			t.Errorf("%s: %d %q, not %d %q", target, got.status, got.body, status, body)
		}
	}
	short("/healthz", http.StatusOK, "ok\n")
	short("/readyz", http.StatusServiceUnavailable, "not ok\n")
	d.load(t)
	short("/readyz", http.StatusOK, "ok\n")
	if got := d.ask(t, http.MethodGet, "/readyz", "Authorization: Bearer s3cret"); got.header.Get("Content-Type") != "application/json" {
		t.Errorf("with the token: %v %s", got.header, got.body)
	}
	d.stop()
	short("/healthz", http.StatusOK, "ok\n")
	short("/readyz", http.StatusServiceUnavailable, "not ok\n")
}

// TestWaiting asks before the data file is open.
func TestWaiting(t *testing.T) {
	t.Parallel()
	d := &deployment{log: new(record)}
	d.Log, d.Token = slog.New(slog.NewTextHandler(d.log, nil)), "s3cret"
	server := httptest.NewServer(NewWaiting(d.Ops))
	defer server.Close()
	d.url = server.URL
	for _, test := range []struct {
		target, token string
		status        int
		body          string
	}{
		{"/healthz", "", http.StatusOK, "ok\n"},
		{"/readyz", "", http.StatusServiceUnavailable, "not ok\n"},
		{"/readyz", "s3cret", http.StatusServiceUnavailable, `{"status":"waiting","events":0,"providers":[]}` + "\n"},
		{"/metrics", "", http.StatusUnauthorized, ""},
		{"/metrics", "s3cret", http.StatusServiceUnavailable, ""},
		{"/", "s3cret", http.StatusServiceUnavailable, ""},
	} {
		got := d.ask(t, http.MethodGet, test.target, "Authorization: Bearer "+test.token)
		if got.status != test.status || test.body != "" && got.body != test.body {
			t.Errorf("%s: %d %q, not %d %q", test.target, got.status, got.body, test.status, test.body)
		}
	}
}

// TestBrokenStore cuts the data file under the process. Searches go on, and it is told
// everywhere that a restart is needed; without the token, no more than that.
func TestBrokenStore(t *testing.T) {
	t.Parallel()
	d := idle(t, well("a"))
	d.Token = "s3cret"
	d.open(t)
	d.load(t)
	d.collect(t, "a")
	const token = "Authorization: Bearer s3cret"
	if values, _ := scrape(t, d.Metrics); values["fever_store_broken"] != 0 {
		t.Error("broken from the start")
	}
	if err := os.Truncate(d.db, 0); err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.Store.Load(t.Context()); err == nil {
		t.Fatal("the store could be read")
	}
	const broken = "the data file cannot be used until a restart: "
	for range 2 {
		if got := d.ask(t, http.MethodGet, "/healthz"); got.status != http.StatusServiceUnavailable || got.body != "not ok\n" {
			t.Errorf("healthz: %d %q", got.status, got.body)
		}
		if got := d.ask(t, http.MethodGet, "/healthz", token); got.status != http.StatusServiceUnavailable || !strings.HasPrefix(got.body, broken) {
			t.Errorf("healthz with the token: %d %q", got.status, got.body)
		}
		if got := d.ask(t, http.MethodGet, "/readyz", token); got.status != http.StatusOK || !strings.Contains(got.body, `"ready"`) {
			t.Errorf("readyz: %d %q", got.status, got.body)
		}
		if got := d.ask(t, http.MethodGet, "/", token); strings.Count(got.body, broken) != 1 {
			t.Errorf("the status page: %d %q", got.status, got.body)
		}
		if values, _ := scrape(t, d.Metrics); values["fever_store_broken"] != 1 {
			t.Error("the metric does not say so")
		}
	}
}
