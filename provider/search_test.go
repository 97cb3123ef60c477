package provider

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestParsePath(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]path{
		".next":                              {steps: []string{"next"}},
		".links.next":                        {steps: []string{"links", "next"}},
		`.after_1.@graph.$x.a-b`:             {steps: []string{"after_1", "@graph", "$x", "a-b"}},
		`."@odata.nextLink"."a\"b\u00e9"`:    {steps: []string{"@odata.nextLink", `a"bé`}},
		"/feed/@next":                        {isXML: true, steps: []string{"feed"}, attr: "next"},
		`/atom:feed/link[@rel="next"]/@href`: {isXML: true, steps: []string{"atom:feed", "link"}, where: "rel", is: "next", attr: "href"},
	} {
		if got, err := parsePath(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", ".", "next", "next.page", ".a..b", ".a.", ".a[0]", ". a", `."a`, `.""`, `."\x"`, "/", "/@next", "//a/@b", "/a/", "/a/@", `/a[@b]/@c`, `/a[@b="c"][@d="e"]/@f`,
		"/a b/@c", strings.Repeat(".a", maxSteps+1), "$.a",
	} {
		if got, err := parsePath(text); err == nil {
			t.Errorf("%q is a path: %+v", text, got)
		}
	}
}

// find looks in a text for what is at paths.
func find(text string, paths map[string]string) (found, error) {
	s, err := newSearcher(paths)
	if err != nil {
		return nil, err
	}
	return s.find(strings.NewReader(text), "")
}

func TestFind(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ path, text, want string }{
		{".next", `{"next":"a"}`, "[a]"},
		{".next", `{"next":" a\u0026b "}`, "[a&b]"},
		{".next", `{"next":12.50}`, "[12.50]"},
		{".next", `{"next":true}`, "[true]"},
		{".next", `{"next":null}`, "[]"},
		{".next", `{}`, "[]"},
		{".next", `[{"next":"a"}]`, "[]"},
		{".next", `[]`, "[]"},
		{".next", `{"a":{"next":"a"},"next":["b",3,null]}`, "[b 3]"},
		{".a.b", `{"a":[{"b":1}]}`, "[]"},
		{".a.b", "{\"x\":1}\n{\"a\":{\"b\":2}}\n{\"y\":3}", "[2]"},
		{"/a/b/@c", `<a><x><b c="0"/></x><b/><b c="1"/><b c="2"/></a>`, "[1]"},
		{"/a/b/@c", `<b><b c="0"/></b>`, "[]"},
		{"/a/b/@c", `<a><b><b c="0"/></b></a>`, "[]"},
		{"/a/@c", `<a c="x&amp;y"><a c="0"/></a>`, "[x&y]"},
		{"/a/b", `<a>x<b/>y</a>`, "[]"},
		{"/a/b", `<a>x<b> p&amp;<c>q</c><![CDATA[<r>]]> </b>y<b>z</b></a>`, "[p&q<r>]"},
		{`/a/b[@c="d"]`, `<a><b>x</b><b c="d">y</b></a>`, "[y]"},
		{"/a/b", `<a><c><b>x</b></c></a>`, "[]"},
		{`/a/b[@d="e"]/@c`, `<a><b c="0" d="f"/><b c="1"/><b c="2" d="e"/></a>`, "[2]"},
	} {
		got, err := find(test.text, map[string]string{"next": test.path})
		if err != nil || fmt.Sprint(got["next"]) != test.want {
			t.Errorf("%s in %s: %v, %v, want %s", test.path, test.text, got["next"], err, test.want)
		}
	}
	for _, test := range []struct{ path, text, says string }{
		{".next", `{"next":{}}`, "its next is neither a value nor a list of values"},
		{".next", `{"next":[[]]}`, "its next is neither"},
		{".next", `{"next":"` + strings.Repeat("a", maxValue+1) + `"}`, "its next has more than"},
		{".next", `{"next":"a"`, "look for the next page: line 1"},
		{".next", `<a next="b"/>`, "look for the next page: line 1"},
		{"/a/@c", `{"next":"a"}`, "look for the next page: line 1"},
	} {
		if _, err := find(test.text, map[string]string{"next": test.path}); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s in %.40s: %v, want %s", test.path, test.text, err, test.says)
		}
	}
	both, err := find("<a>1<b>2</b>3</a>", map[string]string{"next": "/a/b", "total": "/a"})
	if err != nil || fmt.Sprint(both) != "map[next:[2] total:[123]]" {
		t.Errorf("an element in another one: %v, %v", both, err)
	}
	if _, err := find("", map[string]string{"next": ".a", "total": "/a/@b"}); err == nil || !strings.Contains(err.Error(), "one path is for JSON") {
		t.Errorf("paths of both: %v", err)
	}
	refused, ok := errors.AsType[*FieldError](second(find("", map[string]string{"total": "a"})))
	if !ok || refused.Field != "pages.total" {
		t.Errorf("%+v", refused)
	}
}

func second(_ found, err error) error { return err }

// FuzzFind looks for paths in documents of both kinds. What was found is within its bounds.
func FuzzFind(f *testing.F) {
	f.Add(".a.b", `{"a":{"b":["c",1]}}`)
	f.Add(`/a/b[@d="e"]/@c`, `<a><b c="0" d="f"/><b c="2" d="e"/></a>`)
	f.Add(`."\u00e9"`, `{"é":null}`)
	f.Fuzz(func(t *testing.T, path, text string) {
		if path == "" {
			return
		}
		got, err := find(text, map[string]string{"next": path})
		if err != nil {
			return
		}
		if len(got["next"]) > maxValues {
			t.Errorf("%d values", len(got["next"]))
		}
		for _, value := range got["next"] {
			if len(value) > maxValue {
				t.Errorf("a value of %d bytes", len(value))
			}
		}
	})
}
