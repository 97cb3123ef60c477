package ops

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
)

func TestToken(t *testing.T) {
	t.Parallel()
	d := deploy(t, "s3cret", well("a"))
	basic := func(pair string) string {
		return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(pair))
	}
	for _, fields := range [][]string{
		nil,
		{"Authorization: "},
		{"Authorization: s3cret"},
		{"Authorization: Bearer"},
		{"Authorization: Bearer "},
		{"Authorization: Bearer s3cre"},
		{"Authorization: Bearer s3cret2"},
		{"Authorization: Bearer S3CRET"},
		{"Authorization: Bearer s3cret s3cret"},
		{"Authorization: Token s3cret"},
		{"Authorization: Bearer s3cret,"},
		{basic("s3cret:")},
		{basic(":")},
		{basic("me:s3cre")},
		{basic("s3cret")},
		{"Authorization: Basic s3cret"},
		{"Authorization: Bearer x", "Authorization: Bearer s3cret"},
		{"Cookie: token=s3cret"},
	} {
		for target := range routes {
			if target == "/healthz" || target == "/readyz" {
				continue
			}
			got := d.ask(t, http.MethodGet, target, fields...)
			got.failed(t, http.StatusUnauthorized, "unauthorized")
			if schemes := got.header["Www-Authenticate"]; len(schemes) != 2 {
				t.Errorf("%s: challenges %v", target, schemes)
			}
		}
		d.ask(t, http.MethodPost, "/sync", fields...).failed(t, http.StatusUnauthorized, "unauthorized")
		d.ask(t, http.MethodPost, "/try", fields...).failed(t, http.StatusUnauthorized, "unauthorized")
		d.ask(t, http.MethodGet, "/nothing?token=s3cret", fields...).failed(t, http.StatusUnauthorized, "unauthorized")
	}
	for _, field := range []string{
		"Authorization: Bearer s3cret", "Authorization: bearer  s3cret", basic("me:s3cret"), basic(":s3cret"),
	} {
		for target := range routes {
			if got := d.ask(t, http.MethodGet, target, field); got.status != http.StatusOK {
				t.Errorf("%s with %s: %d", target, field, got.status)
			}
		}
	}
	if got := d.ask(t, http.MethodPost, "/sync?wait=1", "Authorization: Bearer s3cret"); got.status != http.StatusOK || !strings.Contains(got.body, `"id":1,`) {
		t.Errorf("the first job: %d %s", got.status, got.body)
	}
}

func TestLoopback(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{
		"127.0.0.1:9090", "127.0.0.1", "127.255.0.9:1", "[::1]:9090", "::1", "[::1]", "localhost:9090", "LocalHost", "[::ffff:127.0.0.1]:9090",
	} {
		if !Loopback(addr) {
			t.Errorf("%q is not taken for a loopback address", addr)
		}
	}
	for _, addr := range []string{
		"", ":9090", "0.0.0.0:9090", "0.0.0.0", "[::]:9090", "::", "10.0.0.1:9090", "128.0.0.1:9090", "[fe80::1]:9090", "[::ffff:10.0.0.1]:1",
		"localhost.example.com:9090", "localhost.", "127.0.0.1.example.com", "fever:9090", "127.1:9090", "2130706433:9090",
	} {
		if Loopback(addr) {
			t.Errorf("%q is taken for a loopback address", addr)
		}
	}
}

// TestHost asks as a browser does that was told that a name of another site is this
// machine.
func TestHost(t *testing.T) {
	t.Parallel()
	d := deploy(t, "", well("a"))
	for _, host := range []string{"evil.example:9090", "fever", "10.0.0.1:9090", "localhost.evil.example"} {
		for target := range routes {
			d.ask(t, http.MethodGet, target, "Host: "+host).failed(t, http.StatusMisdirectedRequest, "misdirected")
		}
		d.ask(t, http.MethodPost, "/sync", "Host: "+host).failed(t, http.StatusMisdirectedRequest, "misdirected")
	}
	for _, host := range []string{"localhost:1", "localhost", "127.0.0.1", "[::1]:9090"} {
		if got := d.ask(t, http.MethodGet, "/jobs", "Host: "+host); got.status != http.StatusOK {
			t.Errorf("%s: %d", host, got.status)
		}
	}
	with := deploy(t, "s3cret", well("a"))
	if got := with.ask(t, http.MethodGet, "/jobs", "Host: fever:9090", "Authorization: Bearer s3cret"); got.status != http.StatusOK {
		t.Errorf("with a token: %d", got.status)
	}
}

// TestCrossOrigin asks as a page of another site does.
func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	d := deploy(t, "", well("a"))
	for _, fields := range [][]string{
		{"Sec-Fetch-Site: cross-site"},
		{"Sec-Fetch-Site: same-site"},
		{"Origin: https://evil.example"},
		{"Origin: null"},
		{"Sec-Fetch-Site: cross-site", "Origin: " + d.url},
	} {
		d.ask(t, http.MethodPost, "/sync?wait=1", fields...).failed(t, http.StatusForbidden, "cross_origin")
	}
	var page pageOfJobs
	d.ask(t, http.MethodGet, "/jobs", "Sec-Fetch-Site: cross-site").decode(t, &page) // it cannot be read there
	if len(page.Jobs) != 0 {
		t.Errorf("jobs were begun: %s", page.ids())
	}
	for _, fields := range [][]string{nil, {"Sec-Fetch-Site: same-origin"}, {"Sec-Fetch-Site: none"}, {"Origin: " + d.url}} {
		if got := d.ask(t, http.MethodPost, "/sync?wait=1", fields...); got.status != http.StatusOK {
			t.Errorf("%v: %d %s", fields, got.status, got.body)
		}
	}
}
