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

// In a feed of changes each record is an item. One that is not current and has nothing but its
// ids says that the item is deleted.
func TestChanges(t *testing.T) {
	t.Parallel()
	const row = `"title": "t", "start": "2026-12-01"`
	for name, test := range map[string]struct {
		rows string
		want string // the items and, after a bar, the ids of current and of past events; and how many rows and rejections
	}{
		"nothing":                   {`[]`, "|| 0 0"},
		"some":                      {`[{"base_id": "a", ` + row + `}, {"base_id": "a", "event_id": "b", ` + row + `}]`, "a/a a/b|a b| 2 0"},
		"past":                      {`[{"base_id": "a", "current": false, ` + row + `}]`, "a/a||a 1 0"},
		"deleted":                   {`[{"base_id": "a", "event_id": 7, "current": false}]`, "a/7 deleted|| 1 0"},
		"deleted, base id alone":    {`[{"base_id": "a", "current": false, "zones": []}]`, "a/a deleted|| 1 0"},
		"nothing to delete":         {`[{"current": false}]`, "|| 1 1"},
		"no id to delete":           {`[{"base_id": "a", "event_id": "\u0001", "current": false}]`, "|| 1 1"},
		"a title, and not deleted":  {`[{"base_id": "a", "current": false, "title": "t"}]`, "a/a rejected|| 1 1"},
		"current, and nothing else": {`[{"base_id": "a"}]`, "a/a rejected|| 1 1"},
		"rejected":                  {`[{"base_id": "a", "titel": "t"}]`, "a/a rejected|| 1 1"},
		"ids missing":               {`[{"base_id": "a", ` + row + `}, {"title": "t"}]`, "a/a|a| 2 1"},
		"one row, many records":     {`[[{"base_id": "a", ` + row + `}, {"base_id": "b", "current": false}, {"base_id": "c", ` + row + `}]]`, "a/a b/b deleted c/c|a c| 1 0"},
		"ignored":                   {`[[]]`, "|| 1 0"},
		"an error of the program":   {`[{"base_id": "a", ` + row + `}, "x"]`, "a/a|a| 2 1"},
		"seen again":                {`[{"base_id": "a", ` + row + `}, {"base_id": "a", "current": false, ` + row + `}]`, "a/a||a 2 0"},
		"deleted later":             {`[{"base_id": "a", ` + row + `}, {"base_id": "a", "current": false}]`, "a/a deleted|| 2 0"},
		"slashes":                   {`[{"base_id": "a/b", "event_id": "c", ` + row + `}, {"base_id": "a", "event_id": "b/c", ` + row + `}]`, "a%2Fb/c a/b/c|c b/c| 2 0"},
	} {
		format, err := New(Mapping{Changes: true, To: `if type == "array" then .[] elif type == "string" then error(.) else . end`})
		if err != nil {
			t.Fatal(err)
		}
		deleted := 0
		doc := &feed.Document{Body: io.NopCloser(strings.NewReader(test.rows)), Op: "read", Trace: func(r *feed.Row) { deleted += len(r.Deleted) }}
		got, err := feed.Decode(doc, format, "test", time.UTC)
		if err != nil || !format.Changes {
			t.Fatal(name, err)
		}
		items := make([]string, len(got.Items))
		for i, item := range got.Items {
			items[i] = item.ID
			if item.Deleted {
				items[i] += " deleted"
			}
			if item.Rejected {
				items[i] += " rejected"
			}
		}
		var ids [2][]string
		for i := range got.Events {
			ids[0] = append(ids[0], got.Events[i].EventID)
		}
		for i := range got.Past {
			ids[1] = append(ids[1], got.Past[i].EventID)
		}
		text := fmt.Sprintf("%s|%s|%s %d %d", strings.Join(items, " "), strings.Join(ids[0], " "), strings.Join(ids[1], " "), got.Rows, got.Rejected)
		if text != test.want {
			t.Errorf("%s: %s, want %s", name, text, test.want)
		}
		if gone := slices.ContainsFunc(got.Items, func(item feed.Item) bool { return item.Deleted }); gone != (deleted == 1) {
			t.Errorf("%s: the trace has %d deletions", name, deleted)
		}
	}
	for i, m := range []Mapping{{To: "."}, {To: ".", Changes: true}} {
		if format, err := New(m); err != nil || format.Changes != (i == 1) {
			t.Errorf("%+v: %v", m, err)
		}
	}
}
