package jsonscan

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

func TestErrors(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", MaxDepth)
	for doc, want := range map[string]string{
		"<":                        `line 1 (byte 0): this is not JSON: the character '<', where a value is expected`,
		"\n\xe9":                   `line 2 (byte 1): this is not JSON: the byte 0xe9, where a value is expected`,
		"[1 2]":                    `line 1 (byte 3): this is not JSON: the character '2', where a comma or ] is expected`,
		"[1,]":                     `line 1 (byte 3): this is not JSON: the character ']', where a value is expected`,
		"[1}":                      `line 1 (byte 2): this is not JSON: the character '}', where a comma or ] is expected`,
		"[]]":                      `line 1 (byte 2): this is not JSON: the character ']', where a value is expected`,
		`{"a":1,}`:                 `line 1 (byte 7): this is not JSON: the character '}', where a name is expected`,
		`{"a" 1}`:                  `line 1 (byte 5): this is not JSON: the character '1', where a colon is expected`,
		`{"a":1 "b"`:               `line 1 (byte 7): this is not JSON: the character '"', where a comma or } is expected`,
		"[01]":                     `line 1 (byte 2): this is not JSON: the character '1', where the end of a value is expected`,
		"-":                        `line 1 (byte 1): the document is cut short where a digit is expected`,
		"1.x":                      `line 1 (byte 2): this is not JSON: the character 'x', where a digit is expected`,
		"nul":                      `line 1 (byte 3): the document is cut short where null is expected`,
		"nulL":                     `line 1 (byte 3): this is not JSON: the character 'L', where null is expected`,
		"truefalse":                `line 1 (byte 4): this is not JSON: the character 'f', where the end of a value is expected`,
		"[":                        `line 1 (byte 1): the document is cut short where a value is expected`,
		`{"a":`:                    `line 1 (byte 5): the document is cut short where a value is expected`,
		"\n\"ab\\":                 `line 2 (byte 5): the document is cut short where the end of a string is expected`,
		"\"a\nb\"":                 `line 1 (byte 2): this is not JSON: a control character in a string`,
		`"\x"`:                     `line 1 (byte 1): this is not JSON: an unknown escape in a string`,
		`"\u12g4"`:                 `line 1 (byte 5): this is not JSON: an escape that is not \u and four hexadecimal digits`,
		"\"\xe9\"":                 `line 1 (byte 1): a string is not UTF-8`,
		deep + "[":                 `line 1 (byte 100): arrays and objects are nested more than 100 deep`,
		"[\x00]":                   `line 1 (byte 1): this is not JSON: the character '\x00', where a value is expected`,
		strings.Repeat("1", 2<<20): `line 1 (byte 0): a number of more than 1 MiB`,
		`"` + strings.Repeat("x", MaxString+1) + `"`:                           `line 1 (byte 0): a string of more than 1 MiB`,
		`"` + strings.Repeat("x", 2*MaxString):                                 `line 1 (byte 0): a string of more than 1 MiB`,
		`"` + strings.Repeat(`\n`, MaxString):                                  `line 1 (byte 0): a string of more than 1 MiB`,
		"[" + strings.Repeat("0,", maxValues) + "0]":                           `line 1 (byte 524287): more than 262144 values in one`,
		"[" + strings.Repeat(`"`+strings.Repeat("x", 999)+`",`, 17<<10) + "0]": ` a row of more than 16 MiB`,
	} {
		for kind, reader := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "halves": iotest.HalfReader, "end inside": iotest.DataErrReader,
		} {
			_, err := all(reader(strings.NewReader(doc)))
			if _, ok := errors.AsType[*Error](err); !ok || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("%.40q, %s: %v\nwant %s", doc, kind, err, want)
			}
		}
	}
}

// An error of the reader comes out, whatever was read before.
func TestReaderFails(t *testing.T) {
	t.Parallel()
	const doc = ` {"a":[1,-2.5e3,true,null,"x\ny"],"é":false} 12`
	broken := errors.New("broken")
	for n := range len(doc) + 1 {
		if _, err := all(io.MultiReader(strings.NewReader(doc[:n]), iotest.ErrReader(broken))); !errors.Is(err, broken) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
	if _, err := all(stuck{}); !errors.Is(err, io.ErrNoProgress) {
		t.Error(err)
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

// A walk through a document larger than the buffer sees each value, its line and its text.
func TestWalk(t *testing.T) {
	t.Parallel()
	const rows = 20_000
	var doc bytes.Buffer
	doc.WriteString("\xef\xbb\xbf{\"skip\":[[{\"x\":\"}\"}]],\n\"events\" : [")
	for i := range rows {
		if i > 0 {
			doc.WriteString(" ,")
		}
		doc.WriteString("\n{\"id\": " + strings.Repeat("1", i%50+1) + ",\n\"t\":\"\\u00e9\"}")
	}
	doc.WriteString("\n],\"end\":0}")
	s := New(&doc)
	seen := 0
	for s.Enter(); s.Member(); {
		if string(s.Name) != "events" {
			s.Skip()
			continue
		}
		for s.Enter(); s.Element(); {
			kind, line := s.Kind(), s.Line()
			value := s.Any()
			id := strings.Repeat("1", seen%50+1)
			want := map[string]any{"id": json.Number(id), "t": "é"}
			text := "{\"id\": " + id + ",\n\"t\":\"\\u00e9\"}"
			if kind != Object || line != 3+2*seen || !reflect.DeepEqual(value, want) || string(s.Row) != text {
				t.Fatalf("row %d: %v on line %d, %v: %s", seen, kind, line, value, s.Row)
			}
			seen++
		}
	}
	if s.Kind() != End || s.Err() != nil || seen != rows {
		t.Fatal(seen, s.Err())
	}
}

func TestHalfPair(t *testing.T) {
	t.Parallel()
	for doc, want := range map[string]struct {
		text string
		half bool
	}{
		`"\ud83d\uDE00"`:       {"😀", false},
		`"\\ud83d"`:            {`\ud83d`, false},
		`"\ud83d"`:             {"\ufffd", true},
		`"\ud83dx"`:            {"\ufffdx", true},
		`"\ud83d\n"`:           {"\ufffd\n", true},
		`"\ude00\ud83d"`:       {"\ufffd\ufffd", true},
		`"\ud83d\ud83d\ude00"`: {"\ufffd😀", true},
		`"\ud83d\u0041"`:       {"\ufffdA", true},
		`"\ufffd"`:             {"\ufffd", false},
	} {
		s := New(strings.NewReader(doc + `"clean"`))
		if got := s.Any(); got != want.text || s.HalfPair != want.half {
			t.Errorf("%s is %q, %t", doc, got, s.HalfPair)
		}
		if s.Any(); s.HalfPair || s.Err() != nil {
			t.Errorf("%s: %t, %v", doc, s.HalfPair, s.Err())
		}
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	next, after, cursor := []string{"next"}, []string{"meta", "after"}, []string{"meta", "after", "cursor"}
	for doc, want := range map[string][]any{
		`{"data":[{"next":1}],"next":"u","meta":{"after":[1.0,"x"],"b":[]}}`: {"u", []any{json.Number("1.0"), "x"}, nil},
		`{"meta":{"after":{"cursor":true}}}`:                                 {nil, map[string]any{"cursor": true}, true},
		`{"next":null,"meta":[1]}`:                                           {nil, nil, nil},
		`{"next":"a","next":"b","meta":{"after":1},"meta":2}`:                {"a", json.Number("1"), nil},
		`{"next":null,"next":"b"}`:                                           {"b", nil, nil},
		`{"next":"a"} {"x":1}` + "\n" + `{"meta":{"after":2}}`:               {"a", json.Number("2"), nil},
		`[{"next":1}]`: {nil, nil, nil},
		``:             {nil, nil, nil},
	} {
		got, err := Find(strings.NewReader(doc), next, after, cursor)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, %v; want %v", doc, got, err, want)
		}
	}
	if whole, err := Find(strings.NewReader(`{"a":1}`), nil); err != nil || !reflect.DeepEqual(whole, []any{map[string]any{"a": json.Number("1")}}) {
		t.Error(whole, err)
	}
	if _, err := Find(strings.NewReader(`{"next":null`), next); err == nil {
		t.Error("a cut document has no error")
	}
	// What follows is not looked at.
	if got, err := Find(strings.NewReader(`{"a":{"next":1,`), []string{"a", "next"}); err != nil || got[0] != json.Number("1") {
		t.Error(got, err)
	}
}
