package mapped

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"fever/provider/feed"
)

// TestIDs has programs that make no event of a row, and the ids that it has where they would take them from.
func TestIDs(t *testing.T) {
	t.Parallel()
	const record = `{base_id: .id, title: .name, start: .day}`
	for name, tc := range map[string]struct{ to, row, want string }{
		"selected":                {`select(.sold) | ` + record, `{"id": 1, "left": 2}`, "1/1"},
		"both ids":                {`select(.sold) | {event_id: .id, base_id: ("x" + .of), start: 7}`, `{"id": 1, "of": "y"}`, "xy/1"},
		"short":                   {`select(.sold) | {base_id, event_id}`, `{"base_id": "a", "event_id": "b"}`, "a/b"},
		"one of many":             {`.days[] | select(.sold) | ` + record, `{"days": [{"id": 1}, {"id": 2}]}`, "1/1 2/2"},
		"bound":                   {`.id as $id | .days[] | select(.sold) | {base_id: $id, event_id: .id}`, `{"id": 1, "days": [{"id": 2}]}`, "1/2"},
		"a branch":                {`if .sold then ` + record + ` else empty end`, `{"id": 1}`, "1/1"},
		"a branch that fails":     {`if .days then .days[] | ` + record + ` elif .sold then ` + record + ` else empty end`, `{"id": 1}`, "1/1"},
		"a branch in the midst":   {`if .days then .days[] else . end | select(.sold) | ` + record, `{"id": 1}`, "1/1"},
		"without else":            {`if .old then .id = .old end | select(.sold) | ` + record, `{"id": 1}`, "1/1"},
		"in brackets":             {`(select(.sold), select(.free)) | (` + record + `)`, `{"id": 1}`, "1/1"},
		"rejected":                {record + ` | if .start == null then error("no day") else . end`, `{"id": 1}`, "1/1"},
		"a member that fails":     {`{base_id: .id, start: (.day | error("bad day"))}`, `{"id": 1}`, "1/1"},
		"how ids are selected":    {`select(.sold) | {base_id: (.ids[] | select(.main).id)}`, `{"ids": [{"id": 1}, {"id": 2, "main": true}]}`, "2/2"},
		"no id":                   {`select(.sold) | ` + record, `{"left": 1, "price": {"id": 1}}`, ""},
		"ids in another function": {`def make: select(.sold) | ` + record + `; make`, `{"id": 1}`, ""},
		"no row of events":        {`select(.sold) | ` + record, `7`, ""},
		"an id that fails":        {`select(.sold) | {base_id: (.id | ltrimstr("x") | tonumber)}`, `{"id": "xy"}`, ""},
		"nothing":                 {`empty`, `{"id": 1}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			format, err := New(Mapping{To: tc.to})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			doc := &feed.Document{Op: "read", Body: io.NopCloser(strings.NewReader(tc.row)), Trace: func(r *feed.Row) {
				for _, ignored := range r.Ignored {
					got = append(got, fmt.Sprintf("%s/%s", ignored.BaseID, ignored.EventID))
				}
			}}
			of, err := feed.Decode(doc, format, "a", time.UTC)
			if err != nil || of.Seen != 1 || of.Ignored+of.Rejected != 1 {
				t.Fatalf("%+v, %v", of, err)
			}
			slices.Sort(got)
			if text := strings.Join(got, " "); text != tc.want {
				t.Errorf("%s, want %s", text, tc.want)
			}
		})
	}
}
