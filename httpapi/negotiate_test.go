package httpapi

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"fever/event"
)

func TestWantsGzip(t *testing.T) {
	t.Parallel()
	const large, small = minGzip, minGzip - 1
	for _, test := range []struct {
		lines []string
		large bool
		small bool
	}{
		{nil, false, false},
		{[]string{""}, false, false},
		{[]string{"gzip"}, true, false},
		{[]string{"GZip"}, true, false},
		{[]string{"x-gzip"}, true, false},
		{[]string{"gzip, deflate, br, zstd"}, true, false},
		{[]string{"br,gzip"}, true, false},
		{[]string{" \tgzip\t "}, true, false},
		{[]string{",, gzip,,"}, true, false},
		{[]string{"deflate", "br", "gzip"}, true, false}, // several lines are one list
		{[]string{"br"}, false, false},
		{[]string{"identity"}, false, false},
		{[]string{"gzipped"}, false, false},
		{[]string{"gzip deflate"}, false, false},

		// Weights.
		{[]string{"gzip;q=1"}, true, false},
		{[]string{"gzip;q=1.000"}, true, false},
		{[]string{"gzip;q=0.001"}, true, false},
		{[]string{"gzip;Q=0.5"}, true, false},
		{[]string{"gzip ; q=0.5"}, true, false},
		{[]string{"gzip\t;\tq=0.5"}, true, false},
		{[]string{"gzip;q=0"}, false, false},
		{[]string{"gzip;q=0."}, false, false},
		{[]string{"gzip;q=0.0"}, false, false},
		{[]string{"gzip;q=0.000"}, false, false},
		{[]string{"gzip;q=1."}, true, false},
		{[]string{"gzip;q=0.5, identity;q=0.5"}, true, false},
		{[]string{"gzip;q=0.5, identity"}, false, false}, // the client prefers it plain
		{[]string{"identity;q=0.5, gzip;q=0.499"}, false, false},
		{[]string{"identity;q=0.499, gzip;q=0.5"}, true, false},
		{[]string{"gzip;q=0", "br;q=1"}, false, false},

		// Invalid weights: the coding counts as not listed.
		{[]string{"gzip;q="}, false, false},
		{[]string{"gzip;q=2"}, false, false},
		{[]string{"gzip;q=1.001"}, false, false},
		{[]string{"gzip;q=0.1234"}, false, false},
		{[]string{"gzip;q=-1"}, false, false},
		{[]string{"gzip;q=.5"}, false, false},
		{[]string{"gzip;q=0,5"}, false, false},
		{[]string{"gzip;q=0.x"}, false, false},
		{[]string{"gzip;q=00"}, false, false},
		{[]string{"gzip;level=1"}, false, false},
		{[]string{"gzip;"}, false, false},
		{[]string{"gzip;q=2, x-gzip"}, true, false},

		// The rest.
		{[]string{"*"}, true, false},
		{[]string{"*;q=0"}, false, false},
		{[]string{"*;q=0, gzip"}, true, true},
		{[]string{"gzip;q=0, *"}, false, false},
		{[]string{"gzip;q=0.2, *;q=0.1"}, true, false},
		{[]string{"gzip;q=0.1, *;q=0.2"}, false, false},
		{[]string{"br, *;q=0.1"}, true, false},

		// The client refuses identity, however small the answer.
		{[]string{"gzip, identity;q=0"}, true, true},
		{[]string{"*, identity;q=0.000"}, true, true},
		{[]string{"identity;q=0"}, false, false}, // there is nothing acceptable
		{[]string{"identity;q=0, br"}, false, false},
	} {
		if got := wantsGzip(test.lines, large); got != test.large {
			t.Errorf("%q, large: %t", test.lines, got)
		}
		if got := wantsGzip(test.lines, small); got != test.small {
			t.Errorf("%q, small: %t", test.lines, got)
		}
	}
}

func TestGzip(t *testing.T) {
	t.Parallel()
	base := search(t, many(t, 1000)...)
	for _, query := range []string{"", "?ends_at=2021-01-03T00:00:00Z"} {
		plain := get(t, base+"/search"+query)
		if plain.header.Get("Content-Encoding") != "" {
			t.Errorf("%q is compressed unasked", query)
		}
		zipped := get(t, base+"/search"+query, "Accept-Encoding: br, gzip")
		if zipped.header.Get("Content-Encoding") != "gzip" || zipped.body != plain.body {
			t.Errorf("%q: %v, %d bytes, want %d", query, zipped.header, len(zipped.body), len(plain.body))
		}
		if len(zipped.wire)*3 > len(plain.wire) {
			t.Errorf("%q: %d bytes compressed to %d", query, len(plain.wire), len(zipped.wire))
		}
		if zipped.header.Get("Etag") != "W/"+plain.header.Get("Etag") { // of other bytes, and of the same answer
			t.Errorf("%q: the tags are %s and %s", query, zipped.header.Get("Etag"), plain.header.Get("Etag"))
		}
		if refused := get(t, base+"/search"+query, "Accept-Encoding: gzip;q=0"); string(refused.wire) != plain.body {
			t.Errorf("%q is compressed for a client that refuses it", query)
		}
	}
	const few = "?ends_at=2021-01-01T03:00:00Z"
	if reply := get(t, base+"/search"+few, "Accept-Encoding: gzip"); reply.header.Get("Content-Encoding") != "" {
		t.Errorf("%d bytes are compressed", len(reply.body))
	}
	if reply := get(t, base+"/search"+few, "Accept-Encoding: gzip, identity;q=0"); reply.header.Get("Content-Encoding") != "gzip" {
		t.Errorf("plain for a client that refuses it")
	}
	if reply := get(t, base+"/search?starts_at=x", "Accept-Encoding: gzip, identity;q=0"); reply.status != http.StatusBadRequest {
		t.Errorf("a bad value: %d", reply.status)
	}
}

func TestMatches(t *testing.T) {
	t.Parallel()
	const tag = `W/"abc"`
	for _, test := range []struct {
		lines []string
		want  bool
	}{
		{nil, false},
		{[]string{""}, false},
		{[]string{`W/"abc"`}, true},
		{[]string{`"abc"`}, true}, // weak comparison
		{[]string{`*`}, true},
		{[]string{` * `}, true},
		{[]string{`"x", W/"y" , W/"abc"`}, true},
		{[]string{`"x",W/"y","abc"`}, true},
		{[]string{`,, "x",,	"abc",`}, true},
		{[]string{`"x"`, `W/"abc"`}, true},
		{[]string{`"a,b", "abc"`}, true}, // a tag may hold a comma
		{[]string{`""`, `"abc"`}, true},
		{[]string{`"x`, `"abc"`}, true}, // each line by itself
		{[]string{`"ABC"`}, false},
		{[]string{`"ab"`}, false},
		{[]string{`"abcd"`}, false},
		{[]string{`"x, abc"`}, false},
		{[]string{`"x"`, `"y"`}, false},
		{[]string{`"*"`}, false},
		{[]string{`*`, `"x"`}, false},

		// Malformed lists match nothing.
		{[]string{`abc`}, false},
		{[]string{`W/abc`}, false},
		{[]string{`w/"abc"`}, false},
		{[]string{`W/ "abc"`}, false},
		{[]string{`"abc`}, false},
		{[]string{`abc"`}, false},
		{[]string{`'abc'`}, false},
		{[]string{`"x" "abc"`}, false},
		{[]string{`x, "abc"`}, false},
		{[]string{`W/W/"abc"`}, false},
		{[]string{`"x", *`}, false},
		{[]string{strings.Repeat(`"x", `, 1000)}, false},
		{[]string{strings.Repeat(`"x", `, 1000) + tag}, true},
		{[]string{strings.Repeat(`"`, 10_000)}, false},
	} {
		if got := matches(test.lines, tag); got != test.want {
			t.Errorf("%.100q: %t", test.lines, got)
		}
	}
}

func TestNotModified(t *testing.T) {
	t.Parallel()
	base := search(t, many(t, 100)...)
	for _, query := range []string{"", "?ends_at=2021-01-01T12:00:00Z", "?starts_at=2300-01-01T00:00:00Z"} {
		fresh := get(t, base+"/search"+query)
		tag := fresh.header.Get("Etag")
		for _, fields := range [][]string{
			{"If-None-Match: " + tag},
			{"If-None-Match: W/" + tag},
			{"If-None-Match: *"},
			{`If-None-Match: "x", ` + tag},
			{`If-None-Match: "x"`, "If-None-Match: " + tag},
		} {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				reply := do(t, request(t, method, base+"/search"+query, fields...))
				if reply.status != http.StatusNotModified {
					t.Errorf("%s %s with %q: %d", method, query, fields, reply.status)
				}
				for _, name := range []string{"Etag", "Cache-Control", "Vary"} {
					if !slices.Equal(reply.header[name], fresh.header[name]) {
						t.Errorf("%s %s with %q: %s is %q, want %q", method, query, fields, name, reply.header[name], fresh.header[name])
					}
				}
			}
		}
		for _, fields := range [][]string{
			{`If-None-Match: W/"0123456789abcdef"`},
			{"If-None-Match: " + strings.Trim(tag, `"`)},
			{"If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT"}, // nothing has a date
		} {
			if reply := get(t, base+"/search"+query, fields...); reply.body != fresh.body {
				t.Errorf("%s with %q: %d %s", query, fields, reply.status, reply.body)
			}
		}
	}
	// A condition does not hide an error of the request (RFC 9110 section 13.2.1).
	if reply := get(t, base+"/search?starts_at=x", "If-None-Match: *"); reply.status != http.StatusBadRequest {
		t.Errorf("a bad value with a condition: %d", reply.status)
	}
}

// TestEntityTagStrength checks that answers and 304s have the tag of their coding, and that the
// tag of either coding matches.
func TestEntityTagStrength(t *testing.T) {
	t.Parallel()
	var foreign []*event.Entry // comes out larger
	for i := range 2 {
		var title strings.Builder
		for j := range 330 {
			title.WriteRune(rune(0x4e00 + (i*331+j)*7919%20_000))
		}
		foreign = append(foreign, entry(t, row{id: strconv.Itoa(i), title: title.String(), start: "2021-06-01"}))
	}
	for _, test := range []struct {
		name   string
		base   string
		accept string
		packed bool
		weak   bool
	}{
		{"as it is", search(t, many(t, 100)...), "identity", false, false},
		{"packed", search(t, many(t, 100)...), "gzip", true, true},
		{"too small to pack", search(t, many(t, 2)...), "gzip", false, false},
		{"larger if it were packed", search(t, foreign...), "gzip", false, false},
	} {
		fresh := get(t, test.base+"/search", "Accept-Encoding: "+test.accept)
		tag := fresh.header.Get("Etag")
		if weak := strings.HasPrefix(tag, "W/"); weak != test.weak || (fresh.header.Get("Content-Encoding") == "gzip") != test.packed {
			t.Errorf("%s: the tag is %s and the coding %q", test.name, tag, fresh.header.Get("Content-Encoding"))
		}
		opaque := strings.TrimPrefix(tag, "W/")
		for _, known := range []string{opaque, "W/" + opaque} {
			reply := get(t, test.base+"/search", "Accept-Encoding: "+test.accept, "If-None-Match: "+known)
			// A 304 does not check whether compression makes the answer larger: its weak tag then says less, but is right.
			if got := reply.header.Get("Etag"); reply.status != http.StatusNotModified || strings.TrimPrefix(got, "W/") != opaque || test.weak != strings.HasPrefix(got, "W/") && test.name != "larger if it were packed" {
				t.Errorf("%s with %s: %d with the tag %s, want %s", test.name, known, reply.status, got, tag)
			}
		}
	}
}

// TestEntityTag follows the tag of one window through changes of the index.
func TestEntityTag(t *testing.T) {
	t.Parallel()
	const june = "/search?starts_at=2021-06-01T00:00:00Z&ends_at=2021-06-30T23:59:59Z"
	rows := []row{
		{id: "may", start: "2021-05-20T20:00:00", prices: []string{"10"}},
		{id: "june", start: "2021-06-20T20:00:00", prices: []string{"10"}},
		{id: "july", start: "2021-07-20T20:00:00", prices: []string{"10"}},
	}
	x := loaded(t, entries(t, rows...)...)
	base := listen(t, NewSearch(Search{Index: x, Log: quiet}))
	tag := func(url string) string { return get(t, url).header.Get("Etag") }
	first := tag(base + june)

	// Queries with the same answer share it.
	for _, query := range []string{
		"/search?starts_at=2021-05-31T00:00:00Z&ends_at=2021-07-01T00:00:00Z",
		"/search?starts_at=2021-06-20T20:00:00Z&ends_at=2021-06-20T22:00:00%2B02:00",
	} {
		if got := tag(base + query); got != first {
			t.Errorf("%s has %s, %s has %s", june, first, query, got)
		}
	}
	all := tag(base + "/search")
	if all == first {
		t.Errorf("different answers have the tag %s", all)
	}

	// Changes outside the window leave it.
	rows[0].prices = []string{"12"}
	x.Apply(entries(t, rows[0], row{id: "new", start: "2021-08-01"}))
	if got := tag(base + june); got != first {
		t.Errorf("a change outside turned %s into %s", first, got)
	}
	if got := tag(base + "/search"); got == all {
		t.Error("a change left the tag of an answer that holds it")
	}

	// Changes inside do not, and undoing them brings it back.
	rows[1].prices = []string{"10.01"}
	x.Apply(entries(t, rows[1]))
	if got := tag(base + june); got == first {
		t.Error("a price changed and the tag did not")
	}
	rows[1].prices = []string{"10.00"}
	x.Apply(entries(t, rows[1]))
	if got := tag(base + june); got != first {
		t.Errorf("the same answer again has %s, it had %s", got, first)
	}

	// A restart leaves it.
	again := search(t, entries(t, rows[2], rows[1], rows[0])...)
	if got := tag(again + june); got != first {
		t.Errorf("after a restart it is %s, it was %s", got, first)
	}
}

// TestEntityTagIsStable compares tags with known values: if a new version of fever computes
// others, all clients fetch again what they have.
func TestEntityTagIsStable(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		list []*event.Entry
		want string
	}{
		{nil, `"0000000000000001"`},
		{many(t, 3), `"53c92879c73b19fe"`},
	} {
		if got := get(t, search(t, test.list...)+"/search").header.Get("Etag"); got != test.want {
			t.Errorf("the tag of %d events is %s, want %s", len(test.list), got, test.want)
		}
	}
}
