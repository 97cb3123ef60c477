package cli

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"regexp"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"
)

// forms are the ways in which dump prints things of one sort: what differs from sort
// to sort.
type forms[T any] struct {
	none    string         // what a table says that has no rows
	columns string         // of a table, with tabs between them
	row     func(T) string // of a table, likewise
	fields  []string       // of CSV
	record  func(T) ([]string, error)
	marked  bool // NDJSON has a first line and a last one, so that a reader notices when lines are missing
}

// write prints all in a form.
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
			record[i] = harmless(record[i])
		}
		if err := c.Write(record); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

var number = regexp.MustCompile(`^[+-]?[0-9]+(\.[0-9]+)?$`)

// harmless returns the text of a cell with an apostrophe before what a spreadsheet would
// take for a formula, and run. Most of it is what providers wrote. Numbers stay.
// See https://owasp.org/www-community/attacks/CSV_Injection.
func harmless(cell string) string {
	first, _ := utf8.DecodeRuneInString(cell)
	if strings.ContainsRune("=+-@\t\r\n＝＋－＠", first) && !number.MatchString(cell) {
		return "'" + cell
	}
	return cell
}

// chooseForm returns the name of the form to print in.
func chooseForm(asked string, out io.Writer) (string, error) {
	switch asked {
	case "table", "json", "ndjson", "csv":
		return asked, nil
	case "":
		if isTerminal(out) {
			return "table", nil
		}
		return "ndjson", nil
	}
	return "", usagef("--format %q is none of table, json, ndjson and csv", asked)
}

// writeObjects prints objects in JSON, one a line, and between them; end is given their number.
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

// cell makes text from outside fit for a cell of a table: one line, nothing that
// moves the cursor, and at most so many characters.
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
