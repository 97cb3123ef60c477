package config

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"fever/provider"
)

// The examples of docs/pages.md are settings.
func TestPagesDocument(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/pages.md")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(text)
	if example == nil {
		t.Fatal("docs/pages.md has no example")
	}
	s, err := complete(t, string(example[1]))
	if err != nil {
		t.Fatal(err)
	}
	kinds := make(map[string]*provider.Pages)
	for _, p := range s.Providers {
		kinds[p.Name] = p.Pages
	}
	cursor, offsets, quick, next := kinds["cursor"], kinds["offsets"], kinds["quick"], kinds["next"]
	if len(kinds) != 11 || kinds["listing"].Follow != provider.FollowLink || kinds["listing-of-html"].Follow != "/events/*" || kinds["listing-of-html"].End != 404 || cursor.Cursor != ".after" || cursor.Parameter != "after[]" || cursor.Total != ".total" || cursor.First != nil ||
		offsets.Offset != "start" || offsets.Size != 100 || !quick.FirstPageTells || quick.Next != provider.NextLink ||
		len(next.Hosts) != 1 || next.Hosts[0] != "cdn.example.com" || kinds["numbers-from-0"].End != 404 || kinds["flag"].Flag != ".has_more" {
		t.Errorf("%+v", kinds)
	}
	first, err := complete(t, "providers: [{name: a, url: 'http://a/', pages: {number: page, first: 0}}]")
	if err != nil || first.Providers[0].Pages.First == nil || *first.Providers[0].Pages.First != 0 {
		t.Errorf("%+v, %v", first, err)
	}
	for _, key := range []string{"next", "number", "offset", "cursor", "parameter", "first", "size", "flag", "total", "end", "hosts", "first-page-tells"} {
		if !strings.Contains(string(text), "\n| `"+key+"` |") {
			t.Errorf("docs/pages.md has no line about %s", key)
		}
	}
}

// TestFollow refuses what cannot be followed, with its line.
func TestFollow(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{
		"format: schema-org, follow: link, pages: {hosts: [b.example]}": "",
		"format: schema-org, follow: '/e/*', pages: {number: page}":     "",
		"format: schema-org, follow: ''":                                `.follow: "" would be as if the key were not there`,
		"format: schema-org, follow: next":                              `"next" is neither link, nor a pattern of paths such as /events/*`,
		"format: schema-org, follow: '/[a'":                             `"/[a" is neither link`,
		"format: fever, follow: link":                                   "the format fever says of no row that it has a page of its own: schema-org does",
		"format: schema-org, follow: link, pages: {flag: .x}":           "it goes with number, offset or cursor",
		"format: schema-org, follow: link, pages: {end: 404}":           "it goes with number or offset",
		"format: schema-org, follow: link, pages: {next: a, number: b}": "exactly one of",
		"format: schema-org, pages: {hosts: [b.example]}":               "exactly one of next, number, offset and cursor is needed",
		"format: schema-org, follow: link, pages: {hosts: ['a/b']}":     "is not a host",
		"format: schema-org, follow: [link]":                            "follow",
	} {
		s, err := complete(t, "providers: [{name: a, url: 'http://a/', "+setting+"}]")
		if want == "" && (err != nil || s.Providers[0].Pages == nil) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %s", setting, err, want)
		}
	}
}
