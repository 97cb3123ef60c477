package mapped

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestReads(t *testing.T) {
	t.Parallel()
	candidates := []string{"a", "b", "c", "d", "@id", "e f", "x"}
	for program, want := range map[string]string{
		`.a.b`:                                  "a b",
		`{a, b: .c, "d", x: 1}`:                 "a c d",
		`."@id", .["e f"], .a[0]."b"`:           "@id a b e f",
		`. as {a: {b: $x}, $c, "d": [$y]} | $x`: "a b c d",
		`reduce .a[] as {b: $x} (0; . + $x)`:    "a b",
		`foreach .a[] as [{$b}] (0; .)`:         "a b",
		`select(has("a")) | "\(.b)"`:            "a b",
		`def f: .c; .a | f`:                     "a c",
		`if .a then .b else .c end // .d`:       "a b c d",
		`.a[.b:.c]`:                             "a b c",
		`lang("a"; "b")`:                        "a b",
		`empty`:                                 "",
		`to_entries`:                            "?",
		`.[.a]`:                                 "?",
		`..`:                                    "?",
		`.a | tojson`:                           "?",
		`@json`:                                 "?",
		`.a |`:                                  "?",
	} {
		got := "?"
		if of := reads(program); of != nil {
			var all []string
			for _, name := range candidates {
				if of(name) {
					all = append(all, name)
				}
			}
			got = strings.Join(slices.Sorted(slices.Values(all)), " ")
		}
		if got != want {
			t.Errorf("%s: %s, want %s", program, got, want)
		}
	}
	for name := range maps.Keys(unnamed) {
		if builtins[name] == 0 {
			t.Errorf("%s is not a function", name)
		}
	}
}
