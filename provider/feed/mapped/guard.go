package mapped

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/itchyny/gojq"
)

// smallNodes is the size up to which a recursive program may take [maxSteps] for a row. A
// larger one may take fewer: each call in a call can hold a value for each of its variables.
const smallNodes = 64

// A guard checks a program, and changes it so that each value which it makes is weighed.
//
// A single instruction of gojq takes as much time and memory as its values ask for, and
// nothing can end it: "x" * 1e9, a text that is doubled 30 times, an array that has itself in
// it 30 times over. So the guard puts a call of _weigh behind all that makes a value, and a
// check before what makes more than the sum of what it gets.
type guard struct {
	own   map[string]bool // names of functions that the program defines, and of their parameters
	nodes int

	// passed are arrays and objects that go at once into another value that the program makes,
	// or out of it. The weight of that one counts theirs.
	passed map[*gojq.Term]bool

	recursive bool // a function of the program calls itself, or one of gojq's takes one that it calls in itself
}

// recursions are the functions of gojq that call their arguments inside each other.
var recursions = []string{"recurse", "repeat", "until", "walk", "while"}

// steps returns how many steps the program may take for a row.
func (g *guard) steps() int {
	if !g.recursive {
		return maxSteps
	}
	return maxSteps * smallNodes / max(g.nodes, smallNodes)
}

// What must be done about a function of gojq.
const (
	harmless  = iota + 1 // it makes no value, or a small one
	weighed              // it makes a value
	product              // it compares each part of its input with each of its argument
	matching             // its first argument is a regular expression
	matchAll             // likewise, and it looks for all matches
	timed                // its argument is a format of times
	intoPaths            // it makes whatever its argument names
)

// builtins are the functions of gojq that a program can use. The others see more than the row
// (the clock, the environment, files, the machine's time zone) or read and write streams.
var builtins = func() map[string]int {
	all := make(map[string]int)
	for what, names := range map[int]string{
		harmless: `abs all any arrays booleans bsearch ceil empty endswith error exp exp10 exp2 fabs finites first floor fmax
			fmin fmod fromdate fromdateiso8601 getpath gmtime has in infinite isempty isfinite isinfinite isnan isnormal
			iterables last length limit log log10 log2 ltrim ltrimstr max max_by min min_by mktime nan normals not nth nulls
			numbers objects path pow range recurse repeat round rtrim rtrimstr scalars select skip sqrt startswith strings
			toboolean todate todateiso8601 trim trimstr trunc type until utf8bytelength values while IN`,
		weighed: `add ascii_downcase ascii_upcase combinations del delpaths explode flatten from_entries fromjson group_by
			implode join keys map map_values paths reverse setpath sort sort_by split to_entries tojson tonumber tostring
			transpose unique unique_by walk with_entries INDEX JOIN`,
		product:   `contains inside indices index rindex`,
		matching:  `test`,
		matchAll:  `match capture scan splits sub gsub`,
		timed:     `strftime strptime`,
		intoPaths: `pick`,
	} {
		for name := range strings.FieldsSeq(names) {
			all[name] = what
		}
	}
	return all
}()

// elsewhere says what to use instead of functions that a program cannot use.
var elsewhere = map[string]string{
	"localtime": "gmtime", "strflocaltime": "strftime", "format": "@text and the like",
}

// names are those of all functions of gojq.
var names = sync.OnceValue(func() map[string]bool {
	all := make(map[string]bool)
	query, _ := gojq.Parse("builtins[]") // cannot fail
	for values := query.Run(nil); ; {
		value, ok := values.Next()
		if !ok {
			return all
		}
		if name, ok := value.(string); ok {
			name, _, _ = strings.Cut(name, "/")
			all[name] = true
		}
	}
})

var formats = []string{"@text", "@json", "@html", "@uri", "@urid", "@csv", "@tsv", "@sh", "@base64", "@base64d"}

// check refuses what a program cannot have, and puts the guards into it.
func (g *guard) check(query *gojq.Query) error {
	if query.Meta != nil || len(query.Imports) > 0 {
		return fmt.Errorf("a program cannot import or be a module")
	}
	var failed error
	fail := func(err error) {
		if failed == nil {
			failed = err
		}
	}
	visit(query, func(q *gojq.Query) {
		g.nodes++
		if failed == nil && updates[q.Op] && isTwice(q.Left) {
			fail(errTwice)
		}
		for _, def := range q.FuncDefs {
			visit(def.Body, func(*gojq.Query) {}, func(t *gojq.Term) {
				g.recursive = g.recursive || t.Func != nil && t.Func.Name == def.Name
			})
			for _, name := range append([]string{def.Name}, def.Args...) {
				name = strings.TrimPrefix(name, "$")
				g.own[name] = true
				if strings.HasPrefix(name, "_") {
					fail(fmt.Errorf("%s: names that begin with _ are not for programs", name))
				} else if _, ours := functions[name]; names()[name] || ours {
					fail(fmt.Errorf("%s is the name of a function already", name))
				}
			}
		}
	}, func(t *gojq.Term) {
		g.nodes++
		if t.Array != nil {
			g.pass(t.Array.Query)
		}
		if t.Object != nil {
			for _, member := range t.Object.KeyVals {
				g.pass(member.Val)
			}
		}
		if failed == nil && t.Func != nil && namesPaths[t.Func.Name] && len(t.Func.Args) > 0 && isTwice(t.Func.Args[0]) {
			fail(errTwice)
		}
		g.recursive = g.recursive || t.Func != nil && len(t.Func.Args) > 0 && slices.Contains(recursions, t.Func.Name)
	})
	if failed != nil {
		return failed
	}
	g.pass(query)
	visit(query, func(q *gojq.Query) { g.operator(q) }, func(t *gojq.Term) {
		if err := g.term(t); err != nil {
			fail(err)
		}
	})
	return failed
}

// updates are the operators that change what their left side names, and namesPaths the
// functions that do so with their first argument. The guard puts that side into a program
// twice, once to look at the paths. So it must not have another one in it: 16 inside each
// other would be 65,536.
var (
	updates = map[gojq.Operator]bool{
		gojq.OpAssign: true, gojq.OpModify: true, gojq.OpUpdateAdd: true, gojq.OpUpdateSub: true,
		gojq.OpUpdateMul: true, gojq.OpUpdateDiv: true, gojq.OpUpdateMod: true, gojq.OpUpdateAlt: true,
	}
	namesPaths = map[string]bool{"pick": true, "setpath": true}
	errTwice   = errors.New("what an update changes has an update in it: make them one after the other")
)

// isTwice reports whether a query has a part that the guard puts into a program twice.
func isTwice(q *gojq.Query) bool {
	found := false
	visit(q, func(q *gojq.Query) { found = found || updates[q.Op] }, func(t *gojq.Term) {
		found = found || t.Func != nil && namesPaths[t.Func.Name]
	})
	return found
}

// pass notes the terms that pass their values on to what contains the query.
func (g *guard) pass(q *gojq.Query) {
	switch {
	case q == nil:
	case q.Op == gojq.OpPipe:
		g.pass(q.Right)
	case q.Op == gojq.OpComma:
		g.pass(q.Left)
		g.pass(q.Right)
	case q.Term == nil || len(q.Term.SuffixList) > 0:
	case q.Term.Type == gojq.TermTypeQuery:
		g.pass(q.Term.Query)
	case q.Term.Type == gojq.TermTypeIf:
		for _, elif := range q.Term.If.Elif {
			g.pass(elif.Then)
		}
		g.pass(q.Term.If.Then)
		g.pass(q.Term.If.Else)
	case q.Term.Type == gojq.TermTypeArray || q.Term.Type == gojq.TermTypeObject:
		g.passed[q.Term] = true
	}
}

// operator guards an operator.
func (g *guard) operator(q *gojq.Query) {
	switch q.Op {
	case gojq.OpAdd, gojq.OpDiv:
		inner := *q
		inner.FuncDefs = nil
		replace(q, `LEFT | _weigh`, &inner, nil)
	case gojq.OpMul:
		replace(q, `_times(LEFT; RIGHT) | .[0] * .[1] | _weigh`, q.Left, q.Right)
	case gojq.OpSub:
		replace(q, `_product(LEFT; RIGHT) | .[0] - .[1] | _weigh`, q.Left, q.Right)
	case gojq.OpUpdateAdd:
		g.update(q, `LEFT |= (. + $__v | _weigh)`)
	case gojq.OpUpdateDiv:
		g.update(q, `LEFT |= (. / $__v | _weigh)`)
	case gojq.OpUpdateMul:
		g.update(q, `LEFT |= (_times(.; $__v) | .[0] * .[1] | _weigh)`)
	case gojq.OpUpdateSub:
		g.update(q, `LEFT |= (_product(.; $__v) | .[0] - .[1] | _weigh)`)
	case gojq.OpAssign:
		replace(q, `([path(LEFT)] | _paths) as $__p | (LEFT = RIGHT) | _weigh`, q.Left, q.Right)
	case gojq.OpModify, gojq.OpUpdateAlt, gojq.OpUpdateMod:
		inner := *q
		inner.FuncDefs = nil
		replace(q, `([path(LEFT)] | _paths) as $__p | RIGHT | _weigh`, q.Left, &inner)
	}
}

// update guards an operator that changes what its left side names. Both its sides are in the
// change.
func (g *guard) update(q *gojq.Query, change string) {
	replace(q, `RIGHT as $__v | ([path(LEFT)] | _paths) as $__p | (`+change+`) | _weigh`, q.Left, q.Right)
}

// term guards what makes a value.
func (g *guard) term(t *gojq.Term) error {
	inner := *t
	inner.SuffixList = nil
	self := &gojq.Query{Term: &inner}
	with := func(template string, right *gojq.Query) {
		q := &gojq.Query{}
		replace(q, template, self, right)
		*t = gojq.Term{Type: gojq.TermTypeQuery, Query: q, SuffixList: t.SuffixList}
	}
	switch t.Type {
	case gojq.TermTypeArray, gojq.TermTypeObject:
		if !g.passed[t] {
			with(`LEFT | _weigh`, nil)
		}
	case gojq.TermTypeString:
		if t.Str.Queries != nil {
			with(`LEFT | _weigh`, nil)
		}
	case gojq.TermTypeFormat:
		if !slices.Contains(formats, t.Format) {
			return fmt.Errorf("there is no format %s; there are %s", t.Format, strings.Join(formats, ", "))
		}
		with(`LEFT | _weigh`, nil)
	case gojq.TermTypeFunc:
		return g.call(t.Func, with)
	}
	return nil
}

// call guards a call of a function.
func (g *guard) call(f *gojq.Func, with func(template string, right *gojq.Query)) error {
	if f.Name == "$ENV" {
		return fmt.Errorf("$ENV is not for programs: they see the row alone")
	}
	if ours, ok := functions[f.Name]; ok {
		return ours.accepts(f)
	}
	if g.own[f.Name] || strings.HasPrefix(f.Name, "$") {
		return nil
	}
	if instead, ok := elsewhere[f.Name]; ok {
		return fmt.Errorf("%s is not for programs: use %s", f.Name, instead)
	}
	what, ok := builtins[f.Name]
	switch {
	case !ok && names()[f.Name]:
		return fmt.Errorf("%s is not for programs: they see the row alone", f.Name)
	case !ok:
		return fmt.Errorf("there is no function %s", f.Name)
	case f.Name == "join" && len(f.Args) == 1:
		with(`_product(.; RIGHT) | .[1] as $__v | .[0] | join($__v) | _weigh`, f.Args[0])
	case f.Name == "transpose", f.Name == "tonumber":
		with(`_`+f.Name+` | LEFT | _weigh`, nil)
	case f.Name == "setpath" && len(f.Args) == 2:
		with(`([RIGHT] | _paths) as $__p | LEFT | _weigh`, f.Args[0])
	case f.Name == "split" && len(f.Args) == 2, what == matching, what == matchAll:
		return g.match(f, what != matching, with)
	case what == weighed:
		with(`LEFT | _weigh`, nil)
	case what == product && len(f.Args) == 1:
		with(`_product(.; RIGHT) | .[1] as $__v | .[0] | `+f.Name+`($__v) | _weigh`, f.Args[0])
	case what == timed && len(f.Args) == 1:
		if layout, ok := literal(f.Args[0]); !ok || zoneName.MatchString(layout) {
			return fmt.Errorf("%s needs its format as a plain text, and without %%Z and %%+: names of time zones depend on the machine", f.Name)
		}
	case what == intoPaths && len(f.Args) == 1:
		with(`([path(RIGHT)] | _paths) as $__p | LEFT | _weigh`, f.Args[0])
	}
	return nil
}

// zoneName matches what is a name of a time zone in a format, with flags and a width before it.
var zoneName = regexp.MustCompile(`%[-_^#:0-9]*[Z+]`)

// maxRegexp bounds a regular expression, in bytes and in instructions of package regexp.
const maxRegexp = 1000

// match guards a call with a regular expression. It must be known, with its flags: gojq keeps
// each one that it has compiled, and what it can cost is known at the start.
func (g *guard) match(f *gojq.Func, all bool, with func(template string, right *gojq.Query)) error {
	expression, ok := literal(f.Args[0])
	if !ok {
		return fmt.Errorf("%s needs its regular expression as a plain text", f.Name)
	}
	if len(expression) > maxRegexp {
		return fmt.Errorf("the regular expression %.60q is too large", expression)
	}
	parsed, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return fmt.Errorf("the regular expression %.60q cannot be read: %w", expression, err)
	}
	compiled, err := syntax.Compile(parsed.Simplify())
	if err != nil || len(compiled.Inst) > maxRegexp {
		return fmt.Errorf("the regular expression %.60q is too large", expression)
	}
	flags := 1 // where they are among the arguments
	if f.Name == "sub" || f.Name == "gsub" {
		flags = 2
	}
	if len(f.Args) > flags {
		q := f.Args[flags]
		if _, ok := literal(q); !ok && (q.Term == nil || q.Term.Type != gojq.TermTypeNull) {
			return fmt.Errorf("%s needs its flags as a plain text", f.Name)
		}
	}
	if flags == 2 && len(f.Args) > 1 {
		replaced := &gojq.Query{}
		replace(replaced, `LEFT | _weigh`, f.Args[1], nil)
		f.Args[1] = replaced
	}
	cost := &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeNumber, Number: strconv.Itoa(len(compiled.Inst))}}
	if all {
		with(`_matchAll(RIGHT) | LEFT | _weigh`, cost)
	} else {
		with(`_match1(RIGHT) | LEFT`, cost)
	}
	return nil
}

// literal returns the text of a query that is a plain text.
func literal(q *gojq.Query) (string, bool) {
	if q.Term == nil || q.Term.Type != gojq.TermTypeString || q.Term.Str.Queries != nil || len(q.Term.SuffixList) > 0 || len(q.FuncDefs) > 0 {
		return "", false
	}
	return q.Term.Str.Str, true
}

// replace makes q what a template says, with queries in the place of LEFT and RIGHT. It keeps
// the functions that q defines.
func replace(q *gojq.Query, template string, left, right *gojq.Query) {
	parsed, err := gojq.Parse(template)
	if err != nil {
		panic(fmt.Sprintf("template %s: %v", template, err))
	}
	visit(parsed, func(*gojq.Query) {}, func(t *gojq.Term) {
		if t.Type != gojq.TermTypeFunc {
			return
		}
		switch t.Func.Name {
		case "LEFT":
			*t = gojq.Term{Type: gojq.TermTypeQuery, Query: left}
		case "RIGHT":
			*t = gojq.Term{Type: gojq.TermTypeQuery, Query: right}
		}
	})
	parsed.FuncDefs = q.FuncDefs
	*q = *parsed
}

// guards are the functions that a guard puts into programs. Each returns its input, or its
// two arguments as an array, unless that would cost too much.
var guards = map[string]func(b *budget, v any, args []any) any{
	"_weigh": func(b *budget, v any, _ []any) any { return orError(b.weigh(v), v) },
	// _times is for what * makes: a text is repeated.
	"_times": func(b *budget, _ any, args []any) any {
		for i, arg := range args {
			text, ok := arg.(string)
			if n, isNumber := gojq.ToFloat64(args[1-i]); ok && isNumber && n > 0 {
				if weight := float64(len(text)) * n; !(weight < math.MaxInt32) {
					return b.spend(math.MaxInt32)
				} else if err := b.spend(int(weight)); err != nil {
					return err
				}
			}
		}
		return []any{args[0], args[1]}
	},
	// _product is for what takes time or memory as the product of the sizes.
	"_product": func(b *budget, _ any, args []any) any {
		before := b.weight
		if err := b.weigh(args[0]); err != nil {
			return err
		}
		left := before - b.weight
		if err := b.weigh(args[1]); err != nil {
			return err
		}
		right := before - left - b.weight
		return orError(b.spend(left/16*right/16), []any{args[0], args[1]})
	},
	"_transpose": func(b *budget, v any, _ []any) any {
		rows, _ := v.([]any)
		longest := 0
		for _, row := range rows {
			row, _ := row.([]any)
			longest = max(longest, len(row))
		}
		return orError(b.spend(16*longest*len(rows)), v)
	},
	"_tonumber": func(b *budget, v any, _ []any) any {
		if text, ok := v.(string); ok && len(text) > maxDigits {
			return fmt.Errorf("a number has more than %d digits", maxDigits)
		}
		return v
	},
	// _paths refuses paths that make a large array of a single number.
	"_paths": func(b *budget, v any, _ []any) any {
		paths, _ := v.([]any)
		for _, path := range paths {
			steps, _ := path.([]any)
			for _, step := range steps {
				if n, ok := gojq.ToInt(step); ok && n > maxIndex {
					return b.stop(fmt.Errorf("the program sets the element %d of an array, past %d", n, maxIndex))
				}
			}
		}
		return v
	},
	"_match1": func(b *budget, v any, args []any) any {
		text, _ := v.(string)
		instructions, _ := args[0].(int)
		return orError(b.spend(len(text)*instructions), v)
	},
	// _matchAll is for all matches. gojq counts the characters before each one anew.
	"_matchAll": func(b *budget, v any, args []any) any {
		text, _ := v.(string)
		instructions, _ := args[0].(int)
		if len(text) > maxMatchAll {
			return fmt.Errorf("a text of %d bytes is too long for regular expressions that replace or find all; the longest has %d", len(text), maxMatchAll)
		}
		return orError(b.spend(len(text)*(len(text)/2+instructions)), v)
	},
}

const (
	maxIndex    = 1 << 16 // that a program may set in an array
	maxMatchAll = 4000    // bytes of a text of which all matches are found
)

func orError(err error, v any) any {
	if err != nil {
		return err
	}
	return v
}
