package cli

import (
	"encoding/json"
	"io"
	"iter"
	"os"
	"strings"
	"text/tabwriter"
	"unicode"
)

// forms are the ways in which dump prints things of one sort: the two that differ
// from sort to sort.
type forms[T any] struct {
	table func(*tabwriter.Writer, iter.Seq2[T, error]) error
	csv   func(io.Writer, iter.Seq2[T, error]) error
}

// write prints all in a form. Without a name it is a table on a terminal, else NDJSON.
func (f forms[T]) write(w io.Writer, form string, all iter.Seq2[T, error]) error {
	switch form {
	case "table":
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		if err := f.table(t, all); err != nil {
			return err
		}
		return t.Flush()
	case "csv":
		return f.csv(w, all)
	case "json":
		return writeJSON(w, all)
	}
	return writeNDJSON(w, all)
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

// isTerminal reports whether w is a terminal, or another device for characters.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func writeNDJSON[T any](w io.Writer, all iter.Seq2[T, error]) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for one, err := range all {
		if err != nil {
			return err
		}
		if err := encoder.Encode(one); err != nil {
			return err
		}
	}
	return nil
}

func writeJSON[T any](w io.Writer, all iter.Seq2[T, error]) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	separator := "["
	for one, err := range all {
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, separator); err != nil {
			return err
		}
		if err := encoder.Encode(one); err != nil {
			return err
		}
		separator = ","
	}
	if separator == "[" {
		_, err := io.WriteString(w, "[]\n")
		return err
	}
	_, err := io.WriteString(w, "]\n")
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
