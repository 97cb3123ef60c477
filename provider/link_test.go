package provider

import (
	"net/url"
	"testing"
)

// The cases are those of RFC 8288, its section 3 and appendix B, and what servers make of it.
var links = []struct {
	fields []string
	want   string
	bad    bool
}{
	{nil, "", false},
	{[]string{""}, "", false},
	{[]string{`<https://a.example/2>; rel="next"`}, "https://a.example/2", false},
	{[]string{`<?page=2>;rel=next`}, "?page=2", false},
	{[]string{`<2> ; REL = "Prev NEXT"`}, "2", false},
	{[]string{`</a?ids=1,2,3;x>; rel="next"; title="b"`}, "/a?ids=1,2,3;x", false},
	{[]string{`</1>; rel="first", </2>; rel="next", </9>; rel="last"`}, "/2", false},
	{[]string{`</1>; rel="first"`, `</2>; rel="next"`}, "/2", false},
	{[]string{`, ,</1>; rel=prev,, </2>;;rel=next;`}, "/2", false},
	{[]string{`</1>; title="a, </x>; rel=\"next\""; rel=prev, </2>; rel=next`}, "/2", false},
	{[]string{`</1>; rel=prev; rel=next`}, "", false}, // the first rel counts, section 3.3
	{[]string{`</1>; rev=next`}, "", false},
	{[]string{`</1>; rel=nextpage`}, "", false},
	{[]string{`</1>; rel`}, "", false},
	{[]string{`</1>`}, "", false},
	{[]string{`</1>; rel=next, </2>; rel=next`}, "/1", false},
	{[]string{`</1>; rel=next; anchor="#part", </2>; rel=next`}, "/2", false}, // of another document, section 3.2
	{[]string{`</1>; rel=next; anchor="/feed?a"`}, "/1", false},
	{[]string{`</1>; rel=next; anchor="http://[", </2>; rel=next`}, "/2", false},
	{[]string{`<>; rel=next`}, "", false},
	{[]string{`/1; rel=next`}, "", true},
	{[]string{`</1; rel=next`}, "", true},
	{[]string{`>; rel=next`}, "", true},
	{[]string{`</1>; rel="next`}, "", true},
	{[]string{`</1>; rel="next\`}, "", true},
	{[]string{`</1> rel=next`}, "", true},
	{[]string{`</1>; rel=prev`, `nonsense`}, "", true},
}

func TestNextLink(t *testing.T) {
	t.Parallel()
	base := &url.URL{Scheme: "http", Host: "a.example", Path: "/feed", RawQuery: "a"}
	for _, test := range links {
		got, err := nextLink(test.fields, base)
		if got != test.want || (err != nil) != test.bad {
			t.Errorf("%q: %q, %v, want %q", test.fields, got, err, test.want)
		}
	}
}

func FuzzNextLink(f *testing.F) {
	for _, link := range links {
		for _, field := range link.fields {
			f.Add(field)
		}
	}
	base := &url.URL{Scheme: "http", Host: "a.example", Path: "/feed"}
	f.Fuzz(func(t *testing.T, field string) {
		target, err := nextLink([]string{field}, base)
		if err != nil && target != "" {
			t.Errorf("%q, and %v", target, err)
		}
		again, err := nextLink([]string{"</0>;rel=prev", field}, base)
		if err == nil && again != target {
			t.Errorf("%q, and behind another link %q", target, again)
		}
	})
}
