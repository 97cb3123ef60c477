package simulator

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// A Paging is one way in which a feed is spread over pages, or a lie about it. Its documents
// are {"events":[1,2,3]} with more members, where a row is a number.
type Paging struct {
	Name    string
	Setting string   // what the client must know, as JSON of provider.Pages
	Target  string   // path and query at which the feed begins
	Steps   []Step   // of one job
	Asked   []string // the path and query of each request that must come; nil: not checked
	Rows    []int    // that must come, in order
	Refused int      // rows that must be rejected

	Kind string // of the failure that it must cause, one of package feed; empty: none
	Says string // a part of the message
}

// page answers with a page that has the given rows, and more members.
func page(members string, rows ...int) Step {
	return Body([]byte(document(members, rows...)), "Content-Type: application/json")
}

func document(members string, rows ...int) string {
	events := strings.Join(strings.Fields(fmt.Sprint(rows)), ",")
	return fmt.Sprintf(`{"events":%s%s}`, events, members)
}

// linked answers with a page that has a Link header.
func linked(link string, rows ...int) Step { return Body([]byte(document("", rows...)), "Link: "+link) }

// infinite answers each request with one row, and the address of another page.
func infinite() Step {
	return Step{play: func(x *exchange) error {
		n, err := strconv.Atoi(x.request.URL.Query().Get("page"))
		if err != nil {
			n = 1
		}
		doc := []byte(document(fmt.Sprintf(`,"next":"/feed?page=%d"`, n+1), n))
		return x.send(int64(len(doc)), doc, nil)
	}}
}

// Pagings returns all ways and lies.
func Pagings() []Paging {
	return slices.Concat(nextPagings(), countedPagings(), cursorPagings(), listings(), pagingLies(), listingLies())
}

// nextPagings name the URL of the next page.
func nextPagings() []Paging {
	const in, link = `{"next":".links.next"}`, `{"next":"link"}`
	next := func(to string) string { return `,"links":{"next":` + to + `}` }
	return []Paging{
		{
			Name: "next in the body, at last null", Setting: in, Target: "/feed?key=secret",
			Steps: []Step{page(next(`"/feed?page=2"`), 1, 2), page(next(`"?page=%33&x=á b"`), 3), page(next("null"), 4)},
			Asked: []string{"/feed?key=secret", "/feed?page=2", "/feed?page=%33&x=%C3%A1%20b"}, Rows: []int{1, 2, 3, 4},
		},
		{Name: "next, at last absent", Setting: in, Steps: []Step{page(next(`"2"`), 1), page("", 2)}, Asked: []string{"/", "/2"}, Rows: []int{1, 2}},
		{Name: "next, at last without what it is in", Setting: in, Steps: []Step{page(next(`"2"`), 1), page(`,"links":null`, 2)}, Asked: []string{"/", "/2"}, Rows: []int{1, 2}},
		{Name: "next, at last empty", Setting: in, Steps: []Step{page(next(`"2"`), 1), page(next(`" "`), 2)}, Asked: []string{"/", "/2"}, Rows: []int{1, 2}},
		{Name: "next, at last false", Setting: in, Steps: []Step{page(next(`"2"`), 1), page(next("false"), 2)}, Asked: []string{"/", "/2"}, Rows: []int{1, 2}},
		{Name: "next, at last its own", Setting: in, Steps: []Step{page(next(`"2?a=b"`), 1), page(next(`"/2?a=b#top"`), 2)}, Asked: []string{"/", "/2?a=b"}, Rows: []int{1, 2}},
		{Name: "next, the first page is empty", Setting: in, Steps: []Step{page(next(`"2"`)), page("", 2)}, Asked: []string{"/", "/2"}, Rows: []int{2}},
		{Name: "next, behind an empty page", Setting: in, Steps: []Step{page(next(`"2"`), 1), page(next(`"3"`)), page("", 3)}, Asked: []string{"/", "/2", "/3"}, Rows: []int{1, 3}},
		{Name: "next, two empty pages", Setting: in, Steps: []Step{page(next(`"2"`)), page(next(`"3"`)), page("")}, Asked: []string{"/", "/2", "/3"}},
		{Name: "next, a row again", Setting: in, Steps: []Step{page(next(`"2"`), 1, 2), page("", 2, 3)}, Asked: []string{"/", "/2"}, Rows: []int{1, 2, 3}},
		{Name: "next and a total", Setting: `{"next":".next","total":".count"}`, Steps: []Step{page(`,"next":"2","count":3`, 1, 2), page(`,"next":"","count":"3"`, 3)}, Asked: []string{"/", "/2"}, Rows: []int{1, 2, 3}},
		{Name: "next in several values", Setting: `{"next":".next"}`, Steps: []Step{Body([]byte(document("", 1) + "\n{\"next\":\"2\"}")), page("", 2)}, Asked: []string{"/", "/2"}, Rows: []int{1, 2}},
		{
			Name: "Link header", Setting: link, Target: "/feed?page=1",
			Steps: []Step{
				linked(`</feed?page=0>; rel=prev, </feed?a=1,2&page=2>; title="a, \"b\"; rel=last"; rel="last next"`, 1),
				linked(`<http://127.0.0.1:1/>; rel="next"; anchor="/other", <?page=3>;REL=Next;rel=prev`, 2),
				linked(`</feed?page=1>; rel="first prev"`, 3),
			},
			Asked: []string{"/feed?page=1", "/feed?a=1,2&page=2", "/feed?page=3"}, Rows: []int{1, 2, 3},
		},
	}
}

// countedPagings have the number of the page, or of a row, in the URL.
func countedPagings() []Paging {
	more := func(flag string) string { return `,"more":` + flag }
	const number = `{"number":"page"}`
	return []Paging{
		{
			Name: "numbers, up to an empty page", Setting: number, Target: "/feed?lang=es&a=%20b",
			Steps: []Step{page("", 1), page("", 2), page("")},
			Asked: []string{"/feed?lang=es&a=%20b", "/feed?lang=es&a=%20b&page=2", "/feed?lang=es&a=%20b&page=3"}, Rows: []int{1, 2},
		},
		{Name: "numbers, as the URL begins", Setting: number, Target: "/?page=0&a=b", Steps: []Step{page("", 1), page("", 2), page("")}, Asked: []string{"/?page=0&a=b", "/?a=b&page=1", "/?a=b&page=2"}, Rows: []int{1, 2}},
		{Name: "numbers from another one", Setting: `{"number":"p[n]","first":0}`, Steps: []Step{page("", 1), page("")}, Asked: []string{"/", "/?p%5Bn%5D=1"}, Rows: []int{1}},
		{Name: "numbers, up to a short page", Setting: `{"number":"page","size":2}`, Steps: []Step{page("", 1, 2), page("", 3)}, Asked: []string{"/", "/?page=2"}, Rows: []int{1, 2, 3}},
		{Name: "numbers, the last page is full", Setting: `{"number":"page","size":2}`, Steps: []Step{page("", 1, 2), page("")}, Asked: []string{"/", "/?page=2"}, Rows: []int{1, 2}},
		{Name: "numbers, the first page is empty", Setting: `{"number":"page","size":2}`, Steps: []Step{page(""), page("", 1)}, Asked: []string{"/", "/?page=2"}, Rows: []int{1}},
		{Name: "numbers, nothing at all", Setting: number, Steps: []Step{page(""), page("")}, Asked: []string{"/", "/?page=2"}},
		{Name: "numbers, up to 404", Setting: `{"number":"page","end":404}`, Steps: []Step{page("", 1), page("", 2), Status(http.StatusNotFound)}, Asked: []string{"/", "/?page=2", "/?page=3"}, Rows: []int{1, 2}},
		{Name: "numbers, up to a total", Setting: `{"number":"page","total":".total"}`, Steps: []Step{page(`,"total":3`, 1, 2), page(`,"total":3`, 3)}, Asked: []string{"/", "/?page=2"}, Rows: []int{1, 2, 3}},
		{Name: "numbers, and a flag", Setting: `{"number":"page","flag":".more"}`, Steps: []Step{page(more("true"), 1), page(more("true")), page(more("false"), 3)}, Asked: []string{"/", "/?page=2", "/?page=3"}, Rows: []int{1, 3}},
		{Name: "numbers, and a flag that is left out", Setting: `{"number":"page","flag":".more"}`, Steps: []Step{page(more("1"), 1), page("", 2)}, Asked: []string{"/", "/?page=2"}, Rows: []int{1, 2}},
		{Name: "offsets of a size", Setting: `{"offset":"start","size":2}`, Steps: []Step{page("", 1, 2), page("", 3, 4), page("", 5)}, Asked: []string{"/", "/?start=2", "/?start=4"}, Rows: []int{1, 2, 3, 4, 5}},
		{Name: "offsets of the rows", Setting: `{"offset":"start"}`, Target: "/?start=1", Steps: []Step{page("", 1, 2, 3), page("", 4), page("")}, Asked: []string{"/?start=1", "/?start=4", "/?start=5"}, Rows: []int{1, 2, 3, 4}},
		{Name: "offsets of nothing", Setting: `{"offset":"start"}`, Steps: []Step{page("")}, Asked: []string{"/"}},
	}
}

// cursorPagings have a value in the body that goes into the URL.
func cursorPagings() []Paging {
	return []Paging{
		{
			Name: "a token", Setting: `{"cursor":".meta.cursor","parameter":"cursor"}`, Target: "/feed?cursor=&size=1",
			Steps: []Step{page(`,"meta":{"cursor":"a+/=é&"}`, 1), page(`,"meta":{"cursor":12345678901234567890}`, 2), page(`,"meta":{"cursor":null}`, 3)},
			Asked: []string{"/feed?cursor=&size=1", "/feed?size=1&cursor=a%2B%2F%3D%C3%A9%26", "/feed?size=1&cursor=12345678901234567890"}, Rows: []int{1, 2, 3},
		},
		{
			Name: "a list", Setting: `{"cursor":".after","parameter":"after[]","total":".total"}`, Target: "/?size=1",
			Steps: []Step{page(`,"after":[1,"a"],"total":3`, 1), page(`,"after":[2.50,"b"],"total":3`, 2), page(`,"after":[3,"c"],"total":3`, 3)},
			Asked: []string{"/?size=1", "/?size=1&after%5B%5D=1&after%5B%5D=a", "/?size=1&after%5B%5D=2.50&after%5B%5D=b"}, Rows: []int{1, 2, 3},
		},
		{Name: "a list, at last empty", Setting: `{"cursor":".after","parameter":"after"}`, Steps: []Step{page(`,"after":[1]`, 1), page(`,"after":[]`, 2)}, Asked: []string{"/", "/?after=1"}, Rows: []int{1, 2}},
		{Name: "a cursor that stays", Setting: `{"cursor":".after","parameter":"after"}`, Steps: []Step{page(`,"after":7`, 1), page(`,"after":7`, 2)}, Asked: []string{"/", "/?after=7"}, Rows: []int{1, 2}},
		{Name: "a cursor and a flag", Setting: `{"cursor":".after","parameter":"after","flag":".more"}`, Steps: []Step{page(`,"after":7,"more":true`, 1), page(`,"after":8,"more":false`, 2)}, Asked: []string{"/", "/?after=7"}, Rows: []int{1, 2}},
	}
}

// listings lead to pages of their rows. A document may have rows, the addresses of rows, and
// anchors, other addresses.
func listings() []Paging {
	const follow = `{"follow":"link"}`
	gone, missing := Status(http.StatusGone), Status(http.StatusNotFound)
	return []Paging{
		{
			Name: "a listing", Setting: follow, Target: "/list?lang=es",
			Steps: []Step{page(`,"rows":["/a?id=1","b","/a?id=1#top"],"anchors":["/c"]`, 1), page("", 2), page("", 3)},
			Asked: []string{"/list?lang=es", "/a?id=1", "/b"}, Rows: []int{1, 2, 3},
		},
		{
			Name: "a listing with links of HTML", Setting: `{"follow":"/events/*"}`, Target: "/events",
			Steps: []Step{page(`,"rows":["/news/1","events/2"],"anchors":["/events/1/map","/events/1","http://127.0.0.1:1/events/9","http://[","mailto:a@b.example"]`), page("", 1), page("", 2)},
			Asked: []string{"/events", "/events/1", "/events/2"}, Rows: []int{1, 2}, Refused: 1,
		},
		{
			Name: "a listing in pages", Setting: `{"follow":"link","number":"page","total":".total"}`,
			Steps: []Step{page(`,"total":3,"rows":["a","b"]`), page(`,"total":3,"rows":["/a","c"]`), page("", 1), page("", 2), page("", 3)},
			Asked: []string{"/", "/?page=2", "/a", "/b", "/c"}, Rows: []int{1, 2, 3},
		},
		{
			Name: "a listing up to 404", Setting: `{"follow":"link","number":"page","end":404}`,
			Steps: []Step{page(`,"rows":["a"]`), missing, page("", 1)}, Asked: []string{"/", "/?page=2", "/a"}, Rows: []int{1},
		},
		{
			Name: "pages of rows that are gone", Setting: follow,
			Steps: []Step{page(`,"rows":["a","b","c"]`), gone, page("", 2), missing}, Asked: []string{"/", "/a", "/b", "/c"}, Rows: []int{2}, Refused: 2,
		},
		{Name: "a page of a row that is something else", Setting: follow, Steps: []Step{page(`,"rows":["a","b"]`), Body([]byte("<html>Sorry</html>")), page("", 2)}, Rows: []int{2}, Refused: 1},
		{Name: "a page of a row that leads further", Setting: follow, Steps: []Step{page(`,"rows":["a"]`), page(`,"rows":["/","b"],"next":"c"`, 1)}, Asked: []string{"/", "/a"}, Rows: []int{1}},
		{Name: "a listing that leads to itself", Setting: `{"follow":"link","next":".next"}`, Steps: []Step{page(`,"rows":["/"],"next":"/2"`, 1), page(`,"rows":["/","/2?"]`, 2), page("", 3)}, Asked: []string{"/", "/2", "/2?"}, Rows: []int{1, 2, 3}, Refused: 2},
		{Name: "pages of rows with the same bytes", Setting: follow, Steps: []Step{page(`,"rows":["a","b"]`), page("", 1)}, Asked: []string{"/", "/a", "/b"}, Rows: []int{1}},
		{Name: "rows at another host", Setting: follow, Steps: []Step{page(`,"rows":["http://user:secret@127.0.0.2/?token=secret","ftp://127.0.0.1/","b"]`), page("", 1)}, Asked: []string{"/", "/b"}, Rows: []int{1}, Refused: 2},
	}
}

// listingLies are listings that must not be taken.
func listingLies() []Paging {
	const follow = `{"follow":"link"}`
	many := strings.Repeat(`,"x"`, 3)
	for n := range 1000 {
		many += fmt.Sprintf(`,"/%d"`, n)
	}
	return []Paging{
		{Name: "a listing of more than may be read", Setting: follow, Steps: []Step{page(`,"rows":[`+many[1:]+`]`, 1)}, Asked: []string{"/"}, Kind: "decode", Says: "leads to more than 1000 pages"},
		{Name: "a listing that repeats itself", Setting: `{"follow":"link","number":"page"}`, Steps: []Step{page(`,"rows":["a"]`)}, Kind: "decode", Says: "page 2 has the same bytes as page 1"},
		{Name: "a page of a row that fails", Setting: follow, Steps: []Step{page(`,"rows":["a?token=secret"]`, 1), Status(http.StatusInternalServerError)}, Kind: "http_status", Says: "fetch page 2 from 127.0.0.1"},
		{Name: "a page of a row that is forbidden", Setting: follow, Steps: []Step{page(`,"rows":["a"]`, 1), Status(http.StatusForbidden)}, Kind: "http_status", Says: "answered 403"},
		{Name: "a page of a row that is cut", Setting: follow, Steps: []Step{page(`,"rows":["a"]`, 1), Claim(100, []byte(document("", 2)))}, Kind: "connection", Says: "fetch page 2 from"},
	}
}

// pagingLies are feeds that must not be taken.
func pagingLies() []Paging {
	const decode, in, total = "decode", `{"next":".next"}`, `{"number":"page","total":".total"}`
	next := func(to string) string { return `,"next":` + to }
	return []Paging{
		{Name: "a loop", Setting: in, Steps: []Step{page(next(`"2"`), 1), page(next(`"3"`), 2), page(next(`"2"`), 3)}, Kind: decode, Says: "page 3 says that page 2 comes next"},
		{Name: "a loop to the first page", Setting: in, Steps: []Step{page(next(`"2"`), 1), page(next(`"/"`), 2)}, Kind: decode, Says: "page 2 says that page 1 comes next"},
		{Name: "a parameter that is ignored", Setting: `{"number":"page"}`, Steps: []Step{page("", 1)}, Kind: decode, Says: "page 2 has the same bytes as page 1"},
		{Name: "an endless feed", Setting: in, Target: "/feed", Steps: []Step{infinite()}, Kind: decode, Says: "goes on after 1000 pages"},
		{Name: "a total beyond what comes", Setting: total, Steps: []Step{page(`,"total":1000`, 1), page(`,"total":1000`)}, Kind: decode, Says: "page 2 from 127.0.0.1"},
		{Name: "a total beyond the end", Setting: `{"next":".next","total":".total"}`, Steps: []Step{page(`,"total":3,"next":"2"`, 1), page(`,"total":3`, 2)}, Kind: decode, Says: "of 3 rows only 2 came"},
		{Name: "a total beyond 404", Setting: `{"number":"page","end":404,"total":".total"}`, Steps: []Step{page(`,"total":3`, 1), Status(http.StatusNotFound)}, Kind: decode, Says: "of 3 rows only 1 came"},
		{Name: "no total", Setting: total, Steps: []Step{page("", 1)}, Kind: decode, Says: "nothing at .total"},
		{Name: "a total that is no number", Setting: total, Steps: []Step{page(`,"total":"many"`, 1)}, Kind: decode, Says: "not a number of rows"},
		{Name: "a flag that is none", Setting: `{"number":"page","flag":".more"}`, Steps: []Step{page(`,"more":"perhaps"`, 1)}, Kind: decode, Says: "neither true nor false"},
		{Name: "next at another host", Setting: in, Steps: []Step{page(next(`"http://user:secret@127.0.0.2/?token=secret"`), 1)}, Kind: decode, Says: `the next page is at "http://127.0.0.2"`},
		{Name: "next without http", Setting: in, Steps: []Step{page(next(`"javascript:secret()"`), 1)}, Kind: decode, Says: "not one of http or https"},
		{Name: "next that cannot be read", Setting: in, Steps: []Step{page(next(`"http://[secret"`), 1)}, Kind: decode, Says: "not one of http or https"},
		{Name: "next that is long", Setting: in, Steps: []Step{page(next(`"?`+strings.Repeat("secret", 2000)+`"`), 1)}, Kind: decode, Says: "bytes in one"},
		{Name: "next that is an object", Setting: in, Steps: []Step{page(next(`{"href":"secret"}`), 1)}, Kind: decode, Says: "neither a value nor a list"},
		{Name: "next that is a list", Setting: in, Steps: []Step{page(next(`["secret","secret"]`), 1)}, Kind: decode, Says: "is a list"},
		{Name: "a cursor of many values", Setting: `{"cursor":".after","parameter":"after"}`, Steps: []Step{page(`,"after":[0`+strings.Repeat(",0", 100)+`]`, 1)}, Kind: decode, Says: "more than 100 values"},
		{Name: "a Link header that is none", Setting: `{"next":"link"}`, Steps: []Step{linked("/secret; rel=next", 1)}, Kind: decode, Says: "its Link header is malformed"},
		{Name: "next that answers 400", Setting: in, Steps: []Step{page(next(`"?token=secret"`), 1), Status(http.StatusBadRequest)}, Kind: "http_status", Says: "fetch page 2 from 127.0.0.1"},
		{Name: "404 that is not agreed", Setting: `{"number":"page"}`, Steps: []Step{page("", 1), Status(http.StatusNotFound)}, Kind: "http_status", Says: "answered 404"},
		{Name: "404 for the first page", Setting: `{"number":"page","end":404}`, Steps: []Step{Status(http.StatusNotFound)}, Kind: "http_status", Says: "answered 404"},
		{Name: "a page that is something else", Setting: `{"number":"page"}`, Steps: []Step{page("", 1), Body([]byte("<html>Sorry</html>"))}, Kind: "malformed", Says: "fetch page 2 from"},
		{Name: "a page that is cut", Setting: in, Steps: []Step{page(next(`"2"`), 1), Body([]byte(document(next(`"3"`), 2))[:20])}, Kind: "malformed", Says: "fetch page 2 from"},
	}
}
