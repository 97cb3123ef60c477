package ops

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestProfileOutlivesTimeouts records for longer than the server lets others take.
func TestProfileOutlivesTimeouts(t *testing.T) {
	t.Parallel()
	d := idle(t, well("a"))
	server := httptest.NewUnstartedServer(New(d.Ops))
	server.Config.ReadTimeout, server.Config.WriteTimeout = 2900*time.Millisecond, 2900*time.Millisecond
	server.Start()
	defer server.Close()
	d.url = server.URL
	begun := time.Now()
	got := d.ask(t, http.MethodGet, "/debug/pprof/profile?seconds=3")
	if took := time.Since(begun); got.status != http.StatusOK || !strings.HasPrefix(got.body, "\x1f\x8b") || took < 3*time.Second {
		t.Errorf("after %v: %d %.100q", took, got.status, got.body)
	}
}

func TestProfileBounds(t *testing.T) {
	t.Parallel()
	d := deploy(t, "", well("a"))
	for _, target := range []string{"profile", "trace", "heap"} {
		for _, seconds := range []string{"", "0", "-1", "121", "0.5", "1e1", "1e9", "NaN", "Inf", "x", "1&seconds=1"} {
			d.ask(t, http.MethodGet, "/debug/pprof/"+target+"?seconds="+seconds).failed(t, http.StatusBadRequest, "invalid_parameter")
		}
	}
}

// TestProfileAtStop begins to record for a long time. A stop ends it.
func TestProfileAtStop(t *testing.T) {
	t.Parallel()
	d := deploy(t, "", well("a"))
	d.stop()
	if got := d.ask(t, http.MethodGet, "/debug/pprof/trace?seconds=120"); got.status != http.StatusOK {
		t.Errorf("%d %.100q", got.status, got.body)
	}
}

// TestNoCommandLine looks for the arguments, which may be secrets.
func TestNoCommandLine(t *testing.T) {
	t.Parallel()
	d := deploy(t, "", well("a"))
	if got := d.ask(t, http.MethodGet, "/debug/pprof/cmdline"); got.status != http.StatusNotFound || strings.Contains(got.body, "-test.") {
		t.Errorf("%d %s", got.status, got.body)
	}
}
