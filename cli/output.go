package cli

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/pflag"
)

// forms describes how dump prints values of one type in each form: a table, CSV and JSON.
type forms[T any] struct {
	none    string         // printed in place of an empty table
	columns string         // the header of a table, separated by tabs
	row     func(T) string // of a table, in the same way
	fields  []string       // the header of CSV
	record  func(T) ([]string, error)
	marked  bool // whether NDJSON has a first and a last line, so that a reader notices missing lines
}

// write prints all values in the named form.
func (f *forms[T]) write(w io.Writer, form string, all iter.Seq2[T, error]) error {
	switch {
	case form == "table":
		return f.writeTable(w, all)
	case form == "csv":
		return f.writeCSV(w, all)
	case form == "json":
		return writeObjects(w, all, "[", ",", func(int) string { return "]\n" })
	case f.marked:
		return writeObjects(w, all, `{"dump":"begin"}`+"\n", "", func(n int) string { return fmt.Sprintf(`{"dump":"end","events":%d}`+"\n", n) })
	}
	return writeObjects(w, all, "", "", func(int) string { return "" })
}

func (f *forms[T]) writeTable(w io.Writer, all iter.Seq2[T, error]) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	header := f.columns + "\n"
	for one, err := range all {
		if err != nil {
			return err
		}
		if _, err := io.WriteString(t, header+f.row(one)+"\n"); err != nil {
			return err
		}
		header = ""
	}
	if header != "" {
		if _, err := io.WriteString(t, f.none+"\n"); err != nil {
			return err
		}
	}
	return t.Flush()
}

func (f *forms[T]) writeCSV(w io.Writer, all iter.Seq2[T, error]) error {
	c := csv.NewWriter(w)
	if err := c.Write(f.fields); err != nil {
		return err
	}
	for one, err := range all {
		if err != nil {
			return err
		}
		record, err := f.record(one)
		if err != nil {
			return err
		}
		for i := range record {
			record[i] = escapeFormula(record[i])
		}
		if err := c.Write(record); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

var number = regexp.MustCompile(`^[+-]?[0-9]+(\.[0-9]+)?$`)

// escapeFormula puts an apostrophe before text that a spreadsheet would run as a formula, since
// most cells hold text of providers. Numbers stay as they are.
// See https://owasp.org/www-community/attacks/CSV_Injection.
func escapeFormula(cell string) string {
	first, _ := utf8.DecodeRuneInString(cell)
	if strings.ContainsRune("=+-@\t\r\n＝＋－＠", first) && !number.MatchString(cell) {
		return "'" + cell
	}
	return cell
}

// A form is how a command prints its rows. It is empty unless it was asked for.
type form struct {
	name   string
	asJSON bool // in short for the name json
}

// register adds --format and --json. Every command that prints what people read has --json.
func (f *form) register(flags *pflag.FlagSet, usage string) {
	flags.StringVar(&f.name, "format", "", usage)
	flags.BoolVar(&f.asJSON, "json", false, "print JSON: short for --format json")
}

// choose returns the form, which must be one of those with names, or the usual one.
func (f *form) choose(usual string, names ...string) (string, error) {
	switch {
	case f.asJSON && f.name != "" && f.name != "json":
		return "", usagef("--json and --format %.40q are two forms: leave one of them out", f.name)
	case f.asJSON:
		return "json", nil
	case f.name == "":
		return usual, nil
	case !slices.Contains(names, f.name):
		last := len(names) - 1
		return "", usagef("--format %.40q is none of %s and %s", f.name, strings.Join(names[:last], ", "), names[last])
	}
	return f.name, nil
}

// writeObjects prints values in JSON, one a line. It calls end with their number.
func writeObjects[T any](w io.Writer, all iter.Seq2[T, error], begin, between string, end func(n int) string) error {
	if _, err := io.WriteString(w, begin); err != nil {
		return err
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	n := 0
	for one, err := range all {
		if err == nil && n > 0 {
			_, err = io.WriteString(w, between)
		}
		if err == nil {
			err = encoder.Encode(one)
		}
		if err != nil {
			return err
		}
		n++
	}
	_, err := io.WriteString(w, end(n))
	return err
}

// cell makes text from outside safe for a table: one line, no control characters, and at
// most that many characters.
func cell(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return ' '
		}
		return r
	}, text)
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return string(runes)
}
