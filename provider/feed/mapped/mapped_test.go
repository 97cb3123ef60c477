package mapped

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"fever/event"
	"fever/internal/feedtest"
	"fever/provider/feed"
)

var update = flag.Bool("update", false, "write the golden files anew")

// mappings are those of the documents in testdata, by their name.
var mappings = map[string]Mapping{
	"agenda.json": {Rows: `."@graph"[]`, To: `
		. as $e | days($e.dtstart; $e.dtend; $e.recurrence.days; $e."excluded-days")
		| {base_id: $e.id, event_id: "\($e.id)-\(.)", title: ($e.title | plain),
		   start: (if ($e.time // "") == "" then . else . + "T" + $e.time end),
		   zones: [{available: true, price: (if $e.free == 1 then "0" else $e.price | price end)}]}`},
	"agglo.json": {Rows: ".events[]", To: `
		. as $e | .timings[]
		| {base_id: $e.uid, event_id: "\($e.uid)-\(.begin | utc)", title: ($e.title | lang("fr"; "en")), start: .begin, end: .end}`},
	"lippu.csv": {CSV: &CSV{Separator: ';', Charset: "iso-8859-1", Header: true}, To: `
		{base_id: .SarjaId, event_id: .TapahtumaId, title: .Nimi, start: (.Pvm + " " + .Klo | local("02.01.2006 15:04")),
		 zones: [{capacity: .Vapaana, price: (.Hinta | price)}]}`},
	"venue.xml": {Rows: ".feed.entry[]", To: `
		. as $e | (."ev:when" // error("no date"))[]
		| {base_id: $e.id[0]."#text", event_id: "\($e.id[0]."#text") \(."@start")", title: ($e.title[0]."#text" | plain | plain),
		   start: ."@start", end: ."@end", current: ($e."ev:status"[0]."#text" != "cancelled"),
		   zones: [$e."ev:price"[]? | {name: ."@status", currency: ."@currency", available: true, price: (."#text" | price)}]}`},
	"stream.ndjson": {To: `
		select(.deleted | not)
		| {base_id: .key, title: .name, start: (.starts | utc), current: (.status != "CANCELLED"),
		   zones: [.low, .high | select(. != null) | {price: price}]}
		+ if .seats then {sold_out: (.seats == "0")} else {} end
		+ if .Seats then {seats: .Seats} else {} end`},
}

// formatOf returns the format of a document in testdata.
func formatOf(tb testing.TB, name string) feed.Format {
	tb.Helper()
	format, err := New(mappings[name])
	if err != nil {
		tb.Fatal(name, err)
	}
	return format
}

// documents returns the documents in testdata.
func documents(tb testing.TB) map[string][]byte {
	tb.Helper()
	return feedtest.Documents(tb, len(mappings), "testdata/*.json", "testdata/*.ndjson", "testdata/*.csv", "testdata/*.xml")
}

// TestGolden compares what is made of each document with golden files, and the revision.
func TestGolden(t *testing.T) {
	t.Parallel()
	feedtest.GoldenOf(t, func(name string) feed.Format { return formatOf(t, name) }, *update, documents(t))
}

// The revision of a format is another one for each mapping, so that a feed that has not
// changed is decoded again when its mapping has.
func TestRevision(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, m := range []Mapping{
		{To: "."},
		{To: ". "},
		{To: ".", Rows: "."},
		{To: ".", Changes: true},
		{To: ".", Tolerate: 1},
		{To: ".", CSV: &CSV{}},
		{To: ".", CSV: &CSV{Separator: ';'}},
		{To: ".", CSV: &CSV{Header: true}},
		{To: ".", CSV: &CSV{Charset: "latin1"}},
	} {
		for range 2 {
			format, err := New(m)
			if err != nil || format.Name != "map" || format.Accept == "" || !strings.HasPrefix(format.Revision, revision) {
				t.Fatalf("%+v, %v", format, err)
			}
			seen[format.Revision] = true
		}
	}
	if len(seen) != 9 {
		t.Errorf("%d revisions of 9 mappings", len(seen))
	}
}

// What a program made of a row before an error is not kept, one record that is wrong costs no
// other, and a row that makes no record is ignored.
func TestRecords(t *testing.T) {
	t.Parallel()
	format, err := New(Mapping{To: `
		if .n == 0 then empty
		elif .n == 1 then error("why")
		elif .n == 2 then {base_id: "a", title: "t", start: "2026-01-01"}, error("after a record")
		elif .n == 3 then {base_id: "b", title: "t", start: "2026-01-01"}, {base_id: "c", start: "2026-01-01"}, {base_id: "d", title: "t", start: "2026-01-01"}
		elif .n == 4 then {base_id: "e", titel: "t"}
		elif .n == 5 then "text"
		elif .n == 6 then range(2000) | {base_id: "f"}
		elif .n == 7 then {base_id: "g", title: ("x" * 2000000)}
		elif .n == 8 then [limit(1000; repeat(1))] | map(tojson * 1000) | add | {base_id: "h", title: ., start: "2026-01-01"}
		else {base_id: "z", title: "t", start: "2026-01-01", current: false} end`})
	if err != nil {
		t.Fatal(err)
	}
	got, err := feedtest.Read(format, strings.NewReader(`[{"n":0},{"n":1},{"n":2},{"n":3},{"n":4},{"n":5},{"n":6},{"n":7},{"n":8},{"n":9}]`), "")
	if err != nil {
		t.Fatal(err)
	}
	var ids, reasons []string
	for _, e := range got.Events {
		ids = append(ids, e.BaseID)
	}
	for _, r := range got.Rejections {
		reasons = append(reasons, r.BaseID+": "+r.Reason)
	}
	if strings.Join(ids, " ") != "b d" || len(got.Past) != 1 || got.Past[0].BaseID != "z" || got.Ignored != 1 || got.Seen != 4+got.Rejected {
		t.Errorf("%s: %+v", ids, got)
	}
	want := []string{
		": why", ": after a record", "c: no title", `e: the member "titel" is not known`, ": it is not a JSON object",
		": the program makes more than 1000 records of this row", ": the program makes more than 1 MiB of records of this row", "h: title of 1000000 bytes, more than",
	}
	for i := range want {
		if i >= len(reasons) || !strings.HasPrefix(reasons[i], want[i]) {
			t.Fatalf("%q, want %q", reasons, want)
		}
	}
}

// A reason names the line of the program that it is about, where that is clear.
func TestReason(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ program, want string }{
		{"{base_id: 1,\n titel: 2}", `the member "titel" is not known: known are base_id, event_id, `},
		{"{base_id: 1,\n titel: 2}", " current (line 2 of the program)"},
		{"{base_id: 1,\n zones: [\n {prize: 2}]}", ` (line 3 of the program)`},
		{".a as $x\n| .b\n| price", `price "x" has no number (line 3 of the program)`},
		{"(.a | utc), # price\n(.b | price)", `utc needs a text, not null (line 1 of the program)`},
		{"(.b | price),\n(.b | price)", `price "x" has no number`}, // either
		{"if .b == \"x\"\nthen error(\"no price\")\nelse . end", `no price (line 2 of the program)`},
		{"{base_id: 1,\n title: .c}", `no title`},
		{".b\n| split(1)", `split(1) cannot be applied to: string ("x")`},
		{"\n.b[]", `cannot iterate over: string ("x")`},
		{"price", `price of object {"b":"x"}`}, // the only line
	} {
		format, err := New(Mapping{To: test.program})
		if err != nil {
			t.Fatal(err)
		}
		got, err := feedtest.Read(format, strings.NewReader(`{"b": "x"}`), "")
		if err != nil || len(got.Rejections) == 0 || !strings.HasSuffix(got.Rejections[0].Reason, test.want) && !strings.HasPrefix(got.Rejections[0].Reason, test.want) {
			t.Errorf("%s: %+v, %v, want %s", test.program, got.Rejections, err, test.want)
		}
	}
}

// No mutation of a document is more than rejected.
func FuzzDecode(f *testing.F) {
	all := documents(f)
	names := feedtest.Names(all)
	for i, name := range names {
		f.Add(uint8(i), all[name])
	}
	formats := make([]feed.Format, len(names))
	for i, name := range names {
		formats[i] = formatOf(f, name)
	}
	f.Fuzz(func(t *testing.T, which uint8, doc []byte) {
		check(t, formats[int(which)%len(formats)], doc)
	})
}

// check fails unless a document makes a feed that is right in itself, the same however it
// arrives, or an error of the document.
func check(t *testing.T, format feed.Format, doc []byte) {
	t.Helper()
	got, err := feedtest.Read(format, bytes.NewReader(doc), "")
	halves, err2 := feedtest.Read(format, iotest.HalfReader(bytes.NewReader(doc)), "")
	if !reflect.DeepEqual(got, halves) || (err == nil) != (err2 == nil) {
		t.Fatalf("read in halves: %+v, %v\nwhole: %+v, %v", halves, err2, got, err)
	}
	if err != nil {
		if failure, ok := errors.AsType[*feed.Error](err); !ok || failure.Kind != feed.KindMalformed && failure.Kind != feed.KindDecode {
			t.Fatalf("an error of the reader, which has none: %v", err)
		}
		return
	}
	if got.Seen != len(got.Events)+len(got.Past)+got.Ignored+got.Rejected {
		t.Fatalf("%+v", got)
	}
	keys := map[event.Key]bool{}
	for _, events := range [][]event.Event{got.Events, got.Past} {
		for i := range events {
			if err := events[i].ValidateIn(time.UTC); err != nil || keys[events[i].Key] {
				t.Fatalf("%+v: %v", events[i], err)
			}
			keys[events[i].Key] = true
		}
	}
	for _, r := range got.Rejections {
		if r.Line < 1 || r.Reason == "" || len(r.Reason) > 1000 {
			t.Fatalf("%+v", r)
		}
	}
}

// TestMutations has a short run of what FuzzDecode does at length.
func TestMutations(t *testing.T) {
	t.Parallel()
	all := documents(t)
	for _, name := range feedtest.Names(all) {
		format := formatOf(t, name)
		rnd := rand.New(rand.NewChaCha8(sha256.Sum256([]byte(name))))
		for range 300 {
			check(t, format, feedtest.Mutate(rnd, all[name]))
		}
	}
}

// FuzzProgram looks for a program that brings the process down, or that is read in one way at
// the start and in another one later.
func FuzzProgram(f *testing.F) {
	for _, m := range mappings {
		f.Add(m.To, `{"a": [1, "b", {"c": null}], "d": 1.50}`)
	}
	for _, text := range worst {
		f.Add(text, `null`)
	}
	f.Fuzz(func(t *testing.T, text, row string) {
		_ = reads(text)
		_, _ = parsePath(text)
		p, err := compile(text)
		if err != nil {
			if wrong, ok := errors.AsType[*Error](err); !ok || wrong.Line < 1 || wrong.Line > 1+strings.Count(text, "\n") || wrong.Column < 1 || wrong.Text == "" {
				t.Fatalf("%q: %+v", text, err)
			}
			return
		}
		v, err := parse(row)
		if err != nil {
			return
		}
		records, err := p.run(v)
		if err != nil && (records != nil || strings.Contains(err.Error(), "cannot be run")) {
			t.Fatalf("%q: %v, %v", text, records, err)
		}
	})
}
