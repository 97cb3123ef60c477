package mapped

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// parse reads JSON as rows are read.
func parse(text string) (any, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

// results runs a program for a row, and returns the records as JSON, or the error.
func results(t testing.TB, text, row string) string {
	t.Helper()
	p, err := compile(text)
	if err != nil {
		return "compile: " + err.Error()
	}
	v, err := parse(row)
	if err != nil {
		t.Fatal(err)
	}
	records, err := p.run(v)
	if err != nil {
		return "error: " + err.Error()
	}
	var all []string
	for _, r := range records {
		all = append(all, string(r))
	}
	return strings.Join(all, " ")
}

// A fault of gojq costs the row, not the process.
func TestPanic(t *testing.T) {
	t.Parallel()
	p, err := compile(".")
	if err != nil {
		t.Fatal(err)
	}
	good := p.code
	p.code = nil
	if records, err := p.run("x"); records != nil || err == nil || !strings.HasPrefix(err.Error(), "the program cannot be run for this row: ") {
		t.Errorf("%s, %v", records, err)
	}
	p.code = good
	if records, err := p.run("x"); len(records) != 1 || err != nil {
		t.Errorf("%s, %v", records, err)
	}
}

// variables returns the text of so many variables.
func variables(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "1 as $v%d | ", i)
	}
	return b.String() + "1"
}

// worst are programs that ask for as much time or memory as they can get.
var worst = []string{
	`def f: f; f`, `def f: 1 + f; f`, `def f: f | f; f`, `repeat(1)`, `[range(1e9)]`, `last(range(1e12))`, `[recurse(1)]`, `[repeat(.)]|length`,
	`"x" * 1e9`, `"x" * 1e300`, `reduce range(64) as $i ("x"; . + .)`, `reduce range(64) as $i ("x"; "\(.)\(.)")`, `reduce range(64) as $i ([1]; . + .)`,
	`reduce range(64) as $i (1; [., .])`, `reduce range(64) as $i (1; [., .]) | tojson`, `reduce range(64) as $i ({}; {a: ., b: .})`, `reduce range(1e6) as $i (1; [.])`,
	`reduce range(64) as $i ("x"; . * 2)`, `reduce range(64) as $i (3; . * .)`, `reduce range(99) as $i (3000000000000; . * .)`,
	`[] | .[500000000] = 1`, `null | .[5e8] |= 1`, `[] | setpath([500000000]; 1)`, `null | pick(.[500000000])`, `[] | .[500000000] += 1`, `[] | .[99999999] //= 1`,
	`[range(100000)] | transpose`, `[[range(30000)], (range(30000) | [])] | transpose`, `[range(30000)] | join("x" * 100000)`, `[range(60000)] - [range(60000)]`,
	`[range(60000)] | contains([range(60000)])`, `[range(60000)] | index([range(30000)])`, `[range(1000) | "x" * 1000000]`, `[limit(1e6; repeat("x" * 1000))]`,
	`"x" * 100000 | gsub("x"; "yyy")`, `"x" * 8000 | gsub("x"; "y" * 8000)`, `"x" * 8000 | [scan(".*y|x")]`, `"x" * 1000000 | test("(x+x+)+y")`, `"x" * 10000000 | [limit(9e9; repeat(explode | length))]`,
	`"x" * 10000000 | [limit(9e9; repeat(ascii_downcase))]`, `"x" * 30000000 | until(false; ltrimstr("y"))`, `"x" * 10000000 | until(.[1:3] == "y"; .)`, `[range(100000)] | until(false; sort)`, `[range(100000)] | until(first(.[]) == 1; .)`,
	`"9" * 1000 | tonumber | until(false; . + 1)`, `[combinations]`, `[[range(10)] | combinations(9)]`, `[range(20) as $a | range(20) as $b | range(20) as $c | range(20) as $d | range(20) as $e | 1]`,
	`"\\" * 1000 | reduce range(64) as $i (.; tojson)`, `"<" * 1000 | reduce range(64) as $i (.; @html)`, `reduce range(64) as $i ([1]; map(., .))`, `reduce range(64) as $i ([1]; [.[], .[]])`, `reduce range(64) as $i ({}; {a: ., b: .} | to_entries | from_entries)`,
	`reduce range(64) as $i ([1]; flatten + flatten)`, `[range(300)] | [., .] | combinations`, `0 | [range(1e6) as $i | strftime("%1024Y%1024Y%1024Y%1024Y")]`,
	`"9" * 1000000 | tonumber`, `def f: (1, f); f`, `def f: try f catch .; f`, `def f: [f]; f`, `def f(g): g | f(g | g); f(.)`, `path(repeat(.a?))`, `[paths(repeat(1))]`, `{"a": 1} | walk(repeat(1))`,
	`try ("x" * 1e9) catch "caught"`, `("x" * 1e9)? // "alt"`, `[.[]?, ("x" * 1e9)?] | "alt"`,
	`def f: if true then (f, 1) else (1 as $a|2 as $b|3 as $c|4 as $d|5 as $e|6 as $f|7 as $g|8 as $h|1 as $i|1 as $j|1 as $k|1 as $l|1) end; f`,
	`def f: if true then (f, 1) else (` + variables(1000) + `) end; f`,
	`recurse(if true then (., empty) else (` + variables(1000) + `) end)`,
}

// TestCompile has programs refused that are wrong, or that see more than the row.
func TestCompile(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                           "line 1, column 1: missing query",
		"{a: }":                      `line 1, column 5: unexpected token "}"`,
		"{\n  a: .b,\n  é: 1}":       `line 3, column 3: `,
		"{a: .@id}":                  `line 1, column 6: unexpected token "@id"; a name with other characters than letters, digits and _ needs quotes, such as ."@id"`,
		"{a: .ev:when}":              `unexpected token ":"; a name with other`,
		"{a: .Päivä}":                `unexpected token "ä"; a name with other`,
		`"a`:                         "line 1, column 3: unterminated string literal",
		`"\q"`:                       "line 1, column 2: invalid escape sequence",
		". as $x |\n  $y":            "line 2, column 3: variable not defined: $y",
		"# $y\n$x | $y":              "line 2, column 1: variable not defined: $x",
		`"prize", prize`:             "line 1, column 10: there is no function prize",
		`.prize | {prize: prize(.)}`: "line 1, column 18: there is no function prize",
		"price(1)":                   "line 1, column 1: price takes 0 arguments, not 1",
		"floor(1)":                   "line 1, column 1: function not defined: floor/1",
		"break $x":                   "line 1, column 7: label not defined: $x",
		"now":                        "line 1, column 1: now is not for programs: they see the row alone",
		"[input]":                    "line 1, column 2: input is not for programs: they see the row alone",
		"inputs":                     "inputs is not for programs",
		"debug":                      "debug is not for programs",
		`debug("x")`:                 "debug is not for programs",
		"env":                        "env is not for programs",
		"$ENV.HOME":                  "line 1, column 1: $ENV is not for programs: they see the row alone",
		"$__loc__":                   "names that begin with $__ are not for programs",
		"halt":                       "halt is not for programs",
		`"x" | halt_error`:           "line 1, column 7: halt_error is not for programs",
		"input_line_number":          "there is no function input_line_number",
		"localtime":                  "localtime is not for programs: use gmtime",
		`strflocaltime("%Y")`:        "strflocaltime is not for programs: use strftime",
		`strptime("%Z")`:             "strptime needs its format as a plain text, and without %Z and %+",
		`strftime(.f)`:               "strftime needs its format as a plain text",
		`strptime("%d %-5Z")`:        "and without %Z and %+",
		`strptime("%+")`:             "and without %Z and %+",
		`test("a"; .f)`:              "test needs its flags as a plain text",
		`gsub("a"; "b"; .f)`:         "gsub needs its flags as a plain text",
		`@base32`:                    "line 1, column 1: there is no format @base32",
		`@foo "\(.a)"`:               "line 1, column 1: there is no format @foo",
		`format("x")`:                "format is not for programs: use @text",
		`import "a" as a; .`:         "a program cannot import or be a module",
		`include "a"; .`:             "a program cannot import or be a module",
		`modulemeta`:                 "modulemeta is not for programs",
		`builtins`:                   "builtins is not for programs",
		`tostream`:                   "tostream is not for programs",
		"def now: 1; now":            "now is the name of a function already",
		"def price: 1; price":        "price is the name of a function already",
		"def f(map): map; f(1)":      "map is the name of a function already",
		"def f($_x): $_x; f(1)":      "names that begin with _ are not for programs",
		"_weigh":                     "there is no function _weigh",
		"_modify(.a; 1)":             "there is no function _modify",
		`test("(")`:                  `the regular expression "(" cannot be read`,
		`test("(?=a)")`:              `the regular expression "(?=a)" cannot be read`,
		`test("(a{100}){10}")`:       `is too large`,
		`test(.x)`:                   "test needs its regular expression as a plain text",
		`gsub(["a", "g"]; "b")`:      "gsub needs its regular expression as a plain text",
		`split(.x; null)`:            "split needs its regular expression as a plain text",
		`local(.x)`:                  "local needs its layout as a plain text",
		"((.a |= 1) | .b) |= 2":      "what an update changes has an update in it: make them one after the other",
		"pick(pick(.a))":             "what an update changes has an update in it",
		strings.Repeat("(", 1000) + "." + strings.Repeat("|= .)", 1000): "what an update changes has an update in it",
		`test("` + strings.Repeat("a{900}", 200) + `")`:                 "is too large",
		strings.Repeat("prize|", 2000) + ".":                            "line 1, column 1: there is no function prize",
		strings.Repeat("(", 9000):                                       "unexpected end",
		strings.Repeat(" ", 16<<10) + ".":                               "the program has more than 16 KiB",
	} {
		p, err := compile(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80q: %v, %v, want %s", text, p, err, want)
		}
	}
}

// TestRun has what jq does, with what the guard puts into programs.
func TestRun(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ program, row, want string }{
		{".a, .b", `{"a": 1.50, "b": 1e2}`, "1.50 1e2"}, // as they are written
		{".a + .b, .a - .b, .a * .b, .a / .b, .a % .b", `{"a": 6, "b": 3}`, "9 3 18 2 0"},
		{`.a * 3, 2 * .a, .a * 0, .a * -1`, `{"a": "xy"}`, `"xyxyxy" "xyxy" "" null`},
		{`[1, 2, 1] - [1], {a: {b: 1}} * {a: {c: 2}}, "a,b" / ","`, `null`, `[2] {"a":{"b":1,"c":2}} ["a","b"]`},
		{`(1, 2) + (10, 20), [(1, 2) * (3, 4)], [(5, 6) - (1, 2)]`, `null`, `11 12 21 22 [3,6,4,8] [4,5,3,4]`}, // in jq's order
		{`.a += 1 | .b -= 1 | .c *= 2 | .d /= 2 | .e %= 2 | .f //= 7 | .g |= . + 1 | .h = 8`, `{"a":1,"b":1,"c":1,"d":1,"e":1,"g":1}`, `{"a":2,"b":0,"c":2,"d":0.5,"e":1,"f":7,"g":2,"h":8}`},
		{`.[1] = 5 | .[0] += .[1] | .[2] |= empty`, `[1, 2, 3]`, `[6,5]`},
		{`(.[] | select(. > 1)) += 10`, `[1, 2, 3]`, `[1,12,13]`},
		{`def f: . + 1; def g(h; $x): h + $x; f | g(f; 3)`, `1`, `6`},
		{`def f(n): if n == 0 then 0 else n + f(n - 1) end; f(5)`, `null`, `15`},
		{`"a\(.x)b\(1 + 2)", @uri "q=\(.y)", @json, @base64 "\(.y)"`, `{"x":[1],"y":"ü &"}`, `"a[1]b3" "q=%C3%BC%20%26" "{\"x\":[1],\"y\":\"ü &\"}" "w7wgJg=="`},
		{`join(", "), (.[:1] | join("x")), ([] | join("-"))`, `["a", 1, null, true]`, `"a, 1, , true" "a" ""`},
		{`contains("ell"), ("l" | inside("hello")), index("l"), rindex("l"), indices("l")`, `"hello"`, `true true 2 3 [2,3]`},
		{`test("^a.c$"), test("A"; "i"), capture("(?<x>b)"), [match("b").offset], sub("b"; "x"), gsub("(?<x>[ac])"; "<\(.x)>")`, `"abc"`, `true true {"x":"b"} [1] "axc" "<a>b<c>"`},
		{`[scan("[0-9]+")], [splits(", *")], split(", *"; null)`, `"1, 22"`, `["1","22"] ["1","22"] ["1","22"]`},
		{`to_entries, with_entries(.value += 1), map_values(. + 1), del(.a), [paths], keys`, `{"a":1}`, `[{"key":"a","value":1}] {"a":2} {"a":2} {} [["a"]] ["a"]`},
		{`sort, group_by(. % 2), unique, min, max, add, length, reverse, transpose?`, `[3, 1, 2, 1]`, `[1,1,2,3] [[2],[3,1,1]] [1,2,3] 1 3 7 4 [1,2,1,3]`},
		{`setpath(["a", 0]; 1), getpath(["a"]), pick(.b), ([[1, 2], [3]] | transpose)`, `{"b": 2}`, `{"a":[1],"b":2} null {"b":2} [[1,3],[2,null]]`},
		{`tonumber, (tostring | tojson | fromjson), ("x" | ascii_upcase), ("a" | explode | implode)`, `"12.50"`, `12.5 "12.50" "X" "a"`},
		{`try error("x") catch ., (.a?[]? // "none"), first(range(10; 0; -1)), [limit(3; repeat(1))], [.[]?]`, `5`, `"x" "none" 10 [1,1,1] []`},
		{`reduce .[] as $x (0; . + $x), [foreach .[] as $x (0; . + $x; [$x, .])], (. as [$a, $b] | $a + $b), (label $out | .[] | if . > 1 then break $out else . end)`, `[1, 2]`, `3 [[1,1],[2,3]] 3 1`},
		{`mktime, todate, strftime("%d.%m.%Y"), (todate | fromdate), ("2026-03-27" | strptime("%Y-%m-%d") | mktime)`, `0`, `error: mktime cannot be applied to: number (0)`},
		{`todate, strftime("%d.%m.%Y"), (todate | fromdate), ("2026-03-27" | strptime("%Y-%m-%d") | mktime)`, `0`, `"1970-01-01T00:00:00Z" "01.01.1970" 0 1774569600`},
		{`walk(if type == "number" then . + 1 else . end), [..], [recurse(.a?; . != null)]`, `{"a": 1}`, `{"a":2} [{"a":1},1] [{"a":1},1]`},
		{`{a, "b": .b, "c\(1)": 2, (.d): 3, $__x}`, `{}`, "compile: line 1, column 1: names that begin with $__ are not for programs"},
		{`. as $x | {a, "b": .b, "c\(1)": 2, (.d): 3, $x}`, `{"a":1,"d":"e"}`, `{"a":1,"b":null,"c1":2,"e":3,"x":{"a":1,"d":"e"}}`},
		{`.a.b`, `{"a": "text"}`, `error: expected an object but got: string ("text")`},
		{`error`, `{"a": 1}`, `error: error: {"a":1}`},
		{`error("` + strings.Repeat("é", 300) + `")`, `null`, "error: " + strings.Repeat("é", 150) + "..."},
		{`"x" * 100000 | gsub("x"; "y")`, `null`, "error: a text of 100000 bytes is too long for regular expressions that replace or find all; the longest has 4000"},
		{`"9" * 2000 | tonumber`, `null`, "error: a number has more than 1000 digits"},
	} {
		if got := results(t, test.program, test.row); got != test.want {
			t.Errorf("%s of %s:\n%s\nwant\n%s", test.program, test.row, got, test.want)
		}
	}
}

// TestWorst has each program end within its budget, or make little. What it allocates is the
// worst that a row can cost. It is not parallel: what other tests allocate would count.
func TestWorst(t *testing.T) {
	const most = 320 << 20 // bytes, of which a fraction is in use at a time
	for _, text := range worst {
		p, err := compile(text)
		if err != nil {
			t.Errorf("%.80s: %v", text, err)
			continue
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		records, err := p.run(map[string]any{"a": "b"})
		runtime.ReadMemStats(&after)
		if allocated := after.TotalAlloc - before.TotalAlloc; allocated > most || err != nil && records != nil {
			t.Errorf("%.80s: %d MiB, %d records, %v", text, allocated>>20, len(records), err)
		}
		t.Logf("%.80s: %d steps, %d MiB, %v", text, p.steps-p.budget.steps, (after.TotalAlloc-before.TotalAlloc)>>20, err)
	}
}
