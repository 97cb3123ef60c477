package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fever/event"
	"fever/provider/feed"
)

var update = flag.Bool("update", false, "write the golden files anew")

const feedsDir = "../testdata/feeds"

// fixtures returns the feeds of the repository by their name.
func fixtures(tb testing.TB) map[string][]byte {
	tb.Helper()
	names, err := filepath.Glob(filepath.Join(feedsDir, "*.xml"))
	if err != nil || len(names) < 14 {
		tb.Fatalf("fixtures: %d, %v", len(names), err)
	}
	docs := make(map[string][]byte)
	for _, name := range names {
		doc, err := os.ReadFile(name)
		if err != nil {
			tb.Fatal(err)
		}
		docs[filepath.Base(name)] = doc
	}
	return docs
}

func TestDecodeGolden(t *testing.T) {
	t.Parallel()
	for name, doc := range fixtures(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			snapshot, err := decodeXML(bytes.NewReader(doc), plainly)
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			enc := json.NewEncoder(&got)
			enc.SetEscapeHTML(false)
			enc.SetIndent("", "  ")
			if err := enc.Encode(struct {
				Events                  []event.Event
				Seen, Ignored, Rejected int
				Rejections              []feed.Rejection
			}{snapshot.Events, snapshot.Seen, snapshot.Ignored, snapshot.Rejected, snapshot.Rejections}); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", "golden", strings.TrimSuffix(name, ".xml")+".json")
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("differs from %s:\n%s", golden, got.Bytes())
			}
		})
	}
}

// Both dialects say the same, but for the second occurrence in answer 1.
func TestDecodeDialectsAgree(t *testing.T) {
	t.Parallel()
	docs := fixtures(t)
	for _, n := range []string{"1", "2", "3"} {
		events, err1 := decodeXML(bytes.NewReader(docs["event-list-"+n+".xml"]), plainly)
		plans, err2 := decodeXML(bytes.NewReader(docs["plan-list-"+n+".xml"]), plainly)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		var same []event.Event
		for _, e := range plans.Events {
			if e.EventID != "1643" {
				same = append(same, e)
			}
		}
		if a, b := toJSON(t, events.Events), toJSON(t, same); a != b {
			t.Errorf("answer %s:\n%s\n%s", n, a, b)
		}
	}
}

func toJSON(tb testing.TB, v any) string {
	tb.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

// inFeed wraps occurrences, or what stands for them.
func inFeed(rows string) string {
	return `<eventList><output><base_event base_event_id="b" sell_mode="online" title="t">` + rows + `</base_event></output></eventList>`
}

func TestDecodeRejections(t *testing.T) {
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
			snapshot, err := decodeXML(strings.NewReader(inFeed("\n"+test.rows+good)), plainly)
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

func TestDecodeListsSomeRejections(t *testing.T) {
	t.Parallel()
	snapshot, err := decodeXML(strings.NewReader(inFeed(strings.Repeat("<event/>", 3*feed.MaxRejections))), plainly)
	if err != nil {
		t.Fatal(err)
	}
	if snapshot.Seen != 300 || snapshot.Rejected != 300 || len(snapshot.Rejections) != feed.MaxRejections {
		t.Errorf("seen %d, rejected %d, listed %d", snapshot.Seen, snapshot.Rejected, len(snapshot.Rejections))
	}
}

func TestDecodeEmptyFeed(t *testing.T) {
	t.Parallel()
	for _, doc := range []string{"<planList/>", "<eventList><output></output></eventList>\n<!-- nothing on -->", "\xef\xbb\xbf<planList><output/></planList>"} {
		snapshot, err := decodeXML(strings.NewReader(doc), plainly)
		if err != nil || snapshot.Seen != 0 || snapshot.Events != nil {
			t.Errorf("%q: %+v, %v", doc, snapshot, err)
		}
	}
}

// A control character in a text that people read is worth a space, and not the row.
func TestDecodeControlCharacters(t *testing.T) {
	t.Parallel()
	snapshot, err := decodeXML(strings.NewReader(`<planList><base_plan base_plan_id="1" sell_mode="online" title="&#9;Tom&#10;&#13;Jerry&#x85;"><plan plan_id="1" plan_start_date="2026-01-01">`+
		`<zone name="A&#9;1"/></plan></base_plan></planList>`), plainly)
	if err != nil || len(snapshot.Events) != 1 || snapshot.Events[0].Title != "Tom  Jerry" || snapshot.Events[0].Zones[0].Name != "A 1" {
		t.Errorf("%+v, %v", snapshot, err)
	}
}

// What is kept of a feed is bounded, however small its document is.
func TestGathererBounds(t *testing.T) {
	t.Parallel()
	e := event.Event{Key: event.Key{Provider: "test", BaseID: "1", EventID: "1"}, Zones: make([]event.Zone, 2)}
	g := newGatherer(nil)
	g.zones = maxZones - 2
	if err := g.keep(e, 1, false); err != nil {
		t.Errorf("at the limit of zones: %v", err)
	}
	if err := g.keep(e, 2, false); kindAt(err) != feed.KindTooLarge {
		t.Errorf("past the limit of zones: %v", err)
	}

	g = newGatherer(nil)
	g.feed.Events = make([]event.Event, maxRows-1, maxRows)
	if err := g.keep(e, 1, false); err != nil {
		t.Errorf("at the limit of events: %v", err)
	}
	e.EventID = "2"
	if err := g.keep(e, 2, false); kindAt(err) != feed.KindTooLarge {
		t.Errorf("past the limit of events: %v", err)
	}
}

// plainly is how most tests read.
var plainly = decoding{provider: "test", location: time.UTC}

func TestDecodePrefixes(t *testing.T) {
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
			snapshot, err := decodeXML(strings.NewReader(test.doc), plainly)
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
