package rpde

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"fever/internal/feedtest"
	"fever/provider/feed"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden reads pages of each kind. The series in one of them are the table of the others.
func TestGolden(t *testing.T) {
	t.Parallel()
	table, err := os.ReadFile("testdata/series.json")
	if err != nil {
		t.Fatal(err)
	}
	parent := rowsOf(t, string(table))
	feedtest.GoldenOf(t, func(name string) feed.Format {
		format := New([]string{"superEvent"})
		decode := format.Decode
		format.Decode = func(doc *feed.Document, b *feed.Builder) error {
			with := *doc
			if with.Parent = parent; name == "series.json" {
				with.Table = "superEvent"
			}
			if name == "events.json" || name == "slots.json" {
				return New(nil).Decode(&with, b)
			}
			return decode(&with, b)
		}
		return format
	}, *update, feedtest.Documents(t, 4, "testdata/*.json"))
}

// read decodes a page of a feed, or of a table, with the format for these tables.
func read(doc *feed.Document, page string, tables ...string) (*feed.Feed, error) {
	doc.Body, doc.Op = io.NopCloser(strings.NewReader(page)), "read"
	doc.Page.Began = time.Date(2026, 11, 15, 12, 0, 0, 0, time.UTC)
	return feed.Decode(doc, New(tables), "test", time.UTC)
}

// rowsOf returns a function that finds the rows of a page of the table superEvent.
func rowsOf(tb testing.TB, page string) func(name string) ([]byte, error) {
	tb.Helper()
	got, err := read(&feed.Document{Table: "superEvent"}, page)
	if err != nil {
		tb.Fatal(err)
	}
	rows := make(map[string][]byte)
	for _, item := range got.Items {
		rows[item.Name] = item.Row
	}
	return func(name string) ([]byte, error) { return rows[name], nil }
}

// page returns a page with these items.
func page(items ...string) string {
	return `{"next": "https://a.example/?after=1", "items": [` + strings.Join(items, ", ") + `]}`
}

// updated returns an item of the kind K with the id 1, and these members of its data.
func updated(members string) string {
	return `{"state": "updated", "kind": "K", "id": "1", "modified": 1, "data": {"@type": "Event", "name": "t", ` + members + `}}`
}

// describe writes a page in short: its items, events and rejections.
func describe(f *feed.Feed) string {
	var b strings.Builder
	for _, item := range f.Items {
		fmt.Fprintf(&b, "%s", item.ID)
		if item.Deleted {
			b.WriteString(" deleted")
		}
		if item.Rejected {
			b.WriteString(" rejected")
		}
		if item.Parent != "" {
			fmt.Fprintf(&b, " of %s", item.Parent)
		}
		b.WriteString("\n")
	}
	for i := range f.Events {
		e := &f.Events[i]
		fmt.Fprintf(&b, "%s %s %q %s", e.BaseID, e.EventID, e.Title, e.Start)
		if e.TimeZone != "" && e.TimeZone != "UTC" {
			b.WriteString(" " + e.TimeZone)
		}
		for _, z := range e.Zones {
			fmt.Fprintf(&b, " [%s %d %v]", z.Price, z.Capacity, z.Available)
		}
		if e.SoldOut {
			b.WriteString(" sold out")
		}
		b.WriteString("\n")
	}
	for _, r := range f.Rejections {
		fmt.Fprintf(&b, "line %d: %s\n", r.Line, r.Reason)
	}
	if f.Ignored > 0 {
		fmt.Fprintf(&b, "%d ignored\n", f.Ignored)
	}
	return b.String()
}

// TestItems reads items of all kinds. OpenActive's data-model-validator 3.0.3 accepts the negative
// price, and refuses the times with .000Z in testdata; its rpde-validator 3.0.3571 refuses a modified
// in quotes; JavaScript rounds one beyond 2^53.
func TestItems(t *testing.T) {
	t.Parallel()
	const day = `"startDate": "2026-12-01"`
	for name, test := range map[string]struct{ page, want string }{
		"empty":                     {page(), ""},
		"next behind the items":     {`{"items": [], "next": "?a"}`, ""},
		"an id":                     {page(updated(`"@id": "x", ` + day)), "K/1\nx x \"t\" 2026-12-01\n"},
		"an identifier":             {page(updated(`"identifier": 7, ` + day)), "K/1\n7 7 \"t\" 2026-12-01\n"},
		"no id of its own":          {page(updated(day)), "K/1\nK/1 K/1 \"t\" 2026-12-01\n"},
		"ids are numbers":           {page(strings.Replace(updated(day), `"id": "1"`, `"id": 9007199254740993`, 1)), "K/9007199254740993\nK/9007199254740993 K/9007199254740993 \"t\" 2026-12-01\n"},
		"deleted":                   {page(`{"state": "deleted", "kind": "K", "id": 1, "modified": 18446744073709551616}`), "K/1 deleted\n"},
		"modified is a text":        {page(`{"state": "deleted", "kind": "K", "id": 1, "modified": "638447616000000001"}`), "K/1 deleted\n"},
		"no modified":               {page(`{"state": "deleted", "kind": "K", "id": 1}`), "K/1 deleted\n"},
		"deleted, with data":        {page(strings.Replace(updated(day), "updated", "deleted", 1)), "K/1 deleted\n"},
		"two kinds with one id":     {page(updated(day), `{"state": "deleted", "kind": "L", "id": "1"}`), "K/1\nL/1 deleted\nK/1 K/1 \"t\" 2026-12-01\n"},
		"seen again":                {page(updated(day), updated(`"startDate": "2026-12-02"`)), "K/1\nK/1 K/1 \"t\" 2026-12-02\n"},
		"seen again, older":         {page(strings.Replace(updated(day), `"modified": 1`, `"modified": 2`, 1), updated(`"startDate": "2026-12-02"`)), "K/1\nK/1 K/1 \"t\" 2026-12-02\n"},
		"deleted later":             {page(updated(day), `{"state": "deleted", "kind": "K", "id": "1"}`), "K/1 deleted\n"},
		"cancelled":                 {page(updated(day + `, "eventStatus": "schema:EventCancelled"`)), "K/1\n1 ignored\n"},
		"a series without dates":    {page(updated(`"@type": "SessionSeries"`)), "K/1\n1 ignored\n"},
		"an event without a date":   {page(updated(`"@id": "x"`)), "K/1 rejected\nline 1: no start date\n"},
		"a negative price":          {page(updated(day + `, "offers": [{"price": -5}]`)), "K/1 rejected\nline 1: offer 1 of 1: price \"-5\" is negative\n"},
		"a part is wrong":           {page(updated(`"@id": "x", "subEvent": [{"@id": "y", ` + day + `}, {"@id": "z", "startDate": "soon"}]`)), "K/1 rejected\nx y \"t\" 2026-12-01\nline 1: start date"},
		"its whole is within":       {page(updated(day + `, "superEvent": {"@type": "SessionSeries", "@id": "s", "offers": [{"price": 3}]}`)), "K/1\ns K/1 \"t\" 2026-12-01 [3 0 true]\n"},
		"its own win":               {page(updated(day + `, "offers": [{"price": 4}], "superEvent": {"name": "other", "offers": [{"price": 3}]}`)), "K/1\nK/1 K/1 \"t\" 2026-12-01 [4 0 true]\n"},
		"the zone of the schedule":  {page(updated(`"startDate": "2026-12-01T19:00:00Z", "superEvent": {"@id": "s", "eventSchedule": {"scheduleTimezone": "Europe/Paris"}}`)), "K/1\ns K/1 \"t\" 2026-12-01T20:00:00 Europe/Paris\n"},
		"no places left":            {page(updated(day + `, "remainingAttendeeCapacity": 0, "offers": [{"price": 3}]`)), "K/1\nK/1 K/1 \"t\" 2026-12-01 [3 0 false] sold out\n"},
		"no places left, no prices": {page(updated(day + `, "remainingUses": "0"`)), "K/1\nK/1 K/1 \"t\" 2026-12-01 sold out\n"},
		"places left, one price":    {page(updated(day + `, "remainingUses": 2, "offers": [{"price": 3}]`)), "K/1\nK/1 K/1 \"t\" 2026-12-01 [3 2 false]\n"},
		"places left, two prices":   {page(updated(day + `, "remainingAttendeeCapacity": 2, "offers": [{"price": 3}, {"price": 4}]`)), "K/1\nK/1 K/1 \"t\" 2026-12-01 [3 0 true] [4 0 true]\n"},
		"more tickets than none":    {page(updated(day + `, "remainingAttendeeCapacity": -2, "offers": [{"price": 3}]`)), "K/1\nK/1 K/1 \"t\" 2026-12-01 [3 0 true]\n"},

		"no object":      {page(`1`), "line 1: it is not a JSON object\n"},
		"no kind":        {page(`{"state": "deleted", "id": 1}`), "line 1: it has no kind\n"},
		"no id":          {page(`{"state": "deleted", "kind": "K", "id": ""}`), "line 1: it has no id\n"},
		"an id of lists": {page(`{"state": "deleted", "kind": "K", "id": [1]}`), "line 1: it has no id\n"},
		"an id of NUL":   {page(`{"state": "deleted", "kind": "K", "id": "\u0000"}`), "line 1: a control character is in its kind or id\n"},
		"an @id of LF":   {page(updated(day + `, "@id": "a\n"`)), "K/1 rejected\nline 1: a control character is in an id\n"},
		"no state":       {page("\n" + `{"kind": "K", "id": 1}`), "K/1 rejected\nline 2: its state is neither updated nor deleted\n"},
		"no data":        {page(`{"state": "updated", "kind": "K", "id": 1}`), "K/1 rejected\nline 1: it is updated, and has no data\n"},
		"half a pair":    {page(updated(day + `, "x": "\ud800"`)), "line 1: half of a surrogate pair"},
	} {
		got, err := read(new(feed.Document), test.page)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if text := describe(got); !strings.HasPrefix(text, test.want) || strings.HasSuffix(test.want, "\n") && text != test.want || text != "" && test.want == "" {
			t.Errorf("%s: got\n%s\nwant\n%s", name, text, test.want)
		}
		if got.Seen != len(got.Events)+got.Ignored+got.Rejected || got.Rows != strings.Count(test.page, `"kind"`) && name != "no object" && name != "no kind" {
			t.Errorf("%s: %d rows, %d seen, %d events, %d ignored, %d rejected", name, got.Rows, got.Seen, len(got.Events), got.Ignored, got.Rejected)
		}
	}
}

// A row that has its title in a row elsewhere, of which there is no table, says which table is missing.
func TestNoTable(t *testing.T) {
	t.Parallel()
	const day = `"startDate": "2026-12-01", `
	for data, want := range map[string]string{
		day + `"superEvent": "s"`:                                                `no title: its superEvent "s" is not read, as no table is called superEvent`,
		day + `"superEvent": {"@type": "SessionSeries", "@id": "s"}`:             `no title: its superEvent "s" is not read, as no table is called superEvent`,
		day + `"facilityUse": "f"`:                                               `no title: its facilityUse "f" is not read, as no table is called facilityUse`,
		day + `"superEvent": {"@type": "SessionSeries", "@id": "s", "url": "u"}`: "no title",
		day + `"x": "s"`:                         "no title",
		day + `"superEvent": "s", "name": "own"`: "",
		day + `"superEvent": "s", "eventStatus": "https://schema.org/EventCancelled"`:     "",
		`"superEvent": "s", "subEvent": [{"startDate": "2026-12-01", "name": "its own"}]`: "",
		`"@type": "SessionSeries", "superEvent": "s"`:                                     "",
	} {
		got, err := read(new(feed.Document), page(`{"state": "updated", "kind": "K", "id": 1, "data": {`+data+`}}`), "location")
		if err != nil {
			t.Fatal(err)
		}
		reason := ""
		for _, r := range got.Rejections {
			reason += r.Reason
		}
		if reason != want {
			t.Errorf("%s: %q, want %q", data, reason, want)
		}
	}
}

// What a row lacks is in a row of a table. It has to wait for that, and is read again when it has come.
func TestTables(t *testing.T) {
	t.Parallel()
	session := func(id, members string) string {
		return `{"state": "updated", "kind": "S", "id": ` + id + `, "data": {"@type": "ScheduledSession", "startDate": "2026-12-01", ` + members + `}}`
	}
	sessions := page(
		session(`1`, `"superEvent": "https://a.example/series/1"`), session(`2`, `"superEvent": {"@type": "SessionSeries", "@id": "https://a.example/series/1"}`),
		session(`3`, `"superEvent": 3`), session(`4`, `"superEvent": "https://a.example/series/4"`),
		session(`5`, `"superEvent": {"@id": "https://a.example/series/4", "name": "inside"}`), session(`6`, `"facilityUse": "f", "name": "own"`),
	)
	table := func(items ...string) func(string) ([]byte, error) { return rowsOf(t, page(items...)) }
	one := `{"state": "updated", "kind": "SessionSeries", "id": 1, "data": {"@id": "https://a.example/series/1", "name": "One", "offers": [{"price": 7}]}}`
	three := `{"state": "updated", "kind": "SessionSeries", "id": 3, "data": {"name": "Three"}}`
	four := `{"state": "updated", "kind": "SessionSeries", "id": 4, "data": {"@id": "https://a.example/series/4", "name": "Four"}}`
	got, err := read(&feed.Document{Parent: table(one, three)}, sessions, "superEvent")
	if err != nil {
		t.Fatal(err)
	}
	const want = `S/1 of superEvent https://a.example/series/1
S/2 of superEvent https://a.example/series/1
S/3 of superEvent 3
S/4 rejected of superEvent https://a.example/series/4
S/5
S/6
https://a.example/series/1 S/1 "One" 2026-12-01 [7 0 true]
https://a.example/series/1 S/2 "One" 2026-12-01 [7 0 true]
3 S/3 "Three" 2026-12-01
https://a.example/series/4 S/5 "inside" 2026-12-01
f S/6 "own" 2026-12-01
line 1: its superEvent "https://a.example/series/4" is not in the table
`
	if text := describe(got); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	// The rows that were kept make a page again, whatever has become of the table.
	var rows [][]byte
	for _, item := range got.Items {
		if (item.Row != nil) != (item.Parent != "") {
			t.Errorf("%s: a parent %q, and a row of %d bytes", item.ID, item.Parent, len(item.Row))
		}
		if item.Row != nil {
			rows = append(rows, item.Row)
		}
	}
	again, err := io.ReadAll(New(nil).Again(rows))
	if err != nil {
		t.Fatal(err)
	}
	got, err = read(&feed.Document{Parent: table(four)}, string(again), "superEvent")
	if err != nil || len(got.Events) != 1 || got.Events[0].Title != "Four" || len(got.Items) != 4 || got.Rejected != 3 || got.Next == nil {
		t.Errorf("%v, %s", err, describe(got))
	}
	// Without rows there is a page, too, and the error of a table is that of the page.
	if got, err = read(new(feed.Document), readAll(t, New(nil).Again(nil))); err != nil || len(got.Items) != 0 {
		t.Errorf("%v, %+v", err, got)
	}
	broken := errors.New("broken")
	if _, err := read(&feed.Document{Parent: func(string) ([]byte, error) { return nil, broken }}, sessions, "superEvent"); !errors.Is(err, broken) {
		t.Error(err)
	}
}

func readAll(t *testing.T, r io.Reader) string {
	t.Helper()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Of several tables a row takes from the first that it refers to. Names are those of one table, and
// may be long.
func TestNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 300)
	item := func(state, data string) string {
		return page(`{"state": "` + state + `", "kind": "K", "id": "` + long + `", "data": ` + data + `}`)
	}
	for _, table := range []string{"superEvent", "facilityUse"} {
		got, err := read(&feed.Document{Table: table}, item("updated", `{}`))
		if err != nil || len(got.Items) != 1 || got.Items[0].Row == nil {
			t.Fatalf("%v, %+v", err, got)
		}
		data := `{"@id": "e", "name": "t", "startDate": "2026-12-01", "` + table + `": "` + long + `"}`
		asked := ""
		session, err := read(&feed.Document{Parent: func(name string) ([]byte, error) { asked = name; return got.Items[0].Row, nil }}, item("updated", data), "facilityUse", "superEvent")
		if err != nil || len(session.Events) != 1 {
			t.Fatalf("%v, %+v", err, session)
		}
		if name := got.Items[0].Name; name != session.Items[0].Parent || name != asked || name != feed.ID([]byte(table+" "+long)) {
			t.Errorf("the row is called %q, %q and %q", name, session.Items[0].Parent, asked)
		}
		if got.Seen != 0 || got.Rows != 1 {
			t.Errorf("a row of a table was seen as an event: %+v", got)
		}
	}
	for _, table := range []string{"", "t"} {
		got, err := read(&feed.Document{Table: table}, item("updated", `{"@id": "\u0000", "t": "\u0001"}`), "t")
		if err != nil || len(got.Items) != 1 || !got.Items[0].Rejected || got.Items[0].Row != nil || got.Items[0].Name+got.Items[0].Parent != "" {
			t.Errorf("%v, %+v", err, got)
		}
	}
	got, err := read(&feed.Document{Table: "t"}, item("deleted", `null`))
	if err != nil || len(got.Items) != 1 || !got.Items[0].Deleted || got.Items[0].Row != nil {
		t.Errorf("%v, %+v", err, got)
	}
	got, err = read(&feed.Document{Table: "t"}, item("updated", `null`))
	if err != nil || len(got.Items) != 1 || !got.Items[0].Rejected || got.Items[0].Row != nil {
		t.Errorf("%v, %+v", err, got)
	}
}

// A page without items or next might be an error of the provider. It is never the end of the feed.
func TestMalformed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ page, says string }{
		{"", "not a page of RPDE"},
		{"<html></html>", "line 1"},
		{"null", "not a page of RPDE"},
		{`[]`, "not a page of RPDE"},
		{`{}`, "it has no items"},
		{`{"items": []}`, "it has no next"},
		{`{"next": "?a"}`, "it has no items"},
		{`{"items": [], "next": null}`, "it has no next"},
		{`{"items": [], "next": ""}`, "it has no next"},
		{`{"items": [], "next": ["?a"]}`, "it has no next"},
		{`{"items": [], "next": "http://user:s3cret@[/"}`, "its next is not a URL"},
		{`{"items": null, "next": "?a"}`, "items is not one array"},
		{`{"items": {}, "next": "?a"}`, "items is not one array"},
		{`{"items": [], "items": [], "next": "?a"}`, "items is not one array"},
		{`{"items": [], "next": "?a"} {}`, "there is more behind the page"},
		{page(updated(`"startDate": "2026-12-01"`))[:120], "cut short"},
		{`{"next": "?a", "items": [` + strings.Repeat("[", 101) + strings.Repeat("]", 101) + `]}`, "more than 100"},
	} {
		got, err := read(new(feed.Document), test.page)
		failure, ok := errors.AsType[*feed.Error](err)
		if got != nil || !ok || failure.Kind != feed.KindMalformed || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v, want %q", test.page, err, test.says)
		}
	}
}

// A page whose time is over is not read on.
func TestExpired(t *testing.T) {
	t.Parallel()
	late := feed.Errorf(feed.KindTimeout, "late")
	if got, err := read(&feed.Document{Expired: func() error { return late }}, page(updated(`"startDate": "2026-12-01"`))); got != nil || !errors.Is(err, late) {
		t.Errorf("%+v, %v", got, err)
	}
}

// FuzzDecode reads any page: it is refused with a kind, or gives the same items twice, and what is
// kept of it can be read again.
func FuzzDecode(f *testing.F) {
	for _, document := range feedtest.Documents(f, 4, "testdata/*.json") {
		f.Add(string(document))
	}
	parent := rowsOf(f, page(`{"state": "updated", "kind": "S", "id": 1, "data": {"name": "t", "eventSchedule": {"scheduleTimezone": "Europe/Paris"}}}`))
	f.Fuzz(func(t *testing.T, page string) {
		got, err := read(&feed.Document{Parent: parent}, page, "superEvent")
		if err != nil {
			if failure, ok := errors.AsType[*feed.Error](err); !ok || failure.Kind == feed.KindInternal {
				t.Fatal(err)
			}
			return
		}
		if got.Seen != len(got.Events)+got.Ignored+got.Rejected {
			t.Fatalf("%d seen, %d events, %d ignored, %d rejected", got.Seen, len(got.Events), got.Ignored, got.Rejected)
		}
		keys := 0
		var rows [][]byte
		for _, item := range got.Items {
			if keys += len(item.Keys); item.Row != nil {
				rows = append(rows, bytes.Clone(item.Row))
			}
		}
		if keys != len(got.Events) {
			t.Fatalf("the items make %d events, and there are %d", keys, len(got.Events))
		}
		if again, err := read(&feed.Document{Parent: parent}, page, "superEvent"); err != nil || describe(again) != describe(got) {
			t.Fatalf("%v, first\n%s\nthen\n%s", err, describe(got), describe(again))
		}
		if again, err := read(&feed.Document{Parent: parent}, readAll(t, New(nil).Again(rows)), "superEvent"); err != nil || len(again.Items) != len(rows) {
			t.Fatalf("%v, of %d rows %+v", err, len(rows), again)
		}
	})
}
