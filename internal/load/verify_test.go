//go:build linux

package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"slices"
	"testing"

	"fever/internal/harness"
)

func TestVerify(t *testing.T) {
	t.Parallel()
	d := generate(-4, 400)
	body := func(change func([]harness.Summary) []harness.Summary) []byte {
		var answer struct {
			Data struct {
				Events []harness.Summary `json:"events"`
			} `json:"data"`
			Error any `json:"error"`
		}
		for _, e := range d {
			answer.Data.Events = append(answer.Data.Events, e.summary(3))
		}
		answer.Data.Events = change(answer.Data.Events)
		text, err := json.Marshal(answer)
		if err != nil {
			t.Fatal(err)
		}
		// The prices of what is sold out are null, which a json.Number cannot say.
		return bytes.ReplaceAll(text, []byte(`_price":0`), []byte(`_price":null`))
	}
	if err := verify(body(slices.Clone), d, 3); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func([]harness.Summary) []harness.Summary{
		"one is missing": func(s []harness.Summary) []harness.Summary { return s[1:] },
		"one more":       func(s []harness.Summary) []harness.Summary { return append(s, s[0]) },
		"another order":  func(s []harness.Summary) []harness.Summary { s[3], s[4] = s[4], s[3]; return s },
		"another title":  func(s []harness.Summary) []harness.Summary { s[5].Title += "!"; return s },
		"another price":  func(s []harness.Summary) []harness.Summary { s[0].MinPrice = "1"; return s },
		"none":           func([]harness.Summary) []harness.Summary { return nil },
	} {
		if verify(body(change), d, 3) == nil {
			t.Error(name + ": no error")
		}
	}
	if verify(body(slices.Clone), d, 99) == nil {
		t.Error("another version of the feed: no error")
	}
	if verify([]byte(`{"data":null,"error":{}}`), nil, 0) == nil {
		t.Error("an error is no answer")
	}
}

func TestUnpack(t *testing.T) {
	t.Parallel()
	pack := func(text string) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	one := pack("one")
	if text, err := unpack(one); err != nil || string(text) != "one" {
		t.Error(string(text), err)
	}
	for name, packed := range map[string][]byte{
		"two members": slices.Concat(one, pack("two")),
		"a byte more": append(slices.Clone(one), 0),
		"cut short":   one[:len(one)-1],
		"a wrong sum": func() []byte { b := slices.Clone(one); b[len(b)-8] ^= 1; return b }(),
		"no gzip":     []byte("one"),
	} {
		if _, err := unpack(packed); err == nil {
			t.Error(name + ": no error")
		}
	}
}
