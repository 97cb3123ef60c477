package mapped

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/itchyny/gojq"
)

// A function is one that fever adds to those of jq. Its input is v.
type function struct {
	min, max int // number of arguments
	call     func(v any, args []any) any
	each     func(v any, args []any) gojq.Iter // instead of call, for any number of values
}

// functions are those that fever adds, by name. docs/mapping.md describes them.
var functions = map[string]function{
	"price":  {call: func(v any, _ []any) any { return price(v) }},
	"prices": {call: func(v any, _ []any) any { return prices(v) }},
	"local":  {min: 1, max: 1, call: func(v any, args []any) any { return local(v, args[0]) }},
	"utc":    {call: func(v any, _ []any) any { return utc(v) }},
	"plain":  {call: func(v any, _ []any) any { return plain(v) }},
	"lang":   {min: 1, max: 8, call: lang},
	"days":   {min: 4, max: 4, each: func(_ any, args []any) gojq.Iter { return days(args[0], args[1], args[2], args[3]) }},
}

func (f function) known() bool { return f.call != nil || f.each != nil }

func (f function) option(name string) gojq.CompilerOption {
	if f.each != nil {
		return gojq.WithIterFunction(name, f.min, f.max, f.each)
	}
	return gojq.WithFunction(name, f.min, f.max, f.call)
}

// accepts returns an error for a call with a wrong number of arguments, or of local with a
// layout that is wrong.
func (f function) accepts(call *gojq.Func) error {
	n := len(call.Args)
	if n >= f.min && n <= f.max {
		if call.Name != "local" {
			return nil
		}
		layout, ok := literal(call.Args[0])
		if !ok {
			return errors.New("local needs its layout as a plain text")
		}
		return checkLayout(layout)
	}
	want := strconv.Itoa(f.min)
	if f.max > f.min {
		want += " to " + strconv.Itoa(f.max)
	}
	return fmt.Errorf("%s takes %s arguments, not %d", call.Name, want, n)
}

// number returns the text of a number, and whether v is one.
func number(v any) (string, bool) {
	switch v := v.(type) {
	case string, nil, bool, []any, map[string]any:
		return "", false
	case *big.Int:
		return v.String(), true
	default:
		b, err := gojq.Marshal(v)
		return string(b), err == nil
	}
}

// notText is the error of a function whose input must be a text.
func notText(name string, v any) error {
	return fmt.Errorf("%s needs a text, not %s", name, describe(v))
}

// describe returns a value for messages, with its type unless that is plain.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return fmt.Sprintf("%.80q", v)
	}
	return gojq.TypeOf(v) + " " + gojq.Preview(v)
}

// list returns the texts of an array, or of a text with separators between them. Null is no
// text.
func list(name string, v any) ([]string, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		return strings.FieldsFunc(v, func(r rune) bool { return strings.ContainsRune(",; \t\n", r) }), nil
	case []any:
		texts := make([]string, len(v))
		for i, element := range v {
			text, ok := element.(string)
			if !ok {
				return nil, notText(name, element)
			}
			texts[i] = strings.TrimSpace(text)
		}
		return texts, nil
	}
	return nil, fmt.Errorf("%s needs a list of texts, not %s", name, describe(v))
}
