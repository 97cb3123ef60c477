package ops

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"fever/httpapi"
)

func TestDocs(t *testing.T) {
	t.Parallel()
	d := deploy(t, "")
	if got := d.ask(t, http.MethodGet, "/openapi.yaml"); got.body != string(httpapi.OpenAPI) {
		t.Errorf("the document is another: %.200s", got.body)
	}
	page := d.ask(t, http.MethodGet, "/docs").body
	for _, want := range []string{
		"<h1>Fever Providers API <small>1.0.0</small></h1>",
		"<h2>GET /search</h2>", "<h3>Find the events in a time window</h3>",
		"at <code>starts_at</code> or later", "<td><code>starts_at</code></td><td>query</td><td>string (date-time)</td>",
		"<h2>HEAD /search</h2>", "<h2>OPTIONS /search</h2>", "<h3>204</h3>",
		"<h3>405</h3>\n<p>The path has no such method (<code>method_not_allowed</code>).</p>", `<a href="#SearchResponse">SearchResponse</a>`, `<h3 id="SearchResponse">`,
		"<td><code>data.events</code></td><td>array of <a href=\"#EventSummary\">EventSummary</a></td>",
		"<td><code>min_price</code></td><td>number (double), or null</td>", "<td><code>error.code</code></td><td>string: invalid_parameter, invalid_range",
		`<a href="#NoStore">NoStore</a>`, `<tr id="NoStore">`, "string: no-store",
		`<code>W/&#34;84f1c0d29a7be356&#34;</code>`,
		"  &#34;error&#34;: null", "      {\n        &#34;id&#34;: &#34;4f4f5f0e-5b1c-5d5e-9c55-2c1b3a0d9e11&#34;,\n        &#34;title&#34;:",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	// What the document has once, for several operations, is shown with each.
	for text, want := range map[string]int{
		"<h3>Parameters</h3>": 2, "<td><code>starts_at</code></td>": 2, "<h3>304</h3>\n<p>The client has this answer": 2, "&#34;code&#34;: &#34;not_found&#34;": 2,
	} {
		if n := strings.Count(page, text); n != want {
			t.Errorf("the page has %q %d times, want %d", text, n, want)
		}
	}
	// Everything is from here, and every link leads somewhere.
	for _, match := range regexp.MustCompile(`(?:href|src)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		target := match[1]
		if name, ok := strings.CutPrefix(target, "#"); ok {
			if !strings.Contains(page, `id="`+name+`"`) {
				t.Errorf("%s leads nowhere", target)
			}
			continue
		}
		if got := d.ask(t, http.MethodGet, "/"+strings.TrimPrefix(target, "./")); got.status != http.StatusOK {
			t.Errorf("%s: %d", target, got.status)
		}
	}
	for _, bad := range []string{"style=", "<style", "<script", "://", "ZgotmplZ", "<p></p>", "`", "<nil>", "map["} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
}
