package dump

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/uuid"

	"fever/event"
	"fever/internal/feedtest"
	"fever/provider/feed"
	"fever/provider/feed/feverup"
	"fever/provider/jsonscan"
)

var update = flag.Bool("update", false, "write the golden files anew")

func read(r io.Reader) (*feed.Feed, error) { return feedtest.Read(New(), r, "") }

func readXML(r io.Reader) (*feed.Feed, error) { return feedtest.Read(feverup.New(0), r, "") }

// kindOf returns the kind of a decode error, or "" for none.
func kindOf(err error) feed.Kind {
	if failure, ok := errors.AsType[*feed.Error](err); ok {
		return failure.Kind
	}
	return ""
}

func TestGolden(t *testing.T) {
	t.Parallel()
	feedtest.Golden(t, New(), *update, feedtest.Documents(t, 3, "testdata/*.ndjson", "testdata/*.json"))
}

// dumped returns events as lines and as an array. With marks around them, the lines are
// what fever dump writes; the array is that as it is.
func dumped(tb testing.TB, events []event.Event) (ndjson, array []byte) {
	tb.Helper()
	var lines bytes.Buffer
	enc := json.NewEncoder(&lines)
	enc.SetEscapeHTML(false)
	seen := time.UnixMilli(1625000000123).UTC()
	for _, e := range events {
		e.Provider = "upstream"
		record := struct {
			ID uuid.UUID `json:"id"`
			event.Record
		}{e.ID(), event.Record{Event: e, FirstSeen: seen, LastChanged: seen, Current: true}}
		if err := enc.Encode(record); err != nil {
			tb.Fatal(err)
		}
	}
	joined := bytes.Join(bytes.SplitAfter(bytes.TrimSuffix(lines.Bytes(), []byte("\n")), []byte("\n")), []byte(","))
	return lines.Bytes(), append(append([]byte("["), joined...), "\n]\n"...)
}

// What is decoded from XML and dumped is decoded from that again.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for name, doc := range feedtest.Documents(t, 14, "../../../testdata/feeds/*.xml") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, err := readXML(bytes.NewReader(doc))
			if err != nil || len(want.Events) == 0 {
				t.Fatal(want, err)
			}
			ndjson, array := dumped(t, want.Events)
			var indented bytes.Buffer
			if err := json.Indent(&indented, array, "", "\t"); err != nil {
				t.Fatal(err)
			}
			for form, doc := range map[string][]byte{
				"ndjson":               ndjson,
				"array":                array,
				"indented":             indented.Bytes(),
				"no last line end":     bytes.TrimSpace(ndjson),
				"with mark and spaces": append([]byte("\xef\xbb\xbf \r\n"), ndjson...),
				"other line ends":      bytes.ReplaceAll(ndjson, []byte("\n"), []byte("\r\n\r\n")),
			} {
				for kind, reader := range map[string]func(io.Reader) io.Reader{
					"whole":      func(r io.Reader) io.Reader { return r },
					"byte-wise":  iotest.OneByteReader,
					"end inside": iotest.DataErrReader,
				} {
					got, err := feedtest.Read(New(), reader(bytes.NewReader(doc)), "latin1")
					if err != nil {
						t.Fatal(form, kind, err)
					}
					if !reflect.DeepEqual(got.Events, want.Events) || got.Seen != len(want.Events) || got.Rejected != 0 || got.Ignored != 0 {
						t.Errorf("%s, %s: %s\nwant %s", form, kind, feedtest.JSON(t, got), feedtest.JSON(t, want.Events))
					}
				}
			}
		})
	}
}

const row = `{"base_id":"b","event_id":"1","title":"t","start":"2026-01-01"}`

// What fever dump writes around lines.
const begin = `{"dump":"begin"}` + "\n"

func end(events int) string { return fmt.Sprintf(`{"dump":"end","events":%d}`+"\n", events) }

func TestAccepts(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		doc  string
		want event.Event
	}{
		"what is needed":       {row, event.Event{}},
		"what is not known":    {`{"sell_mode":"offline","x":{"base_id":[[{}]]},"current":true,"Dump":"begin","provider":7,"id":null,` + row[1:], event.Event{}},
		"null":                 {`{"organizer_company_id":null,"end":null,"sell_from":null,"sell_to":null,"sold_out":null,"zones":null,` + row[1:], event.Event{}},
		"asides that are none": {`{"organizer_company_id":5.5,"sell_from":{},"sell_to":"a\u0000b",` + row[1:], event.Event{}},
		"escapes":              {row[:len(row)-1] + `,"title":"\ud83d\uDE00\\ud83d\/"}`, event.Event{Title: "😀\\ud83d/"}},
		"everything": {
			`{"organizer_company_id":"o","end":"2026-01-02T10:00:00","sell_from":"f","sell_to":"t","sold_out":true,"zones":[{"zone_id":"z","name":"n","capacity":5,"price":1.50,"numbered":true},{}],` + row[1:],
			event.Event{OrganizerID: "o", End: local(t, "2026-01-02T10:00:00"), SellFrom: "f", SellTo: "t", SoldOut: true, Zones: []event.Zone{
				{ID: "z", Name: "n", Capacity: 5, Price: price(t, "1.5"), Numbered: true}, {},
			}},
		},
		"a time zone of its own": {
			`{"timezone":" Europe/London ","end":"2026-10-25T01:30:00[fold=1]","zones":[{"available":true,"price":20,"currency":" GBP "},{"available":false,"currency":null}],` + row[1:],
			event.Event{TimeZone: "Europe/London", End: local(t, "2026-10-25T01:30:00[fold=1]"), Zones: []event.Zone{
				{Available: true, Price: price(t, "20"), Currency: "GBP"}, {},
			}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			snapshot, err := read(strings.NewReader(test.doc))
			if err != nil || len(snapshot.Events) != 1 {
				t.Fatalf("%+v, %v", snapshot, err)
			}
			want := test.want
			want.Key = event.Key{Provider: "test", BaseID: "b", EventID: "1"}
			want.Title, want.Start = cmp.Or(want.Title, "t"), local(t, "2026-01-01")
			if want.Zones == nil {
				want.Zones = []event.Zone{}
			}
			if !reflect.DeepEqual(snapshot.Events[0], want) {
				t.Errorf("%+v\nwant %+v", snapshot.Events[0], want)
			}
		})
	}
}

// The same rows give the same ids and values in both formats, however they are written.
func TestFormatsAgree(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ xml, json string }{
		"blanks": {
			`<planList><base_plan base_plan_id=" 291 " sell_mode="online" organizer_company_id=" 2 " title=" La&#9;Gira &#xa0;">` +
				`<plan plan_id="&#xa0;1642&#9;" plan_start_date=" 2026-01-01T20:00:00 " plan_end_date="2026-01-02 " sell_from=" soon "><zone zone_id=" 40 " name=" Platea&#10;A " capacity=" 5 " price=" 20.00 " numbered="true"/></plan></base_plan></planList>`,
			`{"base_id":" 291 ","event_id":"\u00a01642\t","organizer_company_id":" 2 ","title":" La\tGira \u00a0","start":" 2026-01-01T20:00:00 ","end":"2026-01-02 ","sell_from":" soon ",` +
				`"zones":[{"zone_id":" 40 ","name":" Platea\nA ","capacity":" 5 ","price":" 20.00 ","numbered":true}]}`,
		},
		"numbers": {
			`<planList><base_plan base_plan_id="291" sell_mode="online" organizer_company_id="2" title="t"><plan plan_id="90071992547409931234567890" plan_start_date="2026-01-01">` +
				`<zone zone_id="40" capacity="5" price="20"/><zone zone_id="0" capacity="50" price="100"/><zone zone_id="-7" capacity="0" price="0.000012"/><zone price="0"/></plan></base_plan></planList>`,
			`{"base_id":291,"event_id":90071992547409931234567890,"organizer_company_id":2.0,"title":"t","start":"2026-01-01","zones":[{"zone_id":4.0e1,"capacity":5.0,"price":2.0e1},` +
				`{"zone_id":-0,"capacity":5E+1,"price":1E2},{"zone_id":-7,"capacity":0e99999999999,"price":1.2e-5},{"price":-0.0e5}]}`,
		},
		"exact": {
			`<planList><base_plan base_plan_id="1" sell_mode="online" title="t"><plan plan_id="2" plan_start_date="2026-01-01"><zone capacity="9223372036854775807" price="0.1234567890123456789"/><zone price="12345.67"/></plan></base_plan></planList>`,
			`{"base_id":"1","event_id":"2","title":"t","start":"2026-01-01","zones":[{"capacity":9223372036854775807,"price":1.234567890123456789e-1},{"price":1234567e-2}]}`,
		},
		"keys in another case": {
			`<planList><base_plan base_plan_id="1" sell_mode="online" title="t"><plan plan_id="2" plan_start_date="2026-01-01" sold_out="true"><zone zone_id="z" capacity="3" price="4"/></plan></base_plan></planList>`,
			`{"Base_ID":"1","event_id":"2","EVENT_ID":"9","TITLE":"u","title":"t","Title":"v","START":"2026-01-01","Sold_out":true,"X":1,"Zones":[{"Zone_Id":"z","capacity":3,"Capacity":8,"PRICE":4}]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, err := readXML(strings.NewReader(test.xml))
			if err != nil || len(want.Events) != 1 {
				t.Fatalf("%+v, %v", want, err)
			}
			got, err := read(strings.NewReader(test.json))
			if err != nil || !reflect.DeepEqual(got.Events, want.Events) || got.Events[0].ID() != want.Events[0].ID() {
				t.Errorf("%s, %v\nwant %s", feedtest.JSON(t, got), err, feedtest.JSON(t, want))
			}
		})
	}
}

// Two dumps, one behind the other, are the rows of both, and so is a dump with lines that
// are none of it.
func TestSeveralDumps(t *testing.T) {
	t.Parallel()
	other := strings.Replace(row, `"1"`, `"2"`, 1)
	for _, doc := range []string{
		begin + row + "\n" + end(1) + begin + other + "\n" + end(1),
		begin + row + "\n" + end(1) + other,
		"[" + strings.Repeat(" ", 100<<10) + row + strings.Repeat("\n", 100<<10) + "," + other + "]" + strings.Repeat("\t", 100<<10),
		row + begin + other + end(1),
		"[" + strings.Join([]string{strings.TrimSpace(begin), row, other, strings.TrimSpace(end(2))}, ",") + "]",
		strings.ReplaceAll(begin+row+other+end(2), ":", " :\n "),
	} {
		if snapshot, err := read(strings.NewReader(doc)); err != nil || snapshot.Seen != 2 || len(snapshot.Events) != 2 {
			t.Errorf("%s: %+v, %v", doc, snapshot, err)
		}
	}
}

// What is past is kept apart; of several rows with the same ids the last says which it is.
func TestPast(t *testing.T) {
	t.Parallel()
	with := func(id, current string) string {
		return strings.Replace(strings.Replace(row, `"1"`, `"`+id+`"`, 1), "}", current+"}", 1)
	}
	const no, yes = `,"current":false`, `,"current":true`
	doc := with("1", no) + with("2", yes) + with("3", "") + with("4", `,"Current":null`) + with("5", yes) + with("5", no) + with("6", no) + with("6", "") + with("7", `,"CURRENT":false`)
	snapshot, err := read(strings.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	ids := func(events []event.Event) (ids string) {
		for i := range events {
			ids += events[i].EventID
		}
		return ids
	}
	if ids(snapshot.Events) != "2346" || ids(snapshot.Past) != "157" || snapshot.Seen != 9 || snapshot.Rejected != 2 {
		t.Errorf("current %s, past %s, %d seen, %d rejected", ids(snapshot.Events), ids(snapshot.Past), snapshot.Seen, snapshot.Rejected)
	}
}

func local(tb testing.TB, s string) event.Local {
	tb.Helper()
	var l event.Local
	if err := l.UnmarshalText([]byte(s)); err != nil {
		tb.Fatal(err)
	}
	return l
}

func price(tb testing.TB, s string) event.Price {
	tb.Helper()
	p, err := event.ParsePrice(s)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func TestRejections(t *testing.T) {
	t.Parallel()
	with := func(field string) string { return row[:len(row)-1] + "," + field + "}" }
	tests := map[string]struct {
		row, baseID, eventID, reason string
	}{
		"no base id":          {`{"event_id":"1"}`, "", "1", "no base id"},
		"no event id":         {`{"base_id":"b"}`, "b", "", "no event id"},
		"no title":            {`{"base_id":"b","event_id":"1"}`, "b", "1", "no title"},
		"no start":            {`{"base_id":"b","event_id":"1","title":"t"}`, "b", "1", "no start date"},
		"base id of a type":   {`{"base_id":["1"],"event_id":"1"}`, "", "1", "base_id is a JSON array, which it cannot be"},
		"base id with a part": {`{"base_id":1.5,"event_id":"1"}`, "", "1", `base_id "1.5" is not a whole number`},
		"event id, a bool":    {`{"base_id":"b","event_id":true}`, "b", "", "event_id is a JSON bool, which it cannot be"},
		"huge id":             {`{"base_id":1e999,"event_id":"1"}`, "", "1", `base_id "1e999" has an exponent that is out of range`},
		"long number":         {`{"base_id":1e200,"event_id":"1"}`, "1" + strings.Repeat("0", event.MaxIDBytes-1), "1", "base id of 201 bytes"},
		"ids of blanks":       {`{"base_id":" \t","event_id":"1"}`, "", "1", "no base id"},
		"a title of blanks":   {with(`"title":" \n "`), "b", "1", "no title"},
		"current of a type":   {with(`"current":"no"`), "b", "1", "current is a JSON string"},
		"a key in two cases":  {`{"Event_ID":"2","EVENT_ID":"3","base_id":"b"}`, "b", "2", `both "EVENT_ID" and "Event_ID" are there`},
		"a zone's, too":       {with(`"zones":[{"zone_id":"z","Price":1,"PRICE":2}]`), "b", "1", `zone 1 (id "z"): both "PRICE" and "Price" are there`},
		"title of a type":     {`{"title":["t"],"base_id":"b","event_id":"1"}`, "b", "1", "title is a JSON array"},
		"sold out of a type":  {with(`"sold_out":"no"`), "b", "1", "sold_out is a JSON string"},
		"start of a type":     {with(`"start":20260101`), "b", "1", "start is a JSON number"},
		"no such day":         {with(`"start":"2026-02-30"`), "b", "1", "names a day that does not exist"},
		"end with an offset":  {with(`"end":"2026-02-03T10:00:00Z"`), "b", "1", `end date "2026-02-03T10:00:00Z" is not`},
		"end before start":    {with(`"end":"2025-12-31"`), "b", "1", "before its start"},
		"no such time zone":   {with(`"timezone":"Europe/Lond"`), "b", "1", `time zone "Europe/Lond" is not known`},
		"the machine's zone":  {with(`"timezone":"Local"`), "b", "1", `time zone "Local" is not an IANA name`},
		"time zone of a type": {with(`"timezone":1`), "b", "1", "timezone is a JSON number"},
		"a date again":        {with(`"end":"2026-02-03[fold=1]"`), "b", "1", "is a date, which no clock shows twice"},
		"two currencies":      {with(`"zones":[{"currency":"EUR"},{},{"currency":"GBP"}]`), "b", "1", "zone 3 of 3: its currency is GBP, and that of another zone is EUR"},
		"currency":            {with(`"zones":[{"currency":"€"}]`), "b", "1", `currency "€" is not a code of three letters`},
		"available, a number": {with(`"zones":[{"available":true,"capacity":3}]`), "b", "1", "available says that the number of tickets is unknown, and capacity is 3"},
		"an array":            {`["b"]`, "", "", "it is not a JSON object"},
		"a string":            {`"b"`, "", "", "it is not a JSON object"},
		"a number":            {`-1.5e+3`, "", "", "it is not a JSON object"},
		"null":                {`null`, "", "", "it is not a JSON object"},
		"zones of a type":     {`{"zones":{"a":[]},` + row[1:], "b", "1", "zones is not a JSON array"},
		"zone of null":        {`{"zones":[null],` + row[1:], "b", "1", `zone 1 (id ""): it is a JSON null`},
		"zone of a type":      {`{"zones":[{},7],` + row[1:], "b", "1", `zone 2 (id ""):`},
		"capacity":            {`{"zones":[{"zone_id":"z","capacity":5.5}],` + row[1:], "b", "1", `zone 1 (id "z"): capacity "5.5" is not a whole number`},
		"capacity as text":    {`{"zones":[{"zone_id":"z","capacity":"many"}],` + row[1:], "b", "1", `zone 1 (id "z"): capacity "many" is not a whole number`},
		"a small part":        {`{"zones":[{"capacity":5e-1}],` + row[1:], "b", "1", `capacity "0.5" is not a whole number`},
		"huge capacity":       {`{"zones":[{"capacity":1` + strings.Repeat("0", 1000) + `}],` + row[1:], "b", "1", "is out of range"},
		"negative capacity":   {`{"zones":[{"capacity":-1}],` + row[1:], "b", "1", "capacity -1 is negative"},
		"price":               {`{"zones":[{"zone_id":"z","price":"1,50"}],` + row[1:], "b", "1", `zone 1 (id "z"): price "1,50" is not a number`},
		"negative price":      {`{"zones":[{"price":-1}],` + row[1:], "b", "1", "is negative"},
		"price with power":    {`{"zones":[{"price":"1e2"}],` + row[1:], "b", "1", `price "1e2" is not a number`},
		"price too exact":     {`{"zones":[{"price":1e-40}],` + row[1:], "b", "1", "has more than 19 digits"},
		"price beyond":        {`{"zones":[{"price":1e-400}],` + row[1:], "b", "1", "exponent that is out of range"},
		"price of a type":     {`{"zones":[{"price":[1]}],` + row[1:], "b", "1", "price is a JSON array"},
		"too many zones":      {`{"zones":[{}` + strings.Repeat(",{}", event.MaxZones) + `],` + row[1:], "b", "1", "more than 16384 zones"},
		"steering characters": {`{"base_id":"b\u001b[2J","event_id":"1\n2"}`, "b [2J", "1 2", "base id holds a control character"},
		"half a pair":         {with(`"title":"\ud83dx"`), "b", "1", "half of a surrogate pair"},
		"its other half":      {with(`"title":"\\\uDE00"`), "b", "1", "half of a surrogate pair"},
		"halves in turn":      {with(`"zones":[{"zone_id":"\ude00\ud83d"}]`), "b", "1", "half of a surrogate pair"},
		"half at the end":     {with(`"x":["\ud83d\n"]`), "b", "1", "half of a surrogate pair"},
		"long id":             {`{"base_id":"` + strings.Repeat("b", 1000) + `","event_id":"1"}`, strings.Repeat("b", event.MaxIDBytes), "1", "base id of 1000 bytes"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			good := strings.Replace(row, `"1"`, `"good"`, 1)
			for form, doc := range map[string]string{
				"lines": good + "\n" + test.row + "\n" + good,
				"array": "[" + good + ",\n" + test.row + "\n,\n" + good + "]",
			} {
				snapshot, err := read(strings.NewReader(doc))
				if err != nil {
					t.Fatal(form, err)
				}
				if snapshot.Seen != 3 || snapshot.Rejected != 2 || len(snapshot.Events) != 1 || snapshot.Events[0].EventID != "good" {
					t.Fatalf("%s: seen %d, rejected %d, events %v", form, snapshot.Seen, snapshot.Rejected, snapshot.Events)
				}
				r := snapshot.Rejections[0]
				if r.BaseID != test.baseID || r.EventID != test.eventID || r.Line != 2 || !strings.Contains(r.Reason, test.reason) || len(r.Reason) > 300 {
					t.Errorf("%s: %+v, want event %s/%s because of %q", form, r, test.baseID, test.eventID, test.reason)
				}
				last := 3 + strings.Count(form, "array")
				if want := "replaced by a later row with the same ids, on line " + strconv.Itoa(last); snapshot.Rejections[1].Reason != want {
					t.Errorf("%s: %+v, want %q", form, snapshot.Rejections[1], want)
				}
			}
		})
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		doc  string
		kind feed.Kind
		text string
	}{
		"empty":                    {"", feed.KindMalformed, "the document is empty"},
		"a mark alone":             {"\xef\xbb\xbf", feed.KindMalformed, "the document is empty"},
		"white space":              {" \r\n\t ", feed.KindMalformed, "the document is empty"},
		"HTML":                     {"\n<!DOCTYPE html>", feed.KindMalformed, "line 2 (byte 1): this is not JSON: the character '<', where a value is expected"},
		"XML":                      {"<planList/>", feed.KindMalformed, "the character '<'"},
		"UTF-16":                   {"[\x00]\x00", feed.KindMalformed, "not JSON"},
		"an error's document":      {`{"error":{"code":"internal","message":"m"},"data":null}`, feed.KindDecode, "not a feed"},
		"null":                     {"null", feed.KindDecode, "not a feed"},
		"numbers":                  {"[1,2]", feed.KindDecode, "not a feed"},
		"an array in an array":     {"[[" + row + "]]", feed.KindDecode, "not a feed"},
		"empty objects":            {"{}\n{}", feed.KindDecode, "not a feed"},
		"cut in a line":            {row + "\n" + row[:20], feed.KindMalformed, "line 2 (byte 84): the document is cut short"},
		"cut in a word":            {row + "\nnul", feed.KindMalformed, "cut short"},
		"cut in an array":          {"[" + row, feed.KindMalformed, "cut short"},
		"cut behind a comma":       {"[" + row + ",", feed.KindMalformed, "cut short"},
		"cut in a value":           {"[" + row + ",{", feed.KindMalformed, "cut short"},
		"a bracket alone":          {"[", feed.KindMalformed, "cut short"},
		"closed twice":             {"[]]", feed.KindMalformed, "not JSON"},
		"two arrays":               {"[]\n[]", feed.KindMalformed, "more behind the array"},
		"more behind the array":    {"[" + row + "]\n" + row, feed.KindMalformed, "more behind the array"},
		"rubbish behind":           {"[] rubbish", feed.KindMalformed, "not JSON"},
		"rubbish in a line":        {row + "\nrubbish\n" + row, feed.KindMalformed, "line 2 (byte 64): this is not JSON"},
		"no comma":                 {"[" + row + " " + row + "]", feed.KindMalformed, "a comma or ] is expected"},
		"a comma too many":         {"[" + row + ",]", feed.KindMalformed, "not JSON"},
		"a comma first":            {"[," + row + "]", feed.KindMalformed, "not JSON"},
		"commas between lines":     {row + ",\n" + row, feed.KindMalformed, "not JSON"},
		"closed with a brace":      {"[" + row + "}", feed.KindMalformed, "not JSON"},
		"a control in a string":    {`{"title":"` + "\n" + `"}`, feed.KindMalformed, "not JSON"},
		"ISO-8859-1":               {strings.Replace(row, `"t"`, "\"\xe9\"", 1), feed.KindMalformed, "not UTF-8"},
		"deep":                     {strings.Repeat("[", 100_000), feed.KindMalformed, "more than 100 deep"},
		"a dump without an end":    {begin + row + "\n", feed.KindMalformed, "line 3 (byte 81): the dump is cut short"},
		"a dump's begin alone":     {begin, feed.KindMalformed, "cut short"},
		"a dump in an array, cut":  {"[" + strings.TrimSpace(begin) + "," + row + "]", feed.KindMalformed, "cut short"},
		"a dump without a begin":   {row + "\n" + end(1), feed.KindMalformed, "its first line is missing"},
		"a dump with a line less":  {begin + row + "\n" + end(2), feed.KindMalformed, "the dump has 1 events"},
		"a dump with a line more":  {begin + row + "\n" + end(0), feed.KindMalformed, "the dump has 1 events"},
		"an end without a number":  {begin + row + `{"dump":"end"}`, feed.KindMalformed, "the dump has 1 events"},
		"two dumps, the first cut": {begin + row + "\n" + begin + row + "\n" + end(1), feed.KindMalformed, "has not ended"},
		"two dumps, the last cut":  {begin + row + "\n" + end(1) + begin + row + "\n", feed.KindMalformed, "cut short"},
		"a dump twice at its end":  {begin + row + "\n" + end(1) + end(1), feed.KindMalformed, "its first line is missing"},
		"deep in a record":         {`{"x":` + strings.Repeat(`{"x":`, 100_000), feed.KindMalformed, "more than 100 deep"},
		"a string that is large":   {`{"x":"` + strings.Repeat("x", jsonscan.MaxString+1) + `"}`, feed.KindMalformed, "more than 1 MiB"},
		"a record that is large":   {`{"x":[0` + strings.Repeat(`,"`+strings.Repeat("x", 1<<10)+`"`, 17<<10) + `]}`, feed.KindMalformed, "more than 16 MiB"},
		"a record without an end":  {`[{"x":[0` + strings.Repeat(`,"`+strings.Repeat("x", 1<<10)+`"`, 34<<10), feed.KindMalformed, "more than 16 MiB"},
		"space in a record":        {`[{"x":` + strings.Repeat(" ", 2*jsonscan.MaxRow), feed.KindMalformed, "more than 16 MiB"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for kind, reader := range map[string]func(io.Reader) io.Reader{
				"whole":     func(r io.Reader) io.Reader { return r },
				"byte-wise": iotest.HalfReader,
			} {
				snapshot, err := read(reader(strings.NewReader(test.doc)))
				failure, ok := errors.AsType[*feed.Error](err)
				if !ok || snapshot != nil || failure.Kind != test.kind || !strings.Contains(err.Error(), test.text) || len(err.Error()) > 300 {
					t.Errorf("%s: %+v, %v", kind, snapshot, err)
				}
			}
		})
	}
}

// A document cut anywhere is refused, as an array; as lines, when the cut is inside of
// one. An error of the reader comes out whatever was read before.
func TestCut(t *testing.T) {
	t.Parallel()
	snapshot, err := readXML(bytes.NewReader(feedtest.Documents(t, 1, "../../../testdata/feeds/plan-list-1.xml")["plan-list-1.xml"]))
	if err != nil {
		t.Fatal(err)
	}
	ndjson, array := dumped(t, snapshot.Events)
	broken := errors.New("broken")
	for n := range array {
		if snapshot, err := read(bytes.NewReader(array[:n])); err == nil && n < len(array)-1 {
			t.Errorf("the first %d bytes of the array are taken for a feed of %d", n, snapshot.Seen)
		}
		if _, err := read(io.MultiReader(bytes.NewReader(array[:n]), iotest.ErrReader(broken))); !errors.Is(err, broken) {
			t.Errorf("failing after %d bytes of the array: %v", n, err)
		}
	}
	// Of a dump no part is taken for all of it.
	dump := begin + string(ndjson) + end(len(snapshot.Events))
	for n := range len(dump) - 1 {
		if snapshot, err := read(strings.NewReader(dump[:n])); kindOf(err) != feed.KindMalformed {
			t.Errorf("the first %d bytes of the dump are taken for a feed: %+v, %v", n, snapshot, err)
		}
	}
	if whole, err := read(strings.NewReader(dump)); err != nil || !reflect.DeepEqual(whole.Events, snapshot.Events) {
		t.Errorf("the dump: %+v, %v", whole, err)
	}
	for n := range ndjson {
		snapshot, err := read(bytes.NewReader(ndjson[:n]))
		whole := n > 0 && (ndjson[n] == '\n' || ndjson[n-1] == '\n')
		if (err == nil) != whole || whole && snapshot.Seen != bytes.Count(ndjson[:n+1], []byte("\"id\"")) {
			t.Errorf("the first %d bytes of the lines: %+v, %v", n, snapshot, err)
		}
		if _, err := read(io.MultiReader(bytes.NewReader(ndjson[:n]), iotest.ErrReader(broken))); !errors.Is(err, broken) {
			t.Errorf("failing after %d bytes of the lines: %v", n, err)
		}
	}
}

func TestEmptyFeed(t *testing.T) {
	t.Parallel()
	for _, doc := range []string{"[]", " [\n] \n", "\xef\xbb\xbf[]", begin + end(0), begin + end(0) + begin + end(0), "[" + strings.TrimSpace(begin) + "," + end(0) + "]"} {
		snapshot, err := read(strings.NewReader(doc))
		if err != nil || snapshot.Seen != 0 || snapshot.Events != nil {
			t.Errorf("%q: %+v, %v", doc, snapshot, err)
		}
	}
}

func TestStuck(t *testing.T) {
	t.Parallel()
	for _, doc := range []string{"", "[", row} {
		if _, err := read(io.MultiReader(strings.NewReader(doc), stuck{})); !errors.Is(err, io.ErrNoProgress) {
			t.Errorf("after %q: %v", doc, err)
		}
	}
}

// A document of any size costs no more memory than a small one when nothing in it is
// kept. Not parallel: what other tests allocate would count.
func TestMemory(t *testing.T) {
	const noise = `{"base_id":"b","event_id":"1","zones":[{"zone_id":"z"},{"name":"a","capacity":5},7]}` + "\n"
	doc := io.LimitReader(feedtest.Repeat(noise), int64(len(noise))*50_000)
	var before, after runtime.MemStats
	runtime.GC() // what other tests left behind would be collected meanwhile, or not
	runtime.ReadMemStats(&before)
	snapshot, err := read(doc)
	runtime.ReadMemStats(&after)
	if err != nil || snapshot.Rejected != 50_000 || snapshot.Rejections[99].Line != 100 {
		t.Fatalf("%+v, %v", snapshot, err)
	}
	if after.HeapInuse > before.HeapInuse+8<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before.HeapInuse, after.HeapInuse)
	}

	// The worst record there can be: all that is allocated for it.
	zones := strings.Repeat("{},", jsonscan.MaxRow/3-100)
	runtime.ReadMemStats(&before)
	snapshot, err = read(strings.NewReader(`{"base_id":"b","zones":[` + zones + `{}]}`))
	runtime.ReadMemStats(&after)
	if err != nil || snapshot.Rejected != 1 {
		t.Fatalf("%+v, %v", snapshot, err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 8*jsonscan.MaxRow {
		t.Errorf("%d bytes were allocated for a record of %d", n, jsonscan.MaxRow)
	}
}

// The few zones of an event keep no memory of the many that a record before it had. Not
// parallel, as TestMemory.
func TestZonesKeepTheirMemory(t *testing.T) {
	var doc strings.Builder
	for id := range 100 {
		doc.WriteString(`{"base_id":"b","zones":[{}` + strings.Repeat(",{}", event.MaxZones-1) + `]}`)
		for part := range 3 {
			fmt.Fprintf(&doc, `{"base_id":"b","event_id":"%d-%d","title":"t","start":"2026-01-01","zones":[{}]}`, id, part)
		}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	snapshot, err := read(strings.NewReader(doc.String()))
	runtime.GC()
	runtime.ReadMemStats(&after)
	if err != nil || len(snapshot.Events) != 300 || snapshot.Rejected != 100 {
		t.Fatal(snapshot, err)
	}
	if after.HeapAlloc > before.HeapAlloc+8<<20 {
		t.Errorf("300 zones keep %d bytes", after.HeapAlloc-before.HeapAlloc)
	}
}

// Whatever the bytes are, the decoder comes to an end with a feed that is right in
// itself, the same however they arrive, or with a fault; and what it took, it takes
// again after a dump.
func FuzzDecode(f *testing.F) {
	f.Fuzz(func(t *testing.T, doc []byte) {
		snapshot, err := read(bytes.NewReader(doc))
		halves, err2 := read(iotest.HalfReader(bytes.NewReader(doc)))
		if !reflect.DeepEqual(snapshot, halves) || (err == nil) != (err2 == nil) {
			t.Fatalf("read in halves: %+v, %v\nwhole: %+v, %v", halves, err2, snapshot, err)
		}
		if err != nil {
			if failure, ok := errors.AsType[*feed.Error](err); !ok || failure.Kind != feed.KindMalformed && failure.Kind != feed.KindDecode {
				t.Fatalf("an error of the reader, which has none: %v", err)
			}
			return
		}
		if snapshot.Seen != len(snapshot.Events)+len(snapshot.Past)+snapshot.Rejected || len(snapshot.Rejections) != min(snapshot.Rejected, feed.MaxRejections) {
			t.Fatalf("%+v", snapshot)
		}
		keys := map[event.Key]bool{}
		all := slices.Concat(snapshot.Events, snapshot.Past)
		for i := range all {
			e := &all[i]
			if err := e.ValidateIn(time.UTC); err != nil || e.Provider != "test" || keys[e.Key] || e.Zones == nil {
				t.Fatalf("%+v: %v", e, err)
			}
			keys[e.Key] = true
		}
		for _, r := range snapshot.Rejections {
			if r.Line < 1 || r.Line > 1+bytes.Count(doc, []byte("\n")) || r.Reason == "" || len(r.BaseID) > event.MaxIDBytes || len(r.EventID) > event.MaxIDBytes {
				t.Fatalf("%+v", r)
			}
		}
		if len(snapshot.Events) == 0 {
			return
		}
		ndjson, array := dumped(t, snapshot.Events)
		for _, doc := range [][]byte{ndjson, array} {
			again, err := read(bytes.NewReader(doc))
			if err != nil || !reflect.DeepEqual(again.Events, snapshot.Events) {
				t.Fatalf("dumped: %s\nread again: %+v, %v\nwant %+v", doc, again, err, snapshot.Events)
			}
		}
	})
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }
