package feverup

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"fever/event"
	"fever/internal/feedtest"
	"fever/provider/feed"
	"fever/provider/xmlscan"
)

var update = flag.Bool("update", false, "write the golden files anew")

func decode(r io.Reader) (*feed.Feed, error) { return feedtest.Read(New(0), r, "") }

// fixtures returns the feeds of the repository, and documents with odd rows.
func fixtures(tb testing.TB) map[string][]byte {
	tb.Helper()
	return feedtest.Documents(tb, 15, "../../../testdata/feeds/*.xml", "testdata/*.xml")
}

func TestGolden(t *testing.T) {
	t.Parallel()
	feedtest.Golden(t, New(0), *update, fixtures(t))
}

// An error of a document has a kind; that of its reader keeps its own.
func TestErrors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		doc, charset string
		kind         feed.Kind
		text         string
	}{
		"HTML":                        {"<!DOCTYPE html>\n<html><body>502</body></html>", "", feed.KindDecode, "line 2 (byte 22): not a feed: the root element is <html>"},
		"another root":                {"<events/>", "", feed.KindDecode, "<events>"},
		"a root with a prefix of XML": {`<xml:eventList/>`, "", feed.KindDecode, "<xml:eventList>"},
		"cut short":                   {"<planList>", "", feed.KindMalformed, "line 1 (byte 10): the document is cut short inside <planList>"},
		"an unknown encoding":         {"<planList/>", "klingon", feed.KindDecode, `line 1 (byte 0): the encoding "klingon" is not known`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			snapshot, err := feedtest.Read(New(0), strings.NewReader(test.doc), test.charset)
			failure, ok := errors.AsType[*feed.Error](err)
			if !ok || snapshot != nil || failure.Kind != test.kind || !strings.Contains(err.Error(), test.text) {
				t.Errorf("%+v, %v, want %s with %q", snapshot, err, test.kind, test.text)
			}
		})
	}
	broken := feed.Errorf(feed.KindTLS, "broken")
	for n := range "<planList/>" {
		_, err := decode(io.MultiReader(strings.NewReader("<planList/>"[:n]), iotest.ErrReader(broken)))
		if failure, ok := errors.AsType[*feed.Error](err); !ok || failure.Kind != feed.KindTLS || !errors.Is(err, broken) || failure.Bytes != int64(n) {
			t.Errorf("broken at %d: %v", n, err)
		}
	}
}

// What is tolerated is read over, and part of the revision.
func TestTolerance(t *testing.T) {
	t.Parallel()
	doc := "\n<?xml version='1.0'?>" + inFeed("")
	if snapshot, err := decode(strings.NewReader(doc)); err == nil || !strings.Contains(err.Error(), "tolerate: leading-blanks") {
		t.Errorf("%+v, %v", snapshot, err)
	}
	tolerant := New(xmlscan.LeadingBlanks)
	if _, err := feedtest.Read(tolerant, strings.NewReader(doc), ""); err != nil || tolerant.Revision == New(0).Revision {
		t.Errorf("%v, revision %q", err, tolerant.Revision)
	}
}

// Unknown elements are skipped with what they contain, and a feed without rows tells of the
// first that could be one.
func TestUnknown(t *testing.T) {
	t.Parallel()
	row := `<event event_id="1" event_start_date="2026-01-01"/>`
	for doc, line := range map[string]int{
		"<planList><a>" + inFeed(row) + "</a></planList>":    1,
		"<planList>\n<output>\n<b/><c/></output></planList>": 3,
		"<planList/>":        0,
		inFeed(row + "<x/>"): 0,
	} {
		snapshot, err := decode(strings.NewReader(doc))
		if err != nil || (len(snapshot.Rejections) == 1) != (line > 0) || line > 0 && (snapshot.Seen != 0 || snapshot.Rejections[0].Line != line) {
			t.Errorf("%q: %+v, %v", doc, snapshot, err)
		}
	}
}

// Both dialects say the same, but for the second occurrence in answer 1.
func TestDialectsAgree(t *testing.T) {
	t.Parallel()
	docs := fixtures(t)
	for _, n := range []string{"1", "2", "3"} {
		events, err1 := decode(bytes.NewReader(docs["event-list-"+n+".xml"]))
		plans, err2 := decode(bytes.NewReader(docs["plan-list-"+n+".xml"]))
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		var same []event.Event
		for _, e := range plans.Events {
			if e.EventID != "1643" {
				same = append(same, e)
			}
		}
		if a, b := feedtest.JSON(t, events.Events), feedtest.JSON(t, same); a != b {
			t.Errorf("answer %s:\n%s\n%s", n, a, b)
		}
	}
}

// inFeed wraps occurrences, or what stands for them.
func inFeed(rows string) string {
	return `<eventList><output><base_event base_event_id="b" sell_mode="online" title="t">` + rows + `</base_event></output></eventList>`
}

func TestRejections(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", event.MaxIDBytes)
	start := ` event_start_date="2026-01-01"`
	tests := map[string]struct {
		rows, eventID, reason string
	}{
		"no id":             {`<event` + start + `/>`, "", "no event id"},
		"long id":           {`<event event_id="` + long + `"` + start + `/>`, long[:event.MaxIDBytes], "event id of 256 bytes"},
		"no start":          {`<event event_id="1"/>`, "1", "no start date"},
		"no such day":       {`<plan plan_id="1" plan_start_date="2021-09-31T20:00:00"/>`, "1", `start date "2021-09-31T20:00:00" names a day that does not exist`},
		"end before start":  {`<event event_id="1"` + start + ` event_end_date="2025-12-31"/>`, "1", "before its start"},
		"capacity":          {`<event event_id="1"` + start + `><zone/><zone zone_id="z" capacity="many"/></event>`, "1", `zone 2 (id "z"): capacity "many" is not a whole number`},
		"negative capacity": {`<event event_id="1"` + start + `><zone capacity="-1"/></event>`, "1", `zone 1 (id ""): capacity -1 is negative`},
		"huge capacity":     {`<event event_id="1"` + start + `><zone capacity="9223372036854775808"/></event>`, "1", "out of range"},
		"price":             {`<event event_id="1"` + start + `><zone zone_id="z" price="1,5"/></event>`, "1", `zone 1 (id "z"): price "1,5" is not a number`},
		"negative price":    {`<event event_id="1"` + start + `><zone zone_id="z" max_price="-1"/></event>`, "1", "is negative"},
		"empty price":       {`<event event_id="1"` + start + `><zone zone_id="z" price=""/></event>`, "1", "is not a number"},
		"long zone id":      {`<event event_id="1"` + start + `><zone zone_id="` + long + `"/></event>`, "1", "its id has 256 bytes"},
		"long zone name":    {`<event event_id="1"` + start + `><zone name="` + strings.Repeat("n", event.MaxTextBytes+1) + `"/></event>`, "1", "its name has 1025 bytes"},
		"too many zones":    {`<event event_id="1"` + start + `>` + strings.Repeat("<zone/>", event.MaxZones+1) + `</event>`, "1", "more than 16384 zones"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			good := "\n<event event_id=\"good\"" + start + "/>"
			snapshot, err := decode(strings.NewReader(inFeed("\n" + test.rows + good)))
			if err != nil {
				t.Fatal(err)
			}
			if snapshot.Seen != 2 || snapshot.Rejected != 1 || len(snapshot.Events) != 1 || snapshot.Events[0].EventID != "good" {
				t.Fatalf("seen %d, rejected %d, events %v", snapshot.Seen, snapshot.Rejected, snapshot.Events)
			}
			r := snapshot.Rejections[0]
			if r.BaseID != "b" || r.EventID != test.eventID || r.Line != 2 || !strings.Contains(r.Reason, test.reason) {
				t.Errorf("%+v, want event %q because of %q", r, test.eventID, test.reason)
			}
		})
	}
}

func TestListsSomeRejections(t *testing.T) {
	t.Parallel()
	snapshot, err := decode(strings.NewReader(inFeed(strings.Repeat("<event/>", 3*feed.MaxRejections))))
	if err != nil {
		t.Fatal(err)
	}
	if snapshot.Seen != 300 || snapshot.Rejected != 300 || len(snapshot.Rejections) != feed.MaxRejections {
		t.Errorf("seen %d, rejected %d, listed %d", snapshot.Seen, snapshot.Rejected, len(snapshot.Rejections))
	}
}

func TestEmptyFeed(t *testing.T) {
	t.Parallel()
	for _, doc := range []string{"<planList/>", "<eventList><output></output></eventList>\n<!-- nothing on -->", "\xef\xbb\xbf<planList><output/></planList>"} {
		snapshot, err := decode(strings.NewReader(doc))
		if err != nil || snapshot.Seen != 0 || snapshot.Events != nil {
			t.Errorf("%q: %+v, %v", doc, snapshot, err)
		}
	}
}

// A control character in a text that people read is worth a space, and not the row.
func TestControlCharacters(t *testing.T) {
	t.Parallel()
	snapshot, err := decode(strings.NewReader(`<planList><base_plan base_plan_id="1" sell_mode="online" title="&#9;Tom&#10;&#13;Jerry&#x85;"><plan plan_id="1" plan_start_date="2026-01-01">` +
		`<zone name="A&#9;1"/></plan></base_plan></planList>`))
	if err != nil || len(snapshot.Events) != 1 || snapshot.Events[0].Title != "Tom  Jerry" || snapshot.Events[0].Zones[0].Name != "A 1" {
		t.Errorf("%+v, %v", snapshot, err)
	}
}

func TestPrefixes(t *testing.T) {
	t.Parallel()
	const start = ` plan_start_date="2026-01-01"`
	for name, test := range map[string]struct{ doc, want string }{
		"all":          {`<f:planList xmlns:f="urn:f"><f:output><f:base_plan base_plan_id="1" title="t" sell_mode="online"><f:plan plan_id="2"` + start + `><f:zone zone_id="z"/></f:plan></f:base_plan></f:output></f:planList>`, "1/2 t z"},
		"not declared": {`<f:planList><f:base_plan base_plan_id="1" title="t" sell_mode="online"><f:plan plan_id="2"` + start + `><f:zone zone_id="z"/></f:plan></f:base_plan></f:planList>`, "1/2 t z"},
		"the root's alone": {
			`<f:planList><base_plan base_plan_id="1" title="t" sell_mode="online"><f:plan plan_id="2"` + start + `><zone zone_id="z"/></f:plan></base_plan></f:planList>`,
			"1/2 t z",
		},
		"attributes, too": {
			`<f:planList><f:base_plan f:base_plan_id="1" f:title="t" f:sell_mode="online"><f:plan f:plan_id="2" f:plan_start_date="2026-01-01"><f:zone f:zone_id="z"/></f:plan></f:base_plan></f:planList>`,
			"1/2 t z",
		},
		"an attribute twice": {
			`<f:planList><f:base_plan title="t" f:base_plan_id="9" base_plan_id="1" f:title="u" sell_mode="online"><f:plan plan_id="2" f:plan_id="9"` + start + `><f:zone zone_id="z"/></f:plan></f:base_plan></f:planList>`,
			"1/2 t z",
		},
		"somebody else's": {
			`<f:planList x:version="1"><f:base_plan base_plan_id="1" x:title="u" xml:title="v" xmlns:title="w" title="t" sell_mode="online"><x:plan plan_id="9"` + start + `/><f:plan plan_id="2"` + start + `><x:zone capacity="x"/><f:zone zone_id="z" x:capacity="-1"/></f:plan></f:base_plan></f:planList>`,
			"1/2 t z",
		},
		"somebody else's, without": {
			`<planList><base_plan base_plan_id="1" x:title="u" title="t" sell_mode="online"><x:plan plan_id="9"` + start + `/><plan plan_id="2"` + start + `><x:zone capacity="x"/><zone zone_id="z" x:capacity="-1"/></plan></base_plan></planList>`,
			"1/2 t z",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			compare(t, []byte(test.doc), "")
			snapshot, err := decode(strings.NewReader(test.doc))
			if err != nil || snapshot.Seen != 1 || len(snapshot.Events) != 1 || len(snapshot.Events[0].Zones) != 1 {
				t.Fatalf("%+v, %v", snapshot, err)
			}
			e := &snapshot.Events[0]
			if got := e.BaseID + "/" + e.EventID + " " + e.Title + " " + e.Zones[0].ID; got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// TestPlaces has those who trace find every row in the document, whatever became of it.
func TestPlaces(t *testing.T) {
	t.Parallel()
	const text = `<eventList><output>
<base_event base_event_id="1" sell_mode="online" title="T"><event event_id="kept" event_start_date="2026-01-02"/>
<event event_id="rejected"><zone/></event></base_event>
<base_event base_event_id="2" sell_mode="offline"><event event_id="ignored"/>
<event event_id="ignored, too"><zone zone_id="1"/><event/></event></base_event></output></eventList>`
	var got []string
	doc := &feed.Document{Body: io.NopCloser(strings.NewReader(text)), Op: "read", Trace: func(r *feed.Row) {
		got = append(got, fmt.Sprintf("%d: %s", r.Line, text[r.Offset:][:r.Length]))
	}}
	f, err := feed.Decode(doc, New(0), "test", time.UTC)
	want := []string{
		`2: <event event_id="kept" event_start_date="2026-01-02"/>`,
		`3: <event event_id="rejected"><zone/></event>`,
		`4: <event event_id="ignored"/>`,
		`5: <event event_id="ignored, too"><zone zone_id="1"/><event/></event>`,
	}
	if err != nil || f.Ignored != 2 || !slices.Equal(got, want) {
		t.Errorf("%+v, %v: %q", f, err, got)
	}
}
