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
	if len(kinds) != 9 || cursor.Cursor != ".after" || cursor.Parameter != "after[]" || cursor.Total != ".total" || cursor.First != nil ||
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
