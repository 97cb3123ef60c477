package mapped

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/itchyny/gojq"
)

// Bounds of a program and of what it makes of a row.
const (
	maxProgram = 16 << 10 // bytes of its text
	maxRecords = 1000
	maxOutput  = 1 << 20 // bytes of the records of a row
)

// An Error is a mistake in a text of a mapping, at a line and column of it. Both are from 1.
type Error struct {
	InRows       bool // in [Mapping.Rows]; false: in [Mapping.To]
	Line, Column int
	Text         string
}

func (e *Error) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Text)
}

// A program makes records of rows. It is made for one document at a time, because what it
// may use is counted in it. Make one with [compile].
type program struct {
	code   *gojq.Code
	budget *budget
	steps  int // that a row may take

	lines   []string
	encoder encoder
	ends    []int // of the records in what is encoded
}

// compile makes a program of its text. The error is an [*Error].
func compile(text string) (*program, error) {
	if len(text) > maxProgram {
		return nil, &Error{Line: 1, Column: 1, Text: "the program has more than 16 KiB"}
	}
	p, err := build(text)
	if err == nil {
		return p, nil
	}
	if cause, ok := errors.AsType[*gojq.ParseError](err); ok {
		return nil, syntaxError(text, cause)
	}
	return nil, at(text, locate(text, err), err.Error())
}

// build is [compile] without the position of errors.
func build(text string) (*program, error) {
	query, err := gojq.Parse(text)
	if err != nil {
		return nil, err
	}
	if strings.Contains(text, "$__") {
		return nil, errors.New("names that begin with $__ are not for programs")
	}
	g := guard{own: map[string]bool{}, passed: map[*gojq.Term]bool{}}
	if err := g.check(query); err != nil {
		return nil, err
	}
	p := &program{steps: g.steps(), lines: strings.Split(strings.TrimRight(text, "\n"), "\n")}
	options := make([]gojq.CompilerOption, 0, len(functions)+len(guards))
	for name, f := range functions {
		options = append(options, f.option(name))
	}
	for name, f := range guards {
		options = append(options, gojq.WithFunction(name, 0, 2, func(v any, args []any) any { return f(p.budget, v, args) }))
	}
	p.code, err = gojq.Compile(query, options...)
	return p, err
}

// at returns an error at an offset of a text.
func at(text string, offset int, message string) *Error {
	before := text[:max(0, min(offset, len(text)))]
	line := strings.Count(before, "\n")
	return &Error{Line: line + 1, Column: len([]rune(before[strings.LastIndexByte(before, '\n')+1:])) + 1, Text: message}
}

// nameBefore matches the beginning of a name, at the end of a text.
var nameBefore = regexp.MustCompile(`\.[A-Za-z0-9_]*$`)

// syntaxError returns where a text is no program or path. Feeds have names, such as @id and
// ev:when, that need quotes.
func syntaxError(text string, cause *gojq.ParseError) *Error {
	offset := cause.Offset - len(cause.Token)
	message := strings.Replace(cause.Error(), "EOF", "end", 1)
	if c := cause.Token; c != "" && (c[0] == '@' || c[0] == ':' || c[0] >= utf8.RuneSelf) && nameBefore.MatchString(text[:offset]) {
		message += `; a name with other characters than letters, digits and _ needs quotes, such as ."@id"`
	}
	return at(text, offset, message)
}

var word = regexp.MustCompile(`[$@]?[A-Za-z_][A-Za-z0-9_]*|"(?:[^"\\]|\\.)*"`)

// maxTries bounds how many words locate tries.
const maxTries = 100

// locate returns the offset in a program of the word that an error is about. gojq's syntax
// trees have no positions. So locate looks for the word without which the error is another one.
func locate(text string, err error) int {
	tries := 0
	for _, found := range word.FindAllStringIndex(text, -1) {
		if !strings.Contains(err.Error(), strings.Trim(text[found[0]:found[1]], `"`)) {
			continue
		}
		if tries++; tries > maxTries {
			break
		}
		other := bytes.Repeat([]byte{'z'}, found[1]-found[0])
		switch text[found[0]] {
		case '$', '@':
			other[0] = text[found[0]]
		case '"':
			other[0], other[len(other)-1] = '"', '"'
		}
		_, without := build(text[:found[0]] + string(other) + text[found[1]:])
		if without == nil || without.Error() != err.Error() {
			return found[0]
		}
	}
	return 0
}

// run returns the records that the program makes of a row, as JSON. They are valid until the
// next row. When there is an error there are no records, whatever the program made before:
// gojq goes on after errors, with a part of the values.
func (p *program) run(row any) (records [][]byte, err error) {
	defer func() {
		if cause := recover(); cause != nil { // a fault of gojq costs the row, not the process
			records, err = nil, fmt.Errorf("the program cannot be run for this row: %v", cause)
		}
	}()
	p.budget = newBudget(p.steps)
	p.encoder.text, p.encoder.left = p.encoder.text[:0], maxOutput
	p.ends = p.ends[:0]
	for values := p.code.RunWithContext(p.budget, row); ; {
		value, ok := values.Next()
		if !ok {
			return p.records(), nil
		}
		if failure, ok := value.(error); ok {
			return nil, readable(failure)
		}
		if err := p.encoder.encode(value); err != nil {
			return nil, err
		}
		if p.ends = append(p.ends, len(p.encoder.text)); len(p.ends) > maxRecords {
			return nil, fmt.Errorf("the program makes more than %d records of this row", maxRecords)
		}
	}
}

// records returns what run has encoded.
func (p *program) records() [][]byte {
	records := make([][]byte, len(p.ends))
	start := 0
	for i, end := range p.ends {
		records[i], start = p.encoder.text[start:end], end
	}
	return records
}

var unknownMember = regexp.MustCompile(`the member "([^"]+)" is not known`)

// inProgram adds to a reason the line of the program that it is about, if that is clear: gojq
// does not say where in a program an error is.
func (p *program) inProgram(reason string) string {
	subject := reason // of error("...") in the program
	if name, _, _ := strings.Cut(reason, " "); functions[strings.TrimSuffix(name, ":")].known() || builtins[name] != 0 {
		subject = strings.TrimSuffix(name, ":")
	} else if found := unknownMember.FindStringSubmatch(reason); found != nil {
		subject = found[1]
	}
	found := 0
	for i, line := range p.lines {
		if hasWord(line, subject) {
			if found > 0 {
				return reason
			}
			found = i + 1
		}
	}
	if found == 0 || len(p.lines) == 1 {
		return reason
	}
	return fmt.Sprintf("%s (line %d of the program)", reason, found)
}

// hasWord reports whether a text has another one that is no part of a longer word.
func hasWord(text, word string) bool {
	inWord := func(i int) bool {
		return i >= 0 && i < len(text) && (isDigit(text[i]) || text[i] == '_' || text[i]|0x20 >= 'a' && text[i]|0x20 <= 'z')
	}
	for from := 0; word != ""; from++ {
		i := strings.Index(text[from:], word)
		if i < 0 {
			return false
		}
		if from += i; !inWord(from-1) && !inWord(from+len(word)) {
			return true
		}
	}
	return false
}

// maxReason bounds the text of an error of a program.
const maxReason = 300

// readable bounds the text of an error.
func readable(err error) error {
	text := err.Error()
	if value, ok := err.(gojq.ValueError); ok { //nolint:errorlint // gojq does not wrap it
		if said, ok := value.Value().(string); ok { // error("...") in the program
			text = said
		}
	}
	if text == "" { // error("")
		text = "an error in the program"
	}
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "") + "..."
	}
	return errors.New(text)
}

// visit calls the functions for each query and term in a part of a syntax tree, the inner
// ones first.
func visit(part any, query func(*gojq.Query), term func(*gojq.Term)) {
	visitValue(reflect.ValueOf(part), query, term)
}

func visitValue(v reflect.Value, query func(*gojq.Query), term func(*gojq.Term)) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		visitValue(v.Elem(), query, term)
		switch node := v.Interface().(type) {
		case *gojq.Query:
			query(node)
		case *gojq.Term:
			term(node)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			visitValue(v.Field(i), query, term)
		}
	case reflect.Slice:
		for i := range v.Len() {
			visitValue(v.Index(i), query, term)
		}
	}
}
