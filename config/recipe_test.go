package config

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"fever/provider"
)

// TestRecipe makes providers of all formats of their recipes alone. They decode as those of the
// configuration do, and have no secrets beside those of URLs.
func TestRecipe(t *testing.T) {
	t.Setenv("FEVER_TEST_TOKEN", "secret")
	s, err := complete(t, `
providers:
  - name: xml
    url: https://user:password@a.example/feed
    tolerate: leading-blanks
    timezone: Europe/Madrid
    headers: {X-Api-Key: "${env:FEVER_TEST_TOKEN}"}
  - {name: dump, url: "https://a.example/", format: json, max-bytes: 1MiB, timeout: 7s}
  - {name: calendar, url: "https://a.example/", format: ical}
  - {name: pages, url: "https://a.example/", format: schema-org, follow: /events/*}
  - name: sessions
    url: https://a.example/sessions
    format: rpde
    tables: {superEvent: "https://a.example/series"}
  - name: lines
    url: https://a.example/
    format: map
    map: {to: "{base_id: .a, event_id: .b, title: .c, start: .d}", csv: {separator: ";", charset: iso-8859-1}}
    pages: {number: page, first: 3, size: 50, total: .total}
  - {name: delta, url: "https://a.example/", format: map, map: {to: ., rows: .items, mode: changes}, pages: {cursor: .token, parameter: since}}
`)
	if err != nil {
		t.Fatal(err)
	}
	for i := range s.Providers {
		p := &s.Providers[i]
		recipe, err := p.Recipe()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(recipe), "secret") {
			t.Errorf("%s: the recipe %s has a secret", p.Name, recipe)
		}
		got, err := ReadRecipe(recipe)
		if err != nil {
			t.Fatalf("%s: %v", p.Name, err)
		}
		if got.Location.String() != p.Location.String() || got.Timeout != p.Timeout || got.MaxBytes != p.MaxBytes || got.URL != p.URL ||
			got.Format.Name != p.Format.Name || got.Format.Revision != p.Format.Revision || !reflect.DeepEqual(got.Pages, p.Pages) || !reflect.DeepEqual(got.Tables, p.Tables) {
			t.Errorf("%s: %+v of the recipe, want %+v", p.Name, got.Config, p.Config)
		}
		if a, b := decoded(t, got), decoded(t, p.Provider); a != b {
			t.Errorf("%s: %s with the recipe, want %s", p.Name, a, b)
		}
	}
	for _, bad := range []string{"", "{}", `{"Name":"a","URL":"https://a.example/","Format":"none","TimeZone":"UTC"}`, `{"Format":"ical","TimeZone":"Mars/North"}`} {
		if p, err := ReadRecipe([]byte(bad)); err == nil {
			t.Errorf("%s makes %+v", bad, p)
		}
	}
}

// decoded says what a provider makes of a document, in which blanks come before the XML.
func decoded(t *testing.T, p *provider.Provider) string {
	doc, err := p.Read(t.Context(), io.NopCloser(strings.NewReader("\n<planList><output/></planList>")), nil)
	if err != nil {
		t.Fatal(err)
	}
	doc.Page.Began = time.Unix(0, 0)
	got, err := p.Decode(doc)
	return fmt.Sprint(got, err)
}
