package dump

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"fever/event"
)

// A mapping program's records have the rules of the format, and some of their own.
func TestReader(t *testing.T) {
	t.Parallel()
	r := NewReader()
	madrid, err := event.LoadLocation("Europe/Madrid")
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", event.MaxIDBytes+1)
	const digits = "sha256-0ec9eb33e74510bcdd1f2ea55206e82f"
	for text, want := range map[string]event.Event{
		`{"base_id":"b","title":"t","start":"2026-01-01T19:00:00Z","end":"2026-01-01T23:30+01:00"}`:                      {Key: event.Key{BaseID: "b", EventID: "b"}, TimeZone: "Europe/Madrid", Start: local(t, "2026-01-01T20:00:00"), End: local(t, "2026-01-01T23:30:00")},
		`{"base_id":"b","title":"t","start":"2026-01-01 20:00","timezone":"Europe/London","end":"2026-01-01T22:00:00Z"}`: {Key: event.Key{BaseID: "b", EventID: "b"}, TimeZone: "Europe/London", Start: local(t, "2026-01-01T20:00:00"), End: local(t, "2026-01-01T22:00:00")},
		`{"base_id":"b","title":"t","start":"2026-01-01"}`:                                                               {Key: event.Key{BaseID: "b", EventID: "b"}},
		`{"base_id":7,"event_id":8.0,"title":"t","start":"2026-01-01","end":null}`:                                       {Key: event.Key{BaseID: "7", EventID: "8"}},
		`{"base_id":"b","event_id":"` + long + `","title":"t","start":"2026-01-01"}`:                                     {Key: event.Key{BaseID: "b", EventID: digits}},
		`{"base_id":"` + long + `","title":"t","start":"2026-01-01"}`:                                                    {Key: event.Key{BaseID: digits, EventID: digits}},
		`{"base_id":"b","title":"t","start":"2026-01-01","zones":[{"price":"20.00"},{"price":20.00},{"price":0}]}`: {
			Key: event.Key{BaseID: "b", EventID: "b"}, Zones: []event.Zone{{Price: price(t, "20")}, {Price: price(t, "20")}, {Price: price(t, "0")}},
		},
	} {
		got, current, err := r.Read([]byte(text), madrid)
		want.Title = "t"
		if want.Start.IsZero() {
			want.Start = local(t, "2026-01-01")
		}
		if want.Zones == nil {
			want.Zones = []event.Zone{}
		}
		if err != nil || !current || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %t, %v\nwant %+v", text, got, current, err, want)
		}
	}
	if _, current, err := r.Read([]byte(`{"base_id":"b","title":"t","start":"2026-01-01","current":false}`), madrid); err != nil || current {
		t.Errorf("a record that is past: %t, %v", current, err)
	}
	for text, want := range map[string]string{
		`{"base_id":"b","titel":"t"}`:                         `the member "titel" is not known: known are base_id, event_id, title, `,
		`{"base_id":"b","Title":"t"}`:                         `the member "Title" is not known`,
		`{"base_id":"b","provider":"t"}`:                      `the member "provider" is not known`,
		`{"base_id":"b","dump":"begin"}`:                      `the member "dump" is not known`,
		`{"base_id":"b","zones":[{"zone_id":"z","prize":1}]}`: `zone 1 (id "z"): the member "prize" is not known: known are zone_id, name, `,
		`{"base_id":"b","zones":[{"price":"20,00"}]}`:         `price "20,00" is not a number`,
		`{"base_id":"b","zones":[{"price":"free"}]}`:          `price "free" is not a number`,
		`{"base_id":"b","start":"2026-02-30"}`:                "names a day that does not exist",
		`["b"]`:                                               "it is not a JSON object",
		`{"base_id":"b"} {"base_id":"c"}`:                     "there is more behind the record",
		`{"base_id":"b"`:                                      "the record as JSON: line 1 (byte 14): the document is cut short",
		``:                                                    "it is not a JSON object",
	} {
		if got, _, err := r.Read([]byte(text), madrid); err == nil || !strings.Contains(err.Error(), want) || strings.HasSuffix(text, "]}") && got.BaseID != "b" {
			t.Errorf("%s: %+v, %v\nwant %s", text, got, err, want)
		}
	}
}

// Whatever a program makes, it becomes an event that its ids allow, or is rejected for a reason.
// What is read again after it is read the same.
func FuzzReader(f *testing.F) {
	for _, text := range []string{
		row, `{"base_id":7,"title":"t","start":"2026-01-01T20:00+01:00","zones":[{"price":"1.5","available":true}]}`,
		`{"base_id":"b","x":1}`, `{"zones":[{"x":1}]}`, `[]`, `"\ud83d"`, `{`, `{}{}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r := NewReader()
		e, current, err := r.Read(text, time.UTC)
		again, current2, err2 := r.Read(text, time.UTC)
		if !reflect.DeepEqual(e, again) || current != current2 || fmt.Sprint(err) != fmt.Sprint(err2) {
			t.Fatalf("%+v, %t, %v; and again %+v, %t, %v", e, current, err, again, current2, err2)
		}
		if len(e.BaseID) > event.MaxIDBytes || len(e.EventID) > event.MaxIDBytes || err != nil && err.Error() == "" {
			t.Fatalf("%+v, %v", e, err)
		}
		if err == nil && (!json.Valid(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))) || e.EventID == "" && e.BaseID != "") {
			t.Fatalf("%+v of %s", e, text)
		}
	})
}
