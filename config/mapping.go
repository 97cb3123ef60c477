package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v4"

	"fever/provider/feed"
	"fever/provider/feed/mapped"
	"fever/provider/xmlscan"
)

// A mapping is the map of an entry: a program that makes events of rows.
type mapping struct {
	mapped.Mapping
	where    string // of the key; empty: the entry has none
	rows, to field
	file     *file
}

// separator is a flag's value: one character between the fields of a CSV.
type separator rune

func (s separator) MarshalText() ([]byte, error) { return []byte(string(s)), nil }

func (s *separator) UnmarshalText(text []byte) error {
	r, size := utf8.DecodeRune(text)
	if size != len(text) || size == 0 || r == utf8.RuneError || strings.ContainsRune("\"\r\n", r) {
		return errors.New(`it is not one character, such as ";" or "\t"`)
	}
	*s = separator(r)
	return nil
}

// charset is a flag's value: the name of an encoding.
type charset string

func (c charset) MarshalText() ([]byte, error) { return []byte(c), nil }

func (c *charset) UnmarshalText(text []byte) error {
	*c = charset(text)
	if wrong, ok := errors.AsType[*xmlscan.Error](xmlscan.KnownEncoding(string(text))); ok {
		return errors.New(wrong.Text)
	}
	return nil
}

// modes are the values of mode. The first is the default.
var modes = []string{"snapshot", "changes"}

// mapping reads the map of an entry, except for what it says.
func (f *file) mapping(of field) (mapping, error) {
	m := mapping{where: of.where, file: f}
	mode := modes[0]
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.StringVar(&m.Rows, "rows", "", "")
	flags.StringVar(&m.To, "to", "", "")
	flags.StringVar(&mode, "mode", mode, "")
	fields, err := f.fields(of.value, of.path)
	if err != nil {
		return m, err
	}
	for _, of := range fields {
		flag := flags.Lookup(of.key)
		switch {
		case of.key == "csv":
			m.CSV, err = f.csv(of)
		case flag == nil:
			err = unknownKey(of, flags, "csv")
		default:
			err = of.set(flag)
		}
		if err != nil {
			return m, err
		}
		switch of.key {
		case "rows":
			m.rows = of
		case "to":
			m.to = of
		case "mode":
			if !slices.Contains(modes, mode) {
				return m, fmt.Errorf("%s: %.40q is none of %s", of.where, mode, strings.Join(modes, ", "))
			}
		}
	}
	m.Changes = mode == "changes"
	switch {
	case strings.TrimSpace(m.To) == "":
		return m, fmt.Errorf("%s: it has no to, the program that makes events of rows", of.where)
	case m.CSV != nil && m.rows.where != "":
		return m, fmt.Errorf("%s: a CSV has its rows in one place only: leave it out", m.rows.where)
	}
	return m, nil
}

// csv reads how a CSV is written.
func (f *file) csv(of field) (*mapped.CSV, error) {
	by, in, header := separator(','), charset(""), true
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.TextVar(&by, "separator", by, "")
	flags.TextVar(&in, "charset", in, "")
	flags.BoolVar(&header, "header", header, "")
	fields, err := f.fields(of.value, of.path)
	if err != nil {
		return nil, err
	}
	for _, of := range fields {
		flag := flags.Lookup(of.key)
		if flag == nil {
			return nil, unknownKey(of, flags)
		}
		if err := of.set(flag); err != nil {
			return nil, err
		}
	}
	return &mapped.CSV{Separator: rune(by), Charset: string(in), Header: header}, nil
}

// mapped makes the format of an entry with a mapping. An error names the place in the program.
func (e *entry) mapped() (feed.Format, error) {
	m := e.mapping
	m.Tolerate = e.tolerate
	format, err := mapped.New(m.Mapping)
	if wrong, ok := errors.AsType[*mapped.Error](err); ok {
		of := m.to
		if wrong.InRows {
			of = m.rows
		}
		return format, m.file.inText(of, wrong.Line, wrong.Column, wrong.Text)
	}
	return format, err
}

// inText returns an error about a line and column of a text in the file, with the line and
// column of the file. They are known in a literal block (|), and in a text on a single line
// that stands in the file as it is.
func (f *file) inText(of field, line, column int, message string) error {
	at, node := 0, of.value
	switch {
	case node.Style&yaml.LiteralStyle != 0:
		inFile, inText := lineOf(f.lines, node.Line+line), lineOf(strings.Split(node.Value, "\n"), line)
		at = node.Line + line
		column += len(inFile) - len(strings.TrimLeft(inFile, " ")) - (len(inText) - len(strings.TrimLeft(inText, " ")))
	case strings.Contains(lineOf(f.lines, node.Line), node.Value):
		before, _, _ := strings.Cut(lineOf(f.lines, node.Line), node.Value)
		at = node.Line
		column += utf8.RuneCountInString(before)
	default:
		return fmt.Errorf("%s: line %d, column %d of the text: %s", of.where, line, column, message)
	}
	return fmt.Errorf("%s:%d:%d: %s: %s", f.path, at, column, of.path, message)
}

// lineOf returns the nth line, from 1, or "" if there is none.
func lineOf(lines []string, n int) string {
	if n < 1 || n > len(lines) {
		return ""
	}
	return lines[n-1]
}
