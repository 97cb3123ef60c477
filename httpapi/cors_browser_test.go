//go:build browser

package httpapi

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fever/internal/harness"
)

// corsPage searches each of the servers in its query, as a page of another origin does, and sends
// what it could see to its own server.
const corsPage = `<!DOCTYPE html><script>
async function look(base) {
	const seen = {}
	try {
		const first = await fetch(base + "/search?limit=2")
		seen.events = (await first.json()).data.events.map(e => e.title)
		seen.tag = first.headers.get("ETag")
		seen.hidden = first.headers.get("X-Hidden")
		const next = first.headers.get("Link").match(/^<(.*)>; rel="next"$/)[1]
		const second = await fetch(new URL(next, first.url))
		seen.more = (await second.json()).data.events.map(e => e.title)
		seen.last = second.headers.get("Link")
		const again = await fetch(base + "/search?limit=2", {headers: {"If-None-Match": seen.tag}})
		seen.again = again.status
		const wrong = await fetch(base + "/search?limit=0")
		seen.wrong = wrong.status + " " + (await wrong.json()).error.code
	} catch (e) {
		seen.refused = e.name
	}
	try {
		await fetch(base + "/search", {headers: {"X-Other": "1"}})
		seen.otherField = true
	} catch {}
	return seen
}
(async () => {
	const all = []
	for (const base of new URLSearchParams(location.search).getAll("base")) all.push(await look(base))
	await fetch("/seen", {method: "POST", body: JSON.stringify(all)})
})()
</script>`

// TestAllowOriginInBrowser has a page in Chromium read answers of servers that allow its origin,
// all origins, and another one only.
func TestAllowOriginInBrowser(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("install Chromium (on Debian: apt-get install chromium): %v", err)
	}
	type view struct {
		Events, More      []string
		Tag, Hidden, Last string
		Again             int
		Wrong, Refused    string
		OtherField        bool
	}
	looked := make(chan []view, 1)
	origin := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/seen" {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, corsPage) // a browser that is gone is noticed below
			return
		}
		var seen []view
		if err := json.NewDecoder(r.Body).Decode(&seen); err != nil {
			t.Error(err)
		}
		select {
		case looked <- seen:
		default:
		}
	}))

	x := loaded(t, many(t, 3)...)
	var mu sync.Mutex
	preflights := make([]int, 3)
	bases := make([]string, 3)
	for i, allowed := range [][]string{{"https://events.example.com", origin}, {"*"}, {"https://events.example.com"}} {
		search := NewSearch(Search{Index: x, AllowOrigins: allowed, MaxAge: time.Minute, Log: quiet})
		bases[i] = listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Hidden", "1")
			if r.Method == http.MethodOptions && strings.EqualFold(r.Header.Get("Access-Control-Request-Headers"), "if-none-match") {
				mu.Lock()
				preflights[i]++
				mu.Unlock()
			}
			search.ServeHTTP(w, r)
		}))
	}

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute) // for a browser that hangs
	defer cancel()
	browser := harness.Command(ctx, path, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir="+t.TempDir(), origin+"/?"+url.Values{"base": bases}.Encode())
	var said strings.Builder
	browser.Stderr = &said
	if err := browser.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = browser.Wait() // it is told to end
		close(ended)
	}()
	defer func() { cancel(); <-ended }()
	var seen []view
	select {
	case seen = <-looked:
	case <-ended:
		t.Fatalf("the browser has ended: %s", said.String())
	case <-ctx.Done():
		t.Fatal(ctx.Err())
	}

	if len(seen) != len(bases) {
		t.Fatalf("the page has looked at %d servers", len(seen))
	}
	for i, v := range seen[:2] {
		if len(v.Events) != 2 || len(v.More) != 1 || slices.Contains(v.Events, v.More[0]) || v.Last != "" || v.Tag == "" || v.Hidden != "" ||
			v.Again != http.StatusNotModified || v.Wrong != "400 invalid_parameter" || v.Refused != "" || v.OtherField {
			t.Errorf("allowed by %d: %+v", i, v)
		}
		if preflights[i] != 1 {
			t.Errorf("%d preflights for If-None-Match", preflights[i])
		}
	}
	if v := seen[2]; v.Refused != "TypeError" || v.Events != nil || v.Tag != "" || v.OtherField {
		t.Errorf("another origin is allowed: %+v", v)
	}
}
