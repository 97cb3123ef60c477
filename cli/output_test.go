package cli

import (
	"encoding/csv"
	"iter"
	"reflect"
	"strings"
	"testing"
)

// A spreadsheet runs what begins like a formula, and a provider may write that.
func TestCSVRunsNothing(t *testing.T) {
	t.Parallel()
	rows := [][]string{
		{"=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "－1+1", "-", "+34 600", "=", "-1,5", "--1", "- 1", `=HYPERLINK("http://x","y")`},
		{"-1", "+34600", "-1.50", "20", "0.5", "a=1", "'=1", "", " =1", "[{}]", "2026-01-01", "1-2", "é", "a\nb", `a"b`, "a,b"},
	}
	harmlessRows := [][]string{
		{"'=1+1", "'+1+1", "'-1+1", "'@SUM(A1)", "'\t=1", "'\r=1", "'\n=1", "'＝1", "'－1+1", "'-", "'+34 600", "'=", "'-1,5", "'--1", "'- 1", `'=HYPERLINK("http://x","y")`},
		rows[1],
	}
	f := forms[[]string]{fields: make([]string, len(rows[0])), record: func(row []string) ([]string, error) { return append([]string(nil), row...), nil }}
	var out strings.Builder
	var all iter.Seq2[[]string, error] = func(yield func([]string, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
	if err := f.write(&out, "csv", all); err != nil {
		t.Fatal(err)
	}
	got, err := csv.NewReader(strings.NewReader(out.String())).ReadAll()
	if err != nil || !reflect.DeepEqual(got[1:], harmlessRows) {
		t.Errorf("%q, %v\nwant %q", got[1:], err, harmlessRows)
	}
}
