package provider

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"fever/internal/feedtest"
	"fever/provider/feed"
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
		{".next", `{"data":"a"`, "look for the next page: line 1"},
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

// What goes wrong in a search is an error of the document, and a bug is one of the job.
func TestSearchFails(t *testing.T) {
	t.Parallel()
	p, err := New(Config{Format: feedtest.Numbers, Name: "test", URL: "http://a.example/", Timeout: plenty, MaxBytes: maxBytes, Pages: &Pages{Next: ".next"}})
	if err != nil {
		t.Fatal(err)
	}
	read := func(r io.Reader) (err error) {
		defer func() {
			if panicked := recover(); panicked != nil {
				err = errBug
			}
		}()
		_, err = p.read(t.Context(), r, nil)
		return err
	}
	if err := read(strings.NewReader(`{"events":[1]} {"next":`)); !isMalformed(err) {
		t.Errorf("a document that its format refuses: %v", err)
	}
	p.Format.Decode = func(doc *feed.Document, _ *feed.Builder) error {
		_, err := doc.Body.Read(make([]byte, 3))
		return err
	}
	if err := read(strings.NewReader(`{"events":[1]} {"next":`)); !isDecode(err) || !strings.Contains(err.Error(), "provider test: read a document: look for the next page: line 1") {
		t.Errorf("a document that its format does not read: %v", err)
	}
	broken := feed.Errorf(feed.KindConnection, "gone")
	if err := read(io.MultiReader(strings.NewReader(`{"events"`), iotest.ErrReader(broken))); !errors.Is(err, broken) || isDecode(err) {
		t.Errorf("a document that breaks off where its format does not read: %v", err)
	}
	p.Format.Decode = func(*feed.Document, *feed.Builder) error { return feed.Errorf(feed.KindMalformed, "no") }
	if err := read(iotest.ErrReader(errBug)); err == nil || errors.Is(err, errBug) {
		t.Errorf("read on after the format failed: %v", err)
	}
	p.Format = feedtest.Numbers
	p.searcher = &searcher{fields: []string{"next"}} // without its path
	if err := read(strings.NewReader(`{"events":[1]}`)); !errors.Is(err, errBug) {
		t.Errorf("a bug: %v", err)
	}
}

var errBug = errors.New("a panic")

func isMalformed(err error) bool {
	failure, ok := errors.AsType[*feed.Error](err)
	return ok && failure.Kind == feed.KindMalformed
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
