package mapped

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"fever/internal/feedtest"
	"fever/provider/feed"
)

// rowsOf decodes a document, and returns each row as "line value", or the line and the reason
// of what was rejected. Its program keeps nothing.
func rowsOf(t *testing.T, m Mapping, r io.Reader, charset string) (string, error) {
	t.Helper()
	m.To = "empty"
	format, err := New(m)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	got, err := feed.Decode(&feed.Document{Op: "read", Body: io.NopCloser(r), Charset: charset, Trace: func(r *feed.Row) {
		if len(r.Rejections) > 0 {
			all = append(all, fmt.Sprintf("%d! %s", r.Line, r.Rejections[0].Reason))
			return
		}
		b, err := json.Marshal(r.Value)
		if err != nil {
			t.Error(err)
		}
		all = append(all, fmt.Sprintf("%d %s", r.Line, b))
	}}, format, "test", time.UTC)
	if err != nil {
		return strings.Join(all, "\n"), err
	}
	if got.Seen != len(all) || got.Ignored+got.Rejected != got.Seen {
		t.Errorf("%d rows: %+v", len(all), got)
	}
	if len(all) == 0 && len(got.Rejections) > 0 {
		all = append(all, fmt.Sprintf("%d none: %s", got.Rejections[0].Line, got.Rejections[0].Reason))
	}
	return strings.Join(all, "\n"), nil
}

type rowsTest struct {
	name    string
	mapping Mapping
	doc     string
	want    string // the rows, or the kind and text of the error
}

func (test rowsTest) run(t *testing.T) {
	t.Parallel()
	for name, through := range map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r }, "in halves": iotest.HalfReader, "byte by byte": iotest.OneByteReader,
	} {
		got, err := rowsOf(t, test.mapping, through(strings.NewReader(test.doc)), "")
		if failure, ok := errors.AsType[*feed.Error](err); ok {
			got = string(failure.Kind) + ": " + failure.Err.Error()
		} else if err != nil {
			t.Fatal(err)
		}
		if got != test.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, test.want)
		}
	}
	broken := errors.New("broken")
	if _, err := rowsOf(t, test.mapping, io.MultiReader(strings.NewReader(test.doc), iotest.ErrReader(broken)), ""); !errors.Is(err, broken) && !strings.HasPrefix(test.want, "malformed") && !strings.HasPrefix(test.want, "decode") {
		t.Errorf("with a broken end: %v", err)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	for _, test := range []rowsTest{
		{"an array", Mapping{}, "[\n{\"a\": 1.50},\n2\n]", "2 {\"a\":1.50}\n3 2"},
		{"lines", Mapping{}, "{\"a\":1}\n\n{\"a\":2}\n", "1 {\"a\":1}\n3 {\"a\":2}"},
		{"one object", Mapping{}, "{\"a\":1}", "1 {\"a\":1}"},
		{"a member", Mapping{Rows: ".events[]"}, "{\"total\": 2,\n\"events\": [\n1,\n2], \"more\": [3]}", "3 1\n4 2"},
		{"a name in quotes", Mapping{Rows: `."@graph"[]`}, `{"@graph": [1]}`, "1 1"},
		{"deep", Mapping{Rows: ".data.items[].event"}, `{"data": {"items": [{"event": 1}, {"other": 2}, {"event": 3}]}}`, "1 1\n1 3"},
		{"members of an object", Mapping{Rows: ".events[]"}, `{"events": {"a": 1, "b": {"c": 2}}}`, "1 1\n1 {\"c\":2}"},
		{"arrays in arrays", Mapping{Rows: ".[][]"}, `[[1, 2], [], [3]]`, "1 1\n1 2\n1 3"},
		{"a path in lines", Mapping{Rows: ".e[]"}, "{\"e\":[1]}\n{\"e\":[2]}\n", "1 1\n2 2"},
		{"a byte order mark", Mapping{}, "\xef\xbb\xbf[1]", "1 1"},
		{"the whole as a row", Mapping{Rows: "."}, "[1, 2]", "1 [1,2]"},
		{"an object, not in an array", Mapping{Rows: ".event"}, `{"event": {"a": 1}}`, `1 {"a":1}`},
		{"none", Mapping{Rows: ".events[]"}, `{"events": []}`, ""},
		{"nothing there", Mapping{Rows: ".events[]"}, "{\"a\": 1, \"b\": 2,\n\"c\": [{}]}", `1 none: rows: .events[] selects nothing: there is no "events"; there is "a", "b", "c"`},
		{"nothing inside", Mapping{Rows: ".data.events[]"}, "{\"data\":\n{\"items\": []}}", `2 none: rows: .data.events[] selects nothing: there is no "events"; there is "items"`},
		{"null in its place", Mapping{Rows: ".data.events[]"}, `{"data": null}`, `1 none: rows: .data.events[] selects nothing: there is no "events"`},
		{"a text in its place", Mapping{Rows: ".events[]"}, `{"events": "soon"}`, `1 none: rows: .events[] selects nothing: there is no "[]"`},
		{
			"many others",
			Mapping{Rows: ".x"},
			`{"1":1,"2":1,"3":1,"4":1,"5":1,"6":1,"7":1,"8":1,"9":1,"10":1,"11":1,"12":1,"13":1}`,
			`1 none: rows: .x selects nothing: there is no "x"; there is "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"`,
		},
		{"a long number", Mapping{}, "[" + strings.Repeat("9", maxDigits+1) + ", [1]]", "1! a number in it has more than 1000 digits\n1 [1]"},
		{"a long number inside", Mapping{}, `[{"a": [` + strings.Repeat("9", maxDigits+1) + `]}]`, "1! a number in it has more than 1000 digits"},
		{"empty", Mapping{}, "", "malformed: line 1 (byte 0): the document is empty"},
		{"white space", Mapping{}, " \n ", "malformed: line 2 (byte 3): the document is empty"},
		{"cut", Mapping{Rows: ".events[]"}, `{"events": [1, 2`, "malformed: line 1 (byte 16): the document is cut short where a comma or ] is expected"},
		{"text", Mapping{}, "Service Unavailable", "malformed: line 1 (byte 0): this is not JSON: the character 'S', where a value is expected; if it is CSV, set map.csv"},
		{"CSV", Mapping{}, "name;start\nx;y\n", "malformed: line 1 (byte 1): this is not JSON: the character 'a', where null is expected; if it is CSV, set map.csv"},
		{"HTML", Mapping{Rows: ".events[]"}, "<!DOCTYPE html><html>", `decode: line 1 (byte 21): the root element is <html>, and rows begins with "events"`},
		{"HTML without rows", Mapping{}, "<html>", "decode: it is XML, where rows must name the elements of the rows, such as .feed.entry[]"},
	} {
		t.Run(test.name, test.run)
	}
}

func TestXML(t *testing.T) {
	t.Parallel()
	for _, test := range []rowsTest{
		{
			"the rule",
			Mapping{Rows: ".feed.entry[]"},
			"<feed>\n <entry id=\"1\" x:y='2'>\n a <b> c&amp;<![CDATA[<d>]]> </b> e <b f='g'/><x:b/></entry>\n<other/><entry/></feed>",
			`2 {"#text":"a  e","@id":"1","@x:y":"2","b":[{"#text":"c\u0026\u003cd\u003e"},{"@f":"g"}],"x:b":[{}]}` + "\n4 {}",
		},
		{"brackets do not matter", Mapping{Rows: ".a[].b"}, "<a><b>1</b><b>2</b></a>", "1 {\"#text\":\"1\"}\n1 {\"#text\":\"2\"}"},
		{"several parents", Mapping{Rows: ".a.b.c[]"}, "<a><b><c>1</c><d><c>no</c></d></b><c>no</c><b/>\n<b><c>2</c></b></a>", "1 {\"#text\":\"1\"}\n2 {\"#text\":\"2\"}"},
		{"the root", Mapping{Rows: ".a"}, "<a>1</a>", `1 {"#text":"1"}`},
		{"prefixes", Mapping{Rows: `."ev:list"."ev:event"[]`}, `<ev:list xmlns:ev="urn:x"><ev:event ev:id="1"/><event/></ev:list>`, `1 {"@ev:id":"1"}`},
		{"Latin-1", Mapping{Rows: ".a.b[]"}, "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a><b>caf\xe9</b></a>", `1 {"#text":"café"}`},
		{"blanks before", Mapping{Rows: ".a.b[]"}, "\n <a><b/></a>", `2 {}`},
		{"none", Mapping{Rows: ".a.b[]"}, "<a>\n<c/><d/><c/></a>", `1 none: rows: .a.b[] selects nothing: there is no "b"; there is "c", "d"`},
		{"none inside", Mapping{Rows: ".a.b.c[]"}, "<a>\n<b><d/></b></a>", `2 none: rows: .a.b.c[] selects nothing: there is no "c"; there is "d"`},
		{"empty root", Mapping{Rows: ".a.b[]"}, "<a/>", `1 none: rows: .a.b[] selects nothing: there is no "b"`},
		{"another root", Mapping{Rows: ".a.b[]"}, "<html><a><b/></a></html>", `decode: line 1 (byte 6): the root element is <html>, and rows begins with "a"`},
		{"cut", Mapping{Rows: ".a.b[]"}, "<a><b/><b>", "malformed: line 1 (byte 10): the document is cut short inside <b>"},
		{"a row too large", Mapping{Rows: ".a.b[]"}, "<a><b>" + strings.Repeat("<c/>", maxValues) + "</b></a>", "malformed: line 1: a row of more than 16 MiB, or 262144 values"},
		{"a text too large", Mapping{Rows: ".a.b[]"}, "<a><b>" + strings.Repeat("x", 2<<20) + "</b></a>", "malformed: line 1 (byte 1048576): more than 1 MiB of text"},
	} {
		t.Run(test.name, test.run)
	}
}

func TestCSV(t *testing.T) {
	t.Parallel()
	semicolons := Mapping{CSV: &CSV{Separator: ';', Header: true}}
	latin := Mapping{CSV: &CSV{Separator: ';', Charset: "iso-8859-1", Header: true}}
	array := Mapping{CSV: &CSV{Separator: ','}}
	for _, test := range []rowsTest{
		{"a header", semicolons, "id; Nimi ;\r\n1;\"a;\r\n\"\"b\"\"\";x\r\n2;é;\r\n", `2 {"Nimi":"a;\n\"b\"","id":"1"}` + "\n" + `4 {"Nimi":"é","id":"2"}`},
		{"no header", array, "1,a\n2,b", `1 ["1","a"]` + "\n" + `2 ["2","b"]`},
		{"a byte order mark", semicolons, "\xef\xbb\xbfid;n\n1;2", `2 {"id":"1","n":"2"}`},
		{"UTF-16", semicolons, "\xff\xfei\x00d\x00\n\x00\xe9\x00", `2 {"id":"é"}`},
		{"Latin-1", latin, "id;n\n1;caf\xe9\n", `2 {"id":"1","n":"café"}`},
		{"a mark beats the setting", latin, "\xef\xbb\xbfid\né", `2 {"id":"é"}`},
		{"wrong fields", semicolons, "id;n\n1;2\n3\n\n4;5;6\n7;8\n", `2 {"id":"1","n":"2"}` + "\n3! it has 1 fields, where 2 are needed\n5! it has 3 fields, where 2 are needed\n" + `6 {"id":"7","n":"8"}`},
		{"a bare quote", semicolons, "id;n\n1;a\"b\n2;c\n", "2! bare \" in non-quoted-field\n" + `3 {"id":"2","n":"c"}`},
		{"a quote in quotes", semicolons, "id;n\n1;\"a\"b\"\n2;c\n", "2! extraneous or missing \" in quoted-field\n" + `3 {"id":"2","n":"c"}`},
		{"a header alone", semicolons, "id;n\n", ""},
		{"empty", semicolons, "", "malformed: line 1 (byte 0): the document is empty"},
		{"a quote not closed", semicolons, "id;n\n1;\"a\n2;b\n", "malformed: line 2: extraneous or missing \" in quoted-field: the document is cut short, or a quote is not closed"},
		{"a quote not closed for long", semicolons, "id;n\n1;\"" + strings.Repeat("a\n", 2<<20), "malformed: row 2: a row of more than 1 MiB, or a quote is not closed"},
		{"a bad header", semicolons, "i\"d;n\n", "malformed: line 1: bare \" in non-quoted-field"},
		{"a name twice", semicolons, "id;n;id\n", `decode: line 1: two columns have the name "id"; with header: false a program tells them by number`},
		{"not UTF-8", semicolons, "id;n\n1;caf\xe9\n", "decode: line 2: the field 2 is not UTF-8; csv.charset says which encoding it is"},
		{"HTML", semicolons, "<!DOCTYPE html>\n", `decode: line 1: it begins with "<!DOCTYPE html>", and is HTML or XML`},
		{"many columns", semicolons, strings.Repeat(";", maxColumns) + "\n", "malformed: line 1: more than 1024 columns"},
	} {
		t.Run(test.name, test.run)
	}
	if _, err := rowsOf(t, semicolons, strings.NewReader("id\ncaf\xe9"), "klingon"); err == nil || !strings.Contains(err.Error(), `the field 1 is not UTF-8; csv.charset says`) {
		t.Errorf("HTTP's charset: %v", err)
	}
	if got, err := rowsOf(t, semicolons, strings.NewReader("id\ncaf\xe9"), "windows-1252"); err != nil || got != `2 {"id":"café"}` {
		t.Errorf("HTTP's charset: %s, %v", got, err)
	}
	if got, err := rowsOf(t, semicolons, strings.NewReader("id\ncafé"), "iso-8859-1"); err != nil || got != `2 {"id":"café"}` {
		t.Errorf("HTTP's charset, and a text that is UTF-8: %s, %v", got, err)
	}
	if got, err := rowsOf(t, semicolons, strings.NewReader("\xff\xfei\x00d\x00\n\x00\x00\xd8"), ""); err == nil || !strings.Contains(err.Error(), "row 2") {
		t.Errorf("broken UTF-16: %s, %v", got, err)
	}
}

func TestPath(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		".": "", ".a": "a", ".a.b[]": "a b", `."@graph"[]`: "@graph", `.["a b"][]`: "a b", ".[]": "", `.a."b"["c"]`: "a b c",
	} {
		p, err := parsePath(text)
		if err != nil || strings.Join(p.names(), " ") != want {
			t.Errorf("%s: %v, %v", text, p, err)
		}
	}
	for text, want := range map[string]string{
		".a | .b": "plain path", ".a[0]": "plain path", ".a[1:2]": "plain path", ".a[.b]": "plain path", ".a?": "plain path", "..": "plain path", ".a, .b": "plain path",
		"$x": "plain path", "map(.a)": "plain path", `."\(1)"`: "plain path", "def f: 1; .a": "plain path", `import "a" as a; .a`: "plain path", "a": "plain path",
		strings.Repeat(".a", maxPath+1): "plain path", ".a[": "line 1, column 4: unexpected end", ".\n.": "line 2, column 2: unexpected end", "": "plain path",
		".@graph[]": `unexpected token "@graph"; a name with other characters than letters, digits and _ needs quotes`, ".soap:Body[]": `unexpected token ":"; a name with`, ".a[] | :": `unexpected token ":"`,
	} {
		if p, err := parsePath(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v, want %s", text, p, err, want)
		}
	}
}

// A document of any size costs no more memory than a row and what is kept. It is not
// parallel: what other tests allocate would count.
func TestMemory(t *testing.T) {
	const rows = 100_000 // 50 MB each
	text := strings.Repeat("x", 400)
	for name, doc := range map[string]struct {
		mapping         Mapping
		begin, row, end string
	}{
		"JSON": {Mapping{Rows: ".events[]"}, `{"events": [0`, `,{"id": "1", "title": "` + text + `", "more": [1, 2, 3]}` + "\n", "]}"},
		"XML":  {Mapping{Rows: ".a.b[]"}, "<a>", `<b id="1"><title>` + text + "</title></b>\n", "</a>"},
		"CSV":  {Mapping{CSV: &CSV{Separator: ',', Header: true}}, "id,title\n", "1," + text + "\n", ""},
	} {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // see above
			doc.mapping.To = `if type == "object" and .id == "never" then . else empty end`
			format, err := New(doc.mapping)
			if err != nil {
				t.Fatal(err)
			}
			body := io.MultiReader(strings.NewReader(doc.begin), io.LimitReader(feedtest.Repeat(doc.row), int64(len(doc.row)*rows)), strings.NewReader(doc.end))
			before := heap()
			peak := uint64(0)
			got, err := feedtest.Read(format, &watched{Reader: body, every: 8 << 20, look: func() { peak = max(peak, heap()) }}, "")
			if err != nil || got.Ignored < rows {
				t.Fatalf("%+v, %v", got, err)
			}
			if peak > before+4<<20 {
				t.Errorf("the heap grew from %d to %d bytes", before, peak)
			}
		})
	}
}

// The time of a job ends between two rows, too: a few bytes can have many rows, each of which
// takes as long as a program may.
func TestExpired(t *testing.T) {
	t.Parallel()
	over, rows := errors.New("the time is over"), 0
	format, err := New(Mapping{To: `[range(1000)] | empty`})
	if err != nil {
		t.Fatal(err)
	}
	doc := &feed.Document{Body: io.NopCloser(strings.NewReader("1\n2\n3\n4\n")), Op: "read", Expired: func() error {
		if rows++; rows > 2 {
			return over
		}
		return nil
	}}
	if _, err := feed.Decode(doc, format, "test", time.UTC); !errors.Is(err, over) || !strings.Contains(err.Error(), "line 3: ") {
		t.Error(err)
	}
}
