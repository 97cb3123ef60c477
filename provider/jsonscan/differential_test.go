package jsonscan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// all returns the values of a document.
func all(r io.Reader) ([]any, error) {
	var values []any
	s := New(r)
	for s.Kind() != End {
		values = append(values, s.Any())
	}
	return values, s.Err()
}

// FuzzJSON compares the scanner with package json, in both directions. These are the known
// differences: package json accepts bytes that are not UTF-8, and is not bounded
// where the scanner is; the scanner skips a byte order mark, and accepts several values,
// which package json does in a [json.Decoder] only.
func FuzzJSON(f *testing.F) {
	for _, doc := range []string{
		`{"a":[1,-0.5e+3,true,false,null,"x\n\u00e9\ud83d\ude00é"],"b":{"c":{}}}`, ` [ ] `, `"\ud83d"`, `01`, `1.`, `.5`, `-`, `1e`, `1E5`, `nulx`, `"` + "\x00" + `"`,
		`{"a":1,"a":2}`, `{"a":1,}`, `[1,]`, `[,1]`, `{,}`, `{"a"}`, `{"a":}`, `{1:2}`, `[1 2]`, `[}`, `{]`, `"\x"`, `"\u12g4"`, `"\ude00\ud83d"`, "\xef\xbb\xbf1", "1 2", `"` + "\xe9" + `"`, "\x00", "[1\x00]", "tru", "truex", "1x", `"\ud83d\n"`, `"\ud83d\u0041"`,
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		values, err := all(bytes.NewReader(doc))
		for _, reader := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.DataErrReader} {
			again, err2 := all(reader(bytes.NewReader(doc)))
			if !reflect.DeepEqual(values, again) || fmt.Sprint(err) != fmt.Sprint(err2) {
				t.Fatalf("read otherwise: %v, %v; %v, %v", values, err, again, err2)
			}
		}
		wrong, ok := errors.AsType[*Error](err)
		if err != nil && (!ok || wrong.Line < 1 || wrong.Line > 1+bytes.Count(doc, []byte("\n")) || wrong.Byte > int64(len(doc))) {
			t.Fatal(err)
		}
		if !skips(doc) != (err != nil) {
			t.Fatalf("%v, but skipping it says otherwise", err)
		}
		text := bytes.TrimPrefix(doc, []byte("\xef\xbb\xbf"))
		if json.Valid(text) {
			if bounded := err != nil && (strings.Contains(err.Error(), "more than") || !utf8.Valid(doc)); err != nil && !bounded {
				t.Fatalf("package json accepts it: %v", err)
			}
			if err == nil && len(values) != 1 {
				t.Fatal("it is one value", values)
			}
		} else if err == nil && len(values) == 1 {
			t.Fatalf("package json refuses it: %v", values)
		}
		if err != nil {
			return
		}
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		for _, got := range values {
			var want any
			if err := d.Decode(&want); err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("%#v, where package json reads %#v, %v", got, want, err)
			}
		}
		if _, err := d.Token(); err != io.EOF {
			t.Fatal("package json reads more:", err)
		}
	})
}

// skips reports whether a document can be skipped.
func skips(doc []byte) bool {
	s := New(bytes.NewReader(doc))
	for s.Kind() != End {
		s.Skip()
	}
	return s.Err() == nil
}
