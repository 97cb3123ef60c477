package cli

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What keeps a feed of changes from being read as it is meant is said by fever try.
func TestTryChanges(t *testing.T) {
	t.Parallel()
	pages := map[string]string{
		"sessions": `{"state": "updated", "kind": "ScheduledSession", "id": 1, "modified": 1, "data": {"@type": "ScheduledSession", "@id": "https://id.example/12/1",
			"superEvent": "http://id.example/12", "startDate": "2027-01-18T10:00:00Z"}}`,
		"series": `{"state": "updated", "kind": "SessionSeries", "id": 13, "modified": 1, "data": {"@type": "SessionSeries", "@id": "http://id.example/13", "name": "Dance"}},
			{"state": "updated", "kind": "SessionSeries", "id": 12, "modified": 1, "data": {"@type": "SessionSeries", "@id": "http://id.example/12", "name": "Aqua fit"}}`,
		"secure":  `{"state": "updated", "kind": "SessionSeries", "id": 12, "modified": 1, "data": {"@type": "SessionSeries", "@id": "https://id.example/12", "name": "Aqua fit"}}`,
		"log":     `{"state": "updated", "kind": "Event", "id": 1, "modified": 1, "data": {}}`,
		"removed": `{"state": "deleted", "kind": "SessionSeries", "id": 12, "modified": 1}`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, items := strings.TrimPrefix(r.URL.Path, "/"), ""
		if r.URL.RawQuery == "" || name == "log" { // which ignores its parameters
			items = pages[name]
		}
		_, _ = fmt.Fprintf(w, `{"next": "/%s?after=1", "items": [%s], "token": 5}`, name, items)
	}))
	t.Cleanup(server.Close)
	for name, test := range map[string]struct {
		entry string
		code  int
		want  []string // parts of the output
		not   string   // is not in it
	}{
		"a table": {"format: rpde\nurl: $/sessions\ntables: {superEvent: $/series}", 0, []string{"Aqua fit", "1 row: 1 read as 1 event"}, "table"},
		"a table with another name": {"format: rpde\nurl: $/sessions\ntables: {superevent: $/series}", 1, []string{
			`rejected: 1 row, the first is row 1 on line 1: no title: its superEvent "http://id.example/12" is not read, as no table is called superEvent`,
			`the table superevent is of no use: no row refers to one of its rows, such as "http://id.example/12"`,
		}, "ignored:"},
		"a table with other ids": {"format: rpde\nurl: $/sessions\ntables: {superEvent: $/secure}", 1, []string{
			`its superEvent "http://id.example/12" is not in the table`, `no row refers to one of its rows, such as "https://id.example/12"`,
		}, "ignored:"},
		"a table without rows":        {"format: rpde\nurl: $/sessions\ntables: {superEvent: $/removed}", 1, []string{"the table superEvent has no rows"}, "such as"},
		"a table that is no feed":     {"format: rpde\nurl: $/series", 0, []string{"items without dates are ignored: those of series and facilities make a table"}, "REJECTED"},
		"a cursor where none is":      {"format: map\nurl: $/sessions\npages: {cursor: .cursor, parameter: after}\nmap: {mode: changes, rows: '.items[]', to: '{base_id: .id, title: .kind, start: \"2027-01-01\"}'}", 0, []string{"the feed has one page, although `pages` is set"}, "page 2"},
		"a parameter that is ignored": {"format: map\nurl: $/log\npages: {cursor: .token, parameter: since}\nmap: {mode: changes, rows: '.items[]', to: '{base_id: .id, title: .kind, start: \"2027-01-01\"}'}", 0, []string{"the last page has the same bytes as the one before"}, "although"},
		"a cursor that is read":       {"format: map\nurl: $/sessions\npages: {cursor: .token, parameter: after}\nmap: {mode: changes, rows: '.items[]', to: '{base_id: .id, title: .kind, start: \"2027-01-01\"}'}", 0, []string{"1 row: 1 read as 1 event"}, "although"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "entry.yaml")
			if err := os.WriteFile(file, []byte("name: pool\n"+strings.ReplaceAll(test.entry, "$", server.URL)+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			out, _ := run(t, test.code, "try", "--entry", file, "--at", "2027-01-01")
			for _, part := range test.want {
				if !strings.Contains(out, part) {
					t.Errorf("%q is not in\n%s", part, out)
				}
			}
			if strings.Contains(out, test.not) {
				t.Errorf("%q is in\n%s", test.not, out)
			}
		})
	}
}
