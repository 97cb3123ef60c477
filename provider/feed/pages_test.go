package feed

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"fever/event"
)

// pageOf returns a page with these current and past events. Its digest is that of its number.
func pageOf(number int, current, past []string) *Feed {
	page := &Feed{Page: Page{Number: number}, Seen: len(current) + len(past), Rows: 7, Bytes: 1}
	page.Validators.Digest = sha256.Sum256([]byte{byte(number)})
	for _, id := range current {
		page.Events = append(page.Events, valid("1", id))
	}
	for _, id := range past {
		page.Past = append(page.Past, valid("1", id))
	}
	return page
}

// Of a row on several pages the last one counts, and it is one row: it has moved while somebody
// read. All other counts add up.
func TestPagesJoin(t *testing.T) {
	t.Parallel()
	first := pageOf(1, []string{"a", "b"}, []string{"c"})
	first.Ignored, first.Seen = 2, 5
	second := pageOf(2, []string{"c", "d"}, []string{"b"})
	second.Events[1].Title = "later"
	second.Rejected, second.Seen = 1, 4
	second.Rejections = []Rejection{{"1", "x", 9, "why"}}
	third := pageOf(3, []string{"d"}, nil)
	third.Events[0].Title = "last"
	var pages Pages
	for _, page := range []*Feed{first, second, third} {
		if err := pages.Add(page); err != nil {
			t.Fatal(err)
		}
	}
	got := pages.Feed()
	text := func(events []event.Event) (all string) {
		for _, e := range events {
			all += e.EventID + " " + e.Title + ","
		}
		return all
	}
	if text(got.Events) != "a t,c t,d last," || text(got.Past) != "b t," {
		t.Errorf("%s and %s", text(got.Events), text(got.Past))
	}
	if got.Seen != 7 || got.Seen != len(got.Events)+len(got.Past)+got.Ignored+got.Rejected || got.Rows != 21 || got.Ignored != 2 || got.Rejected != 1 {
		t.Errorf("%+v", got)
	}
	if want := (Rejection{"1", "x", 9, "page 2: why"}); len(got.Rejections) != 1 || got.Rejections[0] != want {
		t.Errorf("%+v, want %+v", got.Rejections, want)
	}
}

// Something unknown in the place of rows is told only of a feed without rows, as of a
// document; rejections stay bounded.
func TestPagesRejections(t *testing.T) {
	t.Parallel()
	notice := func(number int) *Feed {
		page := pageOf(number, nil, nil)
		page.Rejections = []Rejection{{Line: number, Reason: "<notice>"}}
		return page
	}
	full := pageOf(3, nil, nil)
	for range MaxRejections {
		full.Seen++
		full.Rejected++
		full.Rejections = append(full.Rejections, Rejection{Reason: "why"})
	}
	var pages Pages
	if err := errors.Join(pages.Add(notice(1)), pages.Add(notice(2))); err != nil {
		t.Fatal(err)
	}
	if got := pages.Feed(); len(got.Rejections) != 1 || got.Rejections[0].Reason != "page 1: <notice>" || got.Rejected != 0 {
		t.Errorf("%+v", got)
	}
	pages = Pages{}
	again := *full
	again.Validators.Digest[0]++
	if err := errors.Join(pages.Add(notice(1)), pages.Add(full), pages.Add(&again)); err != nil {
		t.Fatal(err)
	}
	if got := pages.Feed(); got.Rejected != 2*MaxRejections || len(got.Rejections) != MaxRejections || got.Rejections[0].Reason != "page 2: why" {
		t.Errorf("%d rejected, listed %d", got.Rejected, len(got.Rejections))
	}
}

// Pages repeat themselves, or are too large together.
func TestPagesFail(t *testing.T) {
	t.Parallel()
	at := func(page *Feed, own, next string) *Feed {
		page.Page.URL = &url.URL{Scheme: "http", User: url.User("secret"), Host: "h", Path: own}
		page.Next = &Page{Number: page.Page.Number + 1, URL: &url.URL{Scheme: "http", User: url.User("secret"), Host: "h", Path: next}}
		return page
	}
	same := func(number int, rows int) *Feed {
		page := pageOf(1, nil, nil)
		page.Page.Number, page.Rows = number, rows
		return page
	}
	zones := func(number, n int) *Feed {
		page := pageOf(number, []string{fmt.Sprint(number)}, nil)
		page.Events[0].Zones = make([]event.Zone, n)
		return page
	}
	for name, test := range map[string]struct {
		pages []*Feed
		kind  Kind // of the last one; empty: it does not fail
		says  string
	}{
		"a loop":                {[]*Feed{at(pageOf(1, nil, nil), "/1", "/2"), at(pageOf(2, nil, nil), "/2", "/3"), at(pageOf(3, nil, nil), "/3", "/2")}, KindDecode, "page 3 says that page 2 comes next"},
		"the same bytes":        {[]*Feed{same(1, 1), pageOf(2, nil, nil), same(3, 1)}, KindDecode, "page 3 has the same bytes as page 1"},
		"the same bytes, empty": {[]*Feed{same(1, 1), pageOf(2, nil, nil), same(3, 0)}, "", ""},
		"all zones":             {[]*Feed{zones(1, maxZones-1), zones(2, 1)}, "", ""},
		"a zone too many":       {[]*Feed{zones(1, maxZones-1), zones(2, 1), zones(3, 1)}, KindTooLarge, "zones"},
	} {
		var pages Pages
		for i, page := range test.pages {
			err := pages.Add(page)
			failure, ok := errors.AsType[*Error](err)
			switch last := i == len(test.pages)-1; {
			case !last || test.kind == "":
				if err != nil {
					t.Errorf("%s: page %d: %v", name, i+1, err)
				}
			case !ok || failure.Kind != test.kind || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "secret"):
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// The digest of all pages depends on each, and on their order. Without one of them it is
// unknown.
func TestPagesDigest(t *testing.T) {
	t.Parallel()
	digest := func(all ...*Feed) [32]byte {
		var pages Pages
		for _, page := range all {
			if err := pages.Add(page); err != nil {
				t.Fatal(err)
			}
		}
		return pages.Digest()
	}
	a, b := pageOf(1, nil, nil), pageOf(2, nil, nil)
	unknown, beyond := pageOf(3, nil, nil), pageOf(3, nil, nil)
	unknown.Validators.Digest = [32]byte{}
	beyond.Validators.Digest, beyond.Bytes = [32]byte{}, 0
	one := digest(a)
	if one == a.Validators.Digest || one == digest(b) || one == digest(a, b) || digest(a, b) == digest(b, a) {
		t.Error("different pages have one digest")
	}
	if digest(a, b) != digest(a, b, beyond) {
		t.Error("the same pages have different digests")
	}
	if digest(a, unknown, b) != [32]byte{} {
		t.Error("a page without a digest is not noticed")
	}
}

// A page of a feed of changes says of each of its items what it is now. The last one names itself.
func TestPagesOfChanges(t *testing.T) {
	t.Parallel()
	at := func(page *Feed, own, next string) *Feed {
		page.Page.URL = &url.URL{Scheme: "http", Host: "h", Path: own}
		page.Next = &Page{URL: &url.URL{Scheme: "http", Host: "h", Path: next}}
		page.UpToDate = own == next
		return page
	}
	key := func(id string) event.Key { return event.Key{BaseID: "1", EventID: id} }
	first := pageOf(1, []string{"a", "b", "c", "d"}, []string{"e"})
	first.Items = []Item{{ID: "A", Keys: []event.Key{key("a"), key("b")}}, {ID: "C", Keys: []event.Key{key("c")}}, {ID: "D", Keys: []event.Key{key("d"), key("e")}}}
	second := pageOf(2, []string{"b"}, []string{"f"})
	second.Seen, second.Rejected = 3, 1
	second.Items = []Item{{ID: "A", Keys: []event.Key{key("b"), key("f")}}, {ID: "C", Deleted: true}, {ID: "D", Rejected: true}}
	var pages Pages
	if err := errors.Join(pages.Add(at(first, "/1", "/2")), pages.Add(at(second, "/2", "/3")), pages.Add(at(pageOf(3, nil, nil), "/3", "/3"))); err != nil {
		t.Fatal(err)
	}
	got := pages.Feed()
	if text := describe(got); text != "A,b,f; C deleted; D,d,e rejected; | b=t d=t| e=t f=t" {
		t.Error(text)
	}
	if got.Seen != len(got.Events)+len(got.Past)+got.Rejected {
		t.Errorf("%d seen, %d events, %d past, %d rejected", got.Seen, len(got.Events), len(got.Past), got.Rejected)
	}
	pages = Pages{}
	if err := errors.Join(pages.Add(at(pageOf(1, nil, nil), "/1", "/2")), pages.Add(at(pageOf(2, nil, nil), "/2", "/1"))); err == nil {
		t.Error("pages that go round are not noticed")
	}
}
