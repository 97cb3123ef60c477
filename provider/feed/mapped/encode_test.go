package mapped

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
)

func TestEncode(t *testing.T) {
	t.Parallel()
	var e encoder
	for _, v := range []any{
		nil, true, false, "", "a\"b\\c\n\x00\x1f\x7f é€😀", json.Number("1.50"), 7, -0.5, big.NewInt(1 << 40),
		[]any{},
		[]any{1, []any{"a"}, nil},
		map[string]any{},
		map[string]any{"b": 1, "a": map[string]any{"d": nil, "c": []any{}}, "\"": "x"},
		1e300, math.Pi,
	} {
		e.text, e.left = e.text[:0], maxOutput
		if err := e.encode(v); err != nil || len(e.keys) != 0 {
			t.Fatal(err)
		}
		want, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parse(string(e.text))
		again, err2 := parse(string(want))
		if err != nil || err2 != nil || !reflect.DeepEqual(got, again) || strings.Count(string(e.text), ",") != strings.Count(string(want), ",") {
			t.Errorf("%v is %s, %v, want %s", v, e.text, err, want)
		}
	}
	for v, want := range map[any]string{"a\xffb": "\"a\ufffdb\"", math.NaN(): "null", math.Inf(1): "1.7976931348623157e+308"} {
		e.text, e.left = e.text[:0], maxOutput
		if err := e.encode(v); err != nil || string(e.text) != want {
			t.Errorf("%v is %s, %v", v, e.text, err)
		}
	}
	deep := any(1)
	for range 64 { // 2^64 values
		deep = []any{deep, map[string]any{"a": deep}}
	}
	e.text, e.left = e.text[:0], maxOutput
	if err := e.encode(deep); !errors.Is(err, errOutput) || len(e.text) > 2*maxOutput {
		t.Errorf("%d bytes, %v", len(e.text), err)
	}
}
