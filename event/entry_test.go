package event_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"fever/event"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestSummaryGolden(t *testing.T) {
	t.Parallel()
	changes := []func(*event.Event){
		func(*event.Event) {},
		func(e *event.Event) { e.End = event.Local{} },
		func(e *event.Event) { e.Start, e.End = mustLocal("2021-06-30"), mustLocal("2021-07-01") },
		func(e *event.Event) { e.Start, e.End = mustLocal("2021-06-30"), event.Local{} },
		func(e *event.Event) { e.End = mustLocal("2021-06-30") },
		func(e *event.Event) {
			e.Start, e.End = mustLocal("0001-02-03T04:05:06"), mustLocal("9999-12-31T23:59:59")
		},
		func(e *event.Event) {
			e.Start, e.End = mustLocal("2021-03-28T02:30:00"), mustLocal("2021-03-28T03:10:00")
		},
		func(e *event.Event) { e.SoldOut = true },
		func(e *event.Event) { e.Zones = nil },
		func(e *event.Event) { e.Zones[1].Capacity = 0 },
		func(e *event.Event) { e.Zones[1].Price = mustPrice("0.00") },
		func(e *event.Event) {
			e.Zones[0].Price, e.Zones[2].Price = mustPrice("0.0000000000000000001"), mustPrice("9999999999999999999")
		},
		func(e *event.Event) { e.Title = `"Say \"hi\"" \ / 'x'` },
		func(e *event.Event) { e.Title = `<b>Tom & Jerry</b>` },
		func(e *event.Event) { e.Title = `<"both">` },
		func(e *event.Event) { e.Title = "Niño, Ærø, 東京, 👩🏽‍🎤" },
		func(e *event.Event) { e.Title = "a\u2028b\u2029c\u007f\ufeff\ufffd" },
		func(e *event.Event) { e.Title = "not valid, yet JSON:\x00\t\r\n\x1f\xff" },
		func(e *event.Event) { e.Provider, e.BaseID, e.EventID = "other", `"`, "1" },
	}
	var got []byte
	for _, change := range changes {
		e := camela()
		change(&e)
		got = append(append(got, event.NewEntry(&e, location(t, "Europe/Madrid")).Summary...), '\n')
	}
	golden := filepath.Join("testdata", "summaries.golden")
	if *update {
		if err := os.WriteFile(golden, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range bytes.Split(want, []byte("\n")) {
		if lines := bytes.Split(got, []byte("\n")); i >= len(lines) || !bytes.Equal(lines[i], line) {
			t.Fatalf("line %d of %s is\n%s\nwant\n%s", i+1, golden, lines[min(i, len(lines)-1)], line)
		}
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%d bytes, %s has %d", len(got), golden, len(want))
	}
}

// TestSummaryProperty reads a summary back with a strict decoder.
func TestSummaryProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := anyEvent.Draw(t, "event")
		e.Title = rapid.String().Draw(t, "title")
		zone := rapid.SampledFrom(zones).Draw(t, "zone")
		entry := event.NewEntry(&e, location(t, zone))
		if entry.End < entry.Start {
			t.Fatalf("ends at %d, before it starts at %d", entry.End, entry.Start)
		}

		var got struct {
			ID        uuid.UUID   `json:"id"`
			Title     string      `json:"title"`
			StartDate string      `json:"start_date"`
			StartTime *string     `json:"start_time"`
			EndDate   *string     `json:"end_date"`
			EndTime   *string     `json:"end_time"`
			MinPrice  event.Price `json:"min_price"`
			MaxPrice  event.Price `json:"max_price"`
		}
		d := json.NewDecoder(bytes.NewReader(entry.Summary))
		d.DisallowUnknownFields()
		if err := d.Decode(&got); err != nil || d.More() {
			t.Fatalf("%s: %v", entry.Summary, err)
		}
		lowest, highest := e.PriceRange()
		if got.ID != e.ID() || got.Title != e.Title || got.MinPrice != lowest || got.MaxPrice != highest {
			t.Fatalf("%s is not of id %s, title %q, prices %q to %q", entry.Summary, e.ID(), e.Title, lowest, highest)
		}
		if got.StartDate != date(e.Start) || text(got.StartTime) != clock(e.Start) || text(got.EndDate) != date(e.End) || text(got.EndTime) != clock(e.End) {
			t.Fatalf("%s is not from %q to %q", entry.Summary, e.Start, e.End)
		}

		var all map[string]json.RawMessage
		if err := json.Unmarshal(entry.Summary, &all); err != nil || len(all) != reflect.TypeOf(got).NumField() {
			t.Fatalf("%s has %d fields, %v", entry.Summary, len(all), err)
		}
		if cap(entry.Summary) > len(entry.Summary)+len(entry.Summary)/4+8 {
			t.Fatalf("a summary of %d bytes holds %d", len(entry.Summary), cap(entry.Summary))
		}
	})
}

// text returns what s points to, or "" for null, which is no date and no time.
func text(s *string) string {
	if s == nil {
		return ""
	}
	if *s == "" {
		return "empty, not null"
	}
	return *s
}

func TestSummarizeNeedsNoZones(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := anyEvent.Draw(t, "event")
		loc := location(t, rapid.SampledFrom(zones).Draw(t, "zone"))
		want := event.NewEntry(&e, loc)
		lowest, highest := e.PriceRange()
		got := event.Summarize(&event.Event{Key: e.Key, Title: e.Title, TimeZone: e.TimeZone, Start: e.Start, End: e.End}, lowest, highest, loc)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, want %+v", got, want)
		}
	})
}

func TestEventJSON(t *testing.T) {
	t.Parallel()
	e := camela()
	e.End, e.Zones = event.Local{}, e.Zones[:2]
	e.Zones[1] = event.Zone{}
	got, err := json.Marshal(&e)
	const want = `{"provider":"feverup","base_id":"291","event_id":"291","title":"Camela en concierto","start":"2021-06-30T21:00:00",` +
		`"sell_from":"2020-07-01T00:00:00","sell_to":"2021-06-30T20:00:00","sold_out":false,"zones":[` +
		`{"zone_id":"40","name":"Platea","capacity":243,"price":20,"numbered":true},{"capacity":0,"price":null,"numbered":false}]}`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v\nwant\n%s", got, err, want)
	}
}

func TestRecordJSONRoundTrip(t *testing.T) {
	t.Parallel()
	moment := rapid.Map(rapid.Int64Range(0, 4102444800000), func(ms int64) time.Time { return time.UnixMilli(ms).UTC() })
	rapid.Check(t, func(t *rapid.T) {
		want := event.Record{
			Event:       anyEvent.Draw(t, "event"),
			FirstSeen:   moment.Draw(t, "first seen"),
			LastChanged: moment.Draw(t, "last changed"),
			Current:     rapid.Bool().Draw(t, "current"),
		}
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got event.Record
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%s\ngives %+v\nwant  %+v", text, got, want)
		}
		if again, err := json.Marshal(got); err != nil || !bytes.Equal(again, text) {
			t.Fatalf("%s, %v; want %s", again, err, text)
		}
	})
}

func TestCompare(t *testing.T) {
	t.Parallel()
	one, two := uuid.UUID{15: 1}, uuid.UUID{0: 1}
	ordered := []*event.SortKey{
		{Start: -1 << 63, End: 1<<63 - 1, ID: two},
		{Start: -1, End: 5, ID: one},
		{Start: 0, End: 0, ID: two},
		{Start: 0, End: 1, ID: one},
		{Start: 0, End: 1, ID: two},
		{Start: 1, End: 1, ID: one},
		{Start: 1<<63 - 1, End: 1<<63 - 1, ID: one},
	}
	for i, a := range ordered {
		for j, b := range ordered {
			if got, want := a.Compare(b), cmp.Compare(i, j); got != want {
				t.Errorf("%d and %d compare as %d, want %d", i, j, got, want)
			}
		}
	}
}

func TestCompareIsTotal(t *testing.T) {
	t.Parallel()
	small := rapid.Int64Range(-1, 1)
	places := rapid.Custom(func(t *rapid.T) *event.SortKey {
		return &event.SortKey{
			Start: small.Draw(t, "start"),
			End:   small.Draw(t, "end"),
			ID:    uuid.UUID{byte(small.Draw(t, "first of id")), 15: byte(small.Draw(t, "last of id"))},
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := places.Draw(t, "a"), places.Draw(t, "b"), places.Draw(t, "c")
		if a.Compare(b) != -b.Compare(a) {
			t.Fatalf("Compare: a to b %d, b to a %d", a.Compare(b), b.Compare(a))
		}
		if same := a.Start == b.Start && a.End == b.End && a.ID == b.ID; (a.Compare(b) == 0) != same {
			t.Fatalf("Compare: a to b %d, though the same: %t", a.Compare(b), same)
		}
		if again := *a; a.Compare(&again) != 0 {
			t.Fatal("a place does not compare as equal to its copy")
		}
		three := []*event.SortKey{a, b, c}
		slices.SortFunc(three, (*event.SortKey).Compare)
		if three[0].Compare(three[1]) > 0 || three[1].Compare(three[2]) > 0 || three[0].Compare(three[2]) > 0 {
			t.Fatal("Compare is not transitive")
		}
	})
}
