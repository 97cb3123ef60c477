package inspect

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"fever/event"
	"fever/provider/feed"
)

// now is the time in these tests.
var now = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// show returns an event with an end, and a price that is shown.
func show(t *testing.T, id, title, start, end, price string) event.Event {
	t.Helper()
	e := event.Event{Key: event.Key{BaseID: id, EventID: id}, Title: title}
	var err error
	if e.Start, err = event.ParseLocal(start); err != nil {
		t.Fatal(err)
	}
	if end != "" {
		if e.End, err = event.ParseLocal(end); err != nil {
			t.Fatal(err)
		}
	}
	if price != "" {
		amount, err := event.ParsePrice(price)
		if err != nil {
			t.Fatal(err)
		}
		e.Zones = []event.Zone{{Capacity: 1, Price: amount}}
	}
	return e
}

// decode inspects what a format gives to the builder.
func decode(t *testing.T, i *Inspection, rows func(b *feed.Builder) error) (*feed.Feed, *Report) {
	t.Helper()
	format := feed.Format{Decode: func(_ *feed.Document, b *feed.Builder) error { return rows(b) }}
	doc := &feed.Document{Body: io.NopCloser(strings.NewReader("")), Op: "read", Trace: i.Trace}
	got, err := feed.Decode(doc, format, "test", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	return got, i.Report(got, time.UTC, now)
}

// good are events in which nothing looks wrong.
func good(t *testing.T) []event.Event {
	return []event.Event{
		show(t, "1", "One", "2027-01-01T20:00:00", "2027-01-01T22:00:00", "20"),
		show(t, "2", "Two", "2027-01-02T21:00:00", "2027-01-02T23:00:00", "25.50"),
		show(t, "3", "Three", "2027-01-03T19:30:00", "2027-01-03T22:00:00", "5"),
		show(t, "4", "Four & more", "2027-01-04T00:30:00", "2027-01-04T04:00:00", "0"),
	}
}

// Each thing that looks wrong is said, and nothing else.
func TestLookAt(t *testing.T) {
	t.Parallel()
	change := func(change func(e *event.Event, i int)) []event.Event {
		events := good(t)
		for i := range events {
			change(&events[i], i)
		}
		return events
	}
	at := func(text string) event.Local {
		l, err := event.ParseLocal(text)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	price := func(e *event.Event, text string) {
		amount, err := event.ParsePrice(text)
		if err != nil {
			t.Fatal(err)
		}
		e.Zones[0].Price = amount
	}
	for name, test := range map[string]struct {
		events []event.Event
		want   []string
	}{
		"nothing":       {good(t), nil},
		"no price":      {change(func(e *event.Event, _ int) { e.Zones = nil }), []string{"no event has a price"}},
		"unknown price": {change(func(e *event.Event, _ int) { e.Zones[0].Price = event.Price{} }), []string{"no event has a price"}},
		"sold out":      {change(func(e *event.Event, _ int) { e.Zones, e.SoldOut = nil, true }), nil},
		"not shown": {
			change(func(e *event.Event, _ int) { e.Zones[0].Capacity = 0 }),
			[]string{"no event shows its price, since no zone has tickets left (`available: true` says that it has, where the number is unknown)"},
		},
		"free":    {change(func(e *event.Event, _ int) { price(e, "0") }), []string{"all prices are 0"}},
		"0 or 1":  {change(func(e *event.Event, i int) { price(e, fmt.Sprint(i%2)) }), []string{"all prices are 0 or 1"}},
		"cents":   {change(func(e *event.Event, i int) { price(e, fmt.Sprint(1500+i*100)) }), []string{"all prices are whole and 1500 or more: perhaps they are in cents"}},
		"one odd": {change(func(e *event.Event, i int) { price(e, []string{"10", "12", "12", "2400"}[i]) }), []string{"prices are far apart: 10 is the lowest, 12 the middle one, 2400 the highest"}},
		"dates": {
			change(func(e *event.Event, i int) { e.Start, e.End = at(fmt.Sprintf("2027-01-0%d", i+1)), at("2027-01-05") }),
			[]string{"no event has a time"},
		},
		"fillers": {
			change(func(e *event.Event, i int) { e.Start = at(fmt.Sprintf("2027-01-0%dT00:00:00", i+1)) }),
			[]string{"all starts are at 00:00 or 23:59, which often means that there is no time"},
		},
		"one filler": {change(func(e *event.Event, i int) {
			if i == 0 {
				e.Start = at("2027-01-01T00:00:00")
			}
		}), nil},
		"at night": {
			change(func(e *event.Event, i int) {
				e.Start, e.End = at(fmt.Sprintf("2027-01-0%dT0%d:30:00", i+1, i+1)), event.Local{}
			}),
			[]string{"3 of 4 starts are from 02:00 to 04:59: perhaps times in UTC without Z", "no event has an end"},
		},
		"no end":  {change(func(e *event.Event, _ int) { e.End = event.Local{} }), []string{"no event has an end"}},
		"one end": {change(func(e *event.Event, i int) { e.End = []event.Local{3: e.End}[i] }), nil},
		"a season": {change(func(e *event.Event, i int) {
			e.End = at([]string{"2027-03-01", "2027-01-02", "2027-01-03", "2027-01-04"}[i])
		}), []string{"1 event lasts longer than 31 days: perhaps one row is many shows"}},
		"one title": {change(func(e *event.Event, _ int) { e.Title = "Events" }), []string{`all events have one title: "Events"`}},
		"one base":  {change(func(e *event.Event, _ int) { e.Title, e.BaseID = "Events", "1" }), nil},
		"marked":    {change(func(e *event.Event, i int) { e.Title = []string{"A &amp; B", "<b>x</b>", "R&B < C", "A & B; C"}[i] }), []string{"2 titles have tags or entities (`plain` takes them off)"}},
		"twins":     {change(func(e *event.Event, i int) { e.Title, e.Start = good(t)[i/2].Title, good(t)[i/2].Start }), []string{"2 titles and start under two ids"}},
		"past": {change(func(e *event.Event, i int) {
			e.Start, e.End = at(fmt.Sprintf("2026-01-0%dT20:00:00", i+1)), at("2026-01-05")
		}), []string{"all events are past: the last starts on 2026-01-04T20:00:00"}},
		"partly past": {change(func(e *event.Event, i int) {
			e.Start = []event.Local{at("2025-12-31T20:00:00"), e.Start, e.Start, e.Start}[i]
		}), []string{"1 event lasts longer than 31 days: perhaps one row is many shows"}},
		"of the epoch": {change(func(e *event.Event, i int) {
			e.Start, e.End = []event.Local{at("1970-01-20T13:00:00"), e.Start, e.Start, e.Start}[i], event.Local{}
		}), []string{"no event has an end", "1 event starts more than 30 years ago or 10 ahead, such as 1970-01-20T13:00:00"}},
		"empty": {nil, []string{"nothing was selected: the document has no row"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, report := decode(t, New(0), func(b *feed.Builder) error {
				for i, e := range test.events {
					if err := b.Keep(e, i+1); err != nil {
						return err
					}
				}
				return nil
			})
			if !slices.Equal(report.LookAt, test.want) {
				t.Errorf("%q\nwant %q", report.LookAt, test.want)
			}
		})
	}
}

// A feed of which nothing was selected says so, with what is known.
func TestNothingSelected(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		rows func(b *feed.Builder) error
		want string
	}{
		"unknown": {func(b *feed.Builder) error { b.Unknown(3, "<a> is not known"); return nil }, "nothing was selected: <a> is not known"},
		"a list": {func(b *feed.Builder) error {
			b.Row(1, []any{map[string]any{}, map[string]any{}})
			b.Reject("", "", 1, "expected an object but got: array")
			return nil
		}, "the only row is a list: perhaps `[]` is missing at the end of `rows`"},
		"ignored": {func(b *feed.Builder) error { b.Ignore(1); return nil }, "nothing was selected: all rows were ignored"},
		"past":    {func(b *feed.Builder) error { return b.KeepPast(good(t)[0], 1) }, "no event is sold now: all are past"},
	} {
		if _, report := decode(t, New(0), test.rows); !slices.Equal(report.LookAt, []string{test.want}) {
			t.Errorf("%s: %q", name, report.LookAt)
		}
	}
}

// The rows of a mapping are listed with their fate, and counted by it and by reason.
func TestReport(t *testing.T) {
	t.Parallel()
	i := New(1)
	i.Number = 3
	_, report := decode(t, i, func(b *feed.Builder) error {
		events := good(t)
		b.Row(10, "a") // 1
		if err := b.Keep(events[0], 10); err != nil {
			return err
		}
		for line := 11; line < 15; line++ { // 2 to 5
			b.Row(line, line)
			b.Reject("1", "", line, fmt.Sprintf("price %q has %d numbers", strings.Repeat("7 ", line), line))
		}
		b.Row(20, "many") // 6
		for _, e := range append(events, event.Event{Key: event.Key{BaseID: "9"}}) {
			if err := b.Keep(e, 20); err != nil {
				return err
			}
		}
		b.Ignore(21) // still of row 6
		b.Row(30, "none")
		b.Ignore(30)
		b.Row(31, "none")
		b.Ignore(31)
		return nil
	})
	if report.Rows != 8 || report.Read != 1 || report.Ignored != 2 || report.Rejected != 5 || report.Events != 4 || report.Replaced != 1 {
		t.Errorf("%+v", report)
	}
	want := []Reason{{`price "` + strings.Repeat("7 ", 11) + `" has 11 numbers`, 4, 2, 11, 1}, {"no event id", 1, 6, 20, 1}}
	if !slices.Equal(report.Reasons, want) {
		t.Errorf("%+v", report.Reasons)
	}
	var listed []string
	for _, r := range report.List {
		listed = append(listed, fmt.Sprintf("%d:%d %d events, %d rejected %s, replaced by %d", r.Number, r.Line, r.Events, r.Rejected, r.Reason, r.ReplacedBy))
	}
	if got, want := strings.Join(listed, "\n"), "1:10 1 events, 0 rejected , replaced by 6\n"+
		"2:11 0 events, 1 rejected "+want[0].Text+", replaced by 0\n"+
		"6:20 4 events, 1 rejected no event id, replaced by 0\n"+
		"7:30 0 events, 0 rejected , replaced by 0"; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if r := report.List[2]; r.First.EventID != "1" || r.Last.EventID != "4" || report.List[0].Last != nil {
		t.Errorf("%+v", report.List)
	}
	if row, after := i.Row(); row == nil || row.Value != 12 || row.Line != 12 || after != 13 {
		t.Errorf("%+v, %d", row, after)
	}
	if !slices.Contains(report.LookAt, "1 event was replaced by a later row with the same ids") {
		t.Errorf("%q", report.LookAt)
	}
}

// Each row is told in words: what it was read as, when and for how much.
func TestWords(t *testing.T) {
	t.Parallel()
	e := show(t, "7", "Title", "2027-01-01T20:00:00", "2027-01-02", "20")
	other := show(t, "7", "Title", "2027-01-03", "", "20")
	other.EventID, other.TimeZone = "8", "Europe/Paris"
	same, coins, soldOut, left := e, e, e, e
	same.TimeZone = "Europe/Madrid"
	coins.Zones = []event.Zone{{Capacity: 1, Price: e.Zones[0].Price, Currency: "EUR"}, {Available: true, Currency: "EUR"}}
	soldOut.SoldOut = true
	left.Zones = []event.Zone{{Price: e.Zones[0].Price}}
	for _, test := range []struct {
		row  Row
		as   string
		want string
	}{
		{Row{Events: 1, First: &e}, "ok", "7|Title|2027-01-01 20:00:00|2027-01-02 no time|20"},
		{Row{Events: 2, First: &e, Last: &other}, "ok x2", "7|Title|2027-01-01 20:00:00 ... 2027-01-03 no time Europe/Paris|2027-01-02 no time|20"},
		{Row{Events: 1, Past: 1, First: &other}, "past", "7/8|Title|2027-01-03 no time Europe/Paris|no end|20"},
		{Row{Events: 2, Past: 2, First: &same}, "past x2", "7|Title|2027-01-01 20:00:00|2027-01-02 no time|20"},
		{Row{Events: 2, Past: 1, First: &coins}, "ok x2", "7|Title|2027-01-01 20:00:00|2027-01-02 no time|20 EUR"},
		{Row{Events: 1, First: &soldOut}, "ok", "7|Title|2027-01-01 20:00:00|2027-01-02 no time|sold out"},
		{Row{Events: 1, First: &left, ReplacedBy: 9}, "replaced by row 9", "7|Title|2027-01-01 20:00:00|2027-01-02 no time|no tickets left"},
		{Row{}, "ignored", ""},
		{Row{Rejected: 1, Reason: "why"}, "REJECTED", ""},
	} {
		test.row.timeZone = "Europe/Madrid"
		if as, cells := test.row.ReadAs(), strings.Join(test.row.Cells(), "|"); as != test.as || cells != test.want {
			t.Errorf("%s: %s\nwant %s: %s", as, cells, test.as, test.want)
		}
	}
	if why := (&Row{Rejected: 1, Events: 2, Reason: "why"}).Why(); why != "1 of 3 events: why" {
		t.Error(why)
	}
}

// An event that is on two pages is one row that has moved, and not a replaced one.
func TestPages(t *testing.T) {
	t.Parallel()
	i := New(0)
	i.Number = 2
	page := func(line int, event event.Event) *feed.Feed {
		got, _ := decode(t, i, func(b *feed.Builder) error { return b.Keep(event, line) })
		return got
	}
	page(7, good(t)[0])
	i.Page()
	page(5, good(t)[0])
	i.Page()
	report := i.Report(page(3, good(t)[1]), time.UTC, now)
	if report.Rows != 3 || report.Replaced != 0 || report.List[0].Place() != "7" || report.List[1].Place() != "page 2, 5" || report.List[2].Place() != "page 3, 3" {
		t.Errorf("%+v", report)
	}
	if row, after := i.Row(); row.Line != 5 || after != 0 {
		t.Errorf("%+v, %d", row, after)
	}
}

// The members of rows tell what an event lacks, and what a program leaves out.
func TestMembers(t *testing.T) {
	t.Parallel()
	i := New(0)
	i.Reads = func(name string) bool { return name == "id" || name == "dates" }
	_, report := decode(t, i, func(b *feed.Builder) error {
		for n, status := range []string{"ok", "Cancelled", "ok"} {
			b.Row(n+1, map[string]any{
				"id": n, "status": status, "fee": map[string]any{"eur": 5.0}, "price": "7,50", "text": strings.Repeat("at 20:00 ", 20),
				"dates": []any{map[string]any{"begin": "2027-01-01 20:00:00", "none": "00:00"}, map[string]any{"begin": "2027-01-02 20:00:00"}},
			})
			if err := b.Keep(show(t, fmt.Sprint(n), fmt.Sprint("Show ", n), fmt.Sprintf("2027-01-0%d", n+1), "2027-01-09", ""), n+1); err != nil {
				return err
			}
		}
		return nil
	})
	want := []string{
		"no event has a time, and 3 rows have one in `dates[].begin`",
		"no event has a price, and 3 rows have an amount in `price`",
		`1 row says "Cancelled" or the like in ` + "`status`, which the program never reads",
	}
	if !slices.Equal(report.LookAt, want) {
		t.Errorf("%q\nwant %q", report.LookAt, want)
	}
	if want := []string{"fee", "price", "status", "text"}; !slices.Equal(report.Unread, want) {
		t.Errorf("%q", report.Unread)
	}
}

// What is kept of rows is bounded, whatever is in them.
func TestBounds(t *testing.T) {
	t.Parallel()
	i := New(1)
	wide := make(map[string]any)
	for n := range 2 * maxMembers {
		wide[fmt.Sprint("m", n)] = "x"
	}
	var deep any = "x"
	for range 10_000 {
		deep = []any{deep, deep}
	}
	wide["deep"] = deep
	_, report := decode(t, i, func(b *feed.Builder) error {
		b.Row(1, wide)
		for n := range 2 * maxReasons {
			b.Reject("", "", 1, "reason "+strings.Repeat("x", n))
		}
		return nil
	})
	if len(i.members) != maxMembers || len(report.Reasons) != maxReasons+1 || report.Rejected != 1 {
		t.Errorf("%d members, %d reasons, %d rows", len(i.members), len(report.Reasons), report.Rejected)
	}
}

// A feed that is fetched twice must have the same ids and values.
func TestCompare(t *testing.T) {
	t.Parallel()
	renamed, moved, other := good(t), good(t), good(t)
	for i := range renamed {
		renamed[i].EventID += "-now"
	}
	moved[1].Start = moved[0].Start
	other[2] = show(t, "9", "Nine", "2027-01-09T20:00:00", "", "")
	for name, test := range map[string]struct {
		second []event.Event
		want   []string
	}{
		"the same":    {good(t), nil},
		"other ids":   {renamed, []string{"4 events have another id when fetched twice, such as 4/4 and then 4/4-now"}},
		"other value": {moved, []string{"1 event has other values when fetched twice, such as the Start of 2/2"}},
		"other event": {other, []string{"fetched twice, 1 event is new, and 1 gone"}},
		"fewer":       {good(t)[1:], []string{"fetched twice, 0 events are new, and 1 gone"}},
	} {
		if got := Compare(&feed.Feed{Events: good(t)}, &feed.Feed{Events: test.second}); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// A reason says on which page its first row is, and the events are counted although the feed
// cannot be read to its end.
func TestReportOfPages(t *testing.T) {
	t.Parallel()
	i := New(0)
	decode(t, i, func(b *feed.Builder) error { return b.Keep(good(t)[0], 1) })
	i.Page()
	decode(t, i, func(b *feed.Builder) error {
		b.Reject("1", "", 3, "no title")
		return b.Keep(good(t)[1], 4)
	})
	report := i.Report(nil, time.UTC, time.Now())
	if report.Events != 2 || len(report.Reasons) != 1 || report.Reasons[0].Place() != "page 2, line 3" {
		t.Errorf("%+v", report)
	}
}
