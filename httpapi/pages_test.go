package httpapi

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"fever/event"
	"fever/index"
)

func TestSearchOverlap(t *testing.T) {
	t.Parallel()
	base := search(t, entries(t,
		row{id: "year", start: "2021-01-01", end: "2021-12-31"},
		row{id: "a", start: "2021-06-01T20:00:00", end: "2021-06-01T22:00:00"},
		row{id: "b", start: "2021-06-02T20:00:00", end: "2021-06-05T22:00:00"},
		row{id: "c", start: "2021-06-03T20:00:00"}, // no end: it ends when it starts
		row{id: "d", start: "2021-06-04"},
		row{id: "madrid", start: "2021-07-01T21:00:00", end: "2021-07-01T23:00:00", zone: "Europe/Madrid"}, // 19:00-21:00 UTC
	)...)
	for _, test := range []struct{ query, want string }{
		{"", "year a b c d madrid"},
		{"starts_at=2021-06-01T22:00:00Z&ends_at=2021-06-02T20:00:00Z", "year a b"}, // both bounds are included
		{"starts_at=2021-06-01T22:00:01Z&ends_at=2021-06-02T19:59:59Z", "year"},
		{"starts_at=2021-06-01T22:00:00.001Z&ends_at=2021-06-02T19:59:59.999Z", "year"},
		{"starts_at=2021-06-01T21:00:00.2Z&ends_at=2021-06-01T21:00:00.7Z", "year a"}, // within a second of it
		{"starts_at=2021-06-01T22:00:00.2Z&ends_at=2021-06-01T22:00:00.7Z", "year"},
		{"starts_at=2021-06-03T20:00:00Z&ends_at=2021-06-03T20:00:00Z", "year b c"},
		{"starts_at=2021-06-03T20:00:01Z&ends_at=2021-06-03T23:00:00Z", "year b"},
		{"starts_at=2021-06-04T00:00:00Z&ends_at=2021-06-04T12:00:00Z", "year b d"},
		{"starts_at=2021-06-05T00:00:00Z", "year b madrid"},
		{"ends_at=2021-06-01T20:00:00Z", "year a"},
		{"ends_at=2020-12-31T23:59:59Z", ""},
		{"starts_at=2021-12-31T23:59:59Z", "year"},
		{"starts_at=2022-01-01T00:00:00Z", ""},
		{"starts_at=2021-07-01T23:00:00%2B02:00&ends_at=2021-07-02T00:00:00%2B02:00", "year madrid"},
	} {
		reply := get(t, base+"/search?match=overlap&"+test.query)
		if got := strings.Join(reply.titles(t), " "); reply.status != http.StatusOK || got != test.want {
			t.Errorf("%s: %d %q, want %q", test.query, reply.status, got, test.want)
		}
	}
	// What counts when match is left out can be said as well.
	for _, query := range []string{"", "&starts_at=2021-06-02T00:00:00Z", "&ends_at=2021-06-04T00:00:00Z"} {
		if a, b := get(t, base+"/search?"+query), get(t, base+"/search?match=within"+query); a.body != b.body || a.header.Get("Etag") != b.header.Get("Etag") {
			t.Errorf("%s: %s is not %s", query, b.body, a.body)
		}
	}
}

// next returns the URL of the next page, which is empty when there is none.
func (r reply) next(t testing.TB, from string) string {
	t.Helper()
	link := r.header.Get("Link")
	if link == "" {
		return ""
	}
	target, ok := strings.CutSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
	base, err := url.Parse(from)
	if err != nil || !ok {
		t.Fatalf("%s: the link is %s, %v", from, link, err)
	}
	to, err := base.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	return to.String()
}

// TestPages follows the pages of answers, with and without compression, and holds them
// against the whole answer. HEAD and a 304 say of each page what GET does.
func TestPages(t *testing.T) {
	t.Parallel()
	list := many(t, 300)
	list = append(list, entries(t,
		row{id: "year", start: "2020-01-01", end: "2021-12-31"},
		row{id: "x", start: "2021-01-05T20:00:00", end: "2021-02-05T22:00:00"},
		row{id: "y", start: "2021-01-05T20:00:00", end: "2021-02-05T22:00:00"},
		row{id: "z", start: "2021-01-05T20:00:00", end: "2021-02-05T22:00:00"},
	)...)
	base := search(t, list...)
	for _, query := range []string{
		"", "match=overlap", "match=within&starts_at=2021-01-02T00:00:00.5Z&ends_at=2021-01-09T00:00:00%2B02:00",
		"match=overlap&starts_at=2021-01-02T00:00:00Z&utm=%3E%22", "ends_at=2021-01-04T00:00:00-02:00",
		"starts_at=2021-01-05T20:00:00Z&ends_at=2021-02-05T22:00:00Z", "starts_at=2030-01-01T00:00:00Z",
	} {
		whole := get(t, base+"/search?"+query)
		want := whole.titles(t)
		if whole.header.Get("Link") != "" {
			t.Errorf("%s: a link without a limit", query)
		}
		for _, limit := range []int{1, 7, 100, max(1, len(want)), len(want) + 1} {
			if limit == 1 && len(want) > 50 {
				continue
			}
			for _, coding := range []string{"gzip", "identity"} {
				var got []string
				pages := 0
				for next := fmt.Sprintf("%s/search?%s&limit=%d", base, query, limit); next != ""; pages++ {
					page := get(t, next, "Accept-Encoding: "+coding)
					if page.status != http.StatusOK {
						t.Fatalf("%s: %d %s", next, page.status, page.body)
					}
					head := do(t, request(t, http.MethodHead, next, "Accept-Encoding: "+coding))
					head.header.Del("Date")
					same := page.header.Clone()
					same.Del("Date")
					if !equalHeaders(head.header, same) {
						t.Errorf("%s: %v for HEAD, %v for GET", next, head.header, page.header)
					}
					again := get(t, next, "Accept-Encoding: "+coding, "If-None-Match: "+page.header.Get("Etag"))
					if again.status != http.StatusNotModified || again.header.Get("Link") != page.header.Get("Link") {
						t.Errorf("%s: %d %v for its tag, of %v", next, again.status, again.header, page.header)
					}
					titles := page.titles(t)
					got = append(got, titles...)
					if next = page.next(t, next); next != "" && len(titles) != limit {
						t.Fatalf("%d events on a page of %d", len(titles), limit)
					}
				}
				if !slices.Equal(got, want) || pages != max(1, (len(want)+limit-1)/limit) {
					t.Errorf("%s in pages of %d: %d events on %d pages, want %d", query, limit, len(got), pages, len(want))
				}
			}
		}
	}
}

// TestPageTag has an event come after a page: the page is no longer the last one, though its
// events are the same. A client that has the page must learn of that.
func TestPageTag(t *testing.T) {
	t.Parallel()
	list := many(t, 3)
	x := loaded(t, list[:2]...)
	base := listen(t, NewSearch(Search{Index: x, MaxAge: time.Minute, Log: quiet}))
	for _, match := range []string{"within", "overlap"} {
		if err := x.Load(list[:2]); err != nil {
			t.Fatal(err)
		}
		page := base + "/search?limit=2&match=" + match
		last := get(t, page)
		if whole := get(t, base+"/search"); last.header.Get("Link") != "" || whole.header.Get("Etag") != last.header.Get("Etag") {
			t.Errorf("the only page is %v, the whole answer %v", last.header, whole.header)
		}
		x.Apply(list[2:])
		reply := get(t, page, "If-None-Match: "+last.header.Get("Etag"))
		if reply.status != http.StatusOK || reply.body != last.body || reply.header.Get("Link") == "" {
			t.Errorf("%d %v, with one more event", reply.status, reply.header)
		}
		if reply = get(t, page, "If-None-Match: "+reply.header.Get("Etag")); reply.status != http.StatusNotModified || reply.header.Get("Link") == "" {
			t.Errorf("%d %v, with its tag", reply.status, reply.header)
		}
	}
}

// TestPagesWhileDataChanges has events come, go and move while a client follows the pages.
// Those that stay are on one page each.
func TestPagesWhileDataChanges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		moving := func(id string) *event.Entry {
			start := r.Int64N(1_000)
			e := &event.Entry{SortKey: event.SortKey{Start: start, End: start + r.Int64N(1+r.Int64N(1_000))}, Summary: []byte(id)}
			copy(e.ID[:], id)
			return e
		}
		q := index.Query{Window: event.Window{From: r.Int64N(500), To: 500 + r.Int64N(500)}, Overlap: r.IntN(2) == 0, Limit: 1 + r.IntN(20)}
		x := index.New()
		var list []*event.Entry
		for i := range 100 {
			list = append(list, moving(fmt.Sprint("stays ", i)), moving(fmt.Sprint("moves ", i)))
		}
		if err := x.Load(list); err != nil {
			t.Fatal(err)
		}
		stays := func(q index.Query) (found []string, page index.Result) {
			x.Snapshot().Search(q, &page)
			for run := range page.Runs {
				for text := range strings.SplitSeq(string(run.Text()), ",") {
					if strings.HasPrefix(text, "stays") {
						found = append(found, text)
					}
				}
			}
			return found, page
		}
		all := q
		all.Limit = 0
		want, _ := stays(all)
		var got []string
		for {
			found, page := stays(q)
			got = append(got, found...)
			if !page.More {
				break
			}
			last := page.Last()
			var ok bool
			if q.After, ok = parseCursor(&q, cursorAfter(&q, &last)); !ok || *q.After != last {
				t.Fatalf("the cursor after %v is one after %v", last, q.After)
			}
			var changed []*event.Entry
			for range r.IntN(20) {
				changed = append(changed, moving(fmt.Sprint("moves ", r.IntN(120))))
			}
			x.Apply(changed)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q\nwant %q", got, want)
		}
	})
}

func TestCursor(t *testing.T) {
	t.Parallel()
	base := search(t, many(t, 50)...)
	const window = "starts_at=2021-01-01T00:00:00Z&ends_at=2021-01-02T12:00:00Z"
	link := get(t, base+"/search?limit=10&"+window).next(t, "")
	_, cursor, ok := strings.Cut(link, "&cursor=")
	if !ok || len(cursor) != cursorText {
		t.Fatalf("the link is %q", link)
	}
	other := []byte(cursor)
	other[5] ^= 1
	for _, test := range []struct {
		query string
		want  int // events; 0: it is refused
	}{
		{window + "&cursor=" + cursor, 26},
		{window + "&limit=1&cursor=" + cursor, 1}, // the limit may change
		{window + "&match=within&cursor=" + cursor, 26},
		{"starts_at=2021-01-01T02:00:00%2B02:00&ends_at=2021-01-02T12:00:00.5Z&cursor=" + cursor, 26}, // written in another way
		{window + "&match=overlap&cursor=" + cursor, 0},
		{"starts_at=2021-01-01T00:00:01Z&ends_at=2021-01-02T12:00:00Z&cursor=" + cursor, 0},
		{"starts_at=2021-01-01T00:00:00Z&cursor=" + cursor, 0},
		{"cursor=" + cursor, 0},
		{window + "&cursor=" + cursor + "&cursor=" + cursor, 0},
		{window + "&cursor=" + string(other), 0},
		{window + "&cursor=" + cursor[1:], 0},
		{window + "&cursor=" + cursor + "A", 0},
		{window + "&cursor=" + cursor[:40] + "%0A%0D" + cursor[42:], 0},
		{window + "&cursor=" + strings.Repeat("A", cursorText), 0},
		{window + "&cursor=" + strings.Repeat("A", 10_000), 0},
		{window + "&cursor=", 0},
		{window + "&cursor=%zz", 0},
	} {
		reply := get(t, base+"/search?"+test.query)
		if test.want > 0 {
			if got := len(reply.titles(t)); reply.status != http.StatusOK || got != test.want {
				t.Errorf("%s: %d with %d events, want %d", test.query, reply.status, got, test.want)
			}
			continue
		}
		code, message := reply.failure(t)
		if reply.status != http.StatusBadRequest || code != "invalid_parameter" || !strings.HasPrefix(message, "cursor is ") || len(message) > 400 {
			t.Errorf("%.200s: %d %s", test.query, reply.status, reply.body)
		}
	}
}

func TestBadPages(t *testing.T) {
	t.Parallel()
	base := search(t, many(t, 3)...)
	for _, test := range []struct{ query, want string }{
		{"match=", `match is "": it is either within`},
		{"match", `match is ""`},
		{"match=Overlap", `match is "Overlap"`},
		{"match=overlaps", "overlap"},
		{"match=%zz", `match is "%zz"`},
		{"match=overlap&match=overlap", `match is given 2 times, the last time as "overlap"`},
		{"limit=", `limit is ""`},
		{"limit=0", `limit is "0": it is a number of events from 1 to 2147483647`},
		{"limit=-1", `limit is "-1"`},
		{"limit=+1", `limit is " 1"`},
		{"limit=%2B1", `limit is "+1"`},
		{"limit=1.0", "limit=100"},
		{"limit=1e3", "limit"},
		{"limit=0x10", "limit"},
		{"limit=1_000", "limit"},
		{"limit=all", "limit"},
		{"limit=2147483648", "limit"},
		{"limit=" + strings.Repeat("9", 5_000), "limit"},
		{"limit=1&limit=1", "2 times"},
		{"limit=%D9%A1", "limit"}, // a digit, but not of ASCII
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			reply := do(t, request(t, method, base+"/search?"+test.query))
			if reply.status != http.StatusBadRequest || reply.header.Get("Link") != "" {
				t.Errorf("%s %.100s: %d", method, test.query, reply.status)
			}
			if method == http.MethodHead {
				continue
			}
			if code, message := reply.failure(t); code != "invalid_parameter" || !strings.Contains(message, test.want) || len(message) > 400 {
				t.Errorf("%.100s: %s", test.query, reply.body)
			}
		}
	}
	if got := len(get(t, base+"/search?limit=2147483647").titles(t)); got != 3 {
		t.Errorf("%d events with the greatest limit", got)
	}
}

func TestMaxAnswer(t *testing.T) {
	t.Parallel()
	base := listen(t, NewSearch(Search{Index: loaded(t, many(t, 50)...), MaxAnswer: 20, Log: quiet}))
	const twenty = "ends_at=2021-01-01T20:00:00Z"
	for _, test := range []struct {
		query  string
		status int
		code   string
		events int
	}{
		{"", http.StatusBadRequest, "answer_too_large", 0},
		{"match=overlap", http.StatusBadRequest, "answer_too_large", 0},
		{"ends_at=2021-01-01T21:00:00Z", http.StatusBadRequest, "answer_too_large", 0},
		{twenty, http.StatusOK, "", 20},
		{"limit=20", http.StatusOK, "", 20},
		{"limit=21", http.StatusBadRequest, "invalid_parameter", 0},
		{"limit=21&" + twenty, http.StatusBadRequest, "invalid_parameter", 0},
		{"limit=3", http.StatusOK, "", 3},
	} {
		reply := get(t, base+"/search?"+test.query, "If-None-Match: *", "Accept-Encoding: gzip")
		if test.status == http.StatusOK {
			reply = get(t, base+"/search?"+test.query, "Accept-Encoding: gzip")
			if got := len(reply.titles(t)); reply.status != test.status || got != test.events {
				t.Errorf("%q: %d with %d events", test.query, reply.status, got)
			}
		} else if code, message := reply.failure(t); reply.status != test.status || code != test.code || !strings.Contains(message, "20") || reply.header["Vary"] != nil {
			t.Errorf("%q: %d %v %s", test.query, reply.status, reply.header, reply.body)
		}
		if head := do(t, request(t, http.MethodHead, base+"/search?"+test.query)); head.status != test.status {
			t.Errorf("%q: %d for HEAD", test.query, head.status)
		}
	}
	// All of it can be had in pages, and what is left of it without a limit when it is little.
	second := get(t, base+"/search?limit=20").next(t, base+"/search")
	third := get(t, second).next(t, second)
	if got := len(get(t, third).titles(t)); got != 10 {
		t.Errorf("%d events on the last page", got)
	}
	if reply := get(t, strings.Replace(second, "limit=20&", "", 1)); reply.status != http.StatusBadRequest {
		t.Errorf("%d for the 30 events after a page", reply.status)
	}
	if got := len(get(t, strings.Replace(third, "limit=20&", "", 1)).titles(t)); got != 10 {
		t.Errorf("%d events after the second page, without a limit", got)
	}
}
