package httpapi

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fever/index"
)

func TestSearchWindow(t *testing.T) {
	t.Parallel()
	base := search(t, entries(t,
		row{id: "a", start: "2021-06-01T20:00:00", end: "2021-06-01T22:00:00"},
		row{id: "b", start: "2021-06-02T20:00:00", end: "2021-06-05T22:00:00"}, // long
		row{id: "c", start: "2021-06-03T20:00:00"},                             // no end
		row{id: "d", start: "2021-06-04"},                                      // a day
		row{id: "e", start: "2021-06-06", end: "2021-06-06"},
		row{id: "madrid", start: "2021-07-01T21:00:00", end: "2021-07-01T23:00:00", zone: "Europe/Madrid"}, // 19:00-21:00 UTC
	)...)
	for _, test := range []struct{ query, want string }{
		{"", "a b c d e madrid"},
		{"starts_at=2021-06-01T20:00:00Z", "a b c d e madrid"}, // the bound is included
		{"starts_at=2021-06-01T20:00:00.000Z", "a b c d e madrid"},
		{"starts_at=2021-06-01T20:00:00.001Z", "b c d e madrid"},
		{"starts_at=2021-06-01T20:00:01Z", "b c d e madrid"},
		{"starts_at=2021-06-01T19:59:59.999Z", "a b c d e madrid"},
		{"ends_at=2021-06-01T22:00:00Z", "a"},
		{"ends_at=2021-06-01T22:00:00.999Z", "a"},
		{"ends_at=2021-06-01T21:59:59Z", ""},
		{"ends_at=2021-06-01T21:59:59.999Z", ""},
		{"ends_at=2021-06-05T22:00:00Z", "a b c d"},
		{"ends_at=2021-06-05T21:59:59Z", "a c d"}, // b starts in time but ends late
		{"starts_at=2021-06-02T20:00:00Z&ends_at=2021-06-05T22:00:00Z", "b c d"},
		{"ends_at=2021-06-05T22:00:00Z&starts_at=2021-06-02T20:00:00Z", "b c d"},
		{"starts_at=2021-06-03T20:00:00Z&ends_at=2021-06-03T20:00:00Z", "c"}, // one instant
		{"starts_at=2021-06-04T00:00:00Z&ends_at=2021-06-04T00:00:00Z", "d"},
		{"starts_at=2021-06-06T00:00:00Z&ends_at=2021-06-06T23:59:59Z", "e"},
		{"starts_at=2021-06-06T00:00:00Z&ends_at=2021-06-06T23:59:58Z", ""},
		{"starts_at=2030-01-01T00:00:00Z", ""},
		{"ends_at=1999-01-01T00:00:00Z", ""},

		// A range within a second is valid and holds nothing.
		{"starts_at=2021-06-03T20:00:00.2Z&ends_at=2021-06-03T20:00:00.7Z", ""},
		{"starts_at=2021-06-03T19:59:59.2Z&ends_at=2021-06-03T20:00:00.7Z", "c"},
		{"starts_at=2016-12-31T23:59:60Z&ends_at=2016-12-31T23:59:60.5Z", ""},

		// One instant in several offsets.
		{"starts_at=2021-07-01T19:00:00Z&ends_at=2021-07-01T21:00:00Z", "madrid"},
		{"starts_at=2021-07-01T21:00:00%2B02:00&ends_at=2021-07-01T23:00:00%2b02:00", "madrid"},
		{"starts_at=2021-07-01T14:00:00-05:00&ends_at=2021-07-01T16:00:00-05:00", "madrid"},
		{"starts_at=2021-07-02T00:45:00%2B05:45&ends_at=2021-07-02T02:45:00%2B05:45", "madrid"},
		{"starts_at=2021-07-01T21:00:01%2B02:00", ""},

		// The ends of what four digits can say.
		{"starts_at=0000-01-01T00:00:00%2B23:59&ends_at=9999-12-31T23:59:59-23:59", "a b c d e madrid"},

		// Escapes, in names too.
		{"starts%5Fat=2021-07-01T19%3A00%3A00Z", "madrid"},
		{"%73%74%61%72%74%73%5f%61%74=2021-07-01T19%3a00%3a00%5a", "madrid"},
		{"starts_at=2021-07-01t19:00:00z", "madrid"},

		// Other parameters are ignored.
		{"offset=2&size=1", "a b c d e madrid"},
		{"starts_at=2021-07-01T00:00:00Z&utm_source=x%zz&%=%&;&=&&a;b=c;d", "madrid"},
		{"Starts_At=x&STARTS_AT=x&starts_at[]=x&starts-at=x&starts_at%=x&starts_at%20=x&+starts_at=x&starts_a=x&starts_atx=x", "a b c d e madrid"},
		{"x;starts_at=2030-01-01T00:00:00Z", "a b c d e madrid"},
		{strings.Repeat("a=b&", 1000) + "starts_at=2021-07-01T00:00:00Z", "madrid"},
	} {
		reply := get(t, base+"/search?"+test.query)
		if reply.status != http.StatusOK {
			t.Errorf("%s: %d %s", test.query, reply.status, reply.body)
			continue
		}
		if got := strings.Join(reply.titles(t), " "); got != test.want {
			t.Errorf("%s: %q, want %q", test.query, got, test.want)
		}
	}
}

func TestSearchOrder(t *testing.T) {
	t.Parallel()
	list := entries(t,
		row{id: "1", start: "2021-06-01T20:00:00", end: "2021-06-01T22:00:00"},
		row{id: "2", start: "2021-06-01T20:00:00", end: "2021-06-01T22:00:00"},
		row{id: "3", start: "2021-06-01T20:00:00", end: "2021-06-01T22:00:00"},
		row{id: "longer", start: "2021-06-01T20:00:00", end: "2021-06-01T23:00:00"},
		row{id: "shorter", start: "2021-06-01T20:00:00", end: "2021-06-01T21:00:00"},
		row{id: "earlier", start: "2021-06-01T19:00:00", end: "2021-06-09T21:00:00"},
		row{id: "later", start: "2021-06-01T20:00:01", end: "2021-06-01T20:00:01"},
		row{id: "zone", start: "2021-06-01T20:30:00", zone: "Europe/Madrid"}, // 18:30 UTC
	)
	alike := list[:3] // equal but for their ids
	ids := map[string]string{}
	for i, e := range alike {
		ids[e.ID.String()] = []string{"1", "2", "3"}[i]
	}
	want := []string{"zone", "earlier", "shorter"}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		want = append(want, ids[id])
	}
	want = append(want, "longer", "later")

	base := search(t, list...)
	first := get(t, base+"/search")
	if got := first.titles(t); !slices.Equal(got, want) {
		t.Errorf("the order is %q, want %q", got, want)
	}
	if second := get(t, base+"/search?starts_at=2000-01-01T00:00:00Z"); second.body != first.body {
		t.Error("the same answer twice is not the same bytes")
	}
}

func TestSearchBody(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		row  row
		want string // the summary after its id
	}{
		{
			"all there is",
			row{title: "Camela en concierto", start: "2021-06-30T21:00:00", end: "2021-06-30T22:00:00", prices: []string{"20.00", "15.00", "30.00"}},
			`"title":"Camela en concierto","start_date":"2021-06-30","start_time":"21:00:00","end_date":"2021-06-30","end_time":"22:00:00","min_price":15,"max_price":30}`,
		},
		{
			"as little as there can be",
			row{title: "x", start: "2021-06-30"},
			`"title":"x","start_date":"2021-06-30","start_time":null,"end_date":null,"end_time":null,"min_price":null,"max_price":null}`,
		},
		{
			"an end without a time, local times of a zone",
			row{title: "x", start: "2021-06-30T00:00:00", end: "2021-07-01", zone: "America/New_York", prices: []string{"0"}},
			`"title":"x","start_date":"2021-06-30","start_time":"00:00:00","end_date":"2021-07-01","end_time":null,"min_price":0,"max_price":0}`,
		},
		{
			"exact decimals",
			row{title: "x", start: "2021-06-30", prices: []string{"1234567890.123456789", "0.10", "20.50"}},
			`"title":"x","start_date":"2021-06-30","start_time":null,"end_date":null,"end_time":null,"min_price":0.1,"max_price":1234567890.123456789}`,
		},
		{
			"a title with everything",
			row{title: `"a" \ <b>&amp;</b> ñ 日本 🎉` + "\u2028\u2029/", start: "2021-06-30"},
			"",
		},
	} {
		test.row.id = "1"
		e := entry(t, test.row)
		reply := get(t, search(t, e)+"/search")
		if test.want != "" {
			want := `{"data":{"events":[{"id":"` + e.ID.String() + `",` + test.want + `]},"error":null}`
			if reply.body != want {
				t.Errorf("%s:\n got %s\nwant %s", test.name, reply.body, want)
			}
		}
		if got := reply.titles(t); len(got) != 1 || got[0] != test.row.title {
			t.Errorf("%s: the titles are %q", test.name, got)
		}
	}
	if reply := get(t, search(t)+"/search"); reply.body != `{"data":{"events":[]},"error":null}` {
		t.Errorf("no events: %s", reply.body)
	}
}

// TestSearchMany compares an answer that is made in several pieces.
func TestSearchMany(t *testing.T) {
	t.Parallel()
	const n = 12_000 // 2.4 MB
	list := many(t, n)
	base := search(t, slices.Clone(list)...)
	var want strings.Builder
	want.WriteString(`{"data":{"events":[`)
	for i, e := range list {
		if i > 0 {
			want.WriteByte(',')
		}
		want.Write(e.Summary)
	}
	want.WriteString(`]},"error":null}`)
	for range 2 {
		plain, zipped := get(t, base+"/search"), get(t, base+"/search", "Accept-Encoding: gzip")
		if plain.body != want.String() || zipped.body != want.String() {
			t.Fatalf("%d and %d bytes, want %d", len(plain.body), len(zipped.body), want.Len())
		}
		if len(plain.wire) <= pieceSize || len(zipped.wire) <= pieceSize {
			t.Fatalf("%d bytes are one piece, or %d compressed", len(plain.wire), len(zipped.wire))
		}
		if again := get(t, base+"/search", "If-None-Match: "+plain.header.Get("Etag")); again.status != http.StatusNotModified {
			t.Fatalf("the same answer again: %d", again.status)
		}
		if small := get(t, base+"/search?ends_at=2000-01-01T00:00:00Z"); len(small.titles(t)) != 0 {
			t.Fatalf("%d events in an empty window", len(small.titles(t)))
		}
	}
}

func TestSearchHeaders(t *testing.T) {
	t.Parallel()
	x := loaded(t, entry(t, row{id: "1", start: "2021-06-01"}))
	for _, test := range []struct {
		search Search
		want   string
	}{
		{Search{}, "public, max-age=0, stale-while-revalidate=0, stale-if-error=0"},
		{Search{MaxAge: -time.Second, StaleIfError: -time.Second}, "public, max-age=0, stale-while-revalidate=0, stale-if-error=0"},
		{Search{MaxAge: 1999 * time.Millisecond}, "public, max-age=1, stale-while-revalidate=0, stale-if-error=0"},
		{Search{MaxAge: 90 * time.Second, StaleWhileRevalidate: 5 * time.Second}, "public, max-age=90, stale-while-revalidate=5, stale-if-error=0"},
		{Search{MaxAge: 24 * time.Hour, StaleIfError: 5 * time.Minute}, "public, max-age=86400, stale-while-revalidate=0, stale-if-error=300"},
	} {
		test.search.Index = x
		reply := get(t, listen(t, NewSearch(test.search))+"/search")
		if got := reply.header.Get("Cache-Control"); got != test.want {
			t.Errorf("it is %q, want %q", got, test.want)
		}
	}
}

// TestSearchBeforeCollecting asks while nothing was ever collected. The answer is empty; no cache
// may keep it, and no 304 may confirm it.
func TestSearchBeforeCollecting(t *testing.T) {
	t.Parallel()
	var collected atomic.Bool
	x := loaded(t)
	base := listen(t, NewSearch(Search{Index: x, Collected: &collected, MaxAge: time.Minute, Log: quiet}))
	for _, field := range []string{"", "If-None-Match: *", "If-None-Match: " + get(t, search(t)+"/search").header.Get("ETag")} {
		var fields []string
		if field != "" {
			fields = append(fields, field)
		}
		reply := get(t, base+"/search", fields...)
		if reply.status != http.StatusOK || len(reply.titles(t)) != 0 || reply.header.Get("Cache-Control") != "no-store" || reply.header["Etag"] != nil {
			t.Errorf("before, with %q: %d %v %s", field, reply.status, reply.header, reply.body)
		}
		head := do(t, request(t, http.MethodHead, base+"/search", fields...))
		if head.status != http.StatusOK || head.header.Get("Cache-Control") != "no-store" || head.header["Etag"] != nil {
			t.Errorf("before, HEAD with %q: %d %v", field, head.status, head.header)
		}
	}
	collected.Store(true) // and nothing was found: that may be kept
	reply := get(t, base+"/search")
	if reply.status != http.StatusOK || !strings.HasPrefix(reply.header.Get("Cache-Control"), "public, max-age=60, ") || reply.header.Get("ETag") == "" {
		t.Errorf("after: %d %v", reply.status, reply.header)
	}
	if reply = get(t, base+"/search", "If-None-Match: "+reply.header.Get("ETag")); reply.status != http.StatusNotModified {
		t.Errorf("again: %d %v", reply.status, reply.header)
	}
}

func TestHead(t *testing.T) {
	t.Parallel()
	base := search(t, many(t, 100)...)
	for _, query := range []string{"", "?starts_at=2300-01-01T00:00:00Z", "?starts_at=x", "?starts_at=2022-01-01T00:00:00Z&ends_at=2021-01-01T00:00:00Z"} {
		for _, path := range []string{"/search", "/other"} {
			for _, coding := range []string{"gzip", "identity"} {
				want := get(t, base+path+query, "Accept-Encoding: "+coding)
				got := do(t, request(t, http.MethodHead, base+path+query, "Accept-Encoding: "+coding))
				if got.status != want.status {
					t.Errorf("%s%s: %d for HEAD, %d for GET", path, query, got.status, want.status)
				}
				for _, header := range []http.Header{got.header, want.header} {
					header.Del("Date") // of the second
				}
				if !equalHeaders(got.header, want.header) {
					t.Errorf("%s%s: %v for HEAD, %v for GET", path, query, got.header, want.header)
				}
			}
		}
	}
}

func equalHeaders(a, b http.Header) bool {
	if len(a) != len(b) {
		return false
	}
	for name := range a {
		if !slices.Equal(a[name], b[name]) {
			return false
		}
	}
	return true
}

func TestSearchBeforeLoad(t *testing.T) {
	t.Parallel()
	x := index.New()
	base := listen(t, NewSearch(Search{Index: x, Log: quiet}))
	reply := get(t, base+"/search", "If-None-Match: *", "Accept-Encoding: gzip")
	if code, _ := reply.failure(t); reply.status != http.StatusServiceUnavailable || code != "unavailable" {
		t.Errorf("%d %s before the index is loaded", reply.status, reply.body)
	}
	if err := x.Load(nil); err != nil {
		t.Fatal(err)
	}
	if reply := get(t, base+"/search"); reply.status != http.StatusOK {
		t.Errorf("%d %s after the index is loaded", reply.status, reply.body)
	}
}

func TestSearchBadValues(t *testing.T) {
	t.Parallel()
	base := search(t, entry(t, row{id: "1", start: "2021-06-01"}))
	const good = "2021-06-30T21:00:00Z"
	for _, name := range []string{"starts_at", "ends_at"} {
		for _, test := range []struct {
			query string // after the name
			want  []string
		}{
			{"=", []string{`""`, "leave it out", good}},
			{"", []string{`""`, good}},
			{"=&starts_at_=" + good, []string{`""`}},
			{"=yesterday", []string{`"yesterday"`, "offset", good}},
			{"=2021-06-30", []string{`"2021-06-30"`, "offset", good}},
			{"=2021-06-30T21:00:00", []string{`"2021-06-30T21:00:00"`, "offset", good}},
			{"=2021-09-31T20:00:00Z", []string{`"2021-09-31T20:00:00Z"`, "no such day", good}},
			{"=2021-06-30T25:00:00Z", []string{"no such time of day"}},
			{"=2021-06-30T5:00:00Z", []string{`"2021-06-30T5:00:00Z"`}},
			{"=2021-06-30T21:00:00,5Z", []string{`"2021-06-30T21:00:00,5Z"`}},
			{"=2021-06-30T21:00:00%2B24:00", []string{`"2021-06-30T21:00:00+24:00"`}},
			{"=" + good + ";", []string{`"2021-06-30T21:00:00Z;"`}},
			{"=" + good + "=", []string{`"2021-06-30T21:00:00Z="`}},
			{"=%20" + good, []string{`" 2021-06-30T21:00:00Z"`}},

			// A + that arrived as a space.
			{"=2021-06-30T21:00:00+02:00", []string{`"2021-06-30T21:00:00 02:00"`, "%2B", "2021-06-30T21:00:00%2B02:00"}},
			{"=2021-06-30T21:00:00%2002:00", []string{`"2021-06-30T21:00:00 02:00"`, "%2B", "2021-06-30T21:00:00%2B02:00"}},
			{"=2021-06-30T21:00:00.5+02:00", []string{"2021-06-30T21:00:00.5%2B02:00"}},

			// Given twice, equal or not.
			{"=" + good + "&" + name + "=" + good, []string{"2 times", good}},
			{"=" + good + "&" + name + "=2021-06-30T22:00:00Z&" + name + "=x", []string{"3 times", `"x"`}},
			{"=" + good + "&" + name, []string{"2 times"}},
			{"=" + good + "&" + strings.Replace(name, "_", "%5f", 1) + "=x", []string{"2 times", `"x"`}},

			// Escapes.
			{"=%", []string{`"%"`, "hexadecimal"}},
			{"=2021-06-30T21%3", []string{`"2021-06-30T21%3"`, "hexadecimal"}},
			{"=2021-06-30T21%zz00:00Z", []string{`"2021-06-30T21%zz00:00Z"`, "hexadecimal"}},

			// Shortened, and nothing that a terminal or a log would act on.
			{"=" + strings.Repeat("x", 1000), []string{`"` + strings.Repeat("x", 40) + `"...`}},
			{"=" + strings.Repeat("x", 40), []string{`"` + strings.Repeat("x", 40) + `",`}},
			{"=" + strings.Repeat("%C3%B1", 41), []string{`"` + strings.Repeat("ñ", 40) + `"...`}},
			{"=" + strings.Repeat("%F0%9F%8E%89", 100), []string{`"` + strings.Repeat("🎉", 40) + `"...`}},
			{"=" + strings.Repeat("%F1", 100), []string{`"` + strings.Repeat(`\xf1`, 40) + `"...`}},
			{"=%00%1b[2J%0d%0a%7f%22%5c%e2%80%ae", []string{`"\x00\x1b[2J\r\n\x7f\"\\\u202e"`}},
			{"=<script>", []string{`"<script>"`}},
			{"=" + strings.Repeat("%31", 3000), []string{`"` + strings.Repeat("1", 40) + `"...`}},
		} {
			reply := get(t, base+"/search?"+name+test.query)
			code, message := reply.failure(t)
			if reply.status != http.StatusBadRequest || code != "invalid_parameter" {
				t.Errorf("%s%s: %d %s", name, test.query, reply.status, reply.body)
				continue
			}
			for _, want := range append(test.want, name) {
				if !strings.Contains(message, want) {
					t.Errorf("%s%s: %q does not say %q", name, test.query, message, want)
				}
			}
			if len(message) > 600 {
				t.Errorf("%s%s: a message of %d bytes", name, test.query, len(message))
			}
		}
	}
}

func TestSearchBadRange(t *testing.T) {
	t.Parallel()
	base := search(t, entry(t, row{id: "1", start: "2021-06-01"}))
	for _, test := range []struct {
		from, to string
		status   int
	}{
		{"2021-06-30T21:00:01Z", "2021-06-30T21:00:00Z", http.StatusBadRequest},
		{"2021-06-30T21:00:00Z", "2021-06-30T21:00:00Z", http.StatusOK},
		{"2021-06-30T21:00:00Z", "2021-06-30T23:00:00%2B02:00", http.StatusOK},
		{"2021-06-30T21:00:00Z", "2021-06-30T22:59:59%2B02:00", http.StatusBadRequest},
		{"2021-06-30T21:00:00.0000000002Z", "2021-06-30T21:00:00.0000000001Z", http.StatusBadRequest},
		{"2021-06-30T21:00:00.0000000001Z", "2021-06-30T21:00:00.0000000002Z", http.StatusOK},
		{"2021-06-30T21:00:00.10Z", "2021-06-30T21:00:00.1Z", http.StatusOK},
		{"2016-12-31T23:59:60Z", "2016-12-31T23:59:59.9Z", http.StatusBadRequest},
		{"2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z", http.StatusOK},
	} {
		reply := get(t, base+"/search?starts_at="+test.from+"&ends_at="+test.to)
		if reply.status != test.status {
			t.Errorf("%s to %s: %d %s", test.from, test.to, reply.status, reply.body)
		}
		if reply.status != http.StatusBadRequest {
			continue
		}
		code, message := reply.failure(t)
		if code != "invalid_range" || !strings.Contains(message, strings.ReplaceAll(test.to, "%2B", "+")) {
			t.Errorf("%s to %s: %s", test.from, test.to, reply.body)
		}
	}
	// When one of them is invalid there is no range.
	for _, query := range []string{"?starts_at=2022-01-01T00:00:00Z&ends_at=x", "?starts_at=x&ends_at=2021-01-01T00:00:00Z"} {
		if code, _ := get(t, base+"/search"+query).failure(t); code != "invalid_parameter" {
			t.Errorf("%s: %s", query, code)
		}
	}
}
